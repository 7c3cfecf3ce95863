/* test_stop: the stop flag wakes a waiter, from a thread and from a signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/stop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"

static int reset(void **state)
{
    (void)state;
    stop_reset();
    return 0;
}

static void waits_when_nobody_stops(void **state)
{
    int64_t before = clock_mono_us();

    (void)state;
    assert_false(stop_wait_ms(40));
    assert_true(clock_mono_us() - before >= 40000);
    assert_false(stop_wait_ms(0));
    assert_false(stop_wait_ms(-5));
}

static void *stop_soon(void *arg)
{
    (void)arg;
    clock_sleep_ms(30);
    stop_request();
    return NULL;
}

static void a_thread_wakes_the_waiter(void **state)
{
    int64_t before = clock_mono_us();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
    assert_true(stop_wait_ms(20000));
    assert_true(clock_mono_us() - before < 10000000);
    pthread_join(thread, NULL);
    assert_true(stop_requested());
    assert_true(stop_wait_ms(20000)); /* and stays so */
    stop_reset();
    assert_false(stop_requested());
    assert_false(stop_wait_ms(10));
}

static void signals_stop(void **state)
{
    (void)state;
    stop_on_signals();
    assert_int_equal(kill(getpid(), SIGPIPE), 0);
    assert_false(stop_requested());
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_true(stop_wait_ms(20000));
    stop_reset();
    assert_int_equal(kill(getpid(), SIGINT), 0);
    assert_true(stop_wait_ms(20000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(waits_when_nobody_stops, reset),
        cmocka_unit_test_setup(a_thread_wakes_the_waiter, reset),
        cmocka_unit_test_setup(signals_stop, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
