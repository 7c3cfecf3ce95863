/* test_consumer: groups that share partitions, offsets, headers, ends; all against the mock cluster. */
#include "unit/kafka/mock_topic.h"

static struct consumer *open_consumer(const char *group, const char *const *topics, size_t n)
{
    struct consumer_options o = {
        .kafka = CLUSTER_OPTIONS, .group = group, .topics = topics, .n_topics = n, .session_timeout_ms = 6000};
    struct consumer *c;
    struct err err = ERR_INIT;

    assert_ok(consumer_new(&c, &o, &err), err);
    return c;
}

/* Polls until a notice of that kind; records before it are counted. */
static size_t await_notice(struct consumer *c, enum consumer_notice want)
{
    int64_t end = clock_mono_us() + 30000000;
    struct err err = ERR_INIT;
    size_t seen = 0;

    while (clock_mono_us() < end) {
        struct record_batch *b;
        enum consumer_notice got;

        assert_ok(consumer_poll_batch(c, &b, 100, 100, &got, &err), err);
        seen += record_batch_count(b);
        record_batch_free(b);
        if (got == want)
            return seen;
        assert_true(got == CONSUMER_IDLE || got == CONSUMER_RECORDS);
    }
    fail_msg("no notice %d", want);
    return 0;
}

static void reads_given_partitions(void **state)
{
    struct consumer *c = open_consumer(NULL, NULL, 0);
    const char *topic = own("given");
    struct topic_partition parts[] = {{topic, 0, 5}, {topic, 1, -1}};
    struct err err = ERR_INIT;
    int64_t next[2] = {5, 0}, low, high, end = clock_mono_us() + 20000000;

    (void)state;
    make_topic(topic, 2);
    fill(topic, 0, 0, 20);
    fill(topic, 1, 100, 10);
    assert_ok(consumer_watermarks(c, topic, 0, &low, &high, &err), err);
    assert_int_equal(low, 0);
    assert_int_equal(high, 20);
    assert_ok(consumer_assign(c, parts, 2, &err), err);
    while ((next[0] < 20 || next[1] < 10) && clock_mono_us() < end) {
        struct record_batch *b;
        enum consumer_notice got;

        assert_ok(consumer_poll_batch(c, &b, 7, 100, &got, &err), err);
        assert_true(record_batch_count(b) <= 7);
        for (size_t i = 0; i < record_batch_count(b); i++) {
            const struct record *r = record_batch_at(b, i);
            char text[32];

            assert_ptr_equal(r->topic, consumer_topic(c, topic));
            assert_int_equal(r->offset, next[r->partition]++);
            snprintf(text, sizeof(text), "%d", (int)r->offset + (r->partition ? 100 : 0));
            assert_int_equal(r->value_len, strlen(text));
            assert_memory_equal(r->value, text, r->value_len);
            assert_memory_equal(r->key, text, r->key_len);
            assert_true(r->timestamp_ms > 0);
        }
        record_batch_free(b);
    }
    assert_int_equal(next[0], 20);
    assert_int_equal(next[1], 10);
    consumer_free(c);
}

static void headers_and_tombstones_arrive(void **state)
{
    struct kafka_header headers[] = {{"id", "abc", 3}, {"n", "\0\1", 2}}, got[4];
    struct producer *p = open_producer(0, 0, 0);
    struct producer_topic *t;
    const char *topic = own("headers");
    struct topic_partition part = {topic, 0, 0};
    struct consumer *c = open_consumer(NULL, NULL, 0);
    struct err err = ERR_INIT;
    struct ack acks[2];
    int n = 0;

    (void)state;
    make_topic(topic, 1);
    assert_ok(producer_topic_open(p, topic, &t, &err), err);
    assert_ok(producer_send(p, t, 0, "key", 3, NULL, 0, headers, 2, 1, &err), err);
    assert_ok(producer_send(p, t, 0, "key", 3, "", 0, NULL, 0, 2, &err), err);
    assert_int_equal(drain(p, acks, 2, &err), 2);
    producer_free(p, 1000);
    assert_ok(consumer_assign(c, &part, 1, &err), err);
    for (int64_t end = clock_mono_us() + 20000000; n < 2 && clock_mono_us() < end;) {
        struct record_batch *b;
        enum consumer_notice notice;

        assert_ok(consumer_poll_batch(c, &b, 1, 100, &notice, &err), err);
        if (record_batch_count(b)) {
            const struct record *r = record_batch_at(b, 0);
            const void *value;
            size_t len;

            if (n++ == 0) {
                assert_null(r->value);
                assert_int_equal(record_headers(r, got, 4), 2);
                assert_string_equal(got[0].name, "id");
                assert_int_equal(got[1].len, 2);
                assert_true(record_header(r, "id", &value, &len));
                assert_int_equal(len, 3);
                assert_memory_equal(value, "abc", 3);
                assert_false(record_header(r, "other", &value, &len));
            } else {
                assert_int_equal(record_headers(r, got, 4), 0);
            }
        }
        record_batch_free(b);
    }
    assert_int_equal(n, 2);
    consumer_free(c);
}

