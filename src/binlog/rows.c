#include "binlog/rows.h"

#include <string.h>

#include "binlog/charset.h"
#include "binlog/event.h"
#include "binlog/json.h"
#include "binlog/value.h"

enum { EXTRA_NDB = 0, EXTRA_PARTITION = 1, UNPACKED_MAX = 1 << 30 };

static bool all_set(const uint8_t *bits, size_t n)
{
    for (size_t i = 0; i < n / 8; i++)
        if (bits[i] != 0xff)
            return false;
    return n % 8 == 0 || (bits[n / 8] & ((1u << n % 8) - 1)) == (1u << n % 8) - 1;
}

static inline bool bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

static const char *where(const struct table_map *t)
{
    return t->schema->table;
}

/* The data between flags and width that version 2 has: chunks of NDB's own data and partition numbers. */
static int read_extra(struct cursor *c, uint8_t type, const struct table_map *t, struct err *err)
{
    uint16_t len = cursor_u16le(c);
    struct cursor extra;

    if (len < 2)
        return err_set(err, ERR_MALFORMED, "A rows event of %s has a broken extra data length", where(t));
    extra = cursor_sub(c, len - 2u);
    while (cursor_ok(&extra) && !cursor_done(&extra)) {
        uint8_t kind = cursor_u8(&extra), n;

        switch (kind) {
        case EXTRA_NDB:
            n = cursor_u8(&extra);
            if (n < 1)
                return err_set(err, ERR_MALFORMED, "A rows event of %s has broken NDB data", where(t));
            cursor_skip(&extra, n - 1u);
            break;
        case EXTRA_PARTITION:
            cursor_skip(&extra, type == EVENT_UPDATE_ROWS || type == EVENT_PARTIAL_UPDATE_ROWS ? 4 : 2);
            break;
        default:
            return err_set(err, ERR_UNSUPPORTED,
                           "A rows event of %s.%s has extra data of the kind %u, which Pillion does not understand; "
                           "update Pillion",
                           t->schema->database, where(t), kind);
        }
    }
    if (!cursor_ok(&extra))
        return err_set(err, ERR_TRUNCATED, "A rows event of %s ends inside its extra data", where(t));
    return 0;
}

int rows_begin(struct rows *r, struct cursor c, uint8_t type, const struct table_map *table, struct err *err)
{
    size_t bytes = (table->n_columns + 7) / 8;
    bool version2 = false, before = false, after = false;
    uint64_t width;

    *r = (struct rows){.table = table};
    switch (type) {
    case EVENT_WRITE_ROWS:
        version2 = true; /* fall through */
    case EVENT_WRITE_ROWS_V1:
        r->op = CHANGE_INSERT;
        after = true;
        break;
    case EVENT_PARTIAL_UPDATE_ROWS:
        r->partial = true; /* fall through */
    case EVENT_UPDATE_ROWS:
        version2 = true; /* fall through */
    case EVENT_UPDATE_ROWS_V1:
        r->op = CHANGE_UPDATE;
        before = after = true;
        break;
    case EVENT_DELETE_ROWS:
        version2 = true; /* fall through */
    case EVENT_DELETE_ROWS_V1:
        r->op = CHANGE_DELETE;
        before = true;
        break;
    default:
        return err_set(err, ERR_BUG, "rows_begin was given a %s", event_type_name(type));
    }
    r->flags = cursor_u16le(&c);
    if (version2 && read_extra(&c, type, table, err))
        return -1;
    width = cursor_lenenc(&c);
    if (width != table->n_columns)
        return err_set(err, cursor_ok(&c) ? ERR_MALFORMED : ERR_TRUNCATED,
                       "A rows event of %s.%s has %llu columns, its table map %zu", table->schema->database,
                       where(table), (unsigned long long)width, table->n_columns);
    if (before)
        r->before_present = cursor_bytes(&c, bytes);
    if (after)
        r->after_present = cursor_bytes(&c, bytes);
    if (!cursor_ok(&c))
        return err_set(err, ERR_TRUNCATED, "A rows event of %s.%s ends inside its head", table->schema->database,
                       where(table));
    r->all_before = before && all_set(r->before_present, table->n_columns);
    r->all_after = after && all_set(r->after_present, table->n_columns);
    r->data = c;
    return 0;
}

