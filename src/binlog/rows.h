/* rows: one WRITE, UPDATE, DELETE or PARTIAL_UPDATE rows event, walked row by row.
 *
 * A row image is borrowed bytes: a presence bitmap (columns_present), a NULL bitmap and the values one after the other.
 * The reader does not know a row's length before its values are walked, so whoever takes an image must walk it to its
 * end: avro/encoder.c does so while encoding; row_image_skip does it without looking; row_image_values boxes it
 * (decode, tests). Source: mysql/binlog/event/rows_event.h Rows_event. Errors: ERR_TRUNCATED, ERR_MALFORMED,
 * ERR_UNSUPPORTED. */
#ifndef PILLION_BINLOG_ROWS_H
#define PILLION_BINLOG_ROWS_H

#include "base/arena.h"
#include "base/cursor.h"
#include "base/err.h"
#include "binlog/table_map.h"
#include "model/change_event.h"

struct rows {
    const struct table_map *table;
    enum change_op op;
    uint16_t flags;
    bool partial;                  /* PARTIAL_UPDATE_ROWS: the after image may hold JSON diffs */
    bool all_before, all_after;    /* every column is present: the fast path */
    const uint8_t *before_present; /* bitmaps of columns in the images; NULL when the image does not exist */
    const uint8_t *after_present;
    struct cursor data; /* the rows that are left; images are read from it in order: before, then after */
    uint32_t row;       /* index in the event of the row at `data` */
};

/* Reads the event's head after the table id: flags, extra data, bitmaps. type: the event type, of any version (the
 * caller has unpacked compressed ones and given the plain type). */
int rows_begin(struct rows *r, struct cursor body, uint8_t type, const struct table_map *table, struct err *err);

/* More rows? Who walks the images of a row adds one to `row` after the last of them. */
static inline bool rows_left(const struct rows *r)
{
    return r->data.p < r->data.end;
}

/* One image at the cursor: the NULL bitmap, then the values. */
struct row_image {
    const uint8_t *present; /* NULL bits are counted over present columns only */
    const uint8_t *nulls;
    struct cursor *data;    /* at the first value */
    const uint8_t *partial; /* of a PARTIAL_UPDATE after image: one bit a present JSON column, set when the value is a
                             * list of diffs (json.h json_apply_diffs); NULL when there are none */
};

/* Reads the NULL bitmap of the next image. `present` is before_present or after_present. */
int row_image_begin(struct row_image *image, struct rows *rows, const uint8_t *present, struct err *err);
/* Walks over the values. */
int row_image_skip(struct row_image *image, const struct table_map *table, struct err *err);
/* Boxes the values: out has table->n_columns places; bytes live in the arena or in the image. before: the row's before
 * values, to which a partial JSON update is applied; NULL otherwise. */
int row_image_values(struct row_image *image, const struct rows *rows, const struct value *before, struct value *out,
                     struct arena *arena, struct err *err);

#endif
