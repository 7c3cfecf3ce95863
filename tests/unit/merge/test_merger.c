/* A whole merger on the mock cluster, with the registry, the documents and the objects in a temporary folder. */
#include <pthread.h>

#include "avro/object_file.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/stop.h"
#include "kafka/admin_client.h"
#include "merge/merger.h"
#include "merge/parked.h"
#include "sample.h"

enum { PARTITIONS = 2 };

struct fixture {
    char folder[64];
    char *documents_url, *objects_url, *registry_url;
    char prefix[32];
    const char *group; /* NULL: the prefix */
    struct contract_set *contracts;
    struct registry *registry;
    struct sample_ids ids;
    struct producer *producer;
    struct producer_topic *users, *rides;
    struct merger *merger;
    pthread_t thread;
    struct err err; /* of the merger */
    int rc;
    double expected; /* records to be merged since the beginning */
};

static const struct kafka_options mock = {.brokers = "mock://"};

static void begin(struct fixture *f, const char *prefix)
{
    struct registry_options registry = {0};
    struct producer_options producer = {
        .kafka = mock, .queue_bytes = 1 << 20, .queue_records = 1000, .compression = "none", .record_max = 1 << 20};
    struct topic_spec spec = {.partitions = PARTITIONS, .replication = 1};
    struct admin_client *admin;
    struct err err = ERR_INIT;
    char name[64];
    int n;

    memset(f, 0, sizeof *f);
    sample_folder(f->folder);
    snprintf(f->prefix, sizeof f->prefix, "%s", prefix);
    f->documents_url = xasprintf("sqlite://%s/documents.db", f->folder);
    f->objects_url = xasprintf("file://%s/objects", f->folder);
    f->registry_url = xasprintf("file://%s/registry", f->folder);
    f->contracts = sample_contracts("");
    registry.url = f->registry_url;
    assert_int_equal(registry_open(&f->registry, &registry, &err), 0);
    f->ids = sample_register(f->registry);
    assert_int_equal(admin_client_new(&admin, &mock, &err), 0);
    assert_int_equal(producer_new(&f->producer, &producer, &err), 0);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s.shop.%s", prefix, i ? "rides" : "users");
        spec.name = name;
        assert_int_equal(admin_client_ensure_topic(admin, &spec, &n, &err), 0);
        assert_int_equal(producer_topic_open(f->producer, name, i ? &f->rides : &f->users, &err), 0);
    }
    admin_client_free(admin);
}

static void end(struct fixture *f)
{
    producer_free(f->producer, 1000);
    registry_close(f->registry);
    contract_set_free(f->contracts);
    sample_remove(f->folder);
    free(f->documents_url);
    free(f->objects_url);
    free(f->registry_url);
}

static void *run(void *arg)
{
    struct fixture *f = arg;

    f->rc = merger_run(f->merger, &f->err);
    return NULL;
}

static void start(struct fixture *f, bool fresh)
{
    struct merger_options o = {.kafka = mock,
                               .group = f->group ? f->group : f->prefix,
                               .prefix = f->prefix,
                               .registry = {.url = f->registry_url},
                               .documents = {.url = f->documents_url},
                               .objects = {.url = f->objects_url},
                               .bronze = BRONZE_BOTH,
                               .object_bytes = 1 << 20,
                               .object_records = 1000,
                               .object_interval_ms = 100,
                               .batch_records = 100,
                               .batch_bytes = 1 << 20,
                               .batch_wait_ms = 50,
                               .sweep_interval_ms = 200,
                               .known_max = 1000,
                               .session_timeout_ms = 6000,
                               .fresh_topics = fresh,
                               .contracts = f->contracts};
    f->err = (struct err)ERR_INIT;
    stop_reset();
    if (merger_new(&f->merger, &o, &f->err))
        fail_msg("%s", f->err.text);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
}

static void merger_end(struct fixture *f)
{
    stop_request();
    pthread_join(f->thread, NULL);
    stop_reset();
    if (f->rc)
        fail_msg("%s", f->err.text);
    merger_free(f->merger);
    f->merger = NULL;
}

