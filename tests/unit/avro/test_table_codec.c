/* The encoder's bytes, read back by Apache's avro-c with our schema and by our own readers, must be what the row image
 * held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <avro.h>
#include <cmocka.h>

#include "avro/envelope_reader.h"
#include "unit/avro/sample.h"

enum { ROWS = 400 };

static void check(int rc, const struct err *err)
{
    if (rc != 0)
        fail_msg("%s", err->text);
}

/* Apache's reader on one message behind the five bytes of the wire format. */
struct apache {
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value;
};

static void apache_init(struct apache *a, const char *schema)
{
    if (avro_schema_from_json_length(schema, strlen(schema), &a->schema) != 0)
        fail_msg("avro-c refuses the schema: %s\n%s", avro_strerror(), schema);
    a->class = avro_generic_class_from_schema(a->schema);
    assert_non_null(a->class);
    assert_int_equal(avro_generic_value_new(a->class, &a->value), 0);
}

static void apache_release(struct apache *a)
{
    avro_value_decref(&a->value);
    avro_value_iface_decref(a->class);
    avro_schema_decref(a->schema);
}

static void apache_read(struct apache *a, const uint8_t *message, size_t len)
{
    avro_reader_t reader = avro_reader_memory((const char *)message + 5, (int64_t)len - 5);
    char rest;

    assert_int_equal(message[0], 0);
    if (avro_value_read(reader, &a->value) != 0)
        fail_msg("avro-c cannot read the record: %s", avro_strerror());
    if (avro_read(reader, &rest, 1) == 0)
        fail_msg("bytes are left over behind the record");
    avro_reader_free(reader);
}

static avro_value_t field(const avro_value_t *record, const char *name)
{
    avro_value_t out, branch;

    if (avro_value_get_by_name(record, name, &out, NULL) != 0)
        fail_msg("no field %s", name);
    if (avro_value_get_type(&out) == AVRO_UNION) {
        assert_int_equal(avro_value_get_current_branch(&out, &branch), 0);
        return branch;
    }
    return out;
}

static int64_t number(const avro_value_t *v)
{
    int64_t l;
    int32_t i;

    if (avro_value_get_type(v) == AVRO_INT32) {
        assert_int_equal(avro_value_get_int(v, &i), 0);
        return i;
    }
    assert_int_equal(avro_value_get_type(v), AVRO_INT64);
    assert_int_equal(avro_value_get_long(v, &l), 0);
    return l;
}

static void check_text(const avro_value_t *v, const void *text, size_t len)
{
    const char *s;
    size_t size;

    assert_int_equal(avro_value_get_type(v), AVRO_STRING);
    assert_int_equal(avro_value_get_string(v, &s, &size), 0);
    assert_int_equal(size - 1, len);
    assert_memory_equal(s, text, len);
}

static void check_bytes(const avro_value_t *v, const void *bytes, size_t len)
{
    const void *s;
    size_t size;

    assert_int_equal(avro_value_get_type(v), AVRO_BYTES);
    assert_int_equal(avro_value_get_bytes(v, &s, &size), 0);
    assert_int_equal(size, len);
    if (len)
        assert_memory_equal(s, bytes, len);
}

static int64_t unscaled(const uint8_t *bytes, size_t len)
{
    int64_t v = len && bytes[0] & 0x80 ? -1 : 0;

    assert_in_range(len, 1, 9);
    for (size_t i = 0; i < len; i++)
        v = (int64_t)((uint64_t)v << 8 | bytes[i]);
    return v;
}

static void iso(char out[40], int64_t micros, unsigned fsp)
{
    time_t seconds = (time_t)(micros / 1000000);
    struct tm tm;
    size_t n;

    gmtime_r(&seconds, &tm);
    n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    if (fsp > 0) {
        char fraction[8];

        snprintf(fraction, sizeof fraction, "%06d", (int)(micros % 1000000));
        n += (size_t)snprintf(out + n, 40 - n, ".%.*s", (int)fsp, fraction);
    }
    snprintf(out + n, 40 - n, "Z");
}

