/* test_producer: acknowledgements, order, partitions, bounds, and what the broker may answer. */
#include "unit/kafka/mock_topic.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/stop.h"

static void acks_carry_tags_and_offsets(void **state)
{
    struct producer *p = open_producer(0, 0, 0);
    struct producer_topic *t, *again, *other;
    struct err err = ERR_INIT;
    struct ack acks[300];
    int64_t next[3] = {0};
    uint64_t newest[3] = {0};

    (void)state;
    make_topic(own("acks.a"), 3);
    make_topic(own("acks.b"), 1);
    assert_ok(producer_topic_open(p, own("acks.a"), &t, &err), err);
    assert_ok(producer_topic_open(p, own("acks.b"), &other, &err), err);
    assert_ok(producer_topic_open(p, own("acks.a"), &again, &err), err);
    assert_ptr_equal(t, again);
    assert_int_equal(producer_topic_partitions(t), 3);
    assert_int_equal(producer_topic_index(t), 0);
    assert_int_equal(producer_topic_index(other), 1);
    assert_ptr_equal(producer_topic_at(p, 1), other);
    assert_null(producer_topic_at(p, 2));
    assert_string_equal(producer_topic_name(t), own("acks.a"));
    for (uint64_t i = 0; i < 300; i++)
        assert_ok(
            producer_send(p, t, (int32_t)(i % 3), &i, sizeof(i), &i, sizeof(i), NULL, 0, UINT64_C(1) << 40 | i, &err),
            err);
    assert_int_equal(drain(p, acks, 300, &err), 300);
    for (int i = 0; i < 300; i++) {
        uint64_t n = acks[i].tag & 0xffffffff;

        assert_int_equal(acks[i].tag >> 40, 1);
        assert_int_equal(acks[i].topic, 0);
        assert_int_equal(acks[i].partition, (int)(n % 3));
        assert_int_equal(acks[i].offset, next[n % 3]++);
        assert_true(!next[n % 3] || n >= newest[n % 3]);
        newest[n % 3] = n;
    }
    assert_int_equal(producer_in_flight(p), 0);
    assert_true(producer_queue_fill(p) == 0.0);
    assert_int_equal(producer_poll_acks(p, acks, 300, 0, &err), 0);
    producer_free(p, 1000);
}

/* Values from Java: Utils.toPositive(Utils.murmur2(key)) % partitions. The hashes are those of Kafka's own UtilsTest.
 */
