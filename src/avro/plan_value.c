#include "avro/plan_value.h"

#include <inttypes.h>
#include <string.h>

#include "avro/varint.h"
#include "binlog/json.h"
#include "binlog/value.h"

int sink_grow(struct sink *s, size_t n)
{
    s->out->len = (size_t)(s->at - s->out->data);
    if (!buf_room(s->out, n + s->room))
        return -1;
    s->at = s->out->data + s->out->len;
    s->limit = s->out->data + s->out->size;
    return 0;
}

int plan_too_long(struct err *err, const struct buf *out)
{
    return err_set(err, ERR_LIMIT,
                   "the row is longer than the record limit of %zu bytes; raise the limit here and in Kafka "
                   "(message.max.bytes), or leave the table out.",
                   out->cap);
}

static int put_bytes(struct sink *s, const uint8_t *bytes, size_t len, size_t padded, struct err *err)
{
    size_t all = len > padded ? len : padded;

    if (sink_need(s, all) < 0)
        return plan_too_long(err, s->out);
    s->at = varint_put(s->at, (int64_t)all);
    memcpy(s->at, bytes, len);
    memset(s->at + len, 0, all - len);
    s->at += all;
    return 0;
}

int plan_bad_text(const struct plan_step *step, const uint8_t *bytes, size_t len, struct err *err)
{
    return err_set(
        err, ERR_VALUE,
        "bytes at offset %zu of %zu are no %s text; correct the row on the source, or make the column binary.",
        utf8_valid(bytes, len), len, charset_name(step->charset));
}

static int put_text(struct plan *p, const struct plan_step *step, struct sink *s, const uint8_t *bytes, size_t len,
                    struct err *err)
{
    if (step->utf8)
        return utf8_valid(bytes, len) == len ? put_bytes(s, bytes, len, 0, err) : plan_bad_text(step, bytes, len, err);
    buf_clear(&p->scratch);
    if (charset_to_utf8(step->charset, bytes, len, &p->scratch, err) < 0)
        return -1;
    return put_bytes(s, p->scratch.data ? p->scratch.data : bytes, p->scratch.len, 0, err);
}

/* The text comes from the value, or from the diffs in it and the text of the before image. */
static int json_text(struct plan *p, const struct plan_step *step, const struct sink *s, const struct plan_diffs *diffs,
                     struct cursor value, struct err *err)
{
    size_t slot = (size_t)step->json_slot;
    const struct plan_span *before;

    if (!diffs || !(diffs->partial[slot / 8] >> (slot % 8) & 1)) {
        if (cursor_left(&value) == 0) /* the server writes nothing where a failed default left no document */
            return buf_put_str(&p->scratch, "null") < 0 ? plan_too_long(err, &p->scratch) : 0;
        return json_to_text(value, &p->scratch, err);
    }
    before = &diffs->before[slot];
    if (before->len == 0)
        return err_set(err, ERR_MALFORMED, "a partial JSON update follows a NULL; the log is damaged there.");
    return json_apply_diffs((const char *)s->out->data + before->at, before->len, value, &p->scratch, err);
}

static int put_json(struct plan *p, const struct plan_step *step, struct sink *s, const struct plan_diffs *diffs,
                    struct cursor value, struct err *err)
{
    buf_clear(&p->scratch);
    if (json_text(p, step, s, diffs, value, err) < 0 || put_bytes(s, p->scratch.data, p->scratch.len, 0, err) < 0)
        return -1;
    p->json[step->json_slot] = (struct plan_span){(size_t)(s->at - s->out->data) - p->scratch.len, p->scratch.len};
    return 0;
}

static int put_enum(const struct plan *p, const struct plan_step *step, struct sink *s, uint64_t index, struct err *err)
{
    const struct plan_member *member;

    if (index >= step->n_members)
        return err_set(err, ERR_VALUE, "the ENUM index %" PRIu64 " is above its %zu members.", index,
                       step->n_members - 1);
    member = &step->members[index];
    if (sink_need(s, member->len) < 0)
        return plan_too_long(err, s->out);
    memcpy(s->at, p->pool.data + member->at, member->len);
    s->at += member->len;
    return 0;
}

