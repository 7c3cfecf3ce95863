/* published: what is already in the topics beyond the checkpoint (C2). Filled at start by reading every partition from the
 * checkpoint's end to its high watermark; asked for each record while the binlog is read again. Pure.
 *
 * Per partition: the set of transactions seen, and for the newest one the greatest index reached. A partition holds a prefix of
 * what was meant for it, so older transactions of the set are complete in that partition. */
#ifndef PILLION_CHECKPOINT_PUBLISHED_H
#define PILLION_CHECKPOINT_PUBLISHED_H

#include "base/err.h"
#include "model/gtid.h"

struct published;

struct published *published_new(void);
void published_free(struct published *p);
int published_saw(struct published *p, const char *topic, int32_t partition, const struct gtid *gtid, uint64_t index,
                  struct err *err);
/* Is the record (gtid, index) that is meant for this partition already there? */
bool published_has(const struct published *p, const char *topic, int32_t partition, const struct gtid *gtid, uint64_t index);
bool published_empty(const struct published *p); /* nothing to skip: the fast path */

#endif
