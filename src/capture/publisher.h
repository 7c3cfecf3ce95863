/* publisher: the one door through which capture's records leave for Kafka: it leaves out what is there already, and
 * counts.
 *
 * Two reasons to leave a record out. After a restart: `published` knows it from the topic's tail (C2). After a lost
 * connection in mid-transaction: the transaction is read again from its beginning, and the first `resume` records of it
 * were sent by this process before; the order of records within a transaction is the same at every reading, so counting
 * calls is enough. It knows no Avro and no binlog. Thread: the stream thread. Errors: producer.h's; ERR_STOPPED. */
#ifndef PILLION_CAPTURE_PUBLISHER_H
#define PILLION_CAPTURE_PUBLISHER_H

#include <stdbool.h>

#include "base/metric.h"
#include "checkpoint/published.h"
#include "kafka/producer.h"

struct publisher {
    struct producer *producer;   /* borrowed */
    struct published *published; /* borrowed */
    bool (*hold)(void *arg);     /* NULL, or true: wait */
    void *hold_arg;
    uint64_t tag;     /* of the open transaction; the caller sets it */
    struct gtid gtid; /* of the open transaction */
    uint64_t calls;   /* records of it so far */
    uint64_t resume;  /* so many of them were sent before the connection was lost */
    uint64_t sent;    /* records of the tag handed to Kafka; the caller clears it when it has told the ack window */
    uint64_t bytes, skipped;                      /* totals not yet in the metrics */
    bool left_out;                                /* the newest record was */
    uint64_t all_records, all_bytes, all_skipped; /* row changes that left, bytes, records left out */
};

/* One record. place: its number within the transaction and partition, rising (table_record_place). */
struct publication {
    struct producer_topic *topic;
    int32_t partition;
    const void *key;
    size_t key_len;
    const void *value;
    size_t value_len;
    const struct kafka_header *headers;
    size_t n_headers;
    uint64_t place;
};

void publisher_begin(struct publisher *p, const struct gtid *gtid);
int publisher_send(struct publisher *p, const struct publication *record, struct err *err);
/* Moves the totals to the metrics. */
void publisher_count(struct publisher *p);
/* The partition of a record without key: the same at every reading. */
int32_t publisher_keyless_partition(const struct publisher *p, const struct producer_topic *topic, uint64_t index);

#endif
