#include "merge/silver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge/key_text.h"

enum { DECIMAL_TEXT_MAX = 256 };

static bool fits_int64(const char *text, int64_t *out)
{
    char *end;

    if (strchr(text, '.'))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && !*end && end != text;
}

/* Decimal128 has 34 digits; what does not fit exactly stays text. */
static bool put_decimal(bson_t *out, const char *name, const char *text)
{
    size_t digits = 0;
    bson_decimal128_t d;

    for (const char *p = text; *p; p++)
        digits += *p >= '0' && *p <= '9';
    if (digits <= 34 && bson_decimal128_from_string(text, &d))
        return bson_append_decimal128(out, name, -1, &d);
    return bson_append_utf8(out, name, -1, text, -1);
}

static int put_time(bson_t *out, const char *name, int64_t us)
{
    char text[40];
    int64_t a = us < 0 ? -us : us;

    snprintf(text, sizeof text, "%s%02" PRId64 ":%02d:%02d.%06d", us < 0 ? "-" : "", a / 3600000000,
             (int)(a / 60000000 % 60), (int)(a / 1000000 % 60), (int)(a % 1000000));
    return bson_append_utf8(out, name, -1, text, -1) ? 0 : -1;
}

static int64_t floor_ms(int64_t us)
{
    return us >= 0 ? us / 1000 : -((-us + 999) / 1000);
}

/* 1: it does not fit. */
static int put_data(bson_t *out, const char *name, const struct field_value *v, struct err *err)
{
    if (v->as.data.len > 16u << 20)
        return err_set(err, ERR_LIMIT, "Column %s holds %zu bytes, more than a document can.", name, v->as.data.len);
    if (v->kind == FIELD_BYTES)
        return bson_append_binary(out, name, -1, BSON_SUBTYPE_BINARY, v->as.data.bytes, (uint32_t)v->as.data.len) ? 0
                                                                                                                  : 1;
    if (!bson_utf8_validate((const char *)v->as.data.bytes, v->as.data.len, true))
        return err_set(err, ERR_VALUE, "Column %s holds a text that is not UTF-8.", name);
    return bson_append_utf8(out, name, -1, (const char *)v->as.data.bytes, (int)v->as.data.len) ? 0 : 1;
}

int silver_put(bson_t *out, const char *name, const struct field_value *v, struct err *err)
{
    struct buf text;
    bool ok = false;
    int rc;

    switch (v->kind) {
    case FIELD_NULL:
        ok = bson_append_null(out, name, -1);
        break;
    case FIELD_BOOL:
        ok = bson_append_bool(out, name, -1, v->as.b);
        break;
    case FIELD_INT:
        ok = bson_append_int32(out, name, -1, (int32_t)v->as.i);
        break;
    case FIELD_LONG:
        ok = bson_append_int64(out, name, -1, v->as.i);
        break;
    case FIELD_FLOAT:
    case FIELD_DOUBLE:
        ok = bson_append_double(out, name, -1, v->as.d);
        break;
    case FIELD_DATE:
        ok = bson_append_date_time(out, name, -1, v->as.i * 86400000);
        break;
    case FIELD_TIMESTAMP_US:
    case FIELD_LOCAL_TIMESTAMP_US:
        ok = bson_append_date_time(out, name, -1, floor_ms(v->as.i));
        break;
    case FIELD_TIME_US:
        ok = put_time(out, name, v->as.i) == 0;
        break;
    case FIELD_STRING:
    case FIELD_BYTES:
    case FIELD_JSON:
        rc = put_data(out, name, v, err);
        if (rc < 0)
            return rc;
        ok = rc == 0;
        break;
    case FIELD_DECIMAL:
        buf_init(&text, DECIMAL_TEXT_MAX);
        rc = key_text_decimal(&text, v->as.data.bytes, v->as.data.len, v->scale, false, err);
        ok = !rc && put_decimal(out, name, buf_cstr(&text));
        buf_release(&text);
        if (rc)
            return err_prefix(err, "column %s", name);
        break;
    }
    return ok ? 0 : err_set(err, ERR_LIMIT, "The row is larger than a document can be (at column %s).", name);
}

