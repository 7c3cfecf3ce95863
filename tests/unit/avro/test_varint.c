#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "avro/varint.h"

/* The specification's way, byte by byte. */
static size_t plain(uint8_t *out, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    size_t n = 0;

    do {
        out[n++] = (uint8_t)((z & 0x7f) | (z > 0x7f ? 0x80 : 0));
        z >>= 7;
    } while (z);
    return n;
}

static void check(int64_t v)
{
    uint8_t want[16], got[VARINT_ROOM];
    size_t n = plain(want, v);
    struct cursor c;

    assert_int_equal(varint_put(got, v) - got, n);
    assert_memory_equal(got, want, n);
    assert_int_equal(varint_size(v), n);
    c = cursor_of(got, n);
    assert_int_equal(varint_read(&c), v);
    assert_true(cursor_done(&c) && cursor_ok(&c));
    for (size_t len = 0; len < n; len++) {
        c = cursor_of(got, len);
        (void)varint_read(&c);
        assert_false(cursor_ok(&c));
    }
}

static void test_every_length(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int64_t near = -3; near <= 3; near++) {
            check((int64_t)((UINT64_C(1) << shift) + (uint64_t)near));
            check((int64_t)(0 - (UINT64_C(1) << shift) + (uint64_t)near));
        }
    }
    check(INT64_MAX);
    check(INT64_MIN);
}

static void test_too_long(void **state)
{
    static const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1};
    static const uint8_t beyond[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    struct cursor c = cursor_of(eleven, sizeof eleven);

    (void)state;
    (void)varint_read(&c);
    assert_false(cursor_ok(&c));
    c = cursor_of(beyond, sizeof beyond);
    (void)varint_read(&c);
    assert_false(cursor_ok(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_length), cmocka_unit_test(test_too_long)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