/* One member has all; a second one comes: the first is asked, finishes, commits, lets go; both together read the rest
 * once. */
/* How many partitions a member has after one more poll. A share other than half is taken and given up as the group
 * wants; half is left for the caller to take. */
static size_t share_of(struct consumer *c, size_t had)
{
    const struct topic_partition *changed;
    struct record_batch *batch;
    enum consumer_notice got;
    struct err err = ERR_INIT;

    assert_ok(consumer_poll_batch(c, &batch, 10, 10, &got, &err), err);
    record_batch_free(batch);
    if (got == CONSUMER_ASSIGNED)
        had = consumer_changed(c, &changed);
    else if (got == CONSUMER_REVOKED || got == CONSUMER_LOST)
        had = 0;
    else
        return had;
    if (had != 2)
        assert_ok(consumer_assignment_done(c, NULL, 0, &err), err);
    return had;
}

static void two_members_share(void **state)
{
    const char *topic = own("shared"), *group = own("sharing");
    const struct topic_partition *changed;
    struct topic_partition offsets[4];
    struct consumer *a, *b;
    struct err err = ERR_INIT;
    size_t na, nb, seen = 0;

    (void)state;
    make_topic(topic, 4);
    for (int p = 0; p < 4; p++)
        fill(topic, p, 0, 25);
    a = open_consumer(group, &topic, 1);
    await_notice(a, CONSUMER_ASSIGNED);
    assert_int_equal(consumer_changed(a, &changed), 4);
    assert_ok(consumer_assignment_done(a, NULL, 0, &err), err);
    for (int64_t end = clock_mono_us() + 20000000; seen < 100 && clock_mono_us() < end;) {
        struct record_batch *batch;
        enum consumer_notice got;

        assert_ok(consumer_poll_batch(a, &batch, 1000, 100, &got, &err), err);
        seen += record_batch_count(batch);
        record_batch_free(batch);
    }
    assert_int_equal(seen, 100);
    b = open_consumer(group, &topic, 1);
    for (int64_t end = clock_mono_us() + 30000000; clock_mono_us() < end;) {
        struct record_batch *batch;
        enum consumer_notice got;

        assert_ok(consumer_poll_batch(b, &batch, 10, 10, &got, &err), err);
        assert_int_equal(got, CONSUMER_IDLE); /* nothing before the first has let go */
        assert_ok(consumer_poll_batch(a, &batch, 10, 10, &got, &err), err);
        if (got == CONSUMER_REVOKED)
            break;
        assert_int_equal(got, CONSUMER_IDLE);
    }
    assert_int_equal(consumer_changed(a, &changed), 4);
    for (size_t i = 0; i < 4; i++) {
        offsets[i] = changed[i];
        offsets[i].offset = 20; /* five of each are not finished */
    }
    assert_ok(consumer_commit(a, offsets, 4, &err), err);
    assert_ok(consumer_assignment_done(a, NULL, 0, &err), err);
    assert_int_equal(consumer_assignment_done(a, NULL, 0, NULL), -1);
    /* whoever joins again first may have all of them for a moment */
    na = nb = 0;
    for (int64_t end = clock_mono_us() + 30000000; (na != 2 || nb != 2) && clock_mono_us() < end;) {
        na = share_of(a, na);
        nb = share_of(b, nb);
    }
    assert_int_equal(na, 2);
    assert_int_equal(nb, 2);
    assert_ok(consumer_assignment_done(a, NULL, 0, &err), err);
    assert_ok(consumer_assignment_done(b, NULL, 0, &err), err);
    seen = 0;
    for (int64_t end = clock_mono_us() + 20000000; seen < 20 && clock_mono_us() < end;) {
        struct record_batch *batch;
        enum consumer_notice got;

        assert_ok(consumer_poll_batch(seen % 2 ? a : b, &batch, 1, 50, &got, &err), err);
        for (size_t i = 0; i < record_batch_count(batch); i++)
            assert_true(record_batch_at(batch, i)->offset >= 20);
        seen += record_batch_count(batch);
        record_batch_free(batch);
        assert_ok(consumer_poll_batch(seen % 2 ? b : a, &batch, 100, 50, &got, &err), err);
        seen += record_batch_count(batch);
        record_batch_free(batch);
    }
    assert_int_equal(seen, 20);
    /* A watcher of the group, without being a member. */
    struct consumer *watcher = open_consumer(group, NULL, 0);
    struct topic_partition asked[2] = {{topic, 0, 0}, {own("given"), 0, 0}};

    assert_ok(consumer_committed(watcher, asked, 2, &err), err);
    assert_int_equal(asked[0].offset, 20);
    assert_int_equal(asked[1].offset, -1);
    consumer_free(watcher);
    consumer_free(b);
    consumer_free(a);
}