static int put_key_value(bson_t *out, const char *name, const struct field_value *v, struct err *err)
{
    struct buf text;
    int64_t i;
    int rc = 0;

    switch (v->kind) {
    case FIELD_BOOL:
        bson_append_int64(out, name, -1, v->as.b);
        return 0;
    case FIELD_INT:
    case FIELD_LONG:
    case FIELD_DATE:
    case FIELD_TIMESTAMP_US:
    case FIELD_LOCAL_TIMESTAMP_US:
    case FIELD_TIME_US:
        bson_append_int64(out, name, -1, v->as.i);
        return 0;
    case FIELD_DECIMAL:
        buf_init(&text, DECIMAL_TEXT_MAX);
        rc = key_text_decimal(&text, v->as.data.bytes, v->as.data.len, v->scale, true, err);
        if (!rc && fits_int64(buf_cstr(&text), &i))
            bson_append_int64(out, name, -1, i);
        else if (!rc)
            put_decimal(out, name, buf_cstr(&text));
        buf_release(&text);
        return rc;
    case FIELD_NULL:
        return err_set(err, ERR_VALUE, "The key column %s is NULL.", name);
    case FIELD_FLOAT:
    case FIELD_DOUBLE:
    case FIELD_STRING:
    case FIELD_BYTES:
    case FIELD_JSON:
        break;
    }
    return silver_put(out, name, v, err);
}

int silver_id(bson_t *out, const char *const names[], const struct field_value *const values[], size_t n,
              struct err *err)
{
    bson_t sub;
    int rc = 0;

    if (n == 1)
        return put_key_value(out, "_id", values[0], err);
    bson_append_document_begin(out, "_id", 3, &sub);
    for (size_t i = 0; i < n && !rc; i++)
        rc = put_key_value(&sub, names[i], values[i], err);
    bson_append_document_end(out, &sub);
    return rc;
}

static void put_columns(struct buf *out, const struct relationship *r)
{
    for (size_t i = 0; i < r->n_columns; i++) {
        if (i)
            buf_put_u8(out, '+');
        buf_put_str(out, r->child_columns[i]);
    }
}

const char *silver_ref_text(struct buf *out, const struct relationship *r, const char *parent_key)
{
    buf_clear(out);
    put_columns(out, r);
    buf_put_u8(out, '|');
    buf_put_str(out, parent_key);
    return buf_cstr(out);
}

static void put_refs(bson_t *out, const struct entity *entity, const struct gate_ref *refs, size_t n_refs)
{
    struct buf text;
    bson_t array;
    uint32_t n = 0;

    buf_init(&text, 4 * KEY_TEXT_MAX);
    for (size_t i = 0; i < n_refs; i++) {
        const struct relationship *r = &entity->relationships[refs[i].relationship];
        char name[16];

        if (r->on_parent_delete == PARENT_DELETE_KEEP)
            continue;
        if (!n)
            bson_append_array_begin(out, "refs", 4, &array);
        snprintf(name, sizeof name, "%u", n++);
        bson_append_utf8(&array, name, -1, silver_ref_text(&text, r, refs[i].key), -1);
    }
    if (n)
        bson_append_array_end(out, &array);
    buf_release(&text);
}

