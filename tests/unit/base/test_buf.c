/* test_buf: growth, cap and overflow of base/buf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

static void grows_and_keeps_what_it_holds(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf_put_u8(&b, (uint8_t)i), 0);
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], (uint8_t)i);
    buf_release(&b);
    assert_null(b.data);
}

static void never_passes_its_cap(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_put_str(&b, "12345678"), 0);
    assert_int_equal(buf_put_str(&b, "901"), -1);
    assert_true(b.overflow);
    assert_int_equal(b.len, 8);
    assert_null(buf_room(&b, SIZE_MAX));
    assert_int_equal(buf_put_str(&b, "90"), 0);
    assert_true(b.overflow); /* stays until it is cleared */
    assert_string_equal(buf_cstr(&b), "");
    buf_clear(&b);
    assert_false(b.overflow);
    assert_int_equal(b.len, 0);
    assert_true(b.size <= 10);
    buf_release(&b);
}

static void formats(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 64);
    assert_int_equal(buf_putf(&b, "%d-%s", 42, "x"), 0);
    assert_int_equal(b.len, 4);
    assert_string_equal(buf_cstr(&b), "42-x");
    assert_int_equal(b.len, 4);
    assert_int_equal(buf_putf(&b, "%100d", 1), -1);
    assert_true(b.overflow);
    buf_release(&b);
}

static void puts_nothing_into_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4);
    assert_int_equal(buf_put(&b, NULL, 0), 0);
    assert_string_equal(buf_cstr(&b), "");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_what_it_holds),
        cmocka_unit_test(never_passes_its_cap),
        cmocka_unit_test(formats),
        cmocka_unit_test(puts_nothing_into_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
