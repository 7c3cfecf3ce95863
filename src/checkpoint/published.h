/* published: what is already in the topics beyond the checkpoint (C2). Filled at start by reading every partition from
 * the checkpoint's end to its high watermark; asked for each record while the binlog is read again. Pure.
 *
 * Per partition: the set of transactions seen, and for the newest one the greatest index reached. A partition holds a
 * prefix of what was meant for it, so older transactions of the set are complete in that partition; that is why memory
 * does not depend on the number of records. An index is any number that rises within a transaction's records of one
 * partition; the caller numbers the records so that no two of them share one (capture/row_identity.h). A partition is
 * done when all the transactions seen in it were read again; when all partitions are done the whole is empty, and the
 * caller stops asking. Limits: GTID_SET_INTERVALS_MAX intervals a partition. Errors: ERR_LIMIT. Thread: one owner. */
#ifndef PILLION_CHECKPOINT_PUBLISHED_H
#define PILLION_CHECKPOINT_PUBLISHED_H

#include "base/err.h"
#include "model/gtid.h"

struct published;

struct published *published_new(void);
void published_free(struct published *p);
/* Records of a partition in the order of their offsets. */
int published_saw(struct published *p, const char *topic, int32_t partition, const struct gtid *gtid, uint64_t index,
                  struct err *err);
/* The topic is read back again from its beginning. */
void published_forget(struct published *p, const char *topic);
/* Is the record (gtid, index) that is meant for this partition already there? */
bool published_has(struct published *p, const char *topic, int32_t partition, const struct gtid *gtid, uint64_t index);
/* The transaction that was asked about was read again to its end. */
void published_committed(struct published *p);
bool published_empty(const struct published *p); /* nothing to skip: the fast path */

#endif