static void starts_can_be_chosen(void **state)
{
    const char *name = own("starts"), *topic;
    char expression[120];
    struct topic_partition start = {name, 0, 7};
    struct consumer *c;
    struct err err = ERR_INIT;
    struct record_batch *b;
    enum consumer_notice got;

    (void)state;
    snprintf(expression, sizeof(expression), "^%s$", name);
    topic = expression;
    make_topic(name, 1);
    fill(name, 0, 0, 10);
    c = open_consumer(own("starting"), &topic, 1);
    await_notice(c, CONSUMER_ASSIGNED);
    assert_ok(consumer_assignment_done(c, &start, 1, &err), err);
    do {
        assert_ok(consumer_poll_batch(c, &b, 1, 100, &got, &err), err);
    } while (got == CONSUMER_IDLE);
    assert_int_equal(record_batch_at(b, 0)->offset, 7);
    record_batch_free(b);
    assert_ok(consumer_pause(c, true, &err), err);
    assert_ok(consumer_pause(c, false, &err), err);
    consumer_free(c);
}

/* A reader must hear of records that were deleted before it read them. */
static void an_offset_that_is_gone_is_an_error(void **state)
{
    const char *topic = own("gone");
    struct topic_partition part = {topic, 0, 500};
    struct consumer *c = open_consumer(NULL, NULL, 0);
    struct err err = ERR_INIT;
    int rc = 0;

    (void)state;
    make_topic(topic, 1);
    fill(topic, 0, 0, 10);
    assert_ok(consumer_assign(c, &part, 1, &err), err);
    for (int64_t end = clock_mono_us() + 20000000; !rc && clock_mono_us() < end;) {
        struct record_batch *b;
        enum consumer_notice got;

        rc = consumer_poll_batch(c, &b, 10, 100, &got, &err);
        record_batch_free(b);
    }
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, ERR_KAFKA_FATAL);
    assert_non_null(strstr(err.text, "gone, partition 0"));
    consumer_free(c);
}

static void a_wake_ends_a_wait(void **state)
{
    struct consumer *c = open_consumer(NULL, NULL, 0);
    struct record_batch *b;
    enum consumer_notice got;
    int64_t begin = clock_mono_us();
    struct err err = ERR_INIT;

    (void)state;
    consumer_wake(c);
    assert_ok(consumer_poll_batch(c, &b, 10, 5000, &got, &err), err);
    assert_int_equal(got, CONSUMER_IDLE);
    assert_true(clock_mono_us() - begin < 3000000);
    consumer_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_given_partitions),
        cmocka_unit_test(headers_and_tombstones_arrive),
        cmocka_unit_test(two_members_share),
        cmocka_unit_test(starts_can_be_chosen),
        cmocka_unit_test(an_offset_that_is_gone_is_an_error),
        cmocka_unit_test(a_wake_ends_a_wait),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    kafka_mock_stop();
    return rc;
}
