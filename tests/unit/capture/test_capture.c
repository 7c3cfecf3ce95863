/* test_capture: what is in the topics after a run, after a second one, and after runs that ended badly (C1, C2). */
#include "unit/capture/rig.h"

#include "base/log.h"
#include "base/metric.h"
#include "base/stop.h"
#include "kafka/kafka_client.h"

static void every_row_is_published_once(void **state)
{
    struct small_log l;
    struct rig r;
    struct checkpoint c;

    (void)state;
    rig_init(&r, "once");
    small_log_start(&l);
    small_log_random(&l, 1, 120);
    small_log_save(&l, r.log);
    rig_run_ok(&r);
    rig_check_table(&r, &l, "users", 3);
    rig_check_table(&r, &l, "rides", 3);
    assert_true(metric_sum(M_CAPTURE_FILTERED) > 50);
    rig_checkpoint(&r, &c);
    assert_int_equal(c.n_topics, 2);
    assert_int_equal(c.position.offset, l.h.position);
    assert_true(c.epoch > 0);
    {
        double before = metric_sum(M_CAPTURE_EVENTS);

        rig_run_ok(&r); /* nothing new */
        assert_true(metric_sum(M_CAPTURE_EVENTS) == before);
    }
    rig_check_table(&r, &l, "users", 3);
    small_log_random(&l, 2, 30); /* the file grew */
    small_log_save(&l, r.log);
    rig_run_ok(&r);
    rig_check_table(&r, &l, "users", 3);
    rig_check_table(&r, &l, "rides", 3);
    checkpoint_release(&c);
    small_log_release(&l);
    rig_release(&r);
}

/* Fails at many places, with and without a last checkpoint; what follows completes it exactly. */
static void bad_ends_lose_nothing_and_repeat_nothing(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct small_log l;
        struct rig r;
        char prefix[32], spec[128];
        int failed = 0;

        snprintf(prefix, sizeof(prefix), "bad%u", i);
        rig_init(&r, prefix);
        if (i % 3 == 2)
            r.options.profile = AVRO_PROFILE_DEBEZIUM;
        r.options.transaction_topic = i % 2;
        small_log_start(&l);
        small_log_random(&l, 100 + i, 80);
        small_log_save(&l, r.log);
        for (unsigned k = 0; k < 4; k++) {
            snprintf(spec, sizeof(spec),
                     k % 2 ? "capture.produce:%u:err;checkpoint.before:1:err;checkpoint.before:2:err"
                           : "capture.commit:%u:err;checkpoint.after:2:err",
                     3 + (i * 37 + k * 11) % 50);
            fault_setup(spec);
            failed += rig_run(&r, &err) != 0;
        }
        fault_setup("");
        assert_true(failed > 0);
        rig_run_ok(&r);
        rig_check_table(&r, &l, "users", 3);
        rig_check_table(&r, &l, "rides", 3);
        small_log_release(&l);
        rig_release(&r);
    }
}

/* The source goes away inside transactions; the same process reads them again and sends what is missing. */
static void a_lost_connection_repeats_nothing(void **state)
{
    struct small_log l;
    struct rig r;
    char spec[512] = "";
    size_t n = 0;

    (void)state;
    rig_init(&r, "lost");
    r.options.transaction_topic = true;
    r.options.checkpoint_interval_ms = 100000;
    small_log_start(&l);
    small_log_random(&l, 9, 60);
    small_log_save(&l, r.log);
    for (int i = 0; i < 4; i++) /* every reading passes more events than the one before */
        n += (size_t)snprintf(spec + n, sizeof(spec) - n, "%ssource.fetch:%d:err", i ? ";" : "", 60 + 120 * i + i);
    fault_setup(spec);
    rig_run_ok(&r);
    fault_setup("");
    rig_check_table(&r, &l, "users", 3);
    rig_check_table(&r, &l, "rides", 3);
    assert_true(metric_sum(M_CAPTURE_RECONNECTS) >= 4);
    small_log_release(&l);
    rig_release(&r);
}