static size_t count_present(const uint8_t *present, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += bit(present, i);
    return count;
}

int row_image_begin(struct row_image *image, struct rows *rows, const uint8_t *present, struct err *err)
{
    const struct table_map *t = rows->table;
    bool all = present == rows->after_present ? rows->all_after : rows->all_before;
    size_t n = all ? t->n_columns : count_present(present, t->n_columns);

    image->present = present;
    image->data = &rows->data;
    image->partial = NULL;
    if (rows->partial && present == rows->after_present) {
        uint64_t options = cursor_lenenc(&rows->data);
        size_t n_json = 0;

        for (size_t i = 0; i < t->n_columns; i++)
            n_json += t->columns[i].type == WIRE_JSON && bit(present, i);
        if (options > 1)
            return err_set(
                err, ERR_UNSUPPORTED,
                "An update of %s.%s uses row value options %llu, which Pillion does not understand; run SET PERSIST "
                "binlog_row_value_options = ''",
                t->schema->database, where(t), (unsigned long long)options);
        if (options)
            image->partial = cursor_bytes(&rows->data, (n_json + 7) / 8);
    }
    image->nulls = cursor_bytes(&rows->data, (n + 7) / 8);
    if (!image->nulls)
        return err_set(err, ERR_TRUNCATED, "Row %u of a rows event of %s.%s ends inside its NULL bits", rows->row,
                       t->schema->database, where(t));
    return 0;
}

/* The hot walk of tables that nobody wants: without the cursor's calls. */
int row_image_skip(struct row_image *image, const struct table_map *table, struct err *err)
{
    const uint8_t *p = image->data->p, *end = image->data->end, *nulls = image->nulls, *present = image->present;
    const struct wire_column *w = table->columns;
    size_t at = 0;

    for (size_t i = 0; i < table->n_columns; i++, w++) {
        uint64_t len = w->length_bytes;

        if (!bit(present, i))
            continue;
        if (bit(nulls, at++))
            continue;
        if (w->skip == SKIP_PREFIXED) {
            if ((size_t)(end - p) < len)
                goto truncated;
            if (end - p >= 8) {
                uint64_t width = len;

                len = width + (cursor_word(p) & (UINT64_MAX >> (64 - 8 * width)));
            } else {
                struct cursor c = {p, end, false};
                uint64_t width = len;

                len = width + cursor_le(&c, width);
            }
        }
        if ((uint64_t)(end - p) < len)
            goto truncated;
        p += len;
    }
    image->data->p = p;
    return 0;
truncated:
    image->data->failed = true;
    image->data->p = end;
    return err_set(err, ERR_TRUNCATED, "A row of %s.%s ends inside its values", table->schema->database, where(table));
}

/* -- the boxed form -- */

struct box {
    const struct table_map *table;
    struct arena *arena;
    struct buf scratch;
    struct err *err;
};

static int box_bytes(struct box *b, struct value *v, enum value_kind kind, const void *bytes, size_t len)
{
    uint8_t *copy = arena_memdup(b->arena, bytes, len);

    if (!copy)
        return err_set(b->err, ERR_LIMIT, "A row is larger than the limit of %zu bytes", b->arena->cap);
    v->kind = kind;
    v->as.data.bytes = copy;
    v->as.data.len = len;
    return 0;
}

static int box_text(struct box *b, struct value *v, const char *text)
{
    return box_bytes(b, v, VALUE_TEXT, text, strlen(text));
}

static int box_string(struct box *b, struct value *v, const struct column *column, const struct wire_column *w,
                      struct cursor *c)
{
    size_t len;
    const uint8_t *bytes = value_lenc(c, w->length_bytes, &len);
    const struct charset *cs = charset_of_collation(column->collation);

