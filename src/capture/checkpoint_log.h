/* checkpoint_log: the compacted topic `<prefix>.pillion.checkpoint`: one partition, key = the capture's name, value =
 * the newest checkpoint of it. For capture's start, and for `position show`, `position set` and `status`.
 *
 * It does not know how a checkpoint comes about. Thread: any, one call at a time. Errors: kafka/'s; ERR_CHECKPOINT. */
#ifndef PILLION_CAPTURE_CHECKPOINT_LOG_H
#define PILLION_CAPTURE_CHECKPOINT_LOG_H

#include "checkpoint/checkpoint.h"
#include "kafka/admin_client.h"
#include "kafka/consumer.h"

/* "<prefix>.pillion.checkpoint"; free it. */
char *checkpoint_log_topic(const char *prefix);
/* Makes the topic unless it is there, with one partition. */
int checkpoint_log_ensure(struct admin_client *a, const char *topic, int replication, struct err *err);
/* Reads the newest record of the name. *found false: none, and out is not changed. The consumer has no group. */
int checkpoint_log_read(struct consumer *c, const char *topic, const char *name, struct checkpoint *out, bool *found,
                        struct err *err);
/* Writes one and waits for its acknowledgement; for `position set`, not while a capture of that name runs. */
int checkpoint_log_write(const struct kafka_options *kafka, const char *topic, const struct checkpoint *c,
                         struct err *err);

#endif
