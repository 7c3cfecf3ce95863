/* event_source: where binlog events come from, one after the other: a server's dump thread, or binlog files.
 *
 * Thread: one reader; event_source_interrupt from any thread. Ownership: the event's bytes are the source's and valid
 * until the next fetch. Errors: as connection.h; ERR_POSITION_PURGED names what is missing; ERR_STOPPED after an
 * interrupt. */
#ifndef PILLION_MYSQL_EVENT_SOURCE_H
#define PILLION_MYSQL_EVENT_SOURCE_H

#include "base/err.h"
#include "model/position.h"
#include "mysql/connection.h"

struct event_source;

struct event_source_options {
    struct connection_options connection;
    uint32_t server_id;       /* this replica's; must not be in use. 0: derived from capture_name */
    unsigned heartbeat_ms;    /* the server's dump thread sends a heartbeat when idle that long */
    const char *capture_name; /* shown in SHOW REPLICAS / processlist as far as the protocol allows */
    bool annotate;            /* MariaDB: also send the statements (Annotate_rows); MySQL decides by itself */
    bool until_now;           /* a server source ends (fetch gives 0) at its newest event */
};

enum start_kind { START_POSITION, START_EARLIEST, START_LATEST, START_GTID, START_FILE };

struct start_point {
    enum start_kind kind;
    const struct position *position; /* POSITION (by GTID when it has GTIDs, else file and offset), GTID, FILE */
};

/* The server id that a capture of this name uses when none is configured: stable, from 2^30 to 2^31-1. */
uint32_t event_source_server_id(const char *capture_name);
/* Options are copied. Connects, checks that the position is the server's (C6) and starts the dump. *at: the position at
 * which the stream starts, for decoder_start_at. */
int event_source_open_server(struct event_source **out, const struct event_source_options *options,
                             const struct start_point *start, struct position *at, struct err *err);
int event_source_open_files(struct event_source **out, const char *const paths[], size_t n, struct err *err);
void event_source_close(struct event_source *s);
/* 1 and an event; 0 at the end (files); -1. Blocks; a server answers at least every heartbeat_ms. */
int event_source_fetch(struct event_source *s, const uint8_t **event, size_t *len, struct err *err);
void event_source_interrupt(struct event_source *s);
/* Bytes that can be read without waiting are left: false means that the next fetch may block (used to flush before
 * waiting). A source that cannot tell says false. */
bool event_source_pending(struct event_source *s);
const struct server_facts *event_source_facts(const struct event_source *s); /* NULL for files */
/* By a second session: the server's executed GTID set / newest file and offset, for lag. One thread at a time, and it
 * need not be the reader. `out` is initialised by the caller. */
int event_source_server_position(struct event_source *s, struct position *out, struct err *err);

#endif