static void check_column(const struct column *c, const struct sample_value *want, const avro_value_t *got,
                         bool debezium)
{
    const void *bytes;
    size_t len;
    char text[40];
    float f;
    double d;
    int b;

    if (want->null) {
        assert_int_equal(avro_value_get_type(got), AVRO_NULL);
        return;
    }
    switch (c->kind) {
    case COLUMN_INT:
    case COLUMN_DATE:
    case COLUMN_TIME:
    case COLUMN_YEAR:
        assert_int_equal(number(got), want->i);
        break;
    case COLUMN_DATETIME:
        assert_int_equal(number(got), debezium && c->fsp <= 3 ? want->i / 1000 : want->i);
        break;
    case COLUMN_TIMESTAMP:
        if (debezium) {
            iso(text, want->i, c->fsp);
            check_text(got, text, strlen(text));
        } else {
            assert_int_equal(number(got), want->i);
        }
        break;
    case COLUMN_DECIMAL:
        assert_int_equal(avro_value_get_bytes(got, &bytes, &len), 0);
        assert_int_equal(unscaled(bytes, len), want->i);
        break;
    case COLUMN_FLOAT:
        assert_int_equal(avro_value_get_float(got, &f), 0);
        assert_true((double)f == want->d);
        break;
    case COLUMN_DOUBLE:
        assert_int_equal(avro_value_get_double(got, &d), 0);
        assert_true(d == want->d);
        break;
    case COLUMN_BIT:
        if (c->length == 1) {
            assert_int_equal(avro_value_get_boolean(got, &b), 0);
            assert_int_equal(b, want->i);
        } else {
            uint8_t expect[8];

            for (size_t i = 0; i < want->len; i++)
                expect[i] = want->bytes[debezium ? want->len - 1 - i : i];
            check_bytes(got, expect, want->len);
        }
        break;
    case COLUMN_STRING:
    case COLUMN_ENUM:
    case COLUMN_SET:
    case COLUMN_JSON:
        check_text(got, want->bytes, want->len);
        break;
    case COLUMN_BYTES:
        check_bytes(got, want->bytes, want->len);
        break;
    case COLUMN_GEOMETRY:
        if (debezium) {
            avro_value_t wkb = field(got, "wkb"), srid = field(got, "srid");

            check_bytes(&wkb, want->bytes + 4, want->len - 4);
            if (want->i)
                assert_int_equal(number(&srid), want->i);
            else
                assert_int_equal(avro_value_get_type(&srid), AVRO_NULL);
        } else {
            check_bytes(got, want->bytes, want->len);
        }
        break;
    case COLUMN_VECTOR:
        assert_int_equal(avro_value_get_size(got, &len), 0);
        assert_int_equal(len * 4, want->len);
        for (size_t i = 0; i < len; i++) {
            avro_value_t item;

            assert_int_equal(avro_value_get_by_index(got, i, &item, NULL), 0);
            assert_int_equal(avro_value_get_float(&item, &f), 0);
            assert_memory_equal(&f, want->bytes + 4 * i, 4);
        }
        break;
    }
}

static void check_image(const struct sample_table *t, const avro_value_t *envelope, const char *which,
                        const struct sample_value *want, bool debezium)
{
    avro_value_t record = field(envelope, which);

    if (!want) {
        assert_int_equal(avro_value_get_type(&record), AVRO_NULL);
        return;
    }
    for (size_t i = 0; i < t->schema.n_columns; i++) {
        avro_value_t got = field(&record, t->columns[i].name);

        check_column(&t->columns[i], &want[i], &got, debezium);
    }
}

static void check_source(const avro_value_t *envelope, uint64_t index, uint32_t row, char op, bool debezium)
{
    struct change_source s = sample_source();
    avro_value_t source = field(envelope, "source");
    avro_value_t v = field(envelope, "op");

    check_text(&v, &op, 1);
    v = field(&source, "connector");
    check_text(&v, "mysql", 5);
    v = field(&source, "name");
    check_text(&v, "prod", 4);
    v = field(&source, "snapshot");
    check_text(&v, "false", 5);
    v = field(&source, "db");
    check_text(&v, "shop", 4);
    v = field(&source, "table");
    check_text(&v, "all_types", 9);
    v = field(&source, "gtid");
    check_text(&v, s.gtid_text, strlen(s.gtid_text));
    v = field(&source, "file");
    check_text(&v, s.file, strlen(s.file));
    v = field(&source, "pos");
    assert_int_equal(number(&v), s.offset);
    v = field(&source, "row");
    assert_int_equal(number(&v), row);
    v = field(&source, "server_id");
    assert_int_equal(number(&v), 7);
    v = field(&source, "ts_ms");
    assert_int_equal(number(&v), s.commit_us / 1000);
    v = field(&source, "ts_us");
    assert_int_equal(number(&v), s.commit_us);
    v = field(&source, "ts_ns");
    assert_int_equal(number(&v), s.commit_us * 1000);
    v = field(&source, "thread");
    assert_int_equal(avro_value_get_type(&v), AVRO_NULL);
    if (!debezium) {
        v = field(&source, "txn_index");
        assert_int_equal(number(&v), index);
    }
    v = field(envelope, "ts_us");
    assert_int_equal(number(&v), 1763686734999999);
}

