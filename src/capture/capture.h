/* capture: the replication half: source events in, acknowledged records and checkpoints out.
 *
 * States: ACQUIRE (lease) -> RECOVER (checkpoint, read back the topics' tails) -> CONNECT -> STREAM -> (error: back
 * off, CONNECT)
 * -> STOP. Two threads: the stream thread reads, decodes, encodes and produces (owns decoder, codecs, event source);
 * the ack thread takes delivery reports and writes checkpoints. They share the ack window under one mutex, taken once
 * per transaction and once per batch of reports. Per table shape: topic made or opened, schemas registered once, ids
 * cached. Table filter before any work. Keys, tombstones, transaction topic, truncate and schema-change events as
 * DESIGN section 5. Never includes sink/ or merge/. Errors: RETRY classes are retried inside; others end the run with
 * the position in the text. */
#ifndef PILLION_CAPTURE_CAPTURE_H
#define PILLION_CAPTURE_CAPTURE_H

#include <stdbool.h>

#include "avro/table_codec.h"
#include "kafka/producer.h"
#include "mysql/event_source.h"
#include "registry/registry.h"

struct capture_key_rule {
    const char *table; /* db.table */
    const char *const *columns;
    size_t n_columns;
};

struct capture_options {
    const char *name;
    const char *prefix;
    struct event_source_options source;
    const char *const
        *source_files; /* binlog files instead of a server: replay into the topics, ends with the last file */
    size_t n_source_files;
    const char *start;          /* earliest, latest, gtid:SET, file:NAME:OFFSET; used only without a checkpoint */
    const char *const *include; /* POSIX extended regular expressions on db.table; none: all but system databases */
    size_t n_include;
    const char *const *exclude; /* none: the helper tables of online schema change tools, table_filter.h */
    size_t n_exclude;
    struct producer_options producer;
    struct registry_options registry;
    enum avro_profile profile;
    enum tombstone_mode tombstones;
    enum unsigned_mode bigint_unsigned;
    enum zero_date_mode zero_dates;
    size_t record_max;
    bool transaction_topic;
    bool schema_change_topic;
    int partitions, replication;
    int64_t retention_ms;
    int checkpoint_interval_ms;
    const struct capture_key_rule *keys;
    size_t n_keys;
    size_t max_transactions; /* in flight */
    bool without_lease;      /* tests whose cluster is another process's mock: its groups know no static members */
    bool until_caught_up;    /* end when the source's position at the start is published (tests, CI, backfills) */
    /* A mock cluster must not be overrun: called before sending when it is set; true: wait. */
    bool (*hold)(void *arg);
    void *hold_arg;
};

struct capture;

enum capture_state {
    CAPTURE_ACQUIRE,
    CAPTURE_RECOVER,
    CAPTURE_CONNECT,
    CAPTURE_STREAM,
    CAPTURE_BACKOFF,
    CAPTURE_STOPPED
};

int capture_new(struct capture **out, const struct capture_options *options, struct err *err);
/* Blocks until stop_requested, the bounded end, or an error. Flushes and writes a last checkpoint. */
int capture_run(struct capture *c, struct err *err);
void capture_free(struct capture *c);

struct capture_status { /* a snapshot, any thread */
    enum capture_state state;
    char position[1024]; /* text of the newest checkpoint: GTID set, or file:offset */
    char newest_gtid[300];
    uint64_t events, transactions, bytes, skipped;
    int64_t lag_us;
    uint64_t in_flight;
};
void capture_status_get(struct capture *c, struct capture_status *out);
const char *capture_state_name(enum capture_state state);

#endif