static int put_set(struct plan *p, const struct plan_step *step, struct sink *s, uint64_t bits, struct err *err)
{
    if (step->n_members < 64 && bits >> step->n_members)
        return err_set(err, ERR_VALUE, "the SET value 0x%" PRIx64 " has bits above its %zu members.", bits,
                       step->n_members);
    buf_clear(&p->scratch);
    for (size_t i = 0; bits; i++, bits >>= 1) {
        if (!(bits & 1))
            continue;
        if ((p->scratch.len > 0 && buf_put_u8(&p->scratch, ',') < 0) ||
            buf_put_str(&p->scratch, step->column->members[i]) < 0)
            return plan_too_long(err, &p->scratch);
    }
    return put_bytes(s, p->scratch.data ? p->scratch.data : (const uint8_t *)"", p->scratch.len, 0, err);
}

/* Floats of VECTOR lie as Avro wants them: IEEE 754, little-endian, one after the other. */
static int put_vector(struct sink *s, const uint8_t *bytes, size_t len, struct err *err)
{
    if (len % 4 != 0)
        return err_set(err, ERR_MALFORMED, "a VECTOR of %zu bytes is no list of 4-byte floats.", len);
    if (sink_need(s, len) < 0)
        return plan_too_long(err, s->out);
    if (len > 0) {
        s->at = varint_put(s->at, (int64_t)(len / 4));
        memcpy(s->at, bytes, len);
        s->at += len;
    }
    *s->at++ = 0;
    return 0;
}

static int put_geometry(struct sink *s, const uint8_t *bytes, size_t len, struct err *err)
{
    uint32_t srid;

    if (len < 4)
        return err_set(err, ERR_MALFORMED, "a GEOMETRY of %zu bytes has no SRID.", len);
    srid = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    if (put_bytes(s, bytes + 4, len - 4, 0, err) < 0)
        return -1;
    if (srid == 0) {
        *s->at++ = 0;
        return 0;
    }
    *s->at++ = 2;
    s->at = varint_put(s->at, (int32_t)srid);
    return 0;
}

static uint8_t *put_bits(uint8_t *at, uint64_t bits, size_t length, bool little_endian)
{
    size_t n = (length + 7) / 8;

    *at++ = (uint8_t)(n << 1);
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(bits >> (8 * (little_endian ? i : n - 1 - i)));
    return at + n;
}

/* Shortest big-endian two's complement. */
static uint8_t *put_unsigned_decimal(uint8_t *at, uint64_t v)
{
    size_t n = v == 0 ? 1 : (size_t)(64 - __builtin_clzll(v)) / 8 + 1;

    *at++ = (uint8_t)(n << 1);
    for (size_t i = 0; i < n; i++) {
        size_t shift = 8 * (n - 1 - i);

        at[i] = (uint8_t)(shift < 64 ? v >> shift : 0);
    }
    return at + n;
}

static uint8_t *put_digits(uint8_t *at, unsigned v, unsigned n)
{
    for (unsigned i = n; i-- > 0; v /= 10)
        at[i] = (uint8_t)('0' + v % 10);
    return at + n;
}

/* "2026-11-21T00:58:54.123456Z", with as many digits behind the second as the column has. */
static uint8_t *put_iso(uint8_t *at, int64_t micros, unsigned fsp)
{
    static const unsigned units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    struct civil t;

    civil_from_micros(micros, &t);
    *at++ = (uint8_t)((20 + (fsp ? 1 + fsp : 0)) << 1);
    at = put_digits(at, (unsigned)t.year, 4);
    *at++ = '-';
    at = put_digits(at, (unsigned)t.month, 2);
    *at++ = '-';
    at = put_digits(at, (unsigned)t.day, 2);
    *at++ = 'T';
    at = put_digits(at, (unsigned)t.hour, 2);
    *at++ = ':';
    at = put_digits(at, (unsigned)t.minute, 2);
    *at++ = ':';
    at = put_digits(at, (unsigned)t.second, 2);
    if (fsp > 0) {
        *at++ = '.';
        at = put_digits(at, (unsigned)t.micros / units[fsp], fsp);
    }
    *at++ = 'Z';
    return at;
}

