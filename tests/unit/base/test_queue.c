/* test_queue: order, bounds, closing and hand-off between threads of base/queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

static void *item(uintptr_t n)
{
    return (void *)n;
}

static void first_in_first_out(void **state)
{
    struct queue *q = queue_new(100, 1000000);
    struct err err = ERR_INIT;
    void *got;

    (void)state;
    for (uintptr_t i = 1; i <= 100; i++) {
        assert_int_equal(queue_push(q, item(i), 1), 0);
        if (i > 50) {
            assert_int_equal(queue_pop(q, &got, 0, &err), 1);
            assert_ptr_equal(got, item(i - 50));
        }
    }
    assert_int_equal(queue_items(q), 50);
    queue_free(q, NULL);
}

static void pop_waits_so_long(void **state)
{
    struct queue *q = queue_new(1, 1);
    struct err err = ERR_INIT;
    int64_t before = clock_mono_us();
    void *got = q;

    (void)state;
    assert_int_equal(queue_pop(q, &got, 40, &err), 0);
    assert_null(got);
    assert_true(clock_mono_us() - before >= 40000);
    assert_false(queue_ended(q));
    queue_free(q, NULL);
}

static void close_gives_the_rest_then_the_error(void **state)
{
    struct queue *q = queue_new(10, 10);
    struct err why = ERR_INIT, err = ERR_INIT;
    void *got;

    (void)state;
    assert_int_equal(queue_push(q, item(1), 1), 0);
    err_set(&why, ERR_KAFKA, "The broker left.");
    queue_close(q, &why);
    assert_int_equal(queue_push(q, item(2), 1), -1);
    assert_int_equal(queue_pop(q, &got, -1, &err), 1);
    assert_true(queue_ended(q));
    assert_int_equal(queue_pop(q, &got, -1, &err), -1);
    assert_int_equal(err.code, ERR_KAFKA);
    assert_string_equal(err.text, "The broker left.");
    assert_int_equal(queue_pop(q, &got, -1, NULL), -1);
    queue_free(q, NULL);

    q = queue_new(10, 10);
    queue_close(q, NULL);
    assert_int_equal(queue_pop(q, &got, -1, &err), 0);
    assert_true(queue_ended(q));
    queue_close(q, &why); /* an error after a clean end is not hidden */
    assert_int_equal(queue_pop(q, &got, -1, &err), -1);
    queue_free(q, NULL);
}

struct pusher {
    struct queue *q;
    size_t bytes;
    atomic_int rc;
};

static void *push_one(void *arg)
{
    struct pusher *p = arg;

    atomic_store(&p->rc, queue_push(p->q, item(7), p->bytes));
    return NULL;
}

static void push_waits_for_room(void **state, size_t max_items, size_t max_bytes, size_t held, size_t pushed)
{
    struct pusher p = {.q = queue_new(max_items, max_bytes), .bytes = pushed, .rc = 99};
    struct err err = ERR_INIT;
    pthread_t thread;
    void *got;

    (void)state;
    assert_int_equal(queue_push(p.q, item(1), held), 0);
    assert_int_equal(pthread_create(&thread, NULL, push_one, &p), 0);
    clock_sleep_ms(40);
    assert_int_equal(atomic_load(&p.rc), 99);
    assert_int_equal(queue_items(p.q), 1);
    assert_int_equal(queue_pop(p.q, &got, -1, &err), 1);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&p.rc), 0);
    assert_int_equal(queue_items(p.q), 1);
    queue_free(p.q, NULL);
}

static void push_waits_for_count(void **state)
{
    push_waits_for_room(state, 1, 1000, 1, 1);
}

static void push_waits_for_bytes(void **state)
{
    push_waits_for_room(state, 100, 10, 6, 5);
}

static void a_giant_passes_alone(void **state)
{
    push_waits_for_room(state, 100, 10, 1, 1000);
}

static void close_wakes_a_pusher(void **state)
{
    struct pusher p = {.q = queue_new(1, 1000), .bytes = 1, .rc = 99};
    pthread_t thread;

    (void)state;
    assert_int_equal(queue_push(p.q, item(1), 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, push_one, &p), 0);
    clock_sleep_ms(20);
    queue_close(p.q, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&p.rc), -1);
    queue_free(p.q, NULL);
}

static void *push_range(void *arg)
{
    for (uintptr_t i = 1; i <= 10000; i++)
        if (queue_push(arg, item(i), i % 13) != 0)
            return arg;
    return NULL;
}

static void *sum_all(void *arg)
{
    struct err err = ERR_INIT;
    uintptr_t sum = 0;
    void *got;

    while (queue_pop(arg, &got, -1, &err) == 1)
        sum += (uintptr_t)got;
    return (void *)sum;
}

static void many_threads_lose_nothing(void **state)
{
    struct queue *q = queue_new(50, 100);
    pthread_t push[3], pop[3];
    uintptr_t sum = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&push[i], NULL, push_range, q), 0);
        assert_int_equal(pthread_create(&pop[i], NULL, sum_all, q), 0);
    }
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(push[i], &failed);
        assert_null(failed);
    }
    queue_close(q, NULL);
    for (int i = 0; i < 3; i++) {
        void *part;
        pthread_join(pop[i], &part);
        sum += (uintptr_t)part;
    }
    assert_int_equal(sum, 3 * (10000 * 10001 / 2));
    queue_free(q, NULL);
}

static void free_frees_what_is_left(void **state)
{
    struct queue *q = queue_new(10, 10);

    (void)state;
    assert_int_equal(queue_push(q, xstrdup("a"), 1), 0);
    assert_int_equal(queue_push(q, xstrdup("b"), 1), 0);
    queue_free(q, free); /* the leak sanitizer is the judge */
    queue_free(NULL, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(pop_waits_so_long),
        cmocka_unit_test(close_gives_the_rest_then_the_error),
        cmocka_unit_test(push_waits_for_count),
        cmocka_unit_test(push_waits_for_bytes),
        cmocka_unit_test(a_giant_passes_alone),
        cmocka_unit_test(close_wakes_a_pusher),
        cmocka_unit_test(many_threads_lose_nothing),
        cmocka_unit_test(free_frees_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
