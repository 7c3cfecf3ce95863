/* bronze_object: the Avro object file of a bronze_writer's object, its name, and what an object that is there already
 * says of itself.
 *
 * Name: `<topic>/epoch=<E>/partition=<P>/<first offset, 20 digits>.avro`. Content: schemas/bronze.avsc, deflate (which
 * every Avro library reads), metadata pillion.topic, pillion.epoch, pillion.partition, pillion.first, pillion.next.
 * Equal input gives equal bytes. Pure. Errors: ERR_STORE_DATA for an object that is not Pillion's. Thread: any. */
#ifndef PILLION_MERGE_BRONZE_OBJECT_H
#define PILLION_MERGE_BRONZE_OBJECT_H

#include "base/buf.h"
#include "base/err.h"
#include "kafka/consumer.h"
#include "merge/bronze_writer.h"

enum { BRONZE_OBJECT_MAX = 1 << 30 };

/* The name; free. */
char *bronze_object_name(const char *topic, uint32_t epoch, int32_t partition, int64_t first);
/* The record as it is kept, appended to out. */
int bronze_object_encode(const struct record *record, struct buf *out, struct err *err);
int bronze_object_write(struct buf *out, const char *name, const char *topic, uint32_t epoch, int32_t partition,
                        const struct bronze_object *object, struct err *err);
/* What an object that is there covers: [first, *next). */
int bronze_object_next(const struct buf *bytes, const char *name, const char *topic, int32_t partition, int64_t first,
                       int64_t *next, struct err *err);

#endif