/* What stands for a date that is none. 1: NULL was written over the union branch; 0: take the epoch; -1: stop. */
static int no_date(const struct plan *p, const struct plan_step *step, struct sink *s, const char *what,
                   struct err *err)
{
    switch (p->zero_dates) {
    case ZERO_DATE_EPOCH:
        return 0;
    case ZERO_DATE_NULL:
        if (step->nullable) {
            s->at[-1] = 0;
            return 1;
        }
        if (p->epoch_for_not_null)
            return 0;
        return err_set(err, ERR_VALUE,
                       "the value is %s, and the column is NOT NULL; set events.zero_dates: epoch, or correct the row "
                       "on the source.",
                       what);
    case ZERO_DATE_STOP:
        break;
    }
    return err_set(err, ERR_VALUE,
                   "the value is %s; set events.zero_dates: null or epoch, or correct the row on the source.", what);
}

static const char *civil_words(enum civil_state state)
{
    switch (state) {
    case CIVIL_ZERO:
        return "the zero date 0000-00-00";
    case CIVIL_PARTIAL:
        return "a date without month or day";
    case CIVIL_OK:
    case CIVIL_BAD:
        break;
    }
    return "a day that is in no calendar";
}

static int put_temporal(const struct plan *p, const struct plan_step *step, struct sink *s, struct cursor *c,
                        struct err *err)
{
    enum civil_state state = CIVIL_OK;
    struct civil civil;
    int64_t micros = 0;
    bool zero = false;

    switch ((enum column_type)step->type) {
    case TYPE_DATE:
        state = value_date(c, &civil);
        break;
    case TYPE_DATETIME_MICROS:
    case TYPE_DATETIME_MILLIS:
        state = value_datetime(c, step->wire, &civil);
        break;
    case TYPE_TIME:
        value_time(c, step->wire, &civil);
        s->at = varint_put(s->at, civil_time_micros(&civil));
        return 0;
    default:
        micros = value_timestamp(c, step->wire, &zero);
        state = zero ? CIVIL_ZERO : CIVIL_OK;
        break;
    }
    if (__builtin_expect(state != CIVIL_OK, 0)) {
        int given;

        if (c->failed)
            return 0; /* the caller says so */
        given = no_date(p, step, s, civil_words(state), err);
        if (given != 0)
            return given < 0 ? -1 : 0;
        civil = (struct civil){.year = 1970, .month = 1, .day = 1};
        micros = 0;
    }
    switch ((enum column_type)step->type) {
    case TYPE_DATE:
        s->at = varint_put(s->at, civil_days(civil.year, civil.month, civil.day));
        break;
    case TYPE_DATETIME_MICROS:
        s->at = varint_put(s->at, civil_micros(&civil));
        break;
    case TYPE_DATETIME_MILLIS:
        s->at = varint_put(s->at, civil_micros(&civil) / 1000);
        break;
    case TYPE_TIMESTAMP_ISO:
        s->at = put_iso(s->at, micros, step->column->fsp);
        break;
    default:
        s->at = varint_put(s->at, micros);
        break;
    }
    return 0;
}

/* Values with a length before them. */
static int put_counted(struct plan *p, const struct plan_step *step, struct sink *s, const struct plan_diffs *diffs,
                       struct cursor *c, struct err *err)
{
    size_t len;
    const uint8_t *bytes = value_lenc(c, step->length_bytes, &len);

