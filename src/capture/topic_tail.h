/* topic_tail: reads partitions from given offsets to the high watermarks that they have now, and ends.
 *
 * Capture's restart reads so: the checkpoint topic, and what its topics hold beyond the checkpoint. Every offset
 * between is expected to hold a record, because an idempotent producer writes no markers; where the last one was
 * compacted away or belongs to a foreign transaction, the reader gives up waiting after TOPIC_TAIL_IDLE_MS without
 * progress, with an error. Thread: one owner. Errors: consumer.h's; ERR_KAFKA; ERR_STOPPED. */
#ifndef PILLION_CAPTURE_TOPIC_TAIL_H
#define PILLION_CAPTURE_TOPIC_TAIL_H

#include "kafka/consumer.h"

enum { TOPIC_TAIL_IDLE_MS = 30000 };

struct topic_tail_part {
    const char *topic; /* borrowed */
    int32_t partition;
    int64_t from;      /* raised to the low watermark */
    int64_t low, high; /* filled by topic_tail_look */
};

/* -1 ends the reading with err. */
typedef int topic_tail_fn(void *arg, const struct record *record, struct err *err);

/* Asks for the watermarks of all. */
int topic_tail_look(struct consumer *c, struct topic_tail_part *parts, size_t n, struct err *err);
/* Reads [from, high) of each; records of a partition come in order. */
int topic_tail_read(struct consumer *c, const struct topic_tail_part *parts, size_t n, topic_tail_fn *fn, void *arg,
                    struct err *err);

#endif
