/* Late or orphan, by checkpoints and the group's commits on the mock cluster. */
#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "kafka/admin_client.h"
#include "merge/frontier.h"
#include "sample.h"

static const struct kafka_options mock = {.brokers = "mock://"};

static void make_topic(const char *name, int partitions)
{
    struct topic_spec spec = {.name = name, .partitions = partitions, .replication = 1};
    struct admin_client *admin;
    struct err err = ERR_INIT;
    int n;

    assert_int_equal(admin_client_new(&admin, &mock, &err), 0);
    assert_int_equal(admin_client_ensure_topic(admin, &spec, &n, &err), 0);
    admin_client_free(admin);
}

static void write_checkpoint(struct producer *p, struct producer_topic *t, int64_t rides, int64_t users0,
                             int64_t users1)
{
    struct checkpoint c;
    struct buf b;
    struct ack ack;
    struct err err = ERR_INIT;

    checkpoint_init(&c);
    c.name = strdup("demo");
    checkpoint_set_end(&c, "f.shop.rides", 0, rides);
    checkpoint_set_end(&c, "f.shop.users", 0, users0);
    checkpoint_set_end(&c, "f.shop.users", 1, users1);
    buf_init(&b, 65536);
    if (checkpoint_encode(&c, &b, &err))
        fail_msg("%s", err.text);
    assert_int_equal(producer_send(p, t, 0, "demo", 4, b.data, b.len, NULL, 0, 1, &err), 0);
    while (producer_in_flight(p))
        assert_true(producer_poll_acks(p, &ack, 1, 100, &err) >= 0);
    buf_release(&b);
    checkpoint_release(&c);
}

static void commit(int64_t users0, int64_t users1)
{
    struct consumer_options o = {.kafka = mock, .group = "f-group"};
    struct topic_partition at[] = {{"f.shop.users", 0, users0}, {"f.shop.users", 1, users1}};
    struct consumer *c;
    struct err err = ERR_INIT;

    assert_int_equal(consumer_new(&c, &o, &err), 0);
    if (consumer_commit(c, at, 2, &err))
        fail_msg("%s", err.text);
    consumer_free(c);
}

static bool orphan(struct frontier *f, int64_t offset)
{
    struct err err = ERR_INIT;

    if (frontier_refresh(f, &err))
        fail_msg("%s", err.text);
    return frontier_proves_orphan(f, "f.shop.rides", 0, offset, "f.shop.users");
}

static void test_proof(void **state)
{
    struct producer_options po = {
        .kafka = mock, .queue_bytes = 1 << 20, .queue_records = 100, .compression = "none", .record_max = 1 << 20};
    struct frontier *f = frontier_new(&mock, "f-group", "f");
    struct producer_topic *topic;
    struct producer *producer;
    struct ack ack;
    struct err err = ERR_INIT;

    (void)state;
    make_topic("f.pillion.checkpoint", 1);
    make_topic("f.shop.users", 2);
    make_topic("f.shop.rides", 1);
    assert_int_equal(producer_new(&producer, &po, &err), 0);
    assert_int_equal(producer_topic_open(producer, "f.pillion.checkpoint", &topic, &err), 0);
    assert_false(orphan(f, 5)); /* without a checkpoint nothing is proved */
    write_checkpoint(producer, topic, 10, 3, 4);
    assert_false(orphan(f, 5)); /* the group has not read the users yet */
    commit(3, 3);
    assert_false(orphan(f, 5)); /* not all of them */
    commit(3, 4);
    assert_true(orphan(f, 5));
    assert_false(orphan(f, 10)); /* the ride came after the checkpoint */
    write_checkpoint(producer, topic, 11, 3, 5);
    assert_false(orphan(f, 10));
    commit(3, 5);
    assert_true(orphan(f, 10));
    assert_int_equal(producer_send(producer, topic, 0, "demo", 4, "{\"format\": 99}", 14, NULL, 0, 1, &err), 0);
    while (producer_in_flight(producer))
        assert_true(producer_poll_acks(producer, &ack, 1, 100, &err) >= 0);
    assert_true(orphan(f, 10)); /* what cannot be read changes nothing */
    producer_free(producer, 1000);
    frontier_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_proof)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    kafka_mock_stop();
    return rc;
}
