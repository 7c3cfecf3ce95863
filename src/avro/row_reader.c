#include "avro/row_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/varint.h"
#include "binlog/value.h"

enum { NESTED_MAX = 256 << 20 };

void row_reader_init(struct row_reader *r, const struct node *record)
{
    r->record = record;
    buf_init(&r->nested, NESTED_MAX);
}

void row_reader_release(struct row_reader *r)
{
    buf_release(&r->nested);
}

static void set_number(struct field_value *out, enum field_kind kind, int64_t v)
{
    out->kind = kind;
    out->as.i = v;
}

static int set_scaled(struct field_value *out, enum field_kind kind, int64_t v, int64_t factor, struct err *err)
{
    out->kind = kind;
    if (__builtin_mul_overflow(v, factor, &out->as.i))
        return err_set(err, ERR_MALFORMED, "the time %" PRId64 " is out of range.", v);
    return 0;
}

static int64_t floor_thousandth(int64_t v)
{
    return v / 1000 - (v % 1000 < 0);
}

static int set_integer(const struct node *node, int64_t v, struct field_value *out, struct err *err)
{
    if (node->type == NODE_INT && v != (int32_t)v)
        return err_set(err, ERR_MALFORMED, "%" PRId64 " is no int.", v);
    switch (node->meaning) {
    case MEANS_DATE:
        set_number(out, FIELD_DATE, v);
        return 0;
    case MEANS_TIME_MILLIS:
        return set_scaled(out, FIELD_TIME_US, v, 1000, err);
    case MEANS_TIME_MICROS:
        set_number(out, FIELD_TIME_US, v);
        return 0;
    case MEANS_TIME_NANOS:
        set_number(out, FIELD_TIME_US, floor_thousandth(v));
        return 0;
    case MEANS_INSTANT_MILLIS:
        return set_scaled(out, FIELD_TIMESTAMP_US, v, 1000, err);
    case MEANS_INSTANT_MICROS:
        set_number(out, FIELD_TIMESTAMP_US, v);
        return 0;
    case MEANS_INSTANT_NANOS:
        set_number(out, FIELD_TIMESTAMP_US, floor_thousandth(v));
        return 0;
    case MEANS_LOCAL_MILLIS:
        return set_scaled(out, FIELD_LOCAL_TIMESTAMP_US, v, 1000, err);
    case MEANS_LOCAL_MICROS:
        set_number(out, FIELD_LOCAL_TIMESTAMP_US, v);
        return 0;
    case MEANS_LOCAL_NANOS:
        set_number(out, FIELD_LOCAL_TIMESTAMP_US, floor_thousandth(v));
        return 0;
    default:
        set_number(out, node->type == NODE_INT ? FIELD_INT : FIELD_LONG, v);
        return 0;
    }
}

/* n digits; -1 when they are none. */
static int digits(const uint8_t **s, const uint8_t *end, int n)
{
    int v = 0;

    for (; n > 0; n--) {
        if (*s >= end || **s < '0' || **s > '9')
            return -1;
        v = v * 10 + (*(*s)++ - '0');
    }
    return v;
}

static bool mark(const uint8_t **s, const uint8_t *end, char c)
{
    if (*s >= end || **s != (uint8_t)c)
        return false;
    (*s)++;
    return true;
}

/* ISO 8601 with an offset, as Debezium's ZonedTimestamp writes it: 2026-11-21T00:58:54[.fraction](Z|+hh:mm). */
static int zoned_micros(const uint8_t *s, size_t len, int64_t *out)
{
    const uint8_t *end = s + len;
    struct civil t = {0};
    int64_t offset = 0;

    if ((t.year = digits(&s, end, 4)) < 0 || !mark(&s, end, '-') || (t.month = digits(&s, end, 2)) < 1 ||
        !mark(&s, end, '-') || (t.day = digits(&s, end, 2)) < 1 || !mark(&s, end, 'T') ||
        (t.hour = digits(&s, end, 2)) < 0 || !mark(&s, end, ':') || (t.minute = digits(&s, end, 2)) < 0 ||
        !mark(&s, end, ':') || (t.second = digits(&s, end, 2)) < 0)
        return -1;
    if (mark(&s, end, '.')) {
        int unit = 100000;

        for (; s < end && *s >= '0' && *s <= '9'; s++, unit /= 10)
            t.micros += (*s - '0') * unit;
    }
    if (!mark(&s, end, 'Z')) {
        int sign = mark(&s, end, '-') ? -1 : mark(&s, end, '+') ? 1 : 0;
        int hours = digits(&s, end, 2);
        int minutes = mark(&s, end, ':') ? digits(&s, end, 2) : -1;

        if (sign == 0 || hours < 0 || minutes < 0)
            return -1;
        offset = sign * (hours * INT64_C(3600000000) + minutes * INT64_C(60000000));
    }
    if (s != end || t.month > 12 || t.day > 31 || t.hour > 24 || t.minute > 59 || t.second > 60)
        return -1;
    *out = civil_micros(&t) - offset;
    return 0;
}

