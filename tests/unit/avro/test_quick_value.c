/* The short cuts must give what binlog/value.h gives, for every form and for garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "avro/quick_value.h"
#include "unit/avro/sample.h"

enum { TRIES = 200000 };

static void test_decimals(void **state)
{
    uint64_t random = 7;

    (void)state;
    for (unsigned precision = 1; precision <= 30; precision++) {
        for (unsigned scale = 0; scale <= precision; scale++) {
            struct quick_decimal q = quick_decimal_of(precision, scale);
            struct wire_column w = {.type = WIRE_NEWDECIMAL, .precision = (uint8_t)precision, .scale = (uint8_t)scale};

            if (precision > QUICK_DECIMAL_DIGITS) {
                assert_int_equal(q.n_groups, 0);
                continue;
            }
            assert_int_equal(q.size, decimal_size(precision, scale));
            for (int i = 0; i < 300; i++) {
                uint8_t bytes[16], want[32], got[32];
                struct cursor c = cursor_of(bytes, q.size);
                struct buf b;
                int64_t v;
                size_t n;

                if (i % 3) { /* a decimal */
                    int64_t limit = 1;

                    for (unsigned d = 0; d < precision; d++)
                        limit *= 10;
                    v = (int64_t)(sample_random(&random) >> (sample_random(&random) % 64)) % limit;
                    buf_init(&b, 100);
                    sample_decimal(&b, precision, scale, i % 2 ? v : -v);
                    assert_int_equal(b.len, q.size);
                    memcpy(bytes, b.data, b.len);
                    buf_release(&b);
                } else {
                    for (size_t k = 0; k < sizeof bytes; k++)
                        bytes[k] = (uint8_t)sample_random(&random);
                }
                n = value_decimal_bytes(&c, &w, want);
                if (!quick_decimal(bytes, &q, &v)) {
                    assert_int_equal(n, 0);
                    continue;
                }
                assert_int_equal(quick_put_decimal(got, v) - got, n + 1);
                assert_int_equal(got[0], 2 * n);
                assert_memory_equal(got + 1, want, n);
            }
        }
    }
}

static void test_datetimes(void **state)
{
    struct quick_month month = {0};
    uint64_t random = 8;

    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct wire_column w = {.type = WIRE_DATETIME2, .fsp = (uint8_t)(i % 7)};
        uint8_t bytes[8];
        struct cursor c = cursor_of(bytes, 5u + (w.fsp + 1u) / 2);
        enum civil_state what;
        struct civil civil;
        int64_t got;
        struct buf b;

        if (i % 4) {
            buf_init(&b, 100);
            sample_datetime(&b, w.fsp, (int)(sample_random(&random) % 10000), (int)(sample_random(&random) % 14),
                            (int)(sample_random(&random) % 32), (int)(sample_random(&random) % 25),
                            (int)(sample_random(&random) % 61), (int)(sample_random(&random) % 61),
                            sample_micros(&random, w.fsp));
            memcpy(bytes, b.data, b.len);
            buf_release(&b);
        } else {
            for (size_t k = 0; k < sizeof bytes; k++)
                bytes[k] = (uint8_t)sample_random(&random);
        }
        what = value_datetime(&c, &w, &civil);
        if (quick_datetime(bytes, w.fsp, &month, &got)) {
            assert_int_equal(what, CIVIL_OK);
            assert_int_equal(got, civil_micros(&civil));
        } else {
            assert_int_not_equal(what, CIVIL_OK);
        }
    }
}

static void test_timestamps(void **state)
{
    uint64_t random = 9;

    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct wire_column w = {.type = WIRE_TIMESTAMP2, .fsp = (uint8_t)(i % 7)};
        uint8_t bytes[8] = {0};
        struct cursor c = cursor_of(bytes, 4u + (w.fsp + 1u) / 2);
        int64_t want, got;
        bool zero;

        for (size_t k = 0; k < sizeof bytes && i % 50; k++)
            bytes[k] = (uint8_t)sample_random(&random);
        want = value_timestamp(&c, &w, &zero);
        if (quick_timestamp(bytes, w.fsp, &got)) {
            assert_false(zero);
            assert_int_equal(got, want);
        } else { /* the zero date, or a fraction that is none */
            uint32_t fraction = quick_be(bytes + 4, (w.fsp + 1u) / 2);
            uint32_t end = w.fsp > 4 ? 1000000 : w.fsp > 2 ? 10000 : 100;

            assert_true(zero || fraction >= end);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_datetimes),
        cmocka_unit_test(test_timestamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
