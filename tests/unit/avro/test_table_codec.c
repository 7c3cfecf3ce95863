/* The encoder's bytes, read back by Apache's avro-c with our schema and by our own readers, must be what the row image
 * held. */
#include "avro/envelope_reader.h"
#include "unit/avro/apache.h"
#include "unit/avro/sample.h"

enum { ROWS = 400 };

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
    size_t len = 0;
    char text[40];
    float f = 0;
    double d = 0;
    int b = 0;

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
        size_t before_len;

        buf_clear(&data);
        if (op != CHANGE_INSERT)
            sample_image(&data, &t, &state, before);
        before_len = data.len;
        if (op != CHANGE_DELETE)
            sample_image(&data, &t, &state, after);
        if (op == CHANGE_UPDATE && row % 2) { /* the same key: id is the first value behind the NULL bits */
            size_t bits = (t.schema.n_columns + 7) / 8;

            memcpy(data.data + before_len + bits, data.data + bits, 8);
            after[0] = before[0];
        }
        rows = sample_rows(&t, op, &data);
        rows.row = row;
        check(table_codec_encode_row(codec, &rows, row + 100, &records, &err), &err);
        assert_false(rows_left(&rows));
        assert_int_equal(rows.row, row + 1);
        assert_int_equal(records.key_changed, op == CHANGE_UPDATE && before[0].i != after[0].i);
        assert_int_equal(records.n, records.key_changed ? 2 : 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inserts_native),   cmocka_unit_test(test_updates_native),
        cmocka_unit_test(test_deletes_native),   cmocka_unit_test(test_inserts_debezium),
        cmocka_unit_test(test_updates_debezium),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
