/* Names, contents that do not depend on chance, and what an object that is there says of itself. */
#include "avro/object_file.h"
#include "avro/raw_record.h"
#include "merge/bronze_object.h"
#include "sample.h"

static void write_one(struct buf *out, const char *name)
{
    struct record r = {.topic = "p.shop.users",
                       .partition = 3,
                       .offset = 17,
                       .timestamp_ms = 5,
                       .key = (const uint8_t *)"k",
                       .key_len = 1};
    struct raw_record raw = {.topic = r.topic,
                             .topic_len = strlen(r.topic),
                             .partition = r.partition,
                             .offset = r.offset,
                             .timestamp_ms = r.timestamp_ms,
                             .key = r.key,
                             .key_len = r.key_len};
    struct buf records;
    struct err err = ERR_INIT;
    uint32_t size;
    int64_t offset = 17;
    struct bronze_object o = {.first = 15, .next = 18, .n_records = 1, .sizes = &size, .offsets = &offset};

    buf_init(&records, 4096);
    assert_int_equal(raw_record_encode(&raw, &records, &err), 0);
    size = (uint32_t)records.len;
    o.bytes = records.data;
    o.len = records.len;
    if (bronze_object_write(out, name, r.topic, 2, 3, &o, &err))
        fail_msg("%s", err.text);
    buf_release(&records);
}

static void test_object(void **state)
{
    char *name = bronze_object_name("p.shop.users", 2, 3, 15);
    struct buf a, b;
    struct err err = ERR_INIT;
    int64_t next;

    (void)state;
    assert_string_equal(name, "p.shop.users/epoch=2/partition=3/00000000000000000015.avro");
    buf_init(&a, 65536);
    buf_init(&b, 65536);
    write_one(&a, name);
    write_one(&b, name);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_int_equal(bronze_object_next(&a, name, "p.shop.users", 3, 15, &next, &err), 0);
    assert_int_equal(next, 18);
    assert_int_equal(bronze_object_next(&a, name, "p.shop.rides", 3, 15, &next, &err), -1);
    assert_int_equal(err.code, ERR_STORE_DATA);
    assert_int_equal(bronze_object_next(&a, name, "p.shop.users", 3, 16, &next, &err), -1);
    a.len = 10;
    assert_int_equal(bronze_object_next(&a, name, "p.shop.users", 3, 15, &next, &err), -1);
    buf_release(&a);
    buf_release(&b);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_object)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