    if (!bytes)
        return 0; /* the cursor has failed: the caller says so */
    if (w->compressed) {
        struct buf plain;
        int rc;

        buf_init(&plain, UNPACKED_MAX);
        rc = value_uncompress(bytes, len, &plain, b->err);
        buf_clear(&b->scratch);
        if (!rc && column->kind == COLUMN_BYTES)
            rc = box_bytes(b, v, VALUE_BYTES, plain.data, plain.len);
        else if (!rc && !(rc = charset_to_utf8(cs, plain.data, plain.len, &b->scratch, b->err)))
            rc = box_bytes(b, v, VALUE_TEXT, b->scratch.data, b->scratch.len);
        buf_release(&plain);
        return rc;
    }
    if (column->kind == COLUMN_BYTES) {
        if (column->is_fixed && len < column->length) { /* the server strips the zero bytes at the end of BINARY(n) */
            uint8_t *padded = arena_alloc(b->arena, column->length);

            if (!padded)
                return err_set(b->err, ERR_LIMIT, "A row is larger than the limit of %zu bytes", b->arena->cap);
            memcpy(padded, bytes, len);
            bytes = padded;
            len = column->length;
        }
        v->kind = VALUE_BYTES;
    } else if (charset_is_utf8(cs) && utf8_valid(bytes, len) == len) {
        v->kind = VALUE_TEXT;
    } else {
        buf_clear(&b->scratch);
        if (charset_to_utf8(cs, bytes, len, &b->scratch, b->err))
            return -1;
        return box_bytes(b, v, VALUE_TEXT, b->scratch.data, b->scratch.len);
    }
    v->as.data.bytes = bytes;
    v->as.data.len = len;
    return 0;
}

static int box_members(struct box *b, struct value *v, const struct column *column, uint64_t bits)
{
    if (column->kind == COLUMN_ENUM) {
        if (bits > column->n_members)
            return err_set(b->err, ERR_VALUE, "The value is member %llu of an ENUM of %zu members",
                           (unsigned long long)bits, column->n_members);
        return box_text(b, v, bits ? column->members[bits - 1] : ""); /* 0: the server's mark for a wrong value */
    }
    if (column->n_members < 64 && bits >> column->n_members)
        return err_set(b->err, ERR_VALUE, "The value has members that the SET of %zu members does not have",
                       column->n_members);
    buf_clear(&b->scratch);
    for (size_t i = 0; i < column->n_members; i++)
        if (bits >> i & 1 &&
            ((b->scratch.len && buf_put_u8(&b->scratch, ',')) || buf_put_str(&b->scratch, column->members[i])))
            return err_set(b->err, ERR_LIMIT, "A SET value is larger than the limit of %zu bytes", b->scratch.cap);
    return box_bytes(b, v, VALUE_TEXT, b->scratch.data, b->scratch.len);
}

static int box_json(struct box *b, struct value *v, const struct wire_column *w, struct cursor *c, bool diffs,
                    const struct value *before)
{
    size_t len;
    const uint8_t *bytes = value_lenc(c, w->length_bytes, &len);

    if (!bytes)
        return 0;
    buf_clear(&b->scratch);
    if (diffs) {
        if (!before || before->kind != VALUE_TEXT)
            return err_set(
                b->err, ERR_UNSUPPORTED,
                "A partial JSON update comes without the document before it; run SET PERSIST binlog_row_image = FULL, "
                "or SET PERSIST binlog_row_value_options = ''");
        if (json_apply_diffs((const char *)before->as.data.bytes, before->as.data.len, cursor_of(bytes, len),
                             &b->scratch, b->err))
            return -1;
    } else if (!len) { /* the server writes nothing where a failed default left no document */
        return box_text(b, v, "null");
    } else if (json_to_text(cursor_of(bytes, len), &b->scratch, b->err)) {
        return -1;
    }
    return box_bytes(b, v, VALUE_TEXT, b->scratch.data, b->scratch.len);
}

