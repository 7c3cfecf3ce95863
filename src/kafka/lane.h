/* lane: the records on their way to one partition. Private to the producer.
 *
 * librdkafka keeps one request of an idempotent producer under way per partition, and as long as a next batch lies
 * ready behind it, its broker thread spins: half of its CPU time (measured on 2.0.2). It also allocates record by
 * record, so records of many partitions lie mixed in memory, and every thread that touches them misses its caches. So a
 * lane hands librdkafka one batch at a time: while one is under way, further records wait here, densely, and the
 * acknowledgement of the batch hands over the next. When nothing is under way a record is handed over at once, and so
 * are those that come within its linger time.
 *
 * Order: that of lane_send. Thread: lane_send by the sender, lane_acked by the ack thread. Ownership: copies key and
 * value. Limits: none of its own; the producer bounds what all lanes hold. */
#ifndef PILLION_KAFKA_LANE_H
#define PILLION_KAFKA_LANE_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kafka/producer.h"

struct lane_block;

/* Blocks of waiting records, shared by the lanes of a producer. */
struct lane_pool {
    pthread_mutex_t lock;
    struct lane_block *spare;
    size_t n_spare;
    rd_kafka_t *rk;
    int64_t linger_us;
    atomic_bool *failed; /* nothing is handed over any more */
};

struct lane {
    struct lane_pool *pool;
    rd_kafka_topic_t *rkt;
    int32_t partition;
    pthread_mutex_t lock;
    size_t under_way;       /* records handed over and not acknowledged */
    int64_t joinable_until; /* a record that comes before still gets into the request that is being filled */
    struct lane_block *first, *last;
};

struct lane_record {
    const void *key; /* NULL: none */
    size_t key_len;
    const void *value; /* NULL: tombstone */
    size_t value_len;
    rd_kafka_headers_t *headers; /* NULL: none; the lane's */
    uint64_t tag;
};

void lane_pool_init(struct lane_pool *p, rd_kafka_t *rk, int64_t linger_us, atomic_bool *failed);
void lane_pool_release(struct lane_pool *p);
void lane_init(struct lane *l, struct lane_pool *pool, rd_kafka_topic_t *rkt, int32_t partition);
void lane_release(struct lane *l); /* forgets what waits */
/* Hands over or keeps. */
rd_kafka_resp_err_t lane_send(struct lane *l, const struct lane_record *r);
/* n records were acknowledged (or failed): hands over what waits when they were the last. */
rd_kafka_resp_err_t lane_acked(struct lane *l, size_t n);

#endif
