/* test_clock: that the clocks run, forwards and in microseconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <time.h>

static void sleeps_at_least_so_long(void **state)
{
    int64_t before = clock_mono_us();

    (void)state;
    clock_sleep_ms(30);
    assert_true(clock_mono_us() - before >= 30000);
    assert_true(clock_mono_us() - before < 30000000);
}

static void wall_time_is_utc_microseconds(void **state)
{
    int64_t seconds = clock_wall_us() / 1000000;
    int64_t now = (int64_t)time(NULL);

    (void)state;
    assert_true(seconds >= now - 2 && seconds <= now + 2);
}

static void cpu_time_grows_with_work(void **state)
{
    int64_t before = clock_cpu_us();
    volatile unsigned sink = 0;

    (void)state;
    while (clock_cpu_us() - before < 2000)
        for (unsigned i = 0; i < 10000; i++)
            sink = sink + i;
    before = clock_cpu_us();
    clock_sleep_ms(50);
    assert_true(clock_cpu_us() - before < 45000); /* sleeping is no work */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeps_at_least_so_long),
        cmocka_unit_test(wall_time_is_utc_microseconds),
        cmocka_unit_test(cpu_time_grows_with_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
