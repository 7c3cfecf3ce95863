/* test_event_json: lines of `decode`: escapes, base64, numbers, and absent columns, which are not null. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/event_json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 8 };

static struct column columns[COLUMNS] = {
    {.name = "id", .kind = COLUMN_INT},        {.name = "big", .kind = COLUMN_INT, .is_unsigned = true},
    {.name = "ratio", .kind = COLUMN_DOUBLE},  {.name = "small", .kind = COLUMN_FLOAT},
    {.name = "na\"me", .kind = COLUMN_STRING}, {.name = "blob", .kind = COLUMN_BYTES},
    {.name = "doc", .kind = COLUMN_JSON},      {.name = "gone", .kind = COLUMN_STRING},
};
static struct table_schema table = {.database = "shop", .table = "ri\\des", .columns = columns, .n_columns = COLUMNS};
static struct change_source source = {.server_id = 4294967295u,
                                      .gtid_text = "3e11fa47-71ca-11e1-9e33-c80aa9429562:23",
                                      .file = "mysql-bin.000003",
                                      .offset = UINT64_MAX / 2,
                                      .commit_us = 1700000000000001};

static struct value text_of(const void *bytes, size_t len)
{
    return (struct value){VALUE_TEXT, {.data = {bytes, len}}};
}

static void fill(struct value *v)
{
    v[0] = (struct value){VALUE_INT, {.i = INT64_MIN}};
    v[1] = (struct value){VALUE_UINT, {.u = UINT64_MAX}};
    v[2] = (struct value){VALUE_DOUBLE, {.d = 0.1}};
    v[3] = (struct value){VALUE_FLOAT, {.d = (double)0.1f}};
    v[4] = text_of("Zo\xc3\xab", 4);
    v[5] = (struct value){VALUE_BYTES, {.data = {(const uint8_t *)"\x00\xff\x10", 3}}};
    v[6] = text_of("{\"a\": [1, 2]}", 13);
    v[7] = (struct value){VALUE_NULL, {0}};
}

static const char *written(struct buf *out, enum change_op op, struct value *before, struct value *after)
{
    struct change_event e = {
        .op = op, .table = &table, .source = &source, .txn_index = 5, .row = 2, .before = before, .after = after};

    buf_init(out, 1 << 16);
    event_json_write(out, &e);
    assert_false(out->overflow);
    return buf_cstr(out);
}

/* Exact text: whoever reads these lines relies on it. */
static void a_whole_line(void **state)
{
    struct value after[COLUMNS];
    struct buf out;

    (void)state;
    fill(after);
    assert_string_equal(
        written(&out, CHANGE_INSERT, NULL, after),
        "{\"op\":\"c\",\"db\":\"shop\",\"table\":\"ri\\\\des\","
        "\"gtid\":\"3e11fa47-71ca-11e1-9e33-c80aa9429562:23\",\"index\":5,\"file\":\"mysql-bin.000003\","
        "\"pos\":9223372036854775807,\"row\":2,\"ts_us\":1700000000000001,\"server_id\":4294967295,"
        "\"before\":null,\"after\":{\"id\":-9223372036854775808,\"big\":18446744073709551615,"
        "\"ratio\":0.10000000000000001,\"small\":0.100000001,\"na\\\"me\":\"Zo\xc3\xab\","
        "\"blob\":\"AP8Q\",\"doc\":{\"a\": [1, 2]},\"gone\":null}}\n");
    buf_release(&out);
}

static void absent_is_left_out_and_null_is_not(void **state)
{
    struct value before[COLUMNS], after[COLUMNS];
    json_t *root, *images[2];
    json_error_t e;
    struct buf out;

    (void)state;
    fill(before);
    fill(after);
    before[1].kind = VALUE_NULL; /* jansson knows no 64-bit unsigned numbers */
    for (int i = 1; i < COLUMNS; i++)
        after[i].kind = VALUE_ABSENT;
    after[7].kind = VALUE_NULL;
    root = json_loads(written(&out, CHANGE_UPDATE, before, after), 0, &e);
    if (!root)
        fail_msg("%s", e.text);
    images[0] = json_object_get(root, "before");
    images[1] = json_object_get(root, "after");
    assert_int_equal(json_object_size(images[0]), COLUMNS);
    assert_int_equal(json_object_size(images[1]), 2);
    assert_null(json_object_get(images[1], "big"));
    assert_true(json_is_null(json_object_get(images[1], "gone")));
    assert_true(json_is_null(json_object_get(images[0], "big")));
    json_decref(root);
    buf_release(&out);

    for (int i = 0; i < COLUMNS; i++)
        after[i].kind = VALUE_ABSENT;
    assert_non_null(strstr(written(&out, CHANGE_DELETE, after, NULL), "\"before\":{},\"after\":null}\n"));
    buf_release(&out);
}

static void any_text_survives(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x80; c++) {
        char text[3] = {'a', (char)c, 'b'};
        json_error_t e;
        struct buf out;
        json_t *back;

        buf_init(&out, 100);
        event_json_string(&out, text, 3);
        back = json_loadb((const char *)out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
        if (!back)
            fail_msg("character %u: %s", c, e.text);
        assert_null(memchr(out.data, '\n', out.len));
        assert_int_equal(json_string_length(back), 3);
        assert_memory_equal(json_string_value(back), text, 3);
        json_decref(back);
        buf_release(&out);
    }
}

static void base64_of_every_length(void **state)
{
    static const char *const texts[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"}; /* RFC 4648, 10 */

    (void)state;
    for (size_t len = 0; len < sizeof texts / sizeof *texts; len++) {
        struct value after[COLUMNS];
        char expected[64];
        struct buf out;

        for (int i = 0; i < COLUMNS; i++)
            after[i].kind = VALUE_ABSENT;
        after[5] = (struct value){VALUE_BYTES, {.data = {(const uint8_t *)"foobar", len}}};
        snprintf(expected, sizeof expected, "\"after\":{\"blob\":\"%s\"}", texts[len]);
        assert_non_null(strstr(written(&out, CHANGE_INSERT, NULL, after), expected));
        buf_release(&out);
    }
}

static void numbers_that_json_lacks_are_null(void **state)
{
    const double strange[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        struct value after[COLUMNS];
        struct buf out;

        fill(after);
        after[2].as.d = strange[i];
        assert_non_null(strstr(written(&out, CHANGE_INSERT, NULL, after), "\"ratio\":null"));
        buf_release(&out);
    }
}

static void a_cap_is_seen(void **state)
{
    struct change_event e = {.op = CHANGE_INSERT, .table = &table, .source = &source};
    struct buf out;

    (void)state;
    buf_init(&out, 50);
    event_json_write(&out, &e);
    assert_true(out.overflow);
    assert_in_range(out.len, 0, 50);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_line),
        cmocka_unit_test(absent_is_left_out_and_null_is_not),
        cmocka_unit_test(any_text_survives),
        cmocka_unit_test(base64_of_every_length),
        cmocka_unit_test(numbers_that_json_lacks_are_null),
        cmocka_unit_test(a_cap_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