/* Our own reader must agree with Apache's on the parts that the merger takes. */
static void check_reader(const struct sample_table *t, struct envelope_reader *reader, const struct table_record *r,
                         const struct sample_value *after, uint64_t index, bool debezium)
{
    struct field_value values[SAMPLE_COLUMNS_MAX];
    struct err err = ERR_INIT;
    struct envelope e;

    check(envelope_read(reader, cursor_of(r->value + 5, r->value_len - 5), &e, &err), &err);
    assert_int_equal(e.op, r->op);
    assert_int_equal(e.source.index, debezium ? UINT64_MAX : index);
    assert_int_equal(e.source.ts_us, sample_source().commit_us);
    assert_int_equal(e.source.pos, 1234567);
    assert_int_equal(e.source.table_len, 9);
    assert_memory_equal(e.source.table, "all_types", 9);
    assert_int_equal(e.has_after, after != NULL);
    if (!after)
        return;
    assert_int_equal(envelope_n_fields(reader), t->schema.n_columns);
    check(envelope_read_row(reader, e.after, values, &err), &err);
    for (size_t i = 0; i < t->schema.n_columns; i++) {
        const struct column *c = &t->columns[i];
        const struct field_value *v = &values[i];

        assert_int_equal(envelope_find_field(reader, c->name), i);
        if (after[i].null) {
            assert_int_equal(v->kind, FIELD_NULL);
            continue;
        }
        switch (c->kind) {
        case COLUMN_INT:
            assert_int_equal(v->kind, c->width == 8 || (c->width == 4 && c->is_unsigned) ? FIELD_LONG : FIELD_INT);
            assert_int_equal(v->as.i, after[i].i);
            break;
        case COLUMN_DATE:
            assert_int_equal(v->kind, FIELD_DATE);
            assert_int_equal(v->as.i, after[i].i);
            break;
        case COLUMN_TIME:
            assert_int_equal(v->kind, FIELD_TIME_US);
            assert_int_equal(v->as.i, after[i].i);
            break;
        case COLUMN_DATETIME:
            assert_int_equal(v->kind, FIELD_LOCAL_TIMESTAMP_US);
            assert_int_equal(v->as.i, after[i].i);
            break;
        case COLUMN_TIMESTAMP:
            assert_int_equal(v->kind, FIELD_TIMESTAMP_US);
            assert_int_equal(v->as.i, after[i].i);
            break;
        case COLUMN_DECIMAL:
            assert_int_equal(v->kind, FIELD_DECIMAL);
            assert_int_equal(v->scale, c->scale);
            assert_int_equal(unscaled(v->as.data.bytes, v->as.data.len), after[i].i);
            break;
        case COLUMN_JSON:
            assert_int_equal(v->kind, FIELD_JSON);
            assert_int_equal(v->as.data.len, after[i].len);
            assert_memory_equal(v->as.data.bytes, after[i].bytes, after[i].len);
            break;
        case COLUMN_VECTOR:
            assert_int_equal(v->kind, FIELD_JSON);
            assert_int_equal(v->as.data.bytes[0], '[');
            assert_int_equal(v->as.data.bytes[v->as.data.len - 1], ']');
            break;
        default:
            break;
        }
    }
}

