/* consumer: a member of a consumer group (the merger), or a reader of given partitions (capture's restart, status,
 * why).
 *
 * Group mode: consumer_poll_batch gives records and, in between, rebalance notices; on a revoke the caller finishes
 * what it owns, commits, and acknowledges with consumer_assignment_done. Rebalances are eager: a revocation takes all
 * partitions, the next assignment gives all anew. Until the caller acknowledges a notice the group waits, at most
 * max.poll.interval.ms (5 minutes). CONSUMER_LOST: the partitions belong to others already; what was not committed is
 * theirs to do again, and a commit would fail. Offsets are committed by the caller only. isolation: read_committed. An
 * offset that retention has deleted is an error, never a jump. Records borrow from the batch: valid until
 * record_batch_free, which must come before consumer_free. Thread: one owner; consumer_wake from any. Errors: those of
 * kafka_client.h. */
#ifndef PILLION_KAFKA_CONSUMER_H
#define PILLION_KAFKA_CONSUMER_H

#include "kafka/kafka_client.h"
#include "kafka/producer.h"

struct consumer;

struct consumer_options {
    struct kafka_options kafka;
    const char *group;         /* NULL: no group, consumer_assign only */
    const char *const *topics; /* names, or regular expressions that begin with ^ */
    size_t n_topics;
    size_t fetch_bytes;      /* what is fetched ahead, for all partitions together; 0: 16 MiB */
    int session_timeout_ms;  /* 0: librdkafka's default */
    const char *instance_id; /* group.instance.id or NULL */
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
/* Ends a waiting consumer_poll_batch with CONSUMER_IDLE. */
void consumer_wake(struct consumer *c);
/* The pointer that records of this topic carry. */
const char *consumer_topic(struct consumer *c, const char *name);
/* The next thing: records (batch filled, up to max), a rebalance (consumer_changed gives the partitions), or idle after
 * timeout. */
int consumer_poll_batch(struct consumer *c, struct record_batch **batch, size_t max, int timeout_ms,
                        enum consumer_notice *notice, struct err *err);
size_t record_batch_count(const struct record_batch *b);
const struct record *record_batch_at(const struct record_batch *b, size_t i);
void record_batch_free(struct record_batch *b);
/* A header's value; false when absent. */
bool record_header(const struct record *r, const char *name, const void **value, size_t *len);
/* All headers in order; the number. */
size_t record_headers(const struct record *r, struct kafka_header *out, size_t max);
/* Partitions of the newest notice; offset is -1 (where to start is for consumer_assignment_done). */
size_t consumer_changed(struct consumer *c, const struct topic_partition **out);
/* After ASSIGNED: start with these offsets (offset < 0: committed, else earliest). After REVOKED or LOST: let go. */
int consumer_assignment_done(struct consumer *c, const struct topic_partition *starts, size_t n, struct err *err);
/* Waits for the broker's answer. The offsets are those of the next records to read. */
int consumer_commit(struct consumer *c, const struct topic_partition *offsets, size_t n, struct err *err);
/* Fills in what the group committed; -1: nothing. Needs a group, but no membership. */
int consumer_committed(struct consumer *c, struct topic_partition *inout, size_t n, struct err *err);
/* Reads these partitions from these offsets (< 0: the earliest). */
int consumer_assign(struct consumer *c, const struct topic_partition *parts, size_t n, struct err *err);
/* The offsets of the earliest record and of the next one to be written. */
int consumer_watermarks(struct consumer *c, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                        struct err *err);
int consumer_pause(struct consumer *c, bool paused, struct err *err); /* all partitions */
/* Some of the assigned partitions, so that others come first. Going on begins at the offsets given, whatever was
 * fetched before; records that were under way when a partition was paused may still come. */
int consumer_pause_some(struct consumer *c, const struct topic_partition *parts, size_t n, bool paused,
                        struct err *err);

#endif
