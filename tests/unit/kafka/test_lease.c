/* test_lease: one holder per name on a host, and one per group in the cluster. */
#include "unit/kafka/mock_topic.h"

#include <unistd.h>

#include "kafka/lease.h"

/* The mock cluster by its address, so that the lease takes it for a cluster that others see too. */
static const struct kafka_options *cluster(void)
{
    /* A broker takes 6 s at least; the mock's rebalances last as long as a session. */
    static const struct kafka_property quick[] = {{"heartbeat.interval.ms", "200"}, {"session.timeout.ms", "4500"}};
    static struct kafka_options options = {.properties = quick};

    options.n_properties = cluster_is_mock() ? 2 : 1;
    options.brokers =
        cluster_is_mock() ? rd_kafka_mock_cluster_bootstraps(kafka_mock_cluster(NULL)) : cluster_brokers();
    return &options;
}

static void one_holder_in_a_process(void **state)
{
    struct kafka_options options = {.brokers = "mock://"};
    struct lease *a, *b;
    struct err err = ERR_INIT;

    (void)state;
    assert_ok(lease_acquire(&a, &options, "g.mock", "none", "shop", 0, &err), err);
    assert_int_equal(lease_acquire(&b, &options, "g.mock", "none", "shop", 0, &err), -1);
    assert_int_equal(err.code, ERR_LEASE);
    assert_false(lease_lost(a, &err));
    lease_release(a);
}

static void one_holder_on_a_host(void **state)
{
    const struct kafka_options *options = cluster();
    struct lease *a, *b;
    struct err err = ERR_INIT;
    char pid[32];

    (void)state;
    make_topic(own("lease.local"), 1);
    assert_ok(lease_acquire(&a, options, own("g.local"), own("lease.local"), "shop", 0, &err), err);
    assert_false(lease_lost(a, &err));
    assert_int_equal(lease_acquire(&b, options, own("g.local"), own("lease.local"), "shop", 150, &err), -1);
    assert_int_equal(err.code, ERR_LEASE);
    snprintf(pid, sizeof(pid), "Process %ld ", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, "shop"));
    lease_release(a);
    assert_ok(lease_acquire(&b, options, own("g.local"), own("lease.local"), "shop", 15000, &err), err);
    lease_release(b);
}

/* Two names in one group stand for two hosts: the lock of the host does not see them, the group does. */
static void one_holder_in_the_group(void **state)
{
    const struct kafka_options *options = cluster();
    struct lease *a, *b;
    struct err err = ERR_INIT;

    (void)state;
    make_topic(own("lease.group"), 1);
    assert_ok(lease_acquire(&a, options, own("g.group"), own("lease.group"), "here", 0, &err), err);
    assert_int_equal(lease_acquire(&b, options, own("g.group"), own("lease.group"), "there", 0, &err), -1);
    assert_int_equal(err.code, ERR_LEASE);
    assert_false(lease_lost(a, &err));
    lease_release(a);
    /* A member with a name of its own does not leave, so the group gives its partition on when its session has ended.
     */
    assert_ok(lease_acquire(&b, options, own("g.group"), own("lease.group"), "there", 20000, &err), err);
    assert_false(lease_lost(b, &err));
    lease_release(b);
}

/* The broker forgets the member: the holder hears of it with its next heartbeat. */
static void a_holder_that_is_replaced_knows(void **state)
{
    static const rd_kafka_resp_err_t fenced[] = {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID};
    const struct kafka_options *options = cluster();
    struct lease *a;
    struct err err = ERR_INIT;
    bool lost = false;

    (void)state;
    make_topic(own("lease.fenced"), 1);
    assert_ok(lease_acquire(&a, options, own("g.fenced"), own("lease.fenced"), "old", 0, &err), err);
    rd_kafka_mock_push_request_errors_array(kafka_mock_cluster(NULL), 12, 1, fenced);
    for (int i = 0; i < 500 && !lost; i++) {
        clock_sleep_ms(10);
        lost = lease_lost(a, &err);
    }
    assert_true(lost);
    assert_int_equal(err.code, ERR_LEASE);
    assert_true(lease_lost(a, &err)); /* for good */
    lease_release(a);
}

/* The same member from somewhere else: another way to write the address hides the lock of this host. The broker gives
 * the partition to the newcomer at once and fences the first. */
static void the_newer_of_two_equal_members_wins(void **state)
{
    struct kafka_options options = *cluster(), there = options;
    char address[200];
    struct lease *a, *b;
    struct err err = ERR_INIT;
    bool lost = false;
    int64_t begin;

    (void)state;
    snprintf(address, sizeof(address), "localhost%s", strrchr(options.brokers, ':'));
    there.brokers = address;
    make_topic(own("lease.equal"), 1);
    assert_ok(lease_acquire(&a, &options, own("g.equal"), own("lease.equal"), "same", 0, &err), err);
    begin = clock_mono_us();
    assert_ok(lease_acquire(&b, &there, own("g.equal"), own("lease.equal"), "same", 0, &err), err);
    assert_true(clock_mono_us() - begin < 3000000);
    for (int i = 0; i < 300 && !lost; i++) {
        clock_sleep_ms(10);
        lost = lease_lost(a, &err);
    }
    assert_true(lost);
    assert_int_equal(err.code, ERR_LEASE);
    assert_false(lease_lost(b, &err));
    lease_release(a);
    assert_false(lease_lost(b, &err));
    lease_release(b);
}

