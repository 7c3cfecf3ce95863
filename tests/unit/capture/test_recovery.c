/* test_recovery: reading back a topic that fails on the way is begun again from its start. */
#include "unit/capture/rig.h"

#include "base/log.h"
#include "kafka/kafka_client.h"

/* Without a checkpoint topics are read back when they are opened; the pause makes half of one read. */
static void a_reading_back_that_fails_is_repeated(void **state)
{
    static const char *const specs[] = {"recover.read:1:err", "recover.read:2:err", "recover.read:3:err",
                                        "recover.read:1:err;recover.read:2:err;recover.read:4:err"};
    struct small_log l;
    struct rig r;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "again%zu", i);
        rig_init(&r, prefix);
        r.options.checkpoint_interval_ms = 100000;
        small_log_start(&l);
        small_log_random(&l, 11, 60);
        small_log_save(&l, r.log);
        fault_setup("checkpoint.before:1:err");
        assert_int_equal(rig_run(&r, &err), -1);
        fault_setup(specs[i]);
        rig_run_ok(&r);
        fault_setup("");
        rig_check_table(&r, &l, "users", 3);
        rig_check_table(&r, &l, "rides", 3);
        small_log_release(&l);
        rig_release(&r);
    }
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
        cmocka_unit_test(a_reading_back_that_fails_is_repeated),
    };

    log_setup(getenv("TEST_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, stop_cluster);
}
