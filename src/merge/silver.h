/* silver: rows as BSON documents, and their keys.
 *
 * `_id` is the key: the value of a single column, or a subdocument of the columns in key order. Integers of every width
 * are int64, also decimals without a fraction that fit; so a child's INT finds a parent's BIGINT. Temporal key columns
 * are int64 too (days, or microseconds), for BSON's dates have milliseconds only. The key's columns are not repeated
 * beside `_id`. Columns: bool, int32, int64, double, Decimal128 (double-checked to be exact; longer ones are text),
 * UTF-8, binary, date-time for dates and timestamps (milliseconds, as BSON has it; bronze keeps the microseconds), TIME
 * as text, JSON as its text, null.
 * `_pillion`: {v, epoch, offset, partition, op, ts, gtid, deleted, refs}. v is the guard (document_version); refs, only
 * for relationships with onParentDelete cascade or hold: "<child columns>|<parent key>", indexed. A tombstone has no
 * columns. Pure but for memory. Ownership: out is the caller's, initialised. Errors: ERR_VALUE, ERR_LIMIT. Thread: any.
 */
#ifndef PILLION_MERGE_SILVER_H
#define PILLION_MERGE_SILVER_H

#include <bson/bson.h>

#include "avro/envelope_reader.h"
#include "base/buf.h"
#include "contract/contract.h"
#include "merge/gate.h"

/* What the document says of the record that it came from. */
struct silver_origin {
    int64_t version;
    uint32_t epoch;
    int64_t offset;
    int32_t partition;
    char op; /* c, u, r, d, t (deleted by TRUNCATE); 'x' for a tombstone record without a delete event */
    int64_t ts_us;
    const char *gtid; /* not NUL-ended; NULL none */
    size_t gtid_len;
};

/* {"_id": value} of the key columns; names and values in key order. */
int silver_id(bson_t *out, const char *const names[], const struct field_value *const values[], size_t n,
              struct err *err);
/* Appends one column. */
int silver_put(bson_t *out, const char *name, const struct field_value *value, struct err *err);
/* Appends `_pillion`. */
void silver_put_origin(bson_t *out, const struct silver_origin *origin, bool deleted, const struct entity *entity,
                       const struct gate_ref *refs, size_t n_refs);
/* The canonical text (key_text.h) of an `_id` value, NUL-ended in `out`. */
int silver_key_text(struct buf *out, const bson_iter_t *id, struct err *err);
/* "<child columns>|<parent key>": how a child's reference is found for cascade and hold; NUL-ended in `out`. */
const char *silver_ref_text(struct buf *out, const struct relationship *r, const char *parent_key);
/* State and version of a silver document, from its `_pillion`. */
enum gate_state silver_state(const bson_t *document, int64_t *version, bool *cascaded);

#endif