static void a_table_without_key_comes_once_too(void **state)
{
    struct small_log l;
    struct rig r;
    struct err err = ERR_INIT;

    (void)state;
    rig_init(&r, "keyless");
    small_log_start(&l);
    for (int64_t t = 0; t < 20; t++) {
        int64_t ids[] = {t, t, t + 1};

        small_log_begin(&l);
        small_log_map(&l, 90, "shop", "keyless");
        small_log_rows(&l, 90, "keyless", t % 4 == 3 ? 'd' : t % 4 == 2 ? 'u' : 'c', ids, 3);
        small_log_commit(&l);
    }
    small_log_save(&l, r.log);
    fault_setup("capture.produce:31:err;checkpoint.before:1:err;checkpoint.before:2:err");
    assert_int_equal(rig_run(&r, &err), -1);
    fault_setup("");
    rig_run_ok(&r);
    rig_check_table(&r, &l, "keyless", 3);
    small_log_release(&l);
    rig_release(&r);
}

static void an_alter_goes_on_with_the_new_shape(void **state)
{
    struct seen_list s = {.n = 0};
    struct small_log l;
    struct rig r;
    int64_t ids[] = {1, 2, 3};

    (void)state;
    rig_init(&r, "alter");
    r.options.partitions = 1;
    small_log_start(&l);
    for (int k = 0; k < 2; k++) {
        small_log_begin(&l);
        small_log_map(&l, 70, "shop", "users");
        small_log_rows(&l, 70, "users", k ? 'u' : 'c', ids, 3);
        small_log_commit(&l);
        if (!k)
            small_log_statement(&l, "ALTER TABLE users ADD stars INT");
        l.columns = 3;
    }
    small_log_save(&l, r.log);
    rig_run_ok(&r);
    rig_check_table(&r, &l, "users", 1);
    rig_read(&r, &s, "users", 1);
    assert_int_equal(s.n, 6);
    assert_int_equal(s.list[0].schema, s.list[2].schema);
    assert_int_not_equal(s.list[2].schema, s.list[3].schema);
    free(s.list);
    small_log_release(&l);
    rig_release(&r);
}

struct texts {
    char *list[64];
    size_t n;
};

static int take_text(void *arg, const struct record *record, struct err *err)
{
    struct texts *t = arg;

    (void)err;
    assert_true(t->n < 64);
    t->list[t->n++] = xasprintf("%.*s|%.*s", (int)record->key_len, (const char *)record->key, (int)record->value_len,
                                (const char *)record->value);
    return 0;
}

static void read_texts(struct rig *r, struct texts *t, const char *suffix)
{
    struct consumer_options o = {.kafka = r->options.producer.kafka};
    char *topic = xasprintf("%s.%s", r->prefix, suffix);
    struct topic_tail_part part = {.topic = topic};
    struct consumer *c;
    struct err err = ERR_INIT;

    t->n = 0;
    assert_int_equal(consumer_new(&c, &o, &err), 0);
    if (topic_tail_look(c, &part, 1, &err) || topic_tail_read(c, &part, 1, take_text, t, &err))
        fail_msg("%s", err.text);
    consumer_free(c);
    free(topic);
}

static void statements_become_events(void **state)
{
    struct seen_list s = {.n = 0};
    struct small_log l;
    struct texts t;
    struct rig r;
    int64_t ids[] = {1, 2, 3, 4, 5, 6};

    (void)state;
    rig_init(&r, "ddl");
    r.options.partitions = 2;
    small_log_start(&l);
    small_log_statement(&l, "CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(80))");
    small_log_begin(&l);
    small_log_map(&l, 70, "shop", "users");
    small_log_rows(&l, 70, "users", 'c', ids, 6);
    small_log_commit(&l);
    small_log_statement(&l, "CREATE USER eve IDENTIFIED BY 'secret'");
    small_log_statement(&l, "TRUNCATE TABLE users");
    small_log_statement(&l, "TRUNCATE TABLE other.noise");
    small_log_save(&l, r.log);
    rig_run_ok(&r);
    rig_run_ok(&r);
    rig_read(&r, &s, "users", 2);
    assert_int_equal(s.n, 8); /* a truncate event in each partition */
    for (int32_t p = 0; p < 2; p++) {
        const struct seen *last = NULL;

        for (size_t i = 0; i < s.n; i++)
            if (s.list[i].partition == p && (!last || s.list[i].offset > last->offset))
                last = &s.list[i];
        assert_non_null(last);
        assert_int_equal(last->transaction, 4);
        assert_int_equal(last->key, -1);
    }
    free(s.list);
    read_texts(&r, &t, "pillion.schema-changes");
    assert_int_equal(t.n, 2);
    assert_non_null(strstr(t.list[0], "shop|{\"source\":{\"name\":\"ddl\""));
    assert_non_null(
        strstr(t.list[0], "\"table\":\"users\",\"kind\":\"CREATE_TABLE\",\"ddl\":\"CREATE TABLE users (id"));
    assert_non_null(strstr(t.list[1], "\"kind\":\"TRUNCATE_TABLE\""));
    for (size_t i = 0; i < t.n; i++)
        free(t.list[i]);
    small_log_release(&l);
    rig_release(&r);
}

