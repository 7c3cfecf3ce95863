/* One text for one key, however it was typed. */
#include "merge/key_text.h"
#include "sample.h"

static void expect(const struct field_value *values, size_t n, const char *want)
{
    const struct field_value *list[4];
    struct err err = ERR_INIT;
    struct buf b;
    bool null;

    buf_init(&b, 2 * KEY_TEXT_MAX);
    for (size_t i = 0; i < n; i++)
        list[i] = &values[i];
    assert_int_equal(key_text_put(&b, list, n, &null, &err), 0);
    assert_false(null);
    assert_string_equal(buf_cstr(&b), want);
    buf_release(&b);
}

static struct field_value text(const char *s)
{
    return (struct field_value){.kind = FIELD_STRING, .as.data = {(const uint8_t *)s, strlen(s)}};
}

static struct field_value decimal(const char *bytes, size_t len, int scale)
{
    return (struct field_value){.kind = FIELD_DECIMAL, .scale = scale, .as.data = {(const uint8_t *)bytes, len}};
}

static void test_values(void **state)
{
    (void)state;
    expect(&(struct field_value){.kind = FIELD_INT, .as.i = 7}, 1, "7");
    expect(&(struct field_value){.kind = FIELD_LONG, .as.i = INT64_MIN}, 1, "-9223372036854775808");
    expect(&(struct field_value){.kind = FIELD_BOOL, .as.b = true}, 1, "1");
    expect((struct field_value[]){decimal("\x02\xbc", 2, 2)}, 1, "7");
    expect((struct field_value[]){decimal("\x04\xe2", 2, 2)}, 1, "12.5");
    expect((struct field_value[]){decimal("\xff", 1, 3)}, 1, "-0.001");
    expect((struct field_value[]){decimal("\x80", 1, 0)}, 1, "-128");
    expect((struct field_value[]){decimal("\x00", 1, 5)}, 1, "0");
    expect((struct field_value[]){decimal("\x00\xff\xff\xff\xff\xff\xff\xff\xff", 9, 0)}, 1, "18446744073709551615");
    expect((struct field_value[]){text("a,b\\c|d")}, 1, "a,b\\c|d");
    expect((struct field_value[]){text("a,b"), text("c\\")}, 2, "a\\,b,c\\\\");
    expect((struct field_value[]){text("a"), text("b,c\\")}, 2, "a,b\\,c\\\\");
    expect(&(struct field_value){.kind = FIELD_BYTES, .as.data = {(const uint8_t *)"\x01\xff", 2}}, 1, "0x01ff");
    expect(&(struct field_value){.kind = FIELD_DOUBLE, .as.d = 0.5}, 1, "0.5");
}

static void test_refused(void **state)
{
    static char huge[KEY_TEXT_MAX + 2];
    struct field_value values[] = {{.kind = FIELD_NULL}, {.kind = FIELD_INT, .as.i = 1}};
    const struct field_value *list[] = {&values[1], &values[0]};
    struct err err = ERR_INIT;
    struct buf b;
    bool null;

    (void)state;
    buf_init(&b, 4 * KEY_TEXT_MAX);
    assert_int_equal(key_text_put(&b, list, 2, &null, &err), 0);
    assert_true(null);
    assert_int_equal(b.len, 0);
    memset(huge, 'x', sizeof huge - 1);
    values[0] = text(huge);
    assert_int_equal(key_text_put(&b, &list[1], 1, &null, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    values[0] = (struct field_value){.kind = FIELD_STRING, .as.data = {(const uint8_t *)"a\0b", 3}};
    assert_int_equal(key_text_put(&b, &list[1], 1, &null, &err), -1);
    assert_int_equal(err.code, ERR_VALUE);
    values[0] = decimal(huge, 65, 0);
    assert_int_equal(key_text_put(&b, &list[1], 1, &null, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    values[0] = decimal("", 0, 0);
    assert_int_equal(key_text_put(&b, &list[1], 1, &null, &err), -1);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