void silver_put_origin(bson_t *out, const struct silver_origin *o, bool deleted, const struct entity *entity,
                       const struct gate_ref *refs, size_t n_refs)
{
    bson_t sub;

    bson_append_document_begin(out, "_pillion", 8, &sub);
    bson_append_int64(&sub, "v", 1, o->version);
    bson_append_int32(&sub, "epoch", 5, (int32_t)o->epoch);
    bson_append_int64(&sub, "offset", 6, o->offset);
    bson_append_int32(&sub, "partition", 9, o->partition);
    bson_append_utf8(&sub, "op", 2, &o->op, 1);
    if (o->ts_us)
        bson_append_date_time(&sub, "ts", 2, floor_ms(o->ts_us));
    if (o->gtid_len && bson_utf8_validate(o->gtid, o->gtid_len, false))
        bson_append_utf8(&sub, "gtid", 4, o->gtid, (int)o->gtid_len);
    bson_append_bool(&sub, "deleted", 7, deleted);
    if (!deleted)
        put_refs(&sub, entity, refs, n_refs);
    bson_append_document_end(out, &sub);
}

/* --- back to text --- */

static int put_iter(struct buf *out, const bson_iter_t *it, bool several, struct err *err)
{
    struct field_value v = {.kind = FIELD_STRING};
    const struct field_value *one = &v;
    bson_decimal128_t d;
    char text[BSON_DECIMAL128_STRING];
    uint32_t len = 0;
    bool null;

    switch (bson_iter_type(it)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        return buf_putf(out, "%" PRId64, bson_iter_as_int64(it));
    case BSON_TYPE_DOUBLE:
        return buf_putf(out, "%.17g", bson_iter_double(it));
    case BSON_TYPE_DECIMAL128:
        bson_iter_decimal128(it, &d);
        bson_decimal128_to_string(&d, text);
        return buf_put_str(out, text);
    case BSON_TYPE_BINARY:
        v.kind = FIELD_BYTES;
        bson_iter_binary(it, NULL, &len, &v.as.data.bytes);
        v.as.data.len = len;
        return key_text_put(out, &one, 1, &null, err);
    case BSON_TYPE_UTF8:
        v.as.data.bytes = (const uint8_t *)bson_iter_utf8(it, &len);
        for (uint32_t i = 0; i < len; i++) {
            if (several && (v.as.data.bytes[i] == '\\' || v.as.data.bytes[i] == ','))
                buf_put_u8(out, '\\');
            buf_put_u8(out, v.as.data.bytes[i]);
        }
        return 0;
    default:
        return err_set(err, ERR_STORE_DATA,
                       "A document's _id has a type that Pillion never writes; was it changed by hand?");
    }
}

int silver_key_text(struct buf *out, const bson_iter_t *id, struct err *err)
{
    bson_iter_t sub;
    bool first = true;
    int rc = 0;

    buf_clear(out);
    if (bson_iter_type(id) != BSON_TYPE_DOCUMENT) {
        rc = put_iter(out, id, false, err);
    } else if (bson_iter_recurse(id, &sub)) {
        for (; !rc && bson_iter_next(&sub); first = false) {
            if (!first)
                buf_put_u8(out, ',');
            rc = put_iter(out, &sub, true, err);
        }
    }
    buf_cstr(out);
    return rc ? -1 : out->overflow ? err_set(err, ERR_LIMIT, "A document's _id is longer than a key may be.") : 0;
}

enum gate_state silver_state(const bson_t *document, int64_t *version, bool *cascaded)
{
    bson_iter_t it, sub;
    bool deleted = false, pending = false;

    *version = 0;
    *cascaded = false;
    if (!bson_iter_init_find(&it, document, "_pillion") || !BSON_ITER_HOLDS_DOCUMENT(&it) ||
        !bson_iter_recurse(&it, &sub))
        return GATE_DELETED;
    while (bson_iter_next(&sub)) {
        const char *name = bson_iter_key(&sub);

        if (!strcmp(name, "v"))
            *version = bson_iter_as_int64(&sub);
        else if (!strcmp(name, "deleted"))
            deleted = bson_iter_as_bool(&sub);
        else if (!strcmp(name, "pending"))
            pending = bson_iter_as_bool(&sub);
        else if (!strcmp(name, "cascaded"))
            *cascaded = bson_iter_as_bool(&sub);
    }
    return !deleted ? GATE_VISIBLE : pending ? GATE_WAITING : GATE_DELETED;
}
