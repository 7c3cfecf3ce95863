/* bronze_writer: which records of a partition go into which bronze object, as a state machine without I/O (M2 for
 * bronze).
 *
 * An object holds the records [first, next) of one partition of one topic epoch; its name is made of topic, epoch,
 * partition and first offset alone. Objects of a partition join without gap or overlap: a writer starts where the
 * committed offset is, which is always an object boundary. When an object of that name is already there (a crash after
 * the write, or another merger that was slower to let go), the driver reads back its `next`, and the writer drops what
 * that object covers and goes on behind it. Offsets may have holes (compaction, transactions): next is the offset after
 * the last record, not a count. Limits: object_bytes, object_records and the driver's flush interval. Thread: one
 * owner. */
#ifndef PILLION_MERGE_BRONZE_WRITER_H
#define PILLION_MERGE_BRONZE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct bronze_limits {
    size_t object_bytes;
    size_t object_records;
};

struct bronze_record {
    int64_t offset;
    int64_t timestamp_ms;
    const uint8_t *encoded; /* the Avro bytes of the record, as they will be in the object */
    size_t len;
};

/* An object to be put: the driver names and writes it, then calls bronze_written or bronze_exists. */
struct bronze_object {
    int64_t first; /* offset that the object begins with: the position, not the first record's offset when there was a
                      hole */
    int64_t next;
    size_t n_records;
    const uint8_t *bytes; /* the records, one after the other */
    size_t len;
    const uint32_t *sizes; /* of each record */
    const int64_t *offsets;
};

struct bronze_writer; /* one partition */

struct bronze_writer *bronze_writer_new(const struct bronze_limits *limits, int64_t start);
void bronze_writer_free(struct bronze_writer *w);
/* Takes a record; offsets below the position are ignored (duplicates after a seek back). */
int bronze_writer_add(struct bronze_writer *w, const struct bronze_record *r, struct err *err);
/* An object is due (limits reached, or flush asked for and there is something). Borrowed until the next call. */
bool bronze_writer_due(struct bronze_writer *w, bool flush, struct bronze_object *out);
/* It was created: the position moves to its next. */
void bronze_writer_written(struct bronze_writer *w);
/* It was there before, covering [first, next). */
int bronze_writer_exists(struct bronze_writer *w, int64_t next, struct err *err);
/* Everything below is in bronze: what may be committed. */
int64_t bronze_writer_position(const struct bronze_writer *w);
size_t bronze_writer_held_bytes(const struct bronze_writer *w);

#endif
