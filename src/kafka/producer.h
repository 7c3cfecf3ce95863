/* producer: idempotent, ordered per partition, with delivery reports in batches.
 *
 * producer_send hands one record to an explicit partition; the payload is copied. Per partition one batch is under way;
 * what comes meanwhile waits in its lane (kafka/lane.h) and goes when producer_poll_acks has seen the batch
 * acknowledged: so somebody must poll. When the queue is full producer_send waits (serving nothing itself: reports are
 * served by the ack thread, producer_poll_acks). Order within a partition is the order of the calls. A record that is
 * refused for good ends the producer, so a partition always holds a prefix of what was sent to it. There is no time
 * limit: a broker that is away is waited for. tag: the caller's number for the transaction that the record belongs to;
 * it comes back in the ack. Thread: send by one thread, poll_acks by one other. Errors: ERR_KAFKA_FATAL for good;
 * ERR_STOPPED while stopping. Cost, on two cores shared with the broker, 150-byte records: 0.5 us of CPU a record
 * (tests/bench/bench_produce.c). */
#ifndef PILLION_KAFKA_PRODUCER_H
#define PILLION_KAFKA_PRODUCER_H

#include "kafka/kafka_client.h"

struct producer_options {
    struct kafka_options kafka;
    int linger_ms;           /* 0: half a millisecond; 1 or 2 is best for both speed and delay */
    size_t queue_bytes;      /* keys, values and 256 bytes a record; 0: 16 MiB, about 27 MiB of memory */
    size_t queue_records;    /* 0: 100,000 */
    const char *compression; /* none, lz4, zstd, ... */
    size_t record_max;       /* bytes of key and value; 0: 1,000,000 */
};

struct producer;
struct producer_topic;

struct kafka_header {
    const char *name;
    const void *value;
    size_t len;
};

struct ack {
    uint64_t tag;
    uint16_t topic; /* producer_topic_index */
    int32_t partition;
    int64_t offset;
};

int producer_new(struct producer **out, const struct producer_options *options, struct err *err);
/* Gives up what is not acknowledged after timeout_ms. */
void producer_free(struct producer *p, int timeout_ms);
/* Opens a topic that exists (kafka/admin_client.h makes it) and learns its number of partitions. Idempotent by name. */
int producer_topic_open(struct producer *p, const char *name, struct producer_topic **out, struct err *err);
uint16_t producer_topic_index(const struct producer_topic *t); /* dense, from 0, in order of opening */
const char *producer_topic_name(const struct producer_topic *t);
int32_t producer_topic_partitions(const struct producer_topic *t);
const struct producer_topic *producer_topic_at(const struct producer *p, uint16_t index);
/* murmur2 of the key as Java's default partitioner and librdkafka's murmur2_random for a present key; 0 without one
 * (NULL). */
int32_t producer_partition(const struct producer_topic *t, const void *key, size_t len);
int producer_send(struct producer *p, struct producer_topic *t, int32_t partition, const void *key, size_t key_len,
                  const void *value, size_t value_len, const struct kafka_header *headers, size_t n_headers,
                  uint64_t tag, struct err *err);
/* Waits up to timeout_ms for reports and gives up to max of them: the number, or -1 when a record failed for good. */
int producer_poll_acks(struct producer *p, struct ack *acks, int max, int timeout_ms, struct err *err);
/* Any thread: nothing more is sent, and a sender that waits for room gets this error. For a caller that gives up
 * polling acks. */
void producer_fail(struct producer *p, const struct err *failure);
size_t producer_in_flight(struct producer *p);
double producer_queue_fill(struct producer *p);

#endif