static void partitions_are_javas(void **state)
{
    static const struct {
        const char *key;
        int32_t hash;
    } known[] = {{"21", -973932308},
                 {"foobar", -790332482},
                 {"a-little-bit-long-string", -985981536},
                 {"a-little-bit-longer-string", -1486304829},
                 {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                 {"abc", 479470107}};
    struct producer *p = open_producer(0, 0, 0);
    struct producer_topic *t;
    struct err err = ERR_INIT;

    (void)state;
    make_topic(own("murmur"), 97);
    assert_ok(producer_topic_open(p, own("murmur"), &t, &err), err);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_int_equal(producer_partition(t, known[i].key, strlen(known[i].key)), (known[i].hash & 0x7fffffff) % 97);
    assert_int_equal(producer_partition(t, NULL, 0), 0);
    producer_free(p, 0);
}

struct poller {
    struct producer *p;
    atomic_int taken;
    atomic_bool go, end;
};

static void *poll_thread(void *arg)
{
    struct poller *q = arg;
    struct ack acks[64];

    while (!atomic_load(&q->end)) {
        if (!atomic_load(&q->go)) {
            clock_sleep_ms(2);
            continue;
        }
        int n = producer_poll_acks(q->p, acks, 64, 20, NULL);

        if (n > 0)
            atomic_fetch_add(&q->taken, n);
    }
    return NULL;
}

static void a_full_queue_waits(void **state)
{
    struct poller q = {.p = open_producer(0, 100, 0)};
    struct producer_topic *t;
    struct err err = ERR_INIT;
    pthread_t thread;

    (void)state;
    make_topic(own("full"), 2);
    assert_ok(producer_topic_open(q.p, own("full"), &t, &err), err);
    for (int i = 0; i < 100; i++)
        assert_ok(producer_send(q.p, t, i % 2, "k", 1, "v", 1, NULL, 0, 0, &err), err);
    assert_true(producer_queue_fill(q.p) == 1.0);
    stop_request();
    assert_int_equal(producer_send(q.p, t, 0, "k", 1, "v", 1, NULL, 0, 0, &err), -1);
    assert_int_equal(err.code, ERR_STOPPED);
    stop_reset();
    pthread_create(&thread, NULL, poll_thread, &q);
    atomic_store(&q.go, true);
    for (int i = 0; i < 2000; i++)
        assert_ok(producer_send(q.p, t, i % 2, "k", 1, "v", 1, NULL, 0, 0, &err), err);
    for (int i = 0; i < 1000 && atomic_load(&q.taken) < 2100; i++)
        clock_sleep_ms(10);
    assert_int_equal(atomic_load(&q.taken), 2100);
    atomic_store(&q.end, true);
    pthread_join(thread, NULL);
    producer_free(q.p, 1000);
}

static void bytes_are_bounded_too(void **state)
{
    static char big[10000];
    struct producer *p = open_producer(50000, 1000, 0);
    struct producer_topic *t;
    struct err err = ERR_INIT;

    (void)state;
    make_topic(own("bytes"), 1);
    assert_ok(producer_topic_open(p, own("bytes"), &t, &err), err);
    for (int i = 0; i < 5; i++)
        assert_ok(producer_send(p, t, 0, NULL, 0, big, sizeof(big), NULL, 0, 0, &err), err);
    stop_request();
    assert_int_equal(producer_send(p, t, 0, NULL, 0, big, sizeof(big), NULL, 0, 0, &err), -1);
    assert_int_equal(err.code, ERR_STOPPED);
    stop_reset();
    producer_free(p, 2000);
}

/* Records wait while a batch is under way; those with headers among them keep their place. */
static void order_survives_batches(void **state)
{
    enum { N = 20000 };
    struct poller q = {.p = open_producer(0, 0, 0)};
    struct kafka_header header = {"n", "x", 1};
    struct producer_topic *t;
    struct err err = ERR_INIT;
    struct ack *acks = xcalloc(N, sizeof(*acks));
    char value[300] = {0};
    int next[2] = {0};

    (void)state;
    make_topic(own("order"), 2);
    assert_ok(producer_topic_open(q.p, own("order"), &t, &err), err);
    for (uint64_t i = 0; i < N; i++)
        assert_ok(producer_send(q.p, t, (int32_t)(i % 2), &i, sizeof(i), i % 5 ? value : NULL, i % 5 ? i % 300 : 0,
                                &header, i % 7 == 0, i, &err),
                  err);
    assert_int_equal(drain(q.p, acks, N, &err), N);
    for (int i = 0; i < N; i++) {
        int p = acks[i].partition;

        assert_int_equal(acks[i].tag, next[p] * 2 + p);
        assert_int_equal(acks[i].offset, next[p]++);
    }
    free(acks);
    producer_free(q.p, 1000);
}

/* Passing answers are retried without loss, without a second copy and in order. */
static void passing_errors_pass(void **state)
{
    static const rd_kafka_resp_err_t passing[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS};
    struct producer *p = open_producer(0, 0, 0);
    struct producer_topic *t;
    struct err err = ERR_INIT;
    struct ack acks[500];

    (void)state;
    make_topic(own("passing"), 1);
    assert_ok(producer_topic_open(p, own("passing"), &t, &err), err);
    rd_kafka_mock_push_request_errors_array(kafka_mock_cluster(NULL), 0, 4, passing);
    for (uint64_t i = 0; i < 500; i++)
        assert_ok(producer_send(p, t, 0, &i, sizeof(i), &i, sizeof(i), NULL, 0, i, &err), err);
    assert_int_equal(drain(p, acks, 500, &err), 500);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(acks[i].tag, i);
        assert_int_equal(acks[i].offset, i);
    }
    producer_free(p, 1000);
}

static void a_refused_record_ends_the_producer(void **state)
{
    static const rd_kafka_resp_err_t refused[] = {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE};
    struct producer *p = open_producer(0, 0, 0);
    struct producer_topic *t;
    struct err err = ERR_INIT;
    struct ack acks[10];

    (void)state;
    make_topic(own("refused"), 1);
    assert_ok(producer_topic_open(p, own("refused"), &t, &err), err);
    rd_kafka_mock_push_request_errors_array(kafka_mock_cluster(NULL), 0, 1, refused);
    assert_ok(producer_send(p, t, 0, "k", 1, "v", 1, NULL, 0, 7, &err), err);
    assert_int_equal(drain(p, acks, 1, &err), -1);
    assert_int_equal(err.code, ERR_KAFKA_FATAL);
    assert_non_null(strstr(err.text, "max.message.bytes"));
    /* Nothing may follow it: the partition would miss one in the middle. */
    err_clear(&err);
    assert_int_equal(producer_send(p, t, 0, "k", 1, "v", 1, NULL, 0, 8, &err), -1);
    assert_int_equal(err.code, ERR_KAFKA_FATAL);
    producer_free(p, 1000);
}