static void random_rows(enum avro_profile profile, enum change_op op)
{
    struct table_codec_options options = sample_options(profile);
    struct change_source source = sample_source();
    struct sample_value before[SAMPLE_COLUMNS_MAX], after[SAMPLE_COLUMNS_MAX];
    bool debezium = profile == AVRO_PROFILE_DEBEZIUM;
    struct err err = ERR_INIT;
    struct sample_table t;
    struct table_codec *codec;
    struct envelope_reader *reader;
    struct apache value, key;
    struct buf data;
    uint64_t state = 20261121 + (uint64_t)op;

    sample_all_types(&t);
    codec = table_codec_new(&t.map, &options, &err);
    if (!codec)
        fail_msg("%s", err.text);
    apache_init(&value, table_codec_value_schema(codec));
    apache_init(&key, table_codec_key_schema(codec));
    reader = envelope_reader_new(table_codec_value_schema(codec), strlen(table_codec_value_schema(codec)), &err);
    if (!reader)
        fail_msg("%s", err.text);
    table_codec_set_ids(codec, 0x01020304, 7);
    check(table_codec_begin_event(codec, &source, 1763686734999999, &err), &err);
    buf_init(&data, 1 << 20);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct table_records records;
        struct rows rows;

        buf_clear(&data);
        if (op != CHANGE_INSERT)
            sample_image(&data, &t, &state, before);
        if (op != CHANGE_DELETE)
            sample_image(&data, &t, &state, after);
        rows = sample_rows(&t, op, &data);
        rows.row = row;
        check(table_codec_encode_row(codec, &rows, row + 100, &records, &err), &err);
        assert_false(rows_left(&rows));
        assert_int_equal(rows.row, row + 1);
        if (op == CHANGE_UPDATE && records.key_changed) {
            assert_int_equal(records.n, 2);
            assert_int_not_equal(before[0].i, after[0].i);
        } else {
            assert_int_equal(records.n, 1);
        }
        for (size_t i = 0; i < records.n; i++) {
            const struct table_record *r = &records.records[i];
            const struct sample_value *b = r->op == 'c' ? NULL : before;
            const struct sample_value *a = r->op == 'd' ? NULL : after;
            avro_value_t id;

            apache_read(&value, r->value, r->value_len);
            assert_int_equal(r->value[4], 7);
            check_image(&t, &value.value, "before", b, debezium);
            check_image(&t, &value.value, "after", a, debezium);
            check_source(&value.value, row + 100, row, r->op, debezium);
            assert_memory_equal(r->key, "\0\1\2\3\4", 5);
            apache_read(&key, r->key, r->key_len);
            id = field(&key.value, "id");
            assert_int_equal(number(&id), a ? a[0].i : b[0].i);
            check_reader(&t, reader, r, a, row + 100, debezium);
        }
    }
    buf_release(&data);
    envelope_reader_free(reader);
    apache_release(&value);
    apache_release(&key);
    table_codec_free(codec);
}

static void test_inserts_native(void **state)
{
    (void)state;
    random_rows(AVRO_PROFILE_NATIVE, CHANGE_INSERT);
}

static void test_updates_native(void **state)
{
    (void)state;
    random_rows(AVRO_PROFILE_NATIVE, CHANGE_UPDATE);
}

static void test_deletes_native(void **state)
{
    (void)state;
    random_rows(AVRO_PROFILE_NATIVE, CHANGE_DELETE);
}

static void test_inserts_debezium(void **state)
{
    (void)state;
    random_rows(AVRO_PROFILE_DEBEZIUM, CHANGE_INSERT);
}

static void test_updates_debezium(void **state)
{
    (void)state;
    random_rows(AVRO_PROFILE_DEBEZIUM, CHANGE_UPDATE);
}

/* A table of one key and one column of a kind, and one row of it given by its bytes. */
struct one {
    struct sample_table t;
    struct table_codec_options options;
    struct table_codec *codec;
    struct buf data;
    struct table_records records;
    struct err err;
};

static struct column *one_init(struct one *o, enum column_kind kind, bool nullable)
{
    struct column *c;

    memset(o, 0, sizeof *o);
    o->options = sample_options(AVRO_PROFILE_NATIVE);
    buf_init(&o->data, 1 << 20);
    sample_init(&o->t, "shop", "one");
    sample_add(&o->t, "id", COLUMN_INT, false)->width = 4;
    c = sample_add(&o->t, "v", kind, nullable);
    sample_key(&o->t, 0);
    return c;
}