static double merged(const struct fixture *f)
{
    char users[64], rides[64];
    const char *labels[][1] = {{users}, {rides}};

    snprintf(users, sizeof users, "%s.shop.users", f->prefix);
    snprintf(rides, sizeof rides, "%s.shop.rides", f->prefix);
    return metric_value(metric_series(M_MERGE_RECORDS, labels[0])) +
           metric_value(metric_series(M_MERGE_RECORDS, labels[1]));
}

static void wait_caught_up(struct fixture *f)
{
    int64_t until = clock_mono_us() + 120000000;

    while (merged(f) < f->expected || !merger_caught_up(f->merger)) {
        assert_true(clock_mono_us() < until);
        clock_sleep_ms(20);
    }
}

static void send(struct fixture *f, struct producer_topic *topic, int64_t id, const struct buf *value)
{
    struct err err = ERR_INIT;
    struct buf key;

    buf_init(&key, 64);
    f->expected++;
    sample_key(&key, &f->ids, id);
    assert_int_equal(producer_send(f->producer, topic, (int32_t)(id % PARTITIONS), key.data, key.len,
                                   value ? value->data : NULL, value ? value->len : 0, NULL, 0, 1, &err),
                     0);
    buf_release(&key);
}

static void send_user(struct fixture *f, int64_t id, const char *name, const char *op)
{
    struct buf b;

    buf_init(&b, 1024);
    sample_user(&b, &f->ids, id, name, op);
    send(f, f->users, id, &b);
    buf_release(&b);
}

static void send_ride(struct fixture *f, int64_t id, int64_t client, int64_t driver, const char *op)
{
    struct buf b;

    buf_init(&b, 1024);
    sample_ride(&b, &f->ids, id, client, driver, op);
    send(f, f->rides, id, &b);
    buf_release(&b);
}

/* To every partition, as capture does. */
static void send_truncate(struct fixture *f, bool rides)
{
    struct err err = ERR_INIT;
    struct buf b;

    buf_init(&b, 1024);
    sample_truncate(&b, rides ? f->ids.rides : f->ids.users, rides ? "rides" : "users");
    for (int32_t i = 0; i < PARTITIONS; i++, f->expected++)
        assert_int_equal(
            producer_send(f->producer, rides ? f->rides : f->users, i, NULL, 0, b.data, b.len, NULL, 0, 1, &err), 0);
    buf_release(&b);
}

static void acknowledged(struct fixture *f)
{
    struct err err = ERR_INIT;
    struct ack acks[64];

    while (producer_in_flight(f->producer))
        assert_true(producer_poll_acks(f->producer, acks, 64, 100, &err) >= 0);
}

/* --- what the stores hold --- */

static int append(void *arg, const bson_t *document, struct err *err)
{
    char *json = bson_as_relaxed_extended_json(document, NULL);

    (void)err;
    buf_put_str(arg, json);
    buf_put_u8(arg, '\n');
    bson_free(json);
    return 0;
}

static char *dump(struct fixture *f, const char *collection)
{
    struct document_store_options o = {.url = f->documents_url};
    struct document_store *s;
    struct err err = ERR_INIT;
    struct buf b;
    char *text;

    buf_init(&b, 16 << 20);
    assert_int_equal(document_store_open(&s, &o, &err), 0);
    if (s->ops->scan(s, collection, NULL, 10000, append, &b, &err))
        fail_msg("%s", err.text);
    s->ops->free(s);
    text = xstrdup(buf_cstr(&b));
    buf_release(&b);
    return text;
}

static void expect_in(struct fixture *f, const char *collection, const char *const *words, size_t n, size_t lines)
{
    char *text = dump(f, collection);
    size_t seen = 0;

    for (const char *p = text; *p; p++)
        seen += *p == '\n';
    for (size_t i = 0; i < n; i++)
        if (!strstr(text, words[i]))
            fail_msg("%s lacks %s:\n%s", collection, words[i], text);
    if (seen != lines)
        fail_msg("%s has %zu documents, not %zu:\n%s", collection, seen, lines, text);
    free(text);
}

