/* checkpoint: the record in the compacted topic `<prefix>.pillion.checkpoint`, and its reading back.
 *
 * Key: the capture's name. Value: JSON (stable, for people and for `position show`), format in
 * schemas/checkpoint.schema.json: name, flavor, server uuid, GTID set, file, offset, commit time, topic epoch, and for
 * each topic the end offset of each partition. Unknown members are kept out of the way but a higher `format` number is
 * refused. Values are capped. Pure: bytes in and out; capture/ and cmd/ do the I/O. Limits: the enum below. Errors:
 * ERR_CHECKPOINT. Thread: one owner. */
#ifndef PILLION_CHECKPOINT_CHECKPOINT_H
#define PILLION_CHECKPOINT_CHECKPOINT_H

#include "base/buf.h"
#include "base/err.h"
#include "model/position.h"

enum {
    CHECKPOINT_FORMAT = 1,
    CHECKPOINT_BYTES_MAX = 8 << 20,
    CHECKPOINT_TOPICS_MAX = 65535,
    CHECKPOINT_PARTITIONS_MAX = 100000, /* of a topic */
    CHECKPOINT_NAME_MAX = 256
};

struct checkpoint_topic {
    char *name;
    int64_t *ends; /* by partition */
    size_t n_partitions;
};

struct checkpoint {
    char *name;
    uint32_t epoch;
    struct position position;
    struct checkpoint_topic *topics;
    size_t n_topics;
    int64_t written_us;
};

void checkpoint_init(struct checkpoint *c);
void checkpoint_release(struct checkpoint *c);
int checkpoint_encode(const struct checkpoint *c, struct buf *out, struct err *err);
/* out must be initialised; what it held is released. After an error it may hold a part. */
int checkpoint_decode(struct checkpoint *out, const void *bytes, size_t len, struct err *err);
/* The end of a partition; 0 when the checkpoint does not know it. */
int64_t checkpoint_end(const struct checkpoint *c, const char *topic, int32_t partition);
void checkpoint_set_end(struct checkpoint *c, const char *topic, int32_t partition, int64_t end);
/* How many partitions the topic had; 0 when the checkpoint does not know it. */
size_t checkpoint_partitions(const struct checkpoint *c, const char *topic);
/* Makes the topic known with at least n partitions; new ends are 0. */
void checkpoint_set_partitions(struct checkpoint *c, const char *topic, size_t n);
void checkpoint_forget_topic(struct checkpoint *c, const char *topic);

#endif
