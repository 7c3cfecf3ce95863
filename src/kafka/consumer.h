/* consumer: a member of a consumer group (the merger), or a reader of given partitions (capture's restart, status, why).
 *
 * Group mode: consumer_poll_batch gives records and, in between, rebalance notices; on a revoke the caller finishes what it
 * owns, commits, and acknowledges with consumer_assignment_done. Offsets are committed by the caller only. Records borrow from the
 * batch: valid until consumer_batch_free. isolation: read_committed. Thread: one owner; consumer_wake from any. */
#ifndef PILLION_KAFKA_CONSUMER_H
#define PILLION_KAFKA_CONSUMER_H

#include "kafka/kafka_client.h"
#include "kafka/producer.h"

struct consumer;

struct consumer_options {
    struct kafka_options kafka;
    const char *group;             /* NULL: no group, consumer_assign only */
    const char *const *topics;     /* names, or regular expressions that begin with ^ */
    size_t n_topics;
    size_t fetch_bytes;            /* queued.max.messages.kbytes for all partitions together */
    int session_timeout_ms;
    const char *instance_id;       /* group.instance.id or NULL */
};

struct topic_partition {
    const char *topic;
    int32_t partition;
    int64_t offset;
};

struct record {
    const char *topic; /* stable for the consumer's lifetime: compare by pointer after consumer_topic */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const uint8_t *key; /* NULL: none */
    size_t key_len;
    const uint8_t *value; /* NULL: tombstone */
    size_t value_len;
    void *message; /* rd_kafka_message_t, for headers */
};

enum consumer_notice { CONSUMER_RECORDS, CONSUMER_ASSIGNED, CONSUMER_REVOKED, CONSUMER_LOST, CONSUMER_IDLE };

struct record_batch; /* array of records, owned by the consumer library */

int consumer_new(struct consumer **out, const struct consumer_options *options, struct err *err);
void consumer_free(struct consumer *c);
/* The next thing: records (batch filled, up to max), a rebalance (consumer_changed gives the partitions), or idle after timeout. */
int consumer_poll_batch(struct consumer *c, struct record_batch **batch, size_t max, int timeout_ms,
                        enum consumer_notice *notice, struct err *err);
size_t record_batch_count(const struct record_batch *b);
const struct record *record_batch_at(const struct record_batch *b, size_t i);
void record_batch_free(struct record_batch *b);
/* A header's value; false when absent. */
bool record_header(const struct record *r, const char *name, const void **value, size_t *len);
/* All headers in order; the number. */
size_t record_headers(const struct record *r, struct kafka_header *out, size_t max);
/* Partitions of the newest assignment or revocation; offset is the start (or OFFSET_STORED). */
size_t consumer_changed(struct consumer *c, const struct topic_partition **out);
/* After ASSIGNED: start with these offsets (offset < 0: committed, else earliest). After REVOKED or LOST: let go. */
int consumer_assignment_done(struct consumer *c, const struct topic_partition *starts, size_t n, struct err *err);
int consumer_commit(struct consumer *c, const struct topic_partition *offsets, size_t n, struct err *err);
int consumer_committed(struct consumer *c, struct topic_partition *inout, size_t n, struct err *err);
int consumer_assign(struct consumer *c, const struct topic_partition *parts, size_t n, struct err *err);
int consumer_watermarks(struct consumer *c, const char *topic, int32_t partition, int64_t *low, int64_t *high, struct err *err);
int consumer_pause(struct consumer *c, bool paused, struct err *err); /* all partitions */

#endif