static int one_encode(struct one *o, enum change_op op, const void *bytes, size_t len)
{
    struct change_source source = sample_source();
    struct rows rows;

    sample_seal(&o->t);
    o->codec = table_codec_new(&o->t.map, &o->options, &o->err);
    if (!o->codec)
        return -1;
    check(table_codec_begin_event(o->codec, &source, 1, &o->err), &o->err);
    buf_clear(&o->data);
    (void)buf_put(&o->data, "\0\1\0\0\0", 5);
    (void)buf_put(&o->data, bytes, len);
    rows = sample_rows(&o->t, op, &o->data);
    return table_codec_encode_row(o->codec, &rows, 0, &o->records, &o->err);
}

static void one_release(struct one *o)
{
    table_codec_free(o->codec);
    buf_release(&o->data);
}

/* The bytes of the second column in the after image: header 5, null before, branch, id. */
static const uint8_t *one_value(const struct one *o)
{
    return o->records.records[0].value + 5 + 1 + 1 + 1;
}

static void expect_error(struct one *o, enum err_code code, const char *words)
{
    assert_int_equal(o->err.code, code);
    if (!strstr(o->err.text, words) || !strstr(o->err.text, "shop.one"))
        fail_msg("the error does not say %s: %s", words, o->err.text);
}

static void test_big_unsigned(void **state)
{
    struct one o;
    struct column *c = one_init(&o, COLUMN_INT, false);

    (void)state;
    c->width = 8;
    c->is_unsigned = true;
    assert_int_equal(one_encode(&o, CHANGE_INSERT, "\0\0\0\0\0\0\0\x80", 8), -1);
    expect_error(&o, ERR_VALUE, "bigint_unsigned: decimal");
    one_release(&o);
    c = one_init(&o, COLUMN_INT, false);
    c->width = 8;
    c->is_unsigned = true;
    o.options.bigint_unsigned = UNSIGNED_DECIMAL;
    check(one_encode(&o, CHANGE_INSERT, "\xff\xff\xff\xff\xff\xff\xff\xff", 8), &o.err);
    assert_memory_equal(one_value(&o), "\x12\0\xff\xff\xff\xff\xff\xff\xff\xff", 10);
    one_release(&o);
}

static void test_zero_dates(void **state)
{
    struct one o;

    (void)state;
    one_init(&o, COLUMN_DATE, true);
    check(one_encode(&o, CHANGE_INSERT, "\0\0\0", 3), &o.err);
    assert_int_equal(one_value(&o)[0], 0); /* null */
    one_release(&o);
    one_init(&o, COLUMN_DATE, false);
    assert_int_equal(one_encode(&o, CHANGE_INSERT, "\0\0\0", 3), -1);
    expect_error(&o, ERR_VALUE, "zero_dates: epoch");
    one_release(&o);
    one_init(&o, COLUMN_DATETIME, false);
    o.options.zero_dates = ZERO_DATE_EPOCH;
    check(one_encode(&o, CHANGE_INSERT, "\x80\0\0\0\0", 5), &o.err);
    assert_int_equal(one_value(&o)[0], 0);
    one_release(&o);
    one_init(&o, COLUMN_TIMESTAMP, true);
    o.options.zero_dates = ZERO_DATE_STOP;
    assert_int_equal(one_encode(&o, CHANGE_INSERT, "\0\0\0\0", 4), -1);
    expect_error(&o, ERR_VALUE, "column v");
    one_release(&o);
    one_init(&o, COLUMN_TIMESTAMP, false); /* Debezium's rule: the epoch where NULL cannot be */
    o.options.profile = AVRO_PROFILE_DEBEZIUM;
    check(one_encode(&o, CHANGE_INSERT, "\0\0\0\0", 4), &o.err);
    assert_memory_equal(one_value(&o),
                        "\x28"
                        "1970-01-01T00:00:00Z",
                        21);
    one_release(&o);
}