/* No row of the table came since the start: the truncate event takes its schema from the topic. */
static void a_table_of_unknown_shape_is_truncated(void **state)
{
    for (int k = 0; k < 2; k++) {
        struct seen_list s = {.n = 0};
        struct small_log l;
        struct rig r;
        int64_t ids[] = {1, 2, 3, 4, 5, 6};

        (void)state;
        rig_init(&r, k ? "blindd" : "blind");
        r.options.profile = k ? AVRO_PROFILE_DEBEZIUM : AVRO_PROFILE_NATIVE;
        r.options.transaction_topic = true;
        small_log_start(&l);
        small_log_begin(&l);
        small_log_map(&l, 70, "shop", "users");
        small_log_rows(&l, 70, "users", 'c', ids, 6);
        small_log_commit(&l);
        small_log_save(&l, r.log);
        rig_run_ok(&r);
        small_log_statement(&l, "TRUNCATE shop.users");
        small_log_statement(&l, "TRUNCATE shop.never_seen");
        small_log_save(&l, r.log);
        rig_run_ok(&r);
        rig_read(&r, &s, "users", 3);
        assert_int_equal(s.n, 9);
        for (size_t i = 0; i < s.n; i++) {
            assert_int_equal(s.list[i].schema, s.list[0].schema);
            if (s.list[i].key < 0)
                assert_int_equal(s.list[i].transaction, 2);
        }
        free(s.list);
        small_log_release(&l);
        rig_release(&r);
    }
}

static void transactions_have_a_topic_of_their_own(void **state)
{
    struct small_log l;
    struct texts t;
    struct rig r;
    struct err err = ERR_INIT;
    int64_t ids[] = {1, 2};

    (void)state;
    rig_init(&r, "txn");
    r.options.transaction_topic = true;
    small_log_start(&l);
    for (int k = 0; k < 3; k++) {
        small_log_begin(&l);
        small_log_map(&l, 72, k == 1 ? "other" : "shop", "users"); /* the second leaves nothing */
        small_log_rows(&l, 72, k == 1 ? NULL : "users", 'c', ids, 2);
        small_log_commit(&l);
    }
    small_log_save(&l, r.log);
    fault_setup("capture.produce:6:err;checkpoint.before:1:err"); /* before the second END */
    assert_int_equal(rig_run(&r, &err), -1);
    fault_setup("");
    rig_run_ok(&r);
    rig_check_table(&r, &l, "users", 3);
    read_texts(&r, &t, "transaction");
    assert_int_equal(t.n, 4);
    for (size_t i = 0; i < 4; i++) {
        /* magic, id, then the status with its length */
        const char *value = strchr(t.list[i], '|');

        assert_non_null(value);
        free(t.list[i]);
    }
    small_log_release(&l);
    rig_release(&r);
}

