/* test_metric: series, limits and the Prometheus text of base/metric. Series live until the process ends, so every test
 * uses families of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct buf out;

static const char *rendered(void)
{
    buf_release(&out);
    buf_init(&out, 64 << 20);
    assert_int_equal(metric_render(&out), 0);
    return buf_cstr(&out);
}

static void counts(void **state)
{
    struct metric *m = metric_plain(M_CAPTURE_BYTES);

    (void)state;
    assert_null(strstr(rendered(), "pillion_capture_transactions_total")); /* nobody asked for it yet */
    assert_ptr_equal(m, metric_plain(M_CAPTURE_BYTES));
    metric_add(m, 3);
    metric_add(m, 4);
    assert_true(metric_value(m) == 7);
    assert_non_null(strstr(rendered(), "# HELP pillion_capture_bytes_total Bytes of keys and values handed to Kafka.\n"
                                       "# TYPE pillion_capture_bytes_total counter\n"
                                       "pillion_capture_bytes_total 7\n"));
    assert_string_equal(metric_name(M_CAPTURE_BYTES), "pillion_capture_bytes_total");
}

static void sets_gauges(void **state)
{
    struct metric *m = metric_plain(M_CAPTURE_LAG_SECONDS);

    (void)state;
    metric_set(m, 1.25);
    assert_non_null(strstr(rendered(), "\npillion_capture_lag_seconds 1.25\n"));
    metric_add(m, -1);
    assert_true(metric_value(m) == 0.25);
    metric_set(m, INFINITY);
    assert_non_null(strstr(rendered(), "\npillion_capture_lag_seconds +Inf\n"));
    metric_set(m, NAN);
    assert_non_null(strstr(rendered(), "\npillion_capture_lag_seconds NaN\n"));
}

static void series_have_labels(void **state)
{
    const char *a[] = {"shop.rides", "c"}, *b[] = {"shop.rides", "d"}, *odd[] = {"a\"b\\c\nd", "u"};
    char copy[] = "shop.rides";
    const char *same[] = {copy, "c"};

    (void)state;
    metric_add(metric_series(M_CAPTURE_EVENTS, a), 5);
    metric_add(metric_series(M_CAPTURE_EVENTS, b), 1);
    metric_add(metric_series(M_CAPTURE_EVENTS, odd), 1);
    assert_ptr_equal(metric_series(M_CAPTURE_EVENTS, same), metric_series(M_CAPTURE_EVENTS, a));
    assert_true(metric_sum(M_CAPTURE_EVENTS) == 7);
    rendered();
    assert_non_null(strstr(buf_cstr(&out), "pillion_capture_events_total{table=\"shop.rides\",op=\"c\"} 5\n"
                                           "pillion_capture_events_total{table=\"shop.rides\",op=\"d\"} 1\n"));
    assert_non_null(strstr(buf_cstr(&out), "{table=\"a\\\"b\\\\c\\nd\",op=\"u\"} 1\n"));
}

static void label_borders_count(void **state)
{
    const char *a[] = {"ab", "c"}, *b[] = {"a", "bc"};

    (void)state;
    assert_ptr_not_equal(metric_series(M_MERGE_OUTCOME, a), metric_series(M_MERGE_OUTCOME, b));
}

static void histograms(void **state)
{
    struct metric *m = metric_plain(M_CAPTURE_PUBLISH);

    (void)state;
    metric_observe(m, 0.0001); /* a bound belongs to its bucket */
    metric_observe(m, 0.003);
    metric_observe(m, 100);
    metric_observe(m, -1);
    metric_observe(m, NAN);
    rendered();
    assert_non_null(strstr(buf_cstr(&out), "# TYPE pillion_capture_publish_seconds histogram\n"
                                           "pillion_capture_publish_seconds_bucket{le=\"0.0001\"} 2\n"
                                           "pillion_capture_publish_seconds_bucket{le=\"0.00025\"} 2\n"));
    assert_non_null(strstr(buf_cstr(&out), "_bucket{le=\"0.0025\"} 2\n"));
    assert_non_null(strstr(buf_cstr(&out), "_bucket{le=\"0.005\"} 3\n"));
    assert_non_null(strstr(buf_cstr(&out), "_bucket{le=\"60\"} 3\n"
                                           "pillion_capture_publish_seconds_bucket{le=\"+Inf\"} 4\n"
                                           "pillion_capture_publish_seconds_sum 100.0031\n"
                                           "pillion_capture_publish_seconds_count 4\n"));
    assert_true(metric_value(m) == 4);
}

struct visit {
    int seen;
    double v;
};

static void on_series(void *arg, enum metric_id id, const char *const values[], double v)
{
    struct visit *visit = arg;

    if (id != M_ERRORS)
        return;
    assert_string_equal(values[0], "capture");
    assert_string_equal(values[1], "retry");
    visit->seen++;
    visit->v = v;
}

static void visits_series(void **state)
{
    const char *values[] = {"capture", "retry"};
    struct visit visit = {0, 0};

    (void)state;
    metric_add(metric_series(M_ERRORS, values), 2);
    metric_each(on_series, &visit);
    assert_int_equal(visit.seen, 1);
    assert_true(visit.v == 2);
}

static void *add_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        const char *values[] = {i % 2 ? "odd" : "even"};
        metric_add(metric_series(M_MERGE_RECORDS, values), 1);
        metric_add(metric_plain(M_MERGE_LAG_SECONDS), 1);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    for (int i = 0; i < 10; i++)
        rendered();
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(metric_sum(M_MERGE_RECORDS) == 80000);
    assert_true(metric_value(metric_plain(M_MERGE_LAG_SECONDS)) == 80000);
}

/* Last: it fills the table. */
static void the_rest_is_other(void **state)
{
    struct metric *rest = NULL;
    const char *fresh[] = {"fresh"};
    struct buf small;
    char name[32];

    (void)state;
    for (int i = 0; i < METRIC_SERIES_MAX + 100; i++) {
        const char *values[] = {name};
        snprintf(name, sizeof name, "t%d", i);
        rest = metric_series(M_CAPTURE_FILTERED, values);
        metric_add(rest, 1);
    }
    assert_ptr_equal(metric_series(M_CAPTURE_FILTERED, fresh), rest);
    assert_true(metric_value(rest) >= 100);
    assert_true(metric_sum(M_CAPTURE_FILTERED) == METRIC_SERIES_MAX + 100);
    assert_non_null(strstr(rendered(), "pillion_capture_filtered_events_total{table=\"other\"} "));
    buf_init(&small, 1000);
    assert_int_equal(metric_render(&small), -1);
    buf_release(&small);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(sets_gauges),
        cmocka_unit_test(series_have_labels),
        cmocka_unit_test(label_borders_count),
        cmocka_unit_test(histograms),
        cmocka_unit_test(visits_series),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(the_rest_is_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
