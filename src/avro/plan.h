/* plan: a table shape compiled to a list of steps, one per column, that turn one row image into the bytes of its Avro
 * record.
 *
 * plan_encode walks the image once, left to right; where a column is part of the key it notes the place of its bytes,
 * so that the key record is made by copying (a key field has the same type as the row's field). No value is boxed and
 * nothing is allocated per row; scratch space is used only for text that is not UTF-8 and for JSON. Ownership: borrows
 * the table_map. Errors: ERR_VALUE (names column and remedy), ERR_TRUNCATED, ERR_MALFORMED, ERR_LIMIT. Thread: one
 * owner. Internal to avro/. */
#ifndef PILLION_AVRO_PLAN_H
#define PILLION_AVRO_PLAN_H

#include "avro/column_type.h"
#include "avro/quick_value.h"
#include "binlog/charset.h"
#include "binlog/table_map.h"

struct plan_member { /* of an ENUM: Avro string with its length, in plan.pool */
    uint32_t at;
    uint32_t len;
};

struct plan_step {
    uint8_t type; /* enum column_type */
    uint8_t length_bytes;
    bool nullable;
    bool utf8;
    bool plain;    /* strings whose bytes go as they are */
    int key_slot;  /* place in the key, -1: none */
    int json_slot; /* number among the JSON columns, -1: none */
    const struct column *column;
    const struct wire_column *wire;
    const struct charset *charset;
    const struct plan_member *members; /* n_members + 1; the first is the empty string of index 0 */
    size_t n_members;
    struct quick_decimal decimal;
};

struct plan_span {
    size_t at;
    size_t len;
};

/* An after image of PARTIAL_UPDATE_ROWS: which JSON values are lists of diffs, and the texts that they start from. */
struct plan_diffs {
    const uint8_t *partial;         /* row_image.partial: a bit a JSON column */
    const struct plan_span *before; /* by JSON column; len 0: NULL */
};

struct plan {
    struct plan_step *steps;
    size_t n_steps;
    size_t n_key;
    size_t n_json;
    size_t fixed_room; /* bytes that an image may need beside its strings */
    enum zero_date_mode zero_dates;
    bool epoch_for_not_null; /* Debezium's rule for zero dates in NOT NULL columns */
    struct plan_member *members;
    struct buf pool;
    struct buf scratch;
    struct buf unpacked;
    struct quick_month month;
    struct plan_span *json; /* the texts of the JSON columns of the newest image, relative to out->data */
    uint64_t *not_null;     /* a bit per column that may not be NULL, 64 columns a word */
};

int plan_init(struct plan *p, const struct table_map *table, const struct table_codec_options *options,
              struct err *err);
void plan_release(struct plan *p);
/* nulls: the image's NULL bitmap, all columns present. data is left after the image. keys: n_key places, relative to
 * out->data. diffs: NULL when no value is a list of diffs. */
int plan_encode(struct plan *p, struct cursor *data, const uint8_t *nulls, const struct plan_diffs *diffs,
                struct buf *out, struct plan_span *keys, struct err *err);

#endif
