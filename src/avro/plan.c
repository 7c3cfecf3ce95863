#include "avro/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/varint.h"
#include "base/mem.h"
#include "binlog/json.h"
#include "binlog/value.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The encoder copies little-endian integers and floats as they lie; port load32 and load64 first."
#endif

enum {
    STEP_ROOM =
        48, /* the longest value that is no string, with its union branch: a decimal of 28 bytes, a timestamp's text */
    SCRATCH_MAX = 1 << 30
};

/* Where the bytes of one image go. `at` runs ahead of out->len until the image is done. */
struct sink {
    struct buf *out;
    uint8_t *at;
    uint8_t *limit;
    size_t room; /* always kept free beyond what `need` asks for */
};

static int sink_grow(struct sink *s, size_t n)
{
    s->out->len = (size_t)(s->at - s->out->data);
    if (!buf_room(s->out, n + s->room))
        return -1;
    s->at = s->out->data + s->out->len;
    s->limit = s->out->data + s->out->size;
    return 0;
}

static inline int sink_need(struct sink *s, size_t n)
{
    if (__builtin_expect((size_t)(s->limit - s->at) >= s->room && (size_t)(s->limit - s->at) - s->room >= n, 1))
        return 0;
    return sink_grow(s, n);
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Copies n bytes and tells whether all are ASCII, so that short texts are looked at once. */
static inline bool copy_is_ascii(uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t all = 0;

    if (n >= 8) {
        for (size_t i = 0; i + 8 <= n; i += 8) {
            uint64_t v = load64(from + i);

            all |= v;
            memcpy(to + i, &v, sizeof v);
        }
        uint64_t last = load64(from + n - 8);

        all |= last;
        memcpy(to + n - 8, &last, sizeof last);
    } else if (n >= 4) {
        uint32_t first = load32(from);
        uint32_t last = load32(from + n - 4);

        all = first | last;
        memcpy(to, &first, sizeof first);
        memcpy(to + n - 4, &last, sizeof last);
    } else {
        for (size_t i = 0; i < n; i++) {
            to[i] = from[i];
            all |= from[i];
        }
    }
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

static int too_long(struct err *err, const struct buf *out)
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
        return too_long(err, s->out);
    s->at = varint_put(s->at, (int64_t)all);
    memcpy(s->at, bytes, len);
    memset(s->at + len, 0, all - len);
    s->at += all;
    return 0;
}

static int put_text(struct plan *p, const struct plan_step *step, struct sink *s, const uint8_t *bytes, size_t len,
                    struct err *err)
{
    if (step->utf8) {
        if (sink_need(s, len) < 0)
            return too_long(err, s->out);
        s->at = varint_put(s->at, (int64_t)len);
        if (!copy_is_ascii(s->at, bytes, len)) {
            size_t valid = utf8_valid(bytes, len);

            if (valid != len)
                return err_set(err, ERR_VALUE,
                               "bytes at offset %zu of %zu are no %s text; correct the row on the source, or make the "
                               "column binary.",
                               valid, len, charset_name(step->charset));
        }
        s->at += len;
        return 0;
    }
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
            return buf_put_str(&p->scratch, "null") < 0 ? too_long(err, &p->scratch) : 0;
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
        return too_long(err, s->out);
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
            return too_long(err, &p->scratch);
    }
    return put_bytes(s, p->scratch.data ? p->scratch.data : (const uint8_t *)"", p->scratch.len, 0, err);
}

/* Floats of VECTOR lie as Avro wants them: IEEE 754, little-endian, one after the other. */
static int put_vector(struct sink *s, const uint8_t *bytes, size_t len, struct err *err)
{
    if (len % 4 != 0)
        return err_set(err, ERR_MALFORMED, "a VECTOR of %zu bytes is no list of 4-byte floats.", len);
    if (sink_need(s, len) < 0)
        return too_long(err, s->out);
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
        return err_set(
            err, ERR_VALUE,
            "the value is %s, and the column is NOT NULL; set zero_dates: epoch, or correct the row on the source.",
            what);
    case ZERO_DATE_STOP:
        break;
    }
    return err_set(err, ERR_VALUE, "the value is %s; set zero_dates: null or epoch, or correct the row on the source.",
                   what);
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

static int64_t read_int(struct cursor *c, size_t width, bool is_unsigned)
{
    return value_int(c, width, is_unsigned);
}

