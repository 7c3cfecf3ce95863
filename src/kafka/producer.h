/* producer: idempotent, ordered per partition, with delivery reports in batches.
 *
 * producer_send hands one record to an explicit partition; the payload is copied. When the queue is full it waits (serving
 * nothing itself: reports are served by the ack thread, producer_poll_acks). Order within a partition is the order of the calls.
 * tag: the caller's number for the transaction that the record belongs to; it comes back in the ack.
 * Thread: send by one thread, poll_acks by one other. Errors: ERR_KAFKA_FATAL for good; ERR_STOPPED while stopping. */
#ifndef PILLION_KAFKA_PRODUCER_H
#define PILLION_KAFKA_PRODUCER_H

#include "kafka/kafka_client.h"

struct producer_options {
    struct kafka_options kafka;
    int linger_ms;
    size_t queue_bytes;
    size_t queue_records;
    const char *compression; /* none, lz4, zstd, ... */
    size_t record_max;       /* bytes: message.max.bytes */
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
    uint16_t topic;   /* producer_topic_index */
    int32_t partition;
    int64_t offset;
};

int producer_new(struct producer **out, const struct producer_options *options, struct err *err);
/* Gives up what is not acknowledged after timeout_ms. */
void producer_free(struct producer *p, int timeout_ms);
/* Opens a topic that exists (kafka/admin.h makes it) and learns its number of partitions. Idempotent by name. */
int producer_topic_open(struct producer *p, const char *name, struct producer_topic **out, struct err *err);
uint16_t producer_topic_index(const struct producer_topic *t); /* dense, from 0, in order of opening */
const char *producer_topic_name(const struct producer_topic *t);
int32_t producer_topic_partitions(const struct producer_topic *t);
const struct producer_topic *producer_topic_at(const struct producer *p, uint16_t index);
/* murmur2 of the key as Java's default partitioner and librdkafka's murmur2_random for a present key. */
int32_t producer_partition(const struct producer_topic *t, const void *key, size_t len);
int producer_send(struct producer *p, struct producer_topic *t, int32_t partition, const void *key, size_t key_len,
                  const void *value, size_t value_len, const struct kafka_header *headers, size_t n_headers, uint64_t tag,
                  struct err *err);
/* Waits up to timeout_ms for reports and gives up to max of them: the number, or -1 when a record failed for good. */
int producer_poll_acks(struct producer *p, struct ack *acks, int max, int timeout_ms, struct err *err);
size_t producer_in_flight(struct producer *p);
double producer_queue_fill(struct producer *p);

#endif
