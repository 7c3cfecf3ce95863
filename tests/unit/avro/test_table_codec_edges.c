/* The encoder at its edges: values that have no Avro form, rows that are cut or incomplete, limits, tables without key.
 */
#include "avro/envelope_reader.h"
#include "unit/avro/apache.h"
#include "unit/avro/sample.h"

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

static void test_null_in_not_null(void **state)
{
    struct change_source source = sample_source();
    struct one o;
    struct rows rows;

    (void)state;
    one_init(&o, COLUMN_YEAR, false);
    check(one_encode(&o, CHANGE_INSERT, "\1", 1), &o.err);
    o.data.data[0] = 2; /* the NULL bit of v */
    check(table_codec_begin_event(o.codec, &source, 1, &o.err), &o.err);
    rows = sample_rows(&o.t, CHANGE_INSERT, &o.data);
    assert_int_equal(table_codec_encode_row(o.codec, &rows, 0, &o.records, &o.err), -1);
    expect_error(&o, ERR_MALFORMED, "column v");
    one_release(&o);
}

/* An update is one record unless the key changes; then it is a delete of the old key and a create of the new one. */
static void test_key_change(void **state)
{
    static const char images[] = "\0\7\0\0\0\1"
                                 "\0\7\0\0\0\2"
                                 "\0\7\0\0\0\2"
                                 "\0\x8\0\0\0\3";
    struct change_source source = sample_source();
    struct one o;
    struct rows rows;

    (void)state;
    one_init(&o, COLUMN_YEAR, false);
    check(one_encode(&o, CHANGE_INSERT, "\1", 1), &o.err);
    check(table_codec_begin_event(o.codec, &source, 1, &o.err), &o.err);
    buf_clear(&o.data);
    (void)buf_put(&o.data, images, sizeof images - 1);
    rows = sample_rows(&o.t, CHANGE_UPDATE, &o.data);
    check(table_codec_encode_row(o.codec, &rows, 0, &o.records, &o.err), &o.err);
    assert_int_equal(o.records.n, 1);
    assert_int_equal(o.records.records[0].op, 'u');
    assert_false(o.records.key_changed);
    assert_memory_equal(o.records.records[0].key, "\0\0\0\0\0\x0e", 6);
    check(table_codec_encode_row(o.codec, &rows, 1, &o.records, &o.err), &o.err);
    assert_int_equal(o.records.n, 2);
    assert_true(o.records.key_changed);
    assert_int_equal(o.records.records[0].op, 'd');
    assert_memory_equal(o.records.records[0].key, "\0\0\0\0\0\x0e", 6);
    assert_int_equal(o.records.records[1].op, 'c');
    assert_memory_equal(o.records.records[1].key, "\0\0\0\0\0\x10", 6);
    assert_false(rows_left(&rows));
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
        cmocka_unit_test(test_big_unsigned),    cmocka_unit_test(test_zero_dates),
        cmocka_unit_test(test_enum_and_set),    cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_missing_columns), cmocka_unit_test(test_null_in_not_null),
        cmocka_unit_test(test_key_change),      cmocka_unit_test(test_truncated_rows),
        cmocka_unit_test(test_record_limit),    cmocka_unit_test(test_transaction_block_and_query),
        cmocka_unit_test(test_no_key),          cmocka_unit_test(test_anonymous_gtid),
        cmocka_unit_test(test_record_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