/* What a broker with SASL over TLS says to right and wrong settings, in our words. */
static void secured_brokers_are_told_apart(void **state)
{
    struct kafka_options good = {.brokers = getenv("PILLION_TEST_KAFKA_SASL"),
                                 .security = "sasl_ssl",
                                 .sasl_mechanism = "PLAIN",
                                 .sasl_username = getenv("PILLION_TEST_KAFKA_USER"),
                                 .sasl_password = getenv("PILLION_TEST_KAFKA_PASSWORD"),
                                 .tls_ca = getenv("PILLION_TEST_CA")};
    struct kafka_options bad;
    struct admin_client *admin;
    struct err err = ERR_INIT;
    char text[300];
    int n;

    (void)state;
    assert_ok(admin_client_new(&admin, &good, &err), err);
    assert_ok(admin_client_describe(admin, text, sizeof(text), &err), err);
    admin_client_free(admin);

    bad = good;
    bad.sasl_password = "wrong-pw-1";
    assert_ok(admin_client_new(&admin, &bad, &err), err);
    assert_int_equal(admin_client_partitions(admin, "x", &n, &err), -1);
    print_message("wrong password: %s\n", err.text);
    assert_int_equal(err.code, ERR_KAFKA_CONFIG);
    assert_non_null(strstr(err.text, "kafka.sasl.password"));
    assert_null(strstr(err.text, "wrong-pw-1"));
    admin_client_free(admin);

    bad = good;
    bad.tls_ca = NULL; /* the system's authorities do not know the test's */
    assert_ok(admin_client_new(&admin, &bad, &err), err);
    assert_int_equal(admin_client_partitions(admin, "x", &n, &err), -1);
    print_message("unknown authority: %s\n", err.text);
    assert_int_equal(err.code, ERR_KAFKA_CONFIG);
    assert_non_null(strstr(err.text, "CA"));
    admin_client_free(admin);

    if (rd_kafka_version() >= 0x02060100)
        return;
    bad = good;
    bad.sasl_mechanism = "SCRAM-SHA-256";
    assert_ok(admin_client_new(&admin, &bad, &err), err);
    assert_int_equal(admin_client_partitions(admin, "x", &n, &err), -1);
    print_message("SCRAM: %s\n", err.text);
    assert_int_equal(err.code, ERR_KAFKA_CONFIG);
    assert_non_null(strstr(err.text, "2.6.1"));
    admin_client_free(admin);
}

static void a_broker_that_is_away_is_told(void **state)
{
    struct kafka_property quick[] = {{"socket.timeout.ms", "1000"}};
    struct kafka_options options = {.brokers = "127.0.0.1:1", .properties = quick, .n_properties = 1};
    struct admin_client *admin;
    struct err err = ERR_INIT;
    int n;

    (void)state;
    assert_ok(admin_client_new(&admin, &options, &err), err);
    assert_int_equal(admin_client_partitions(admin, "x", &n, &err), -1);
    assert_int_equal(err.code, ERR_KAFKA);
    assert_non_null(strstr(err.text, "127.0.0.1:1"));
    assert_non_null(strstr(err.text, "kafka.brokers"));
    admin_client_free(admin);
}

static void topics_are_made_once_and_listed(void **state)
{
    struct kafka_options options = CLUSTER_OPTIONS;
    struct topic_spec spec = {.name = own("list.b"), .partitions = 3, .replication = -1};
    struct admin_client *admin;
    struct err err = ERR_INIT;
    char **names, text[256];
    size_t n;
    int partitions;

    (void)state;
    assert_ok(admin_client_new(&admin, &options, &err), err);
    assert_ok(admin_client_partitions(admin, own("list.b"), &partitions, &err), err);
    assert_int_equal(partitions, 0);
    assert_ok(admin_client_ensure_topic(admin, &spec, &partitions, &err), err);
    assert_int_equal(partitions, 3);
    spec.partitions = 9;
    assert_ok(admin_client_ensure_topic(admin, &spec, &partitions, &err), err);
    assert_int_equal(partitions, 3);
    make_topic(own("list.a"), 1);
    assert_ok(admin_client_topics(admin, own("list."), &names, &n, &err), err);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], own("list.a"));
    assert_string_equal(names[1], own("list.b"));
    admin_client_free_names(names, n);
    assert_ok(admin_client_describe(admin, text, sizeof(text), &err), err);
    assert_non_null(strstr(text, "1 broker, "));
    admin_client_free(admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_are_made_once_and_listed),
        cmocka_unit_test(one_holder_in_a_process),
        cmocka_unit_test(one_holder_on_a_host),
        cmocka_unit_test(one_holder_in_the_group),
        cmocka_unit_test(a_broker_that_is_away_is_told),
    };
    const struct CMUnitTest on_mock[] = {
        cmocka_unit_test(a_holder_that_is_replaced_knows),
    };
    const struct CMUnitTest on_real[] = {
        cmocka_unit_test(the_newer_of_two_equal_members_wins),
        cmocka_unit_test(secured_brokers_are_told_apart),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    rc |= cluster_is_mock() ? cmocka_run_group_tests(on_mock, NULL, NULL) : cmocka_run_group_tests(on_real, NULL, NULL);
    kafka_mock_stop();
    return rc;
}
