/* Objects join without gap or overlap, whatever was there before. */
#include "merge/bronze_writer.h"
#include "sample.h"

static void add(struct bronze_writer *w, int64_t offset, const char *bytes)
{
    struct bronze_record r = {.offset = offset, .encoded = (const uint8_t *)bytes, .len = strlen(bytes)};
    struct err err = ERR_INIT;

    assert_int_equal(bronze_writer_add(w, &r, &err), 0);
}

static void test_limits(void **state)
{
    struct bronze_limits limits = {.object_bytes = 10, .object_records = 3};
    struct bronze_writer *w = bronze_writer_new(&limits, 5);
    struct bronze_object o;

    (void)state;
    assert_false(bronze_writer_due(w, true, &o));
    add(w, 5, "aaaa");
    add(w, 5, "again");
    add(w, 4, "old");
    assert_false(bronze_writer_due(w, false, &o));
    add(w, 7, "bbbb"); /* a hole at 6 */
    add(w, 8, "cccc");
    assert_true(bronze_writer_due(w, false, &o)); /* 12 bytes: two of them */
    assert_int_equal(o.first, 5);
    assert_int_equal(o.next, 8);
    assert_int_equal(o.n_records, 2);
    assert_memory_equal(o.bytes, "aaaabbbb", 8);
    bronze_writer_written(w);
    assert_int_equal(bronze_writer_position(w), 8);
    assert_int_equal(bronze_writer_held_bytes(w), 4);
    assert_false(bronze_writer_due(w, false, &o));
    add(w, 9, "d");
    add(w, 10, "e");
    assert_true(bronze_writer_due(w, false, &o)); /* three records */
    assert_int_equal(o.next, 11);
    bronze_writer_written(w);
    add(w, 11, "one that is larger than an object");
    assert_true(bronze_writer_due(w, false, &o));
    assert_int_equal(o.n_records, 1);
    bronze_writer_free(w);
}

static void test_what_is_there(void **state)
{
    struct bronze_limits limits = {.object_bytes = 100, .object_records = 100};
    struct bronze_writer *w = bronze_writer_new(&limits, 0);
    struct bronze_object o;
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < 6; i++)
        add(w, i, "x");
    assert_true(bronze_writer_due(w, true, &o));
    assert_int_equal(bronze_writer_exists(w, 4, &err), 0); /* a shorter one */
    assert_int_equal(bronze_writer_position(w), 4);
    assert_true(bronze_writer_due(w, true, &o));
    assert_int_equal(o.first, 4);
    assert_int_equal(o.n_records, 2);
    assert_int_equal(bronze_writer_exists(w, 9, &err), 0); /* one that goes beyond what was read here */
    assert_int_equal(bronze_writer_position(w), 9);
    add(w, 6, "x");
    add(w, 8, "x");
    assert_false(bronze_writer_due(w, true, &o));
    add(w, 9, "x");
    assert_true(bronze_writer_due(w, true, &o));
    assert_int_equal(o.first, 9);
    assert_int_equal(bronze_writer_exists(w, 9, &err), -1);
    assert_int_equal(err.code, ERR_STORE_DATA);
    bronze_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits), cmocka_unit_test(test_what_is_there)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
