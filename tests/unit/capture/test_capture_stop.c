/* test_capture_stop: a stop is quick when Kafka is away, too, and loses nothing. */
#include "unit/capture/rig.h"

#include "base/clock.h"
#include "base/stop.h"
#include "kafka/kafka_client.h"
#include "kafka/mock.h"

/* Takes the broker away after some records, and asks for the stop. */
static bool pull_the_plug(void *arg)
{
    int *calls = arg;

    if (++*calls == 20) {
        rd_kafka_mock_broker_set_down(kafka_mock_cluster(NULL), 1);
        stop_request();
    }
    return false;
}

static void a_stop_does_not_wait_for_kafka(void **state)
{
    struct small_log l;
    struct rig r;
    struct err err = ERR_INIT;
    int calls = 0;
    int64_t begun;

    (void)state;
    rig_init(&r, "stop");
    small_log_start(&l);
    small_log_random(&l, 1, 60);
    small_log_save(&l, r.log);
    r.options.hold = pull_the_plug;
    r.options.hold_arg = &calls;
    begun = clock_mono_us();
    assert_int_equal(rig_run(&r, &err), -1);
    assert_non_null(strstr(err.text, "read again at the next start"));
    assert_in_range(clock_mono_us() - begun, 0, 10000000);
    stop_reset();
    rd_kafka_mock_broker_set_up(kafka_mock_cluster(NULL), 1);
    rig_run_ok(&r);
    rig_check_table(&r, &l, "users", 3);
    rig_check_table(&r, &l, "rides", 3);
    small_log_release(&l);
    rig_release(&r);
}

/* Nobody takes reports any more then, so that a sender that waits for room would wait for ever. */
static void a_failed_checkpoint_ends_a_full_queue(void **state)
{
    struct small_log l;
    struct rig r;
    struct err err = ERR_INIT;

    (void)state;
    rig_init(&r, "full");
    small_log_start(&l);
    small_log_random(&l, 2, 400);
    small_log_save(&l, r.log);
    r.options.producer.queue_records = 2;
    fault_setup("checkpoint.after:2:err");
    alarm(30);
    assert_int_equal(rig_run(&r, &err), -1);
    alarm(0);
    assert_non_null(strstr(err.text, "checkpoint.after"));
    fault_setup("");
    r.options.producer.queue_records = 0;
    rig_run_ok(&r);
    rig_check_table(&r, &l, "users", 3);
    rig_check_table(&r, &l, "rides", 3);
    small_log_release(&l);
    rig_release(&r);
}

static int stop_cluster(void **state)
{
    (void)state;
    kafka_mock_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_does_not_wait_for_kafka),
        cmocka_unit_test(a_failed_checkpoint_ends_a_full_queue),
    };

    return cmocka_run_group_tests(tests, NULL, stop_cluster);
}
