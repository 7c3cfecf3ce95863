/* test_status_report: /status is JSON, with the keys that scripts rely on and the numbers of the parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/status_report.h"

#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/metric.h"
#include "unit/cmd/parts.h"

static struct capture busy = {.status = {.state = CAPTURE_STREAM,
                                         .position = "mysql-bin.000003:4",
                                         .newest_gtid = "0-1-5",
                                         .events = 10,
                                         .transactions = 4,
                                         .bytes = 900,
                                         .skipped = 2,
                                         .lag_us = 1500000,
                                         .in_flight = 3}};
static struct merger merging = {.ready = true, .caught_up = false, .backlog = 12};

static json_t *report(struct capture *c, struct merger *m)
{
    json_error_t e;
    json_t *root;
    struct buf out;

    buf_init(&out, 1 << 20);
    status_report_json(&out, "sh\"op", clock_wall_us() - 2000000, c, m);
    root = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        fail_msg("%s", e.text);
    assert_int_equal(out.data[out.len - 1], '\n');
    buf_release(&out);
    return root;
}

/* The keys are exactly these. */
static void keys_are(const json_t *object, const char *names)
{
    const char *key;
    json_t *value;
    char list[512];
    size_t n = 0;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        snprintf(list, sizeof list, " %s ", key);
        if (!strstr(names, list))
            fail_msg("the key '%s' is new: name it here and in what reads it", key);
        n++;
    }
    for (const char *s = names + 1; *s; s = strchr(s, ' ') + 1)
        n--;
    if (n)
        fail_msg("a key of%sis missing", names);
}

static void keys_are_stable(void **state)
{
    json_t *root = report(&busy, &merging);

    (void)state;
    keys_are(root, " name version uptime_seconds capture merge errors ");
    keys_are(json_object_get(root, "capture"),
             " state position newest_gtid events transactions bytes already_published lag_seconds lag_transactions "
             "acks_in_flight queue_fill events_by_table ");
    keys_are(json_object_get(root, "merge"),
             " ready caught_up behind_records records lag_seconds released stale_writes outcomes parked ");
    json_decref(root);
}

static void a_part_that_is_not_there_is_left_out(void **state)
{
    json_t *root = report(&busy, NULL);

    (void)state;
    keys_are(root, " name version uptime_seconds capture errors ");
    json_decref(root);
    root = report(NULL, &merging);
    keys_are(root, " name version uptime_seconds merge errors ");
    json_decref(root);
}

static void values_are_the_parts(void **state)
{
    const char *const labels[] = {"shop.rides", "c"};
    json_t *root, *c, *m;

    (void)state;
    metric_add(metric_series(M_CAPTURE_EVENTS, labels), 7);
    root = report(&busy, &merging);
    c = json_object_get(root, "capture");
    m = json_object_get(root, "merge");
    assert_string_equal(json_string_value(json_object_get(root, "name")), "sh\"op");
    assert_true(json_real_value(json_object_get(root, "uptime_seconds")) >= 2);
    assert_string_equal(json_string_value(json_object_get(c, "state")), "stream");
    assert_string_equal(json_string_value(json_object_get(c, "position")), "mysql-bin.000003:4");
    assert_string_equal(json_string_value(json_object_get(c, "newest_gtid")), "0-1-5");
    assert_int_equal(json_integer_value(json_object_get(c, "events")), 10);
    assert_int_equal(json_integer_value(json_object_get(c, "transactions")), 4);
    assert_int_equal(json_integer_value(json_object_get(c, "bytes")), 900);
    assert_int_equal(json_integer_value(json_object_get(c, "already_published")), 2);
    assert_int_equal(json_integer_value(json_object_get(c, "acks_in_flight")), 3);
    assert_true(json_real_value(json_object_get(c, "lag_seconds")) == 1.5);
    assert_true(json_number_value(json_object_get(json_object_get(c, "events_by_table"), "shop.rides c")) == 7);
    assert_true(json_is_true(json_object_get(m, "ready")));
    assert_true(json_is_false(json_object_get(m, "caught_up")));
    assert_int_equal(json_integer_value(json_object_get(m, "behind_records")), 12);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_stable),
        cmocka_unit_test(a_part_that_is_not_there_is_left_out),
        cmocka_unit_test(values_are_the_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
