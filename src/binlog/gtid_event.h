/* gtid_event: the events that open a transaction and name it: GTID_LOG_EVENT, GTID_TAGGED_LOG_EVENT,
 * ANONYMOUS_GTID_LOG_EVENT of MySQL, GTID_EVENT of MariaDB.
 *
 * Sources: mysql/binlog/event/control_events.h Gtid_event; libs/mysql/serialization/readme.md for the tagged event,
 * whose body is a list of numbered fields; MariaDB knowledge base "GTID_EVENT". Errors: ERR_TRUNCATED, ERR_MALFORMED,
 * ERR_UNSUPPORTED. */
#ifndef PILLION_BINLOG_GTID_EVENT_H
#define PILLION_BINLOG_GTID_EVENT_H

#include "base/cursor.h"
#include "base/err.h"
#include "model/gtid.h"

/* MariaDB's flags. */
enum gtid_event_flag {
    GTID_STANDALONE = 1, /* one event follows, without COMMIT */
    GTID_GROUP_COMMIT = 2,
    GTID_TRANSACTIONAL = 4,
    GTID_DDL = 32,
    GTID_PREPARED_XA = 64, /* the transaction ends prepared, not committed */
    GTID_COMPLETED_XA = 128
};

struct gtid_event {
    struct gtid gtid;   /* flavor GTID_NONE for an anonymous one */
    int64_t commit_us;  /* on the server where it was committed first; 0 when the event does not tell */
    uint8_t flags;      /* MariaDB's */
    uint32_t thread_id; /* MariaDB from 11.5 on; 0 unknown */
};

/* type: the event's type; server_id: of its header (a part of MariaDB's GTID). */
int gtid_event_parse(struct gtid_event *g, struct cursor body, uint8_t type, uint32_t server_id, struct err *err);

#endif
