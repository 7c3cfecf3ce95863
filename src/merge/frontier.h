/* frontier: tells a late row from an orphan (M7), by proof.
 *
 * The newest checkpoint of capture says: up to my position the partitions end at these offsets. A row whose own record
 * lies below such an end was written at the source before that position; if the group has merged the missing parent's
 * partitions up to their ends in the same checkpoint, and the parent is not there, then the source had no parent for
 * it: an orphan. Otherwise it is late. Both are released when the parent comes. Without checkpoints (a topic that
 * Debezium wrote) nothing is proved: late. It reads the checkpoint topic with a consumer of its own, outside of the
 * group. Several captures write to one topic; each topic of rows is in one capture's checkpoint. Thread: one owner.
 * Errors: those of kafka/; a checkpoint that cannot be read is skipped and proves nothing. */
#ifndef PILLION_MERGE_FRONTIER_H
#define PILLION_MERGE_FRONTIER_H

#include <stdbool.h>
#include <stdint.h>

#include "kafka/consumer.h"

struct frontier;

struct frontier *frontier_new(const struct kafka_options *kafka, const char *group, const char *prefix);
void frontier_free(struct frontier *f);
/* Reads new checkpoints, and what the group has committed of the topics in them. Before a sweep, so that what is proved
 * was true before its looks. A cluster without checkpoint topic is no error. */
int frontier_refresh(struct frontier *f, struct err *err);
/* Is a row from this place, whose parent is missing in parent_topic, proved to be an orphan? */
bool frontier_proves_orphan(const struct frontier *f, const char *topic, int32_t partition, int64_t offset,
                            const char *parent_topic);

#endif
