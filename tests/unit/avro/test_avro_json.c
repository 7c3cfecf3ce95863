#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avro/avro_json.h"

static struct field_value data(enum field_kind kind, const char *bytes, size_t len, int scale)
{
    struct field_value v = {.kind = kind, .scale = scale};

    v.as.data.bytes = (const uint8_t *)bytes;
    v.as.data.len = len;
    return v;
}

static struct field_value number(enum field_kind kind, int64_t i)
{
    return (struct field_value){.kind = kind, .as = {.i = i}};
}

static void check(struct field_value v, const char *want)
{
    struct err err = ERR_INIT;
    struct buf b;

    buf_init(&b, 1 << 16);
    if (avro_json_value(&b, &v, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf_cstr(&b), want);
    buf_release(&b);
}

static void test_decimals(void **state)
{
    (void)state;
    check(data(FIELD_DECIMAL, "\x04\xe2", 2, 2), "\"12.50\"");
    check(data(FIELD_DECIMAL, "\x05", 1, 2), "\"0.05\"");
    check(data(FIELD_DECIMAL, "\0", 1, 0), "\"0\"");
    check(data(FIELD_DECIMAL, "\0", 1, 3), "\"0.000\"");
    check(data(FIELD_DECIMAL, "\xff", 1, 1), "\"-0.1\"");
    check(data(FIELD_DECIMAL, "\x80", 1, 0), "\"-128\"");
    check(data(FIELD_DECIMAL, "\xff\x7f", 2, 0), "\"-129\"");
    check(data(FIELD_DECIMAL, "\x0c", 1, -2), "\"1200\"");
    check(data(FIELD_DECIMAL, "\0\xff\xff\xff\xff\xff\xff\xff\xff", 9, 0), "\"18446744073709551615\"");
}

static void test_times(void **state)
{
    (void)state;
    check(number(FIELD_DATE, 0), "\"1970-01-01\"");
    check(number(FIELD_DATE, -719162), "\"0001-01-01\"");
    check(number(FIELD_DATE, 20778), "\"2026-11-21\"");
    check(number(FIELD_TIMESTAMP_US, 1), "\"1970-01-01T00:00:00.000001Z\"");
    check(number(FIELD_LOCAL_TIMESTAMP_US, -1), "\"1969-12-31T23:59:59.999999\"");
    check(number(FIELD_TIME_US, 86399000000), "\"23:59:59.000000\"");
    check(number(FIELD_TIME_US, -3020399000000), "\"-838:59:59.000000\"");
}

static void test_texts(void **state)
{
    (void)state;
    check(data(FIELD_STRING, "a\"\\\n\x01z", 6, 0), "\"a\\\"\\\\\\n\\u0001z\"");
    check(data(FIELD_STRING, "Z\xc3\xbcrich", 7, 0), "\"Z\xc3\xbcrich\"");
    check(data(FIELD_STRING,
               "a\xff"
               "b",
               3, 0),
          "\"a\xef\xbf\xbd"
          "b\"");
    check(data(FIELD_BYTES, "", 0, 0), "\"\"");
    check(data(FIELD_BYTES, "a", 1, 0), "\"YQ==\"");
    check(data(FIELD_BYTES, "ab", 2, 0), "\"YWI=\"");
    check(data(FIELD_BYTES, "abc", 3, 0), "\"YWJj\"");
    check(data(FIELD_JSON, "{\"a\": 1}", 8, 0), "{\"a\": 1}");
    check(data(FIELD_JSON, "{\"a\":", 5, 0), "\"{\\\"a\\\":\"");
}

static void test_numbers(void **state)
{
    struct field_value v = {.kind = FIELD_DOUBLE, .as = {.d = 0.5}};

    (void)state;
    check(v, "0.5");
    v.as.d = __builtin_inf();
    check(v, "null");
    check(number(FIELD_LONG, INT64_MIN), "-9223372036854775808");
    check((struct field_value){.kind = FIELD_NULL}, "null");
    check((struct field_value){.kind = FIELD_BOOL, .as = {.b = true}}, "true");
}

static void test_row(void **state)
{
    static const char *const names[] = {"id", "text"};
    struct field_value values[2] = {number(FIELD_LONG, 7), data(FIELD_STRING, "x", 1, 0)};
    struct err err = ERR_INIT;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 10);
    assert_int_equal(avro_json_row(&b, names, values, 2, &err), 0);
    assert_string_equal(buf_cstr(&b), "{\"id\":7,\"text\":\"x\"}");
    buf_release(&b);
    buf_init(&b, 10);
    assert_int_equal(avro_json_row(&b, names, values, 2, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    buf_release(&b);
    values[0] = data(FIELD_DECIMAL, "", 0, 0);
    buf_init(&b, 1 << 10);
    assert_int_equal(avro_json_row(&b, names, values, 2, &err), -1);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decimals), cmocka_unit_test(test_times), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