static int set_bytes(struct walk *w, const struct node *node, struct field_value *out)
{
    int64_t micros;

    if (schema_tree_bytes(w, node, &out->as.data.bytes, &out->as.data.len) < 0)
        return -1;
    out->kind = node->type == NODE_STRING ? FIELD_STRING : FIELD_BYTES;
    switch (node->meaning) {
    case MEANS_DECIMAL:
        if (out->as.data.len == 0)
            return err_set(w->err, ERR_MALFORMED, "a decimal has no bytes.");
        out->kind = FIELD_DECIMAL;
        out->scale = node->scale;
        return 0;
    case MEANS_JSON:
        out->kind = FIELD_JSON;
        return 0;
    case MEANS_ZONED_TEXT:
        if (zoned_micros(out->as.data.bytes, out->as.data.len, &micros) < 0)
            return err_set(w->err, ERR_MALFORMED, "\"%.*s\" is no timestamp with a zone.",
                           (int)(out->as.data.len > 64 ? 64 : out->as.data.len), (const char *)out->as.data.bytes);
        set_number(out, FIELD_TIMESTAMP_US, micros);
        return 0;
    default:
        return 0;
    }
}

static int set_symbol(struct walk *w, const struct node *node, struct field_value *out)
{
    int64_t symbol = varint_read(w->c);

    if (walk_ok(w) < 0)
        return -1;
    if (symbol < 0 || (uint64_t)symbol >= node->n)
        return err_set(w->err, ERR_MALFORMED, "symbol %" PRId64 " is not in an enum of %zu.", symbol, node->n);
    out->kind = FIELD_STRING;
    out->as.data.bytes = (const uint8_t *)node->names[symbol];
    out->as.data.len = strlen(node->names[symbol]);
    return 0;
}

/* Debezium's {scale: int, value: bytes}. */
static int set_variable_decimal(struct walk *w, const struct node *node, struct field_value *out)
{
    int64_t scale;

    if (node->n != 2 || node->of[0]->type != NODE_INT || node->of[1]->type != NODE_BYTES)
        return err_set(w->err, ERR_SCHEMA, "a VariableScaleDecimal is not made of scale and value.");
    scale = varint_read(w->c);
    if (schema_tree_bytes(w, node->of[1], &out->as.data.bytes, &out->as.data.len) < 0)
        return -1;
    if (scale < -SCHEMA_TREE_SCALE_MAX || scale > SCHEMA_TREE_SCALE_MAX || out->as.data.len == 0)
        return err_set(w->err, ERR_MALFORMED, "a decimal has scale %" PRId64 " and %zu bytes.", scale,
                       out->as.data.len);
    out->kind = FIELD_DECIMAL;
    out->scale = (int)scale;
    return 0;
}

static int read_field(struct row_reader *r, struct walk *w, const struct node *node, struct field_value *out)
{
    uint32_t bits32;
    uint64_t bits64;
    float f;

    *out = (struct field_value){.kind = FIELD_NULL};
    if (schema_tree_branch(w, node, &node) < 0)
        return -1;
    switch (node->type) {
    case NODE_NULL:
        return 0;
    case NODE_BOOLEAN:
        out->kind = FIELD_BOOL;
        out->as.b = cursor_u8(w->c) != 0;
        return walk_ok(w);
    case NODE_INT:
    case NODE_LONG: {
        int64_t v = varint_read(w->c);

        return walk_ok(w) < 0 ? -1 : set_integer(node, v, out, w->err);
    }
    case NODE_FLOAT:
        bits32 = cursor_u32le(w->c);
        memcpy(&f, &bits32, sizeof f);
        out->kind = FIELD_FLOAT;
        out->as.d = (double)f;
        return walk_ok(w);
    case NODE_DOUBLE:
        bits64 = cursor_u64le(w->c);
        out->kind = FIELD_DOUBLE;
        memcpy(&out->as.d, &bits64, sizeof out->as.d);
        return walk_ok(w);
    case NODE_BYTES:
    case NODE_STRING:
    case NODE_FIXED:
        return set_bytes(w, node, out);
    case NODE_ENUM:
        return set_symbol(w, node, out);
    case NODE_RECORD:
        if (node->meaning == MEANS_VARIABLE_DECIMAL)
            return set_variable_decimal(w, node, out);
        break;
    case NODE_ARRAY:
    case NODE_MAP:
    case NODE_UNION:
        break;
    }
    /* The buffer may still move: remember the place, row_reader_read makes a pointer of it. */
    size_t at = r->nested.len;

    if (schema_tree_json(w, node, &r->nested) < 0)
        return -1;
    out->kind = FIELD_JSON;
    out->scale = -1;
    out->as.data.bytes = NULL;
    out->as.data.len = r->nested.len - at;
    return 0;
}

int row_reader_read(struct row_reader *r, struct cursor bytes, struct field_value *out, struct err *err)
{
    struct walk w = walk_of(&bytes, err);
    size_t at = 0;

    buf_clear(&r->nested);
    for (size_t i = 0; i < r->record->n; i++)
        if (read_field(r, &w, r->record->of[i], &out[i]) < 0)
            return err_prefix(err, "field %.200s", r->record->names[i]);
    if (!cursor_done(&bytes))
        return err_set(err, ERR_MALFORMED, "%zu bytes are left over behind the record's last field.",
                       cursor_left(&bytes));
    for (size_t i = 0; i < r->record->n; i++) {
        if (out[i].kind != FIELD_JSON || out[i].scale != -1)
            continue;
        out[i].scale = 0;
        out[i].as.data.bytes = r->nested.data + at;
        at += out[i].as.data.len;
    }
    return 0;
}