    if (!bytes)
        return 0; /* the cursor has failed: the caller says so */
    if (__builtin_expect(step->wire->compressed, 0)) {
        buf_clear(&p->unpacked);
        if (value_uncompress(bytes, len, &p->unpacked, err) < 0)
            return -1;
        bytes = p->unpacked.data ? p->unpacked.data : bytes;
        len = p->unpacked.len;
    }
    switch ((enum column_type)step->type) {
    case TYPE_TEXT:
        return put_text(p, step, s, bytes, len, err);
    case TYPE_JSON:
        return put_json(p, step, s, diffs, cursor_of(bytes, len), err);
    case TYPE_BYTES_PADDED:
        return put_bytes(s, bytes, len, step->column->length, err);
    case TYPE_GEOMETRY_RECORD:
        return put_geometry(s, bytes, len, err);
    case TYPE_VECTOR:
        return put_vector(s, bytes, len, err);
    default:
        return put_bytes(s, bytes, len, 0, err);
    }
}

int plan_put_value(struct plan *p, const struct plan_step *step, struct sink *s, const struct plan_diffs *diffs,
                   struct cursor *c, struct err *err)
{
    switch ((enum column_type)step->type) {
    case TYPE_I8:
    case TYPE_I16:
    case TYPE_I24:
    case TYPE_I32:
    case TYPE_I64:
        s->at = varint_put(s->at, value_int(c, step->column->width, false));
        return 0;
    case TYPE_U8:
    case TYPE_U16:
    case TYPE_U24:
    case TYPE_U32:
        s->at = varint_put(s->at, value_int(c, step->column->width, true));
        return 0;
    case TYPE_U64_LONG: {
        uint64_t v = cursor_u64le(c);

        if (__builtin_expect(v > INT64_MAX, 0))
            return err_set(
                err, ERR_VALUE,
                "the BIGINT UNSIGNED value %" PRIu64 " does not fit a long; set events.bigint_unsigned: decimal.", v);
        s->at = varint_put(s->at, (int64_t)v);
        return 0;
    }
    case TYPE_U64_DECIMAL:
        s->at = put_unsigned_decimal(s->at, cursor_u64le(c));
        return 0;
    case TYPE_FLOAT: {
        float v = value_float(c);

        memcpy(s->at, &v, sizeof v);
        s->at += sizeof v;
        return 0;
    }
    case TYPE_DOUBLE: {
        double v = value_double(c);

        memcpy(s->at, &v, sizeof v);
        s->at += sizeof v;
        return 0;
    }
    case TYPE_DECIMAL: {
        size_t n = value_decimal_bytes(c, step->wire, s->at + 1);

        s->at[0] = (uint8_t)(n << 1);
        s->at += n + 1;
        return 0;
    }
    case TYPE_BOOLEAN:
        *s->at++ = (uint8_t)(value_bit(c, step->wire) & 1);
        return 0;
    case TYPE_BITS_BE:
    case TYPE_BITS_LE:
        s->at = put_bits(s->at, value_bit(c, step->wire), step->column->length, step->type == TYPE_BITS_LE);
        return 0;
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_DATETIME_MICROS:
    case TYPE_DATETIME_MILLIS:
    case TYPE_TIMESTAMP_MICROS:
    case TYPE_TIMESTAMP_ISO:
        return put_temporal(p, step, s, c, err);
    case TYPE_YEAR: {
        uint8_t v = cursor_u8(c);

        s->at = varint_put(s->at, v ? 1900 + v : 0);
        return 0;
    }
    case TYPE_ENUM:
        return put_enum(p, step, s, cursor_le(c, step->length_bytes), err);
    case TYPE_SET:
        return put_set(p, step, s, cursor_le(c, step->length_bytes), err);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_BYTES_PADDED:
    case TYPE_JSON:
    case TYPE_GEOMETRY_BYTES:
    case TYPE_GEOMETRY_RECORD:
    case TYPE_VECTOR:
        return put_counted(p, step, s, diffs, c, err);
    }
    return err_set(err, ERR_BUG, "column type %d has no encoder.", step->type);
}