static void what_cannot_go_on_says_why(void **state)
{
    struct small_log l;
    struct checkpoint c;
    struct rig r;
    struct err err = ERR_INIT;
    char *topic;

    (void)state;
    rig_init(&r, "stop");
    small_log_start(&l);
    small_log_random(&l, 5, 20);
    small_log_statement(&l, "INSERT INTO users VALUES (1, 'x')");
    small_log_save(&l, r.log);
    assert_int_equal(rig_run(&r, &err), -1);
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "binlog_format"));
    rig_check_table(&r, &l, "users", 3); /* what was before is there */
    /* A checkpoint of more partitions than the topic has. */
    rig_checkpoint(&r, &c);
    checkpoint_set_end(&c, "stop.shop.users", 5, 0);
    topic = checkpoint_log_topic("stop");
    assert_int_equal(checkpoint_log_write(&r.options.producer.kafka, topic, &c, &err), 0);
    assert_int_equal(rig_run(&r, &err), -1);
    assert_int_equal(err.code, ERR_EPOCH);
    assert_non_null(strstr(err.text, "had 6 partitions"));
    checkpoint_release(&c);
    free(topic);
    small_log_release(&l);
    rig_release(&r);
}

static void a_topic_made_anew_begins_an_epoch(void **state)
{
    struct small_log l;
    struct checkpoint c, d;
    struct rig r;
    struct err err = ERR_INIT;
    char *topic = checkpoint_log_topic("epoch");

    (void)state;
    rig_init(&r, "epoch");
    small_log_start(&l);
    small_log_random(&l, 6, 20);
    small_log_save(&l, r.log);
    rig_run_ok(&r);
    rig_checkpoint(&r, &c);
    checkpoint_set_end(&c, "epoch.shop.users", 0, 100000); /* as if the topic had held more */
    c.epoch = UINT32_MAX - 2;
    assert_int_equal(checkpoint_log_write(&r.options.producer.kafka, topic, &c, &err), 0);
    small_log_random(&l, 7, 5);
    small_log_save(&l, r.log);
    rig_run_ok(&r);
    rig_check_table(&r, &l, "users", 3);
    rig_checkpoint(&r, &d);
    assert_int_equal(d.epoch, UINT32_MAX - 1);
    assert_true(checkpoint_end(&d, "epoch.shop.users", 0) < 100000);
    checkpoint_release(&c);
    checkpoint_release(&d);
    free(topic);
    small_log_release(&l);
    rig_release(&r);
}

static void records_of_others_are_noticed(void **state)
{
    struct producer_options o = {.kafka = {.brokers = "mock://"}};
    struct topic_spec spec = {.name = "foreign.shop.users", .partitions = 3, .replication = 1};
    struct admin_client *admin;
    struct producer_topic *t;
    struct producer *p;
    struct small_log l;
    struct rig r;
    struct err err = ERR_INIT;
    struct ack ack;
    int n;

    (void)state;
    rig_init(&r, "foreign");
    small_log_start(&l);
    small_log_random(&l, 8, 20);
    small_log_save(&l, r.log);
    assert_int_equal(admin_client_new(&admin, &o.kafka, &err), 0);
    assert_int_equal(admin_client_ensure_topic(admin, &spec, &n, &err), 0);
    admin_client_free(admin);
    assert_int_equal(producer_new(&p, &o, &err), 0);
    assert_int_equal(producer_topic_open(p, spec.name, &t, &err), 0);
    assert_int_equal(producer_send(p, t, 1, "k", 1, "hello there", 11, NULL, 0, 1, &err), 0);
    while (producer_poll_acks(p, &ack, 1, 100, &err) == 0)
        ;
    producer_free(p, 1000);
    assert_int_equal(rig_run(&r, &err), -1);
    assert_int_equal(err.code, ERR_CHECKPOINT);
    assert_non_null(strstr(err.text, "foreign.shop.users, partition 1, offset 0"));
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
        cmocka_unit_test(every_row_is_published_once),
        cmocka_unit_test(bad_ends_lose_nothing_and_repeat_nothing),
        cmocka_unit_test(a_lost_connection_repeats_nothing),
        cmocka_unit_test(a_table_without_key_comes_once_too),
        cmocka_unit_test(an_alter_goes_on_with_the_new_shape),
        cmocka_unit_test(statements_become_events),
        cmocka_unit_test(a_table_of_unknown_shape_is_truncated),
        cmocka_unit_test(transactions_have_a_topic_of_their_own),
        cmocka_unit_test(what_cannot_go_on_says_why),
        cmocka_unit_test(a_topic_made_anew_begins_an_epoch),
        cmocka_unit_test(records_of_others_are_noticed),
    };

    log_setup(getenv("TEST_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, NULL, stop_cluster);
}