/* Records that waited behind a refused batch must not come after it: the partition holds a prefix. */
static void what_waits_behind_a_refusal_stays(void **state)
{
    static const rd_kafka_resp_err_t refused[] = {RD_KAFKA_RESP_ERR_NO_ERROR,
                                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED};
    struct consumer_options options = {.kafka = CLUSTER_OPTIONS};
    struct producer *p = open_producer(0, 0, 0);
    struct consumer *c;
    struct producer_topic *t;
    struct err err = ERR_INIT;
    struct ack acks[100];
    int64_t low, high, acked = 0;
    int n;

    (void)state;
    make_topic(own("behind"), 1);
    assert_ok(producer_topic_open(p, own("behind"), &t, &err), err);
    rd_kafka_mock_push_request_errors_array(kafka_mock_cluster(NULL), 0, 2, refused);
    for (uint64_t i = 0; i < 20000; i++)
        if (producer_send(p, t, 0, "k", 1, "v", 1, NULL, 0, i, &err))
            break;
    for (int64_t end = clock_mono_us() + 20000000; clock_mono_us() < end;) {
        n = producer_poll_acks(p, acks, 100, 50, &err);
        if (n < 0)
            break;
        for (int i = 0; i < n; i++)
            assert_int_equal(acks[i].tag, acked++);
    }
    assert_int_equal(n, -1);
    assert_int_equal(err.code, ERR_KAFKA_FATAL);
    assert_true(acked < 20000);
    producer_free(p, 1000);
    assert_ok(consumer_new(&c, &options, &err), err);
    assert_ok(consumer_watermarks(c, own("behind"), 0, &low, &high, &err), err);
    assert_int_equal(high, acked);
    consumer_free(c);
}

static void a_record_above_the_limit_is_refused_at_once(void **state)
{
    struct producer *p = open_producer(0, 0, 1000000);
    struct producer_topic *t;
    struct err err = ERR_INIT;
    char *big = xcalloc(1, 1100000);

    (void)state;
    make_topic(own("large"), 1);
    assert_ok(producer_topic_open(p, own("large"), &t, &err), err);
    assert_int_equal(producer_send(p, t, 0, "k", 1, big, 1100000, NULL, 0, 0, &err), -1);
    assert_int_equal(err.code, ERR_KAFKA_FATAL);
    assert_non_null(strstr(err.text, "large"));
    assert_int_equal(producer_in_flight(p), 0);
    free(big);
    producer_free(p, 0);
}

static void what_cannot_be_set_is_named(void **state)
{
    struct kafka_property bad[] = {{"no.such.thing", "1"}}, owned[] = {{"acks", "0"}};
    struct producer_options o = {.kafka = {.brokers = "mock://", .properties = bad, .n_properties = 1}};
    struct producer *p;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(producer_new(&p, &o, &err), -1);
    assert_int_equal(err.code, ERR_KAFKA_CONFIG);
    assert_non_null(strstr(err.text, "no.such.thing"));
    o.kafka.properties = owned;
    assert_int_equal(producer_new(&p, &o, &err), -1);
    assert_non_null(strstr(err.text, "acks"));
    o.kafka.n_properties = 0;
    o.kafka.brokers = NULL;
    assert_int_equal(producer_new(&p, &o, &err), -1);
    assert_int_equal(err.code, ERR_KAFKA_CONFIG);
    o.kafka.brokers = "127.0.0.1:1";
    o.kafka.security = "carrier_pigeon";
    assert_int_equal(producer_new(&p, &o, &err), -1);
    assert_non_null(strstr(err.text, "carrier_pigeon"));
}

static void the_mock_backlog_falls_by_commits(void **state)
{
    (void)state;
    assert_int_equal(kafka_mock_backlog("ledger"), 0);
    for (int i = 0; i < 1000; i++)
        kafka_mock_produced("ledger", 0, i, 10);
    kafka_mock_produced("ledger", 1, 0, 10);
    assert_int_equal(kafka_mock_backlog("ledger"), 10000);
    kafka_mock_committed("ledger", 0, 990);
    assert_int_equal(kafka_mock_backlog("ledger"), 100);
    kafka_mock_committed("ledger", 0, 5);
    assert_int_equal(kafka_mock_backlog("ledger"), 100);
    kafka_mock_committed("ledger", 0, 5000);
    assert_int_equal(kafka_mock_backlog("ledger"), 10);
    for (int i = 0; i < 250000; i++)
        kafka_mock_produced("ledger", 0, 6000 + i, 1);
    assert_int_equal(kafka_mock_backlog("ledger"), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acks_carry_tags_and_offsets), cmocka_unit_test(partitions_are_javas),
        cmocka_unit_test(a_full_queue_waits),          cmocka_unit_test(bytes_are_bounded_too),
        cmocka_unit_test(order_survives_batches),      cmocka_unit_test(a_record_above_the_limit_is_refused_at_once),
        cmocka_unit_test(what_cannot_be_set_is_named),
    };
    const struct CMUnitTest on_mock[] = {
        cmocka_unit_test(passing_errors_pass),
        cmocka_unit_test(a_refused_record_ends_the_producer),
        cmocka_unit_test(what_waits_behind_a_refusal_stays),
        cmocka_unit_test(the_mock_backlog_falls_by_commits),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    if (cluster_is_mock())
        rc |= cmocka_run_group_tests(on_mock, NULL, NULL);
    kafka_mock_stop();
    return rc;
}
