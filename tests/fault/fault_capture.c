/* fault_capture: kill -9 of a capturing process at every fault point and at random moments; what the next ones complete
 * must hold each change exactly once, in order (C1, C2).
 *
 * The cluster lives in this process, which is never killed; the child is this program again ("child BROKERS FOLDER
 * PREFIX"), so it starts from nothing but the topics, the registry folder and the binlog file. PILLION_SEED chooses the
 * moments. */
#include "unit/capture/rig.h"

#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"

static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;

/* ---- the child ---- */

static int child(char **args)
{
    static const char *const include[] = {"shop\\..*"};
    char *file = xasprintf("%s/binlog.000001", args[1]), *url = xasprintf("file://%s/registry", args[1]);
    const char *files[] = {file};
    struct capture_options o = {
        .name = "test",
        .prefix = args[2],
        .source_files = files,
        .n_source_files = 1,
        .include = include,
        .n_include = 1,
        .producer = {.kafka = {.brokers = args[0]}, .record_max = 1 << 20},
        .registry = {.url = url},
        .tombstones = TOMBSTONES_ON,
        .partitions = 3,
        .replication = 1,
        .checkpoint_interval_ms = 3,
        .max_transactions = 50,
        .transaction_topic = true,
        .schema_change_topic = true,
        .without_lease = true,
    };
    struct capture *c;
    struct err err = ERR_INIT;
    int rc;

    log_setup(getenv("TEST_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    fault_setup(NULL);
    stop_on_signals();
    if (capture_new(&c, &o, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    rc = capture_run(c, &err);
    if (rc)
        fprintf(stderr, "%s\n", err.text);
    capture_free(c);
    free(file);
    free(url);
    return rc ? err_exit_code(&err) : 0;
}

/* Runs a child; kill_ms >= 0: SIGKILL after that time. The wait status. */
static int run_child(struct rig *r, const char *fault, int kill_ms)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        char brokers[256];
        char self[] = "/proc/self/exe", name[] = "fault_capture", what[] = "child";
        char *args[] = {name, what, brokers, r->folder, r->prefix, NULL};

        snprintf(brokers, sizeof(brokers), "%s", r->options.producer.kafka.brokers);
        if (fault)
            setenv("PILLION_FAULT", fault, 1);
        else
            unsetenv("PILLION_FAULT");
        execv(self, args);
        _exit(127);
    }
    if (kill_ms >= 0) {
        clock_sleep_ms(kill_ms);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void make_topics(const char *prefix)
{
    static const struct {
        const char *suffix;
        int partitions;
    } topics[] = {{"pillion.checkpoint", 1},
                  {"pillion.schema-changes", 1},
                  {"transaction", 1},
                  {"shop.users", 3},
                  {"shop.rides", 3}};

    for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++) {
        char name[128];

        snprintf(name, sizeof(name), "%s.%s", prefix, topics[i].suffix);
        assert_int_equal(rd_kafka_mock_topic_create(cluster, name, topics[i].partitions, 1), 0);
    }
}

static void rig_with_cluster(struct rig *r, struct small_log *l, const char *prefix, uint64_t random)
{
    rig_init(r, prefix);
    r->options.producer.kafka.brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    make_topics(prefix);
    small_log_start(l);
    small_log_random(l, random, 400);
    small_log_save(l, r->log);
}

static void finish(struct rig *r, struct small_log *l)
{
    int status = run_child(r, NULL, -1);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    rig_check_table(r, l, "users", 3);
    rig_check_table(r, l, "rides", 3);
    small_log_release(l);
    rig_release(r);
}

static uint64_t seed(void)
{
    return getenv("PILLION_SEED") ? strtoull(getenv("PILLION_SEED"), NULL, 0) : 20261121;
}

static void killed_at_every_fault_point(void **state)
{
    static const char *const points[] = {"capture.produce", "capture.commit", "checkpoint.before", "checkpoint.after",
                                         "recover.read"};
    struct small_log l;
    struct rig r;
    uint64_t random = seed();
    unsigned killed = 0;

    (void)state;
    rig_with_cluster(&r, &l, "points", random);
    for (size_t i = 0; i < 3 * sizeof(points) / sizeof(*points); i++) {
        const char *point = points[i % 5];
        char spec[96];
        unsigned pass = 1 + (unsigned)(sample_random(&random) % (i % 5 == 0   ? 300
                                                                 : i % 5 == 1 ? 80
                                                                 : i % 5 == 4 ? 1
                                                                              : 3));
        int status;

        snprintf(spec, sizeof(spec), "%s:%u:kill", point, pass);
        status = run_child(&r, spec, -1);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (WIFEXITED(status) && WEXITSTATUS(status))
            fail_msg("%s: the child ended with %d", spec, WEXITSTATUS(status));
    }
    assert_true(killed >= 10);
    finish(&r, &l);
}

static void killed_at_any_moment(void **state)
{
    struct small_log l;
    struct rig r;
    uint64_t random = seed() * 31;

    (void)state;
    rig_with_cluster(&r, &l, "moments", random);
    for (int i = 0; i < 15; i++) {
        /* A child needs a moment to take the lease; slow records make that the kills fall between them. */
        char spec[96];

        snprintf(spec, sizeof(spec),
                 "capture.commit:%d:sleep=20;capture.commit:%d:sleep=50;capture.produce:%d:sleep=30", 3 + i, 20,
                 40 + 7 * i);
        (void)run_child(&r, spec, 150 + (int)(sample_random(&random) % 900));
    }
    finish(&r, &l);
}

static int start_cluster(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    (void)state;
    host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(host);
    cluster = rd_kafka_mock_cluster_new(host, 1);
    assert_non_null(cluster);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_fault_point),
        cmocka_unit_test(killed_at_any_moment),
    };

    if (argc == 5 && !strcmp(argv[1], "child"))
        return child(argv + 2);
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
