/* test_cursor: that no read of base/cursor passes the end, and that integers are read as on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cursor.h"

static void reads_integers(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 0x88, 9};
    struct cursor c = cursor_of(bytes, sizeof bytes);

    (void)state;
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_u16le(&c), 0x0302);
    assert_int_equal(cursor_be(&c, 2), 0x0405);
    assert_int_equal(cursor_u24le(&c), 0x880706);
    assert_int_equal(cursor_left(&c), 1);
    assert_false(cursor_done(&c));
    cursor_skip(&c, 1);
    assert_true(cursor_done(&c) && cursor_ok(&c));
    c = cursor_of(bytes, 8);
    assert_true(cursor_u64le(&c) == UINT64_C(0x8807060504030201));
    c = cursor_of(bytes, 8);
    assert_true(cursor_u48le(&c) == UINT64_C(0x060504030201));
    c = cursor_of(bytes, 8);
    assert_true(cursor_be(&c, 8) == UINT64_C(0x0102030405060788));
    c = cursor_of(bytes, 4);
    assert_int_equal(cursor_u32le(&c), 0x04030201);
}

static void fails_for_good(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct cursor c = cursor_of(bytes, sizeof bytes);

    (void)state;
    assert_int_equal(cursor_u32le(&c), 0);
    assert_false(cursor_ok(&c));
    assert_int_equal(cursor_u8(&c), 0); /* though a byte was there */
    assert_null(cursor_bytes(&c, 0));
    assert_int_equal(cursor_left(&c), 0);
    c = cursor_of(bytes, sizeof bytes);
    assert_null(cursor_bytes(&c, SIZE_MAX));
    assert_false(cursor_ok(&c));
    c = cursor_of(NULL, 0);
    assert_true(cursor_done(&c) && cursor_ok(&c));
    assert_int_equal(cursor_u8(&c), 0);
    assert_false(cursor_ok(&c));
}

static void sub_is_bounded_by_both(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct cursor c = cursor_of(bytes, sizeof bytes);
    struct cursor s = cursor_sub(&c, 2);

    (void)state;
    assert_int_equal(cursor_left(&s), 2);
    assert_int_equal(cursor_u24le(&s), 0);
    assert_false(cursor_ok(&s));
    assert_true(cursor_ok(&c));
    assert_int_equal(cursor_u8(&c), 3);
    s = cursor_sub(&c, 2);
    assert_false(cursor_ok(&s));
    assert_false(cursor_ok(&c));
}

static void reads_length_encoded_integers(void **state)
{
    static const struct {
        uint8_t bytes[9];
        size_t len;
        uint64_t value;
    } good[] = {{{0}, 1, 0},
                {{0xfa}, 1, 0xfa},
                {{0xfc, 0x34, 0x12}, 3, 0x1234},
                {{0xfd, 1, 2, 3}, 4, 0x030201},
                {{0xfe, 1, 0, 0, 0, 0, 0, 0, 0x80}, 9, UINT64_C(0x8000000000000001)}};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct cursor c = cursor_of(good[i].bytes, good[i].len);
        assert_true(cursor_lenenc(&c) == good[i].value);
        assert_true(cursor_ok(&c) && cursor_done(&c));
        c = cursor_of(good[i].bytes, good[i].len - 1);
        assert_true(cursor_lenenc(&c) == 0);
        assert_false(cursor_ok(&c));
    }
    for (int b = 0xfb; b <= 0xff; b += 4) {
        uint8_t byte = (uint8_t)b;
        struct cursor c = cursor_of(&byte, 1);
        assert_true(cursor_lenenc(&c) == 0);
        assert_false(cursor_ok(&c));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_integers),
        cmocka_unit_test(fails_for_good),
        cmocka_unit_test(sub_is_bounded_by_both),
        cmocka_unit_test(reads_length_encoded_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