static int box_value(struct box *b, struct value *v, size_t i, struct cursor *c, bool diffs, const struct value *before)
{
    const struct column *column = &b->table->schema->columns[i];
    const struct wire_column *w = &b->table->columns[i];
    struct civil t;
    char text[72];
    size_t len;
    bool zero;

    switch (column->kind) {
    case COLUMN_INT:
        v->kind = column->is_unsigned ? VALUE_UINT : VALUE_INT;
        v->as.i = value_int(c, w->length_bytes, column->is_unsigned);
        return 0;
    case COLUMN_YEAR:
        v->kind = VALUE_INT;
        v->as.i = cursor_u8(c);
        if (v->as.i)
            v->as.i += 1900;
        return 0;
    case COLUMN_FLOAT:
        v->kind = VALUE_FLOAT;
        v->as.d = (double)value_float(c);
        return 0;
    case COLUMN_DOUBLE:
        v->kind = VALUE_DOUBLE;
        v->as.d = value_double(c);
        return 0;
    case COLUMN_BIT:
        v->kind = VALUE_UINT;
        v->as.u = value_bit(c, w);
        return 0;
    case COLUMN_DECIMAL:
        return value_decimal_text(c, w, text) ? box_text(b, v, text) : 0;
    case COLUMN_DATE:
        value_date(c, &t);
        civil_format(&t, COLUMN_DATE, 0, text);
        return box_text(b, v, text);
    case COLUMN_TIME:
        value_time(c, w, &t);
        civil_format(&t, COLUMN_TIME, w->fsp, text);
        return box_text(b, v, text);
    case COLUMN_DATETIME:
        value_datetime(c, w, &t);
        civil_format(&t, COLUMN_DATETIME, w->fsp, text);
        return box_text(b, v, text);
    case COLUMN_TIMESTAMP:
        civil_from_micros(value_timestamp(c, w, &zero), &t);
        if (zero)
            t = (struct civil){0};
        civil_format(&t, COLUMN_DATETIME, w->fsp, text);
        return box_text(b, v, text);
    case COLUMN_ENUM:
    case COLUMN_SET:
        return box_members(b, v, column, cursor_le(c, w->length_bytes));
    case COLUMN_STRING:
    case COLUMN_BYTES:
        return box_string(b, v, column, w, c);
    case COLUMN_JSON:
        return box_json(b, v, w, c, diffs, before);
    case COLUMN_GEOMETRY:
    case COLUMN_VECTOR:
        v->kind = VALUE_BYTES;
        v->as.data.bytes = value_lenc(c, w->length_bytes, &len);
        v->as.data.len = v->as.data.bytes ? len : 0;
        return 0;
    }
    return err_set(b->err, ERR_BUG, "A column has the unknown kind %d", (int)column->kind);
}

int row_image_values(struct row_image *image, const struct rows *rows, const struct value *before, struct value *out,
                     struct arena *arena, struct err *err)
{
    const struct table_map *t = rows->table;
    struct box b = {.table = t, .arena = arena, .err = err};
    size_t at = 0, json = 0;
    int rc = -1;

    buf_init(&b.scratch, UNPACKED_MAX);
    for (size_t i = 0; i < t->n_columns; i++) {
        bool diffs = false;

        out[i] = (struct value){.kind = VALUE_ABSENT};
        if (!bit(image->present, i))
            continue;
        if (t->columns[i].type == WIRE_JSON) {
            diffs = image->partial && bit(image->partial, json);
            json++;
        }
        out[i].kind = VALUE_NULL;
        if (bit(image->nulls, at++))
            continue;
        if (box_value(&b, &out[i], i, image->data, diffs, before ? &before[i] : NULL)) {
            err_prefix(err, "column %s of %s.%s, row %u of its event", t->schema->columns[i].name, t->schema->database,
                       where(t), rows->row);
            goto done;
        }
        if (!cursor_ok(image->data)) {
            err_set(err, ERR_TRUNCATED, "Row %u of a rows event of %s.%s ends inside column %s", rows->row,
                    t->schema->database, where(t), t->schema->columns[i].name);
            goto done;
        }
    }
    rc = 0;
done:
    buf_release(&b.scratch);
    return rc;
}