#define EXPECT(f, collection, lines, ...)                                                                              \
    do {                                                                                                               \
        static const char *const words_[] = {__VA_ARGS__};                                                             \
        expect_in(f, collection, words_, sizeof words_ / sizeof *words_, lines);                                       \
    } while (0)

static void test_rides_wait_for_users(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "wait");
    start(&f, false);
    send_ride(&f, 1, 7, -1, "c");
    send_ride(&f, 2, 7, 8, "c");
    send_ride(&f, 3, 9, -1, "c");
    send_ride(&f, 3, 9, -1, "d");
    send(&f, f.rides, 3, NULL); /* the tombstone behind a delete */
    acknowledged(&f);
    wait_caught_up(&f);
    EXPECT(&f, "rides", 1, "\"_id\" : 3", "\"deleted\" : true");
    EXPECT(&f, PARKED_COLLECTION, 2, "\"_id\" : \"rides|1\"", "\"waiting\" : [ \"users|7\" ]", "\"users|8\"");
    send_user(&f, 7, "Ada", "c");
    acknowledged(&f);
    wait_caught_up(&f);
    EXPECT(&f, "users", 1, "\"_id\" : 7, \"name\" : \"Ada\"", "\"gtid\" : \"0-1-5\"", "\"epoch\" : 1");
    EXPECT(&f, "rides", 2,
           "\"_id\" : 1, \"fare\" : { \"$numberDecimal\" : \"12.50\" }, \"client_id\" : 7, \"driver_id\" : null");
    EXPECT(&f, PARKED_COLLECTION, 1, "\"_id\" : \"rides|2\"");
    send_user(&f, 8, "Bob", "c");
    send_user(&f, 7, "Ada", "d");
    acknowledged(&f);
    wait_caught_up(&f);
    EXPECT(&f, "rides", 3, "\"_id\" : 2");
    EXPECT(&f, PARKED_COLLECTION, 0, "");
    EXPECT(&f, "_pillion_bronze", 8, "\"topic\" : \"wait.shop.rides\"", "\"value\" : null");
    merger_end(&f);
    end(&f);
}

static void test_restart_and_new_epoch(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "again");
    start(&f, false);
    send_user(&f, 1, "one", "c");
    send_user(&f, 2, "two", "c");
    acknowledged(&f);
    wait_caught_up(&f);
    merger_end(&f);
    start(&f, false);
    send_user(&f, 1, "uno", "u");
    acknowledged(&f);
    wait_caught_up(&f);
    merger_end(&f);
    EXPECT(&f, "users", 2, "\"uno\"", "\"two\"", "\"epoch\" : 1");
    EXPECT(&f, "_pillion_bronze", 3, "again.shop.users/1/1/00000000000000000001");
    f.expected *= 2;
    start(&f, true); /* as after the mock cluster ended: all comes again, and is newer */
    wait_caught_up(&f);
    merger_end(&f);
    EXPECT(&f, "users", 2, "\"epoch\" : 2");
    EXPECT(&f, "_pillion_bronze", 6, "again.shop.users/2/1/00000000000000000001");
    EXPECT(&f, "_pillion_topics", 6, "\"again.shop.users\", \"epoch\" : 2");
    end(&f);
}

/* When both have much to catch up with, users are read first, so that hardly a ride has to be parked. */
static void test_parents_first(void **state)
{
    static const char *const labels[] = {"rides", "parked"};
    struct metric *parked = metric_series(M_MERGE_OUTCOME, labels);
    double before = metric_value(parked);
    struct fixture f;
    char *text;
    size_t lines = 0;

    (void)state;
    begin(&f, "order");
    for (int i = 0; i < 3000; i++) {
        send_ride(&f, i, i % 2000, -1, "c");
        if (i % 500 == 0)
            acknowledged(&f);
    }
    for (int i = 0; i < 2000; i++) {
        send_user(&f, i, "x", "c");
        if (i % 500 == 0)
            acknowledged(&f);
    }
    acknowledged(&f);
    start(&f, false);
    wait_caught_up(&f);
    merger_end(&f);
    text = dump(&f, "rides");
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    free(text);
    assert_int_equal(lines, 3000);
    EXPECT(&f, PARKED_COLLECTION, 0, "");
    if (metric_value(parked) - before > 600)
        fail_msg("%.0f rides were parked", metric_value(parked) - before);
    end(&f);
}