static inline int64_t read_i32(struct cursor *c)
{
    const uint8_t *p = cursor_bytes(c, 4);

    return p ? (int32_t)load32(p) : 0;
}

static inline uint64_t read_u64(struct cursor *c)
{
    const uint8_t *p = cursor_bytes(c, 8);

    return p ? load64(p) : 0;
}

/* One value that is not NULL. */
static inline int put_value(struct plan *p, const struct plan_step *step, struct sink *s,
                            const struct plan_diffs *diffs, struct cursor *c, struct err *err)
{
    switch ((enum column_type)step->type) {
    case TYPE_I8:
        s->at = varint_put(s->at, (int8_t)cursor_u8(c));
        return 0;
    case TYPE_U8:
        s->at = varint_put(s->at, cursor_u8(c));
        return 0;
    case TYPE_I16:
        s->at = varint_put(s->at, read_int(c, 2, false));
        return 0;
    case TYPE_U16:
        s->at = varint_put(s->at, read_int(c, 2, true));
        return 0;
    case TYPE_I24:
        s->at = varint_put(s->at, read_int(c, 3, false));
        return 0;
    case TYPE_U24:
        s->at = varint_put(s->at, read_int(c, 3, true));
        return 0;
    case TYPE_I32:
        s->at = varint_put(s->at, read_i32(c));
        return 0;
    case TYPE_U32:
        s->at = varint_put(s->at, (uint32_t)read_i32(c));
        return 0;
    case TYPE_I64:
        s->at = varint_put(s->at, (int64_t)read_u64(c));
        return 0;
    case TYPE_U64_LONG: {
        uint64_t v = read_u64(c);

        if (__builtin_expect(v > INT64_MAX, 0))
            return err_set(err, ERR_VALUE,
                           "the BIGINT UNSIGNED value %" PRIu64 " does not fit a long; set bigint_unsigned: decimal.",
                           v);
        s->at = varint_put(s->at, (int64_t)v);
        return 0;
    }
    case TYPE_U64_DECIMAL:
        s->at = put_unsigned_decimal(s->at, read_u64(c));
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

static int truncated(struct err *err)
{
    return err_set(err, ERR_TRUNCATED, "the row image ends before its columns do; the log is damaged there.");
}

static uint64_t null_word(const uint8_t *nulls, size_t first, size_t n_columns)
{
    size_t n = (n_columns - first + 7) / 8;
    uint64_t word = 0;

    nulls += first / 8;
    for (size_t i = 0; i < n && i < 8; i++)
        word |= (uint64_t)nulls[i] << (8 * i);
    return word;
}

int plan_encode(struct plan *p, struct cursor *data, const uint8_t *nulls, const struct plan_diffs *diffs,
                struct buf *out, struct plan_span *keys, struct err *err)
{
    struct cursor c = *data;
    struct sink s = {.out = out, .room = p->fixed_room};
    const struct plan_step *step = p->steps;

    s.at = buf_room(out, p->fixed_room);
    if (!s.at)
        return too_long(err, out);
    s.limit = out->data + out->size;
    for (size_t i = 0; i < p->n_json; i++)
        p->json[i].len = 0;
    for (size_t first = 0; first < p->n_steps; first += 64) {
        uint64_t null = null_word(nulls, first, p->n_steps);
        size_t end = p->n_steps - first > 64 ? first + 64 : p->n_steps;

        if (__builtin_expect((null & p->not_null[first / 64]) != 0, 0)) {
            step = &p->steps[first + (size_t)__builtin_ctzll(null & p->not_null[first / 64])];
            err_set(err, ERR_MALFORMED,
                    "the row image has NULL, and the column is NOT NULL; the log is damaged there.");
            goto failed;
        }
        for (const struct plan_step *last = &p->steps[end]; step < last; step++, null >>= 1) {
            size_t from = (size_t)(s.at - out->data);

            if (step->nullable) {
                if (null & 1) {
                    *s.at++ = 0;
                    goto written;
                }
                *s.at++ = 2;
            }
            if (__builtin_expect(put_value(p, step, &s, diffs, &c, err) < 0, 0))
                goto failed;
        written:
            if (step->key_slot >= 0)
                keys[step->key_slot] = (struct plan_span){from, (size_t)(s.at - out->data) - from};
        }
    }
    if (c.failed)
        return truncated(err);
    out->len = (size_t)(s.at - out->data);
    *data = c;
    return 0;
failed:
    if (c.failed)
        return truncated(err);
    return err_prefix(err, "column %s", step->column->name);
}

/* The members of an ENUM as Avro strings, one after the other; place 0 is the empty string. */
static int pool_members(struct plan *p, struct plan_step *step, struct plan_member *members, struct err *err)
{
    const struct column *column = step->column;

    step->members = members;
    step->n_members = column->n_members + 1;
    for (size_t i = 0; i < step->n_members; i++) {
        const char *text = i == 0 ? "" : column->members[i - 1];
        uint8_t head[VARINT_ROOM];
        size_t n = (size_t)(varint_put(head, (int64_t)strlen(text)) - head);

        members[i] = (struct plan_member){(uint32_t)p->pool.len, (uint32_t)(n + strlen(text))};
        if (buf_put(&p->pool, head, n) < 0 || buf_put_str(&p->pool, text) < 0)
            return err_set(err, ERR_LIMIT, "the members of the ENUM are longer than %zu bytes.", p->pool.cap);
    }
    return 0;
}

static int compile(struct plan *p, struct plan_step *step, const struct column *column, const struct wire_column *wire,
                   const struct table_codec_options *options, struct plan_member **members, struct err *err)
{
    enum column_type type;

    if (column_type_of(column, options, &type, err) < 0)
        return -1;
    *step = (struct plan_step){.type = (uint8_t)type,
                               .length_bytes = wire->length_bytes,
                               .nullable = column->nullable,
                               .key_slot = column->key_part,
                               .json_slot = type == TYPE_JSON ? (int)p->n_json++ : -1,
                               .column = column,
                               .wire = wire};
    if (type == TYPE_TEXT) {
        step->charset = charset_of_collation(column->collation);
        if (!step->charset)
            return err_set(err, ERR_UNSUPPORTED, "column %s has collation %u, which Pillion does not know.",
                           column->name, column->collation);
        step->utf8 = charset_is_utf8(step->charset);
    }
    if (type == TYPE_SET)
        step->n_members = column->n_members;
    if (type == TYPE_ENUM) {
        if (pool_members(p, step, *members, err) < 0)
            return err_prefix(err, "column %s", column->name);
        *members += step->n_members;
    }
    return 0;
}

int plan_init(struct plan *p, const struct table_map *table, const struct table_codec_options *options, struct err *err)
{
    const struct table_schema *schema = table->schema;
    struct plan_member *members;
    size_t n_members = 1;

    *p = (struct plan){.n_steps = schema->n_columns, .n_key = schema->n_key, .zero_dates = options->zero_dates};
    p->epoch_for_not_null = options->profile == AVRO_PROFILE_DEBEZIUM;
    p->fixed_room = schema->n_columns * STEP_ROOM + VARINT_ROOM;
    p->steps = xcalloc(schema->n_columns ? schema->n_columns : 1, sizeof *p->steps);
    p->not_null = xcalloc(schema->n_columns / 64 + 1, sizeof *p->not_null);
    buf_init(&p->pool, UINT32_MAX);
    buf_init(&p->scratch, SCRATCH_MAX);
    buf_init(&p->unpacked, SCRATCH_MAX);
    p->json = xcalloc(schema->n_columns ? schema->n_columns : 1, sizeof *p->json);
    for (size_t i = 0; i < schema->n_columns; i++)
        n_members += schema->columns[i].n_members + 1;
    p->members = members = xcalloc(n_members, sizeof *p->members);
    if (table->n_columns != schema->n_columns) {
        err_set(err, ERR_BUG, "the table map has %zu columns and its shape %zu.", table->n_columns, schema->n_columns);
        goto failed;
    }
    for (size_t i = 0; i < schema->n_columns; i++) {
        if (compile(p, &p->steps[i], &schema->columns[i], &table->columns[i], options, &members, err) < 0)
            goto failed;
        if (!schema->columns[i].nullable)
            p->not_null[i / 64] |= UINT64_C(1) << (i % 64);
    }
    return 0;
failed:
    plan_release(p);
    return -1;
}

void plan_release(struct plan *p)
{
    free(p->steps);
    free(p->not_null);
    free(p->members);
    buf_release(&p->pool);
    buf_release(&p->scratch);
    buf_release(&p->unpacked);
    free(p->json);
    *p = (struct plan){0};
}