static void test_enum_and_set(void **state)
{
    static const char *members[] = {"red", "green"};
    struct one o;
    struct column *c = one_init(&o, COLUMN_ENUM, false);

    (void)state;
    c->members = members;
    c->n_members = 2;
    check(one_encode(&o, CHANGE_INSERT, "\0", 1), &o.err);
    assert_int_equal(one_value(&o)[0], 0); /* the empty string of a refused value */
    one_release(&o);
    c = one_init(&o, COLUMN_ENUM, false);
    c->members = members;
    c->n_members = 2;
    assert_int_equal(one_encode(&o, CHANGE_INSERT, "\3", 1), -1);
    expect_error(&o, ERR_VALUE, "index 3");
    one_release(&o);
    c = one_init(&o, COLUMN_SET, false);
    c->members = members;
    c->n_members = 2;
    check(one_encode(&o, CHANGE_INSERT, "\3", 1), &o.err);
    assert_memory_equal(one_value(&o), "\x12red,green", 10);
    one_release(&o);
    c = one_init(&o, COLUMN_SET, false);
    c->members = members;
    c->n_members = 2;
    assert_int_equal(one_encode(&o, CHANGE_INSERT, "\4", 1), -1);
    expect_error(&o, ERR_VALUE, "bits above");
    one_release(&o);
}

static void test_bad_text(void **state)
{
    struct one o;
    struct column *c = one_init(&o, COLUMN_STRING, false);

    (void)state;
    c->collation = SAMPLE_UTF8MB4;
    c->length = 40;
    assert_int_equal(one_encode(&o, CHANGE_INSERT, "\4ab\xffz", 5), -1);
    expect_error(&o, ERR_VALUE, "offset 2");
    one_release(&o);
    c = one_init(&o, COLUMN_STRING, false);
    c->collation = 60000;
    assert_int_equal(one_encode(&o, CHANGE_INSERT, "\1a", 2), -1);
    expect_error(&o, ERR_UNSUPPORTED, "collation 60000");
    one_release(&o);
}

static void test_missing_columns(void **state)
{
    struct change_source source = sample_source();
    struct one o;
    struct rows rows;

    (void)state;
    one_init(&o, COLUMN_YEAR, false);
    check(one_encode(&o, CHANGE_INSERT, "\1", 1), &o.err);
    rows = sample_rows(&o.t, CHANGE_INSERT, &o.data);
    rows.all_after = false;
    check(table_codec_begin_event(o.codec, &source, 1, &o.err), &o.err);
    assert_int_equal(table_codec_encode_row(o.codec, &rows, 0, &o.records, &o.err), -1);
    expect_error(&o, ERR_UNSUPPORTED, "binlog_row_image=FULL");
    one_release(&o);
}

/* Every cut of a row is an error and never a read past its end (the sanitizers watch). */
static void test_truncated_rows(void **state)
{
    struct table_codec_options options = sample_options(AVRO_PROFILE_NATIVE);
    struct change_source source = sample_source();
    struct sample_value values[SAMPLE_COLUMNS_MAX];
    struct err err = ERR_INIT;
    struct table_records records;
    struct sample_table t;
    struct table_codec *codec;
    struct buf data;
    uint64_t random = 5;

    (void)state;
    sample_all_types(&t);
    codec = table_codec_new(&t.map, &options, &err);
    check(table_codec_begin_event(codec, &source, 1, &err), &err);
    buf_init(&data, 1 << 20);
    sample_image(&data, &t, &random, values);
    for (size_t len = 0; len < data.len; len++) {
        uint8_t *cut = xmemdup(data.data, len ? len : 1);
        struct buf part = {.data = cut, .len = len};
        struct rows rows = sample_rows(&t, CHANGE_INSERT, &part);

        err_clear(&err);
        assert_int_equal(table_codec_encode_row(codec, &rows, 0, &records, &err), -1);
        assert_int_equal(err.code, ERR_TRUNCATED);
        free(cut);
    }
    buf_release(&data);
    table_codec_free(codec);
}

static void test_record_limit(void **state)
{
    struct one o;
    struct column *c = one_init(&o, COLUMN_BYTES, false);
    uint8_t bytes[602] = {600 & 0xff, 600 >> 8};

    (void)state;
    c->length = 1000;
    o.options.record_bytes_max = 400;
    assert_int_equal(one_encode(&o, CHANGE_INSERT, bytes, sizeof bytes), -1);
    expect_error(&o, ERR_LIMIT, "400 bytes");
    one_release(&o);
}