static void test_poison(void **state)
{
    struct fixture f;
    struct buf b;

    (void)state;
    begin(&f, "poison");
    start(&f, false);
    buf_init(&b, 64);
    buf_put_str(&b, "no avro");
    send(&f, f.users, 1, &b);
    sample_wire(&b, f.ids.rides); /* cut short */
    send(&f, f.rides, 1, &b);
    buf_release(&b);
    send_ride(&f, 2, -1, -1, "c"); /* the client is required */
    send_ride(&f, 4, 6, -1, "t");
    send_user(&f, 2, "fine", "c");
    acknowledged(&f);
    wait_caught_up(&f);
    EXPECT(&f, "_pillion_quarantine", 4, "wire format", "required by the contract", "TRUNCATE");
    EXPECT(&f, "users", 1, "fine");
    EXPECT(&f, "rides", 0, "");
    merger_end(&f);
    end(&f);
}

static size_t visible(struct fixture *f, const char *collection)
{
    char *text = dump(f, collection);
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, "\"deleted\" : false")); p++)
        n++;
    free(text);
    return n;
}

static void test_truncate(void **state)
{
    static const char *const collections[] = {"users", "rides", PARKED_COLLECTION}, *const labels[] = {"rides",
                                                                                                       "applied"};
    char *before[3];
    struct fixture f;

    (void)state;
    begin(&f, "truncate");
    start(&f, false);
    for (int i = 1; i <= 4; i++) {
        send_user(&f, i, "before", "c");
        send_ride(&f, 10 + i, i, -1, "c");
        send_ride(&f, 20 + i, 90 + i, -1, "c"); /* waits */
    }
    acknowledged(&f);
    wait_caught_up(&f);
    EXPECT(&f, PARKED_COLLECTION, 4, "\"rides|21\"");
    send_ride(&f, 15, 1, -1, "c");
    send_truncate(&f, true);
    send_ride(&f, 16, 1, -1, "c");
    send_ride(&f, 11, 1, -1, "c");
    send_ride(&f, 24, 95, -1, "c"); /* waits again */
    acknowledged(&f);
    wait_caught_up(&f);
    EXPECT(&f, PARKED_COLLECTION, 1, "\"rides|24\"");
    for (int i = 1; i <= 4; i++)
        send_user(&f, 90 + i, "late", "c");
    acknowledged(&f);
    wait_caught_up(&f);
    EXPECT(&f, "rides", 10, "\"_id\" : 11, \"fare\"", "\"_id\" : 16, \"fare\"", "\"op\" : \"t\"",
           "\"_id\" : 24, \"_pillion\"");
    assert_int_equal(visible(&f, "rides"), 2);
    assert_int_equal(visible(&f, "users"), 8);
    send_truncate(&f, false);
    send_user(&f, 2, "after", "c");
    acknowledged(&f);
    wait_caught_up(&f);
    merger_end(&f);
    EXPECT(&f, "users", 8, "after");
    assert_int_equal(visible(&f, "users"), 1);
    EXPECT(&f, "_pillion_quarantine", 0, "");
    EXPECT(&f, "_pillion_bronze", (size_t)f.expected, "\"key\" : null");
    for (int i = 0; i < 3; i++)
        before[i] = dump(&f, collections[i]);
    f.group = "truncate-again"; /* reads all from the beginning, in other batches */
    f.expected *= 2;
    start(&f, false);
    wait_caught_up(&f);
    merger_end(&f);
    for (int i = 0; i < 3; i++) {
        char *after = dump(&f, collections[i]);

        assert_string_equal(after, before[i]);
        free(before[i]);
        free(after);
    }
    assert_true(metric_value(metric_series(M_MERGE_OUTCOME, labels)) >= 2);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rides_wait_for_users), cmocka_unit_test(test_restart_and_new_epoch),
        cmocka_unit_test(test_parents_first), cmocka_unit_test(test_poison), cmocka_unit_test(test_truncate)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    kafka_mock_stop();
    return rc;
}
