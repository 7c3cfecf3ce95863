/* Bronze records: what is encoded comes back, by our reader and by Apache's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <avro.h>
#include <cmocka.h>

#include "avro/raw_record.h"
#include "base/mem.h"

static const struct raw_header headers[] = {
    {"pillion.gtid", 12, "0-1-5", 5}, {"empty", 5, "", 0}, {"none", 4, NULL, 0}};
static const struct raw_record full = {.topic = "p.shop.rides",
                                       .topic_len = 12,
                                       .partition = 3,
                                       .offset = 1234567890123,
                                       .timestamp_ms = 1763686734000,
                                       .key = "\0\0\0\0\1\2",
                                       .key_len = 6,
                                       .value = "",
                                       .value_len = 0,
                                       .headers = headers,
                                       .n_headers = 3};
static const struct raw_record tombstone = {.topic = "p.shop.rides", .topic_len = 12, .offset = 5};

static void check_same(const struct raw_record *a, const struct raw_record *b)
{
    assert_int_equal(a->topic_len, b->topic_len);
    assert_memory_equal(a->topic, b->topic, a->topic_len);
    assert_int_equal(a->partition, b->partition);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->timestamp_ms, b->timestamp_ms);
    assert_int_equal(a->key == NULL, b->key == NULL);
    assert_int_equal(a->key_len, b->key_len);
    assert_int_equal(a->value == NULL, b->value == NULL);
    assert_int_equal(a->value_len, b->value_len);
    assert_int_equal(a->n_headers, b->n_headers);
    for (size_t i = 0; i < a->n_headers; i++) {
        assert_int_equal(a->headers[i].name_len, b->headers[i].name_len);
        assert_memory_equal(a->headers[i].name, b->headers[i].name, a->headers[i].name_len);
        assert_int_equal(a->headers[i].value == NULL, b->headers[i].value == NULL);
        assert_int_equal(a->headers[i].len, b->headers[i].len);
    }
}

static void test_round_trip(void **state)
{
    struct raw_header found[RAW_HEADERS_MAX];
    struct raw_record r;
    struct err err = ERR_INIT;
    struct cursor c;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    assert_int_equal(raw_record_encode(&full, &b, &err), 0);
    assert_int_equal(raw_record_encode(&tombstone, &b, &err), 0);
    c = cursor_of(b.data, b.len);
    assert_int_equal(raw_record_decode(&r, found, &c, &err), 0);
    check_same(&full, &r);
    assert_int_equal(raw_record_decode(&r, found, &c, &err), 0);
    check_same(&tombstone, &r);
    assert_true(cursor_done(&c));
    buf_release(&b);
}

static void test_apache_reads_it(void **state)
{
    avro_schema_t schema;
    avro_value_iface_t *class;
    avro_value_t value, field;
    avro_reader_t reader;
    struct err err = ERR_INIT;
    struct buf b;
    size_t n = 0;

    (void)state;
    buf_init(&b, 1 << 16);
    assert_int_equal(raw_record_encode(&full, &b, &err), 0);
    assert_int_equal(avro_schema_from_json_length(raw_record_schema, strlen(raw_record_schema), &schema), 0);
    class = avro_generic_class_from_schema(schema);
    avro_generic_value_new(class, &value);
    reader = avro_reader_memory((const char *)b.data, (int64_t)b.len);
    assert_int_equal(avro_value_read(reader, &value), 0);
    assert_int_equal(avro_value_get_by_name(&value, "headers", &field, NULL), 0);
    assert_int_equal(avro_value_get_size(&field, &n), 0);
    assert_int_equal(n, 3);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
    buf_release(&b);
}

static void test_truncated(void **state)
{
    struct raw_header found[RAW_HEADERS_MAX];
    struct raw_record r;
    struct err err = ERR_INIT;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 16);
    assert_int_equal(raw_record_encode(&full, &b, &err), 0);
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *cut = xmemdup(b.data, len ? len : 1);
        struct cursor c = cursor_of(cut, len);

        assert_int_equal(raw_record_decode(&r, found, &c, &err), -1);
        free(cut);
    }
    buf_release(&b);
    buf_init(&b, 20);
    assert_int_equal(raw_record_encode(&full, &b, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_apache_reads_it),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