static void test_transaction_block_and_query(void **state)
{
    struct change_source source = sample_source();
    struct apache value;
    struct table_record record;
    struct one o;
    struct rows rows;
    avro_value_t v, block;

    (void)state;
    one_init(&o, COLUMN_YEAR, false);
    o.options.transaction_metadata = true;
    check(one_encode(&o, CHANGE_INSERT, "\1", 1), &o.err);
    source.query = "INSERT INTO one VALUES ('\xff')";
    source.thread_id = 99;
    check(table_codec_begin_event(o.codec, &source, 1, &o.err), &o.err);
    rows = sample_rows(&o.t, CHANGE_INSERT, &o.data);
    check(table_codec_encode_row(o.codec, &rows, 17, &o.records, &o.err), &o.err);
    apache_init(&value, table_codec_value_schema(o.codec));
    apache_read(&value, o.records.records[0].value, o.records.records[0].value_len);
    block = field(&value.value, "transaction");
    v = field(&block, "id");
    check_text(&v, source.gtid_text, strlen(source.gtid_text));
    v = field(&block, "total_order");
    assert_int_equal(number(&v), 18);
    v = field(&block, "data_collection_order");
    assert_int_equal(number(&v), 2);
    block = field(&value.value, "source");
    v = field(&block, "thread");
    assert_int_equal(number(&v), 99);
    v = field(&block, "query");
    check_text(&v, "INSERT INTO one VALUES ('\\xff')", 31);
    check(table_codec_encode_truncate(o.codec, 18, &record, &o.err), &o.err);
    apache_read(&value, record.value, record.value_len);
    assert_null(record.key);
    v = field(&value.value, "op");
    check_text(&v, "t", 1);
    v = field(&value.value, "after");
    assert_int_equal(avro_value_get_type(&v), AVRO_NULL);
    apache_release(&value);
    one_release(&o);
}

static void test_no_key(void **state)
{
    struct one o;

    (void)state;
    one_init(&o, COLUMN_YEAR, false);
    o.t.schema.n_key = 0;
    o.t.columns[0].key_part = -1;
    check(one_encode(&o, CHANGE_INSERT, "\1", 1), &o.err);
    assert_null(o.records.records[0].key);
    assert_null(table_codec_key_schema(o.codec));
    one_release(&o);
}

static void test_anonymous_gtid(void **state)
{
    struct change_source source = sample_source();
    struct envelope_reader *reader;
    struct envelope e;
    struct rows rows;
    struct one o;

    (void)state;
    for (int profile = 0; profile < 2; profile++) {
        one_init(&o, COLUMN_YEAR, false);
        o.options.profile = profile ? AVRO_PROFILE_DEBEZIUM : AVRO_PROFILE_NATIVE;
        check(one_encode(&o, CHANGE_INSERT, "\1", 1), &o.err);
        source.gtid.flavor = GTID_FILE;
        strcpy(source.gtid_text, "mysql-bin.000003:1200");
        check(table_codec_begin_event(o.codec, &source, 1, &o.err), &o.err);
        rows = sample_rows(&o.t, CHANGE_INSERT, &o.data);
        check(table_codec_encode_row(o.codec, &rows, 17, &o.records, &o.err), &o.err);
        reader =
            envelope_reader_new(table_codec_value_schema(o.codec), strlen(table_codec_value_schema(o.codec)), &o.err);
        check(envelope_read(reader, cursor_of(o.records.records[0].value + 5, o.records.records[0].value_len - 5), &e,
                            &o.err),
              &o.err);
        assert_int_equal(e.source.gtid_len, profile ? 0 : 21);
        envelope_reader_free(reader);
        one_release(&o);
    }
}

/* The order in which a row's records stand in a partition. */
static void test_record_places(void **state)
{
    (void)state;
    assert_true(table_record_place(4, 'u') < table_record_place(5, 'd'));
    assert_true(table_record_place(5, 'd') < table_record_place(5, 0));
    assert_true(table_record_place(5, 0) < table_record_place(5, 'c'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inserts_native),
        cmocka_unit_test(test_updates_native),
        cmocka_unit_test(test_deletes_native),
        cmocka_unit_test(test_inserts_debezium),
        cmocka_unit_test(test_updates_debezium),
        cmocka_unit_test(test_big_unsigned),
        cmocka_unit_test(test_zero_dates),
        cmocka_unit_test(test_enum_and_set),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_missing_columns),
        cmocka_unit_test(test_truncated_rows),
        cmocka_unit_test(test_record_limit),
        cmocka_unit_test(test_transaction_block_and_query),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_anonymous_gtid),
        cmocka_unit_test(test_record_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
