/* test_wiring: every row of options.def reaches the member of a module that it is for, or is in the list of those that
 * commands use themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/wiring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct all {
    struct connection_options connection;
    struct kafka_options kafka;
    struct registry_options registry;
    struct document_store_options documents;
    struct object_store_options objects;
    struct capture_options capture;
    struct merger_options merger;
};

enum kind { TEXT, NUMBER, LIST };

struct row {
    const char *path;
    const char *value; /* as a flag gives it; never the default */
    enum kind kind;
    size_t at, size, n_at; /* n_at: of a list */
    const char *text;      /* what must be there; NULL: the value itself */
    long long number;
};

#define T(path, value, member)                                                                                         \
    {                                                                                                                  \
        path, value, TEXT, offsetof(struct all, member), 0, 0, NULL, 0                                                 \
    }
#define N(path, value, member, number)                                                                                 \
    {                                                                                                                  \
        path, value, NUMBER, offsetof(struct all, member), sizeof(((struct all *)NULL)->member), 0, NULL, number       \
    }
#define L(path, value, items, n)                                                                                       \
    {                                                                                                                  \
        path, value, LIST, offsetof(struct all, items), 0, offsetof(struct all, n), NULL, 1                            \
    }

static const struct row rows[] = {
    T("name", "orders", kafka.client_id),
    T("name", "orders", capture.name),
    T("name", "orders", capture.source.capture_name),
    T("source.host", "db1.example.com", connection.host),
    T("source.host", "db1.example.com", capture.source.connection.host),
    N("source.port", "3307", connection.port, 3307),
    T("source.user", "reader", connection.user),
    T("source.password", "secret-1", connection.password),
    N("source.tls.mode", "verify-ca", connection.tls, TLS_VERIFY_CA),
    T("source.tls.ca", "/ca-1", connection.tls_ca),
    T("source.tls.cert", "/cert-1", connection.tls_cert),
    T("source.tls.key", "/key-1", connection.tls_key),
    N("source.server_id", "4200000001", capture.source.server_id, 4200000001),
    T("source.start", "latest", capture.start),
    L("source.tables", "a\\.b", capture.include, capture.n_include),
    L("source.exclude_tables", "c\\.d", capture.exclude, capture.n_exclude),
    N("source.connect_timeout", "3500ms", connection.connect_timeout_s, 4),
    N("source.read_timeout", "70s", connection.read_timeout_s, 70),
    N("source.heartbeat", "2500ms", capture.source.heartbeat_ms, 2500),
    T("topics.prefix", "first", capture.prefix),
    T("topics.prefix", "first", merger.prefix),
    N("topics.partitions", "7", capture.partitions, 7),
    N("topics.replication", "5", capture.replication, 5),
    N("topics.retention", "2h", capture.retention_ms, 7200000),
    N("topics.transactions", "off", capture.transaction_topic, 0),
    N("topics.schema_changes", "off", capture.schema_change_topic, 0),
    N("events.profile", "debezium", capture.profile, AVRO_PROFILE_DEBEZIUM),
    N("events.tombstones", "off", capture.tombstones, TOMBSTONES_OFF),
    N("events.bigint_unsigned", "decimal", capture.bigint_unsigned, UNSIGNED_DECIMAL),
    N("events.zero_dates", "epoch", capture.zero_dates, ZERO_DATE_EPOCH),
    N("events.max_record_bytes", "2000000", capture.record_max, 2000000),
    N("events.max_record_bytes", "2000000", capture.producer.record_max, 2000000),
    T("kafka.brokers", "k1:9093,k2:9093", kafka.brokers),
    T("kafka.brokers", "k1:9093,k2:9093", capture.producer.kafka.brokers),
    T("kafka.brokers", "k1:9093,k2:9093", merger.kafka.brokers),
    T("kafka.security", "sasl_plaintext", kafka.security),
    T("kafka.sasl.mechanism", "SCRAM-SHA-256", kafka.sasl_mechanism),
    T("kafka.sasl.username", "writer", kafka.sasl_username),
    T("kafka.sasl.password", "secret-2", kafka.sasl_password),
    T("kafka.tls.ca", "/ca-2", kafka.tls_ca),
    T("kafka.tls.cert", "/cert-2", kafka.tls_cert),
    T("kafka.tls.key", "/key-2", kafka.tls_key),
    N("kafka.linger", "21ms", capture.producer.linger_ms, 21),
    N("kafka.queue_bytes", "32MiB", capture.producer.queue_bytes, 32 << 20),
    N("kafka.queue_records", "1234", capture.producer.queue_records, 1234),
    T("kafka.compression", "zstd", capture.producer.compression),
    T("registry.url", "https://registry.example.com", registry.url),
    T("registry.url", "https://registry.example.com", capture.registry.url),
    T("registry.url", "https://registry.example.com", merger.registry.url),
    T("registry.username", "clerk", registry.username),
    T("registry.password", "secret-3", registry.password),
    T("registry.tls.ca", "/ca-3", registry.tls_ca),
    N("registry.timeout", "11s", registry.timeout_ms, 11000),
    N("registry.retries", "9", registry.retries, 9),
    T("registry.compatibility", "FULL", registry.compatibility),
    T("merge.group", "silver", merger.group),
    L("merge.topics", "^x.*", merger.topics, merger.n_topics),
    N("merge.batch_records", "77", merger.batch_records, 77),
    N("merge.batch_bytes", "5MiB", merger.batch_bytes, 5 << 20),
    N("merge.batch_wait", "33ms", merger.batch_wait_ms, 33),
    N("merge.sweep_interval", "44s", merger.sweep_interval_ms, 44000),
    N("merge.known_max", "5555", merger.known_max, 5555),
    N("merge.quarantine", "stop", merger.quarantine, QUARANTINE_STOP),
    N("merge.session_timeout", "66s", merger.session_timeout_ms, 66000),
    T("documents.url", "mongodb://mongo.example.com/", documents.url),
    T("documents.url", "mongodb://mongo.example.com/", merger.documents.url),
    T("documents.database", "shop", documents.database),
    T("documents.username", "owner", documents.username),
    T("documents.password", "secret-4", documents.password),
    T("documents.tls.ca", "/ca-4", documents.tls_ca),
    T("documents.tls.cert", "/cert-4", documents.tls_cert),
    T("objects.url", "s3://lake/x", objects.url),
    T("objects.url", "s3://lake/x", merger.objects.url),
    T("objects.endpoint", "https://minio.example.com", objects.endpoint),
    T("objects.region", "eu-central-1", objects.region),
    T("objects.access_key", "AK", objects.access_key),
    T("objects.secret_key", "secret-5", objects.secret_key),
    T("objects.session_token", "secret-6", objects.session_token),
    T("objects.tls.ca", "/ca-5", objects.tls_ca),
    N("objects.timeout", "12s", objects.timeout_ms, 12000),
    N("bronze.to", "both", merger.bronze, BRONZE_BOTH),
    N("bronze.object_bytes", "3MiB", merger.object_bytes, 3 << 20),
    N("bronze.object_records", "999", merger.object_records, 999),
    N("bronze.object_interval", "13s", merger.object_interval_ms, 13000),
    N("checkpoint.interval", "150ms", capture.checkpoint_interval_ms, 150),
    N("checkpoint.max_transactions", "888", capture.max_transactions, 888),
};

/* No module's, or tested below. */
static const char *const others[] = {
    "data_dir",
    "contracts",
    "source.socket",
    "events.keys",
    "kafka.properties",
    "kafka.sasl.oauth.token_url",
    "admin.token",
    "admin.listen",
    "log.level",
    "log.format",
    "kafka.sasl.oauth.client_id",
    "kafka.sasl.oauth.client_secret",
    "kafka.sasl.oauth.scope",
};

enum { ARGS_MAX = 128 };

struct run {
    struct wiring w;
    struct all all;
    char *args[ARGS_MAX];
    int argc;
    char folder[64];
};

static void add(struct run *r, const char *path, const char *value)
{
    bool is_file;
    int id = option_find(path, &is_file);
    char arg[512], file[128];

    assert_in_range(id, 0, OPTION_COUNT - 1);
    if (option_at(id)->kind == OPTION_SECRET) {
        FILE *f;

        snprintf(file, sizeof file, "%s/%d", r->folder, id);
        f = fopen(file, "w");
        assert_non_null(f);
        fputs(value, f);
        assert_int_equal(fclose(f), 0);
        snprintf(arg, sizeof arg, "--%s_file=%s", path, file);
    } else {
        snprintf(arg, sizeof arg, "--%s=%s", path, value);
    }
    assert_in_range(r->argc, 1, ARGS_MAX - 2);
    r->args[r->argc++] = strdup(arg);
}

static void begin(struct run *r)
{
    *r = (struct run){.argc = 1, .folder = "/tmp/pillion-test.XXXXXX"};
    assert_non_null(mkdtemp(r->folder));
    r->args[0] = strdup("test");
}

static void wire(struct run *r)
{
    struct err err = ERR_INIT;
    char *args[ARGS_MAX];
    int argc = r->argc;

    memcpy(args, r->args, sizeof args);
    if (wiring_init(&r->w, &argc, args, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(argc, 1);
    r->all = (struct all){
        .connection = wiring_connection(&r->w),
        .kafka = wiring_kafka(&r->w),
        .registry = wiring_registry(&r->w),
        .documents = wiring_documents(&r->w),
        .objects = wiring_objects(&r->w),
        .capture = wiring_capture(&r->w),
        .merger = wiring_merger(&r->w, NULL),
    };
}

static void end(struct run *r)
{
    wiring_release(&r->w);
    for (int i = 0; i < r->argc; i++) {
        const char *file = strstr(r->args[i], "_file=");

        if (file)
            unlink(file + 6);
        free(r->args[i]);
    }
    assert_int_equal(rmdir(r->folder), 0);
}

static void check(const struct all *all, const struct row *row)
{
    const unsigned char *at = (const unsigned char *)all + row->at;
    const char *text;
    long long number = 0;

    switch (row->kind) {
    case TEXT:
        memcpy(&text, at, sizeof text);
        if (!text || strcmp(text, row->value) != 0)
            fail_msg("%s: '%s' is in the member, not '%s'", row->path, text ? text : "(null)", row->value);
        break;
    case NUMBER:
        memcpy(&number, at, row->size);
        if (number != row->number)
            fail_msg("%s: %lld is in the member, not %lld", row->path, number, row->number);
        break;
    case LIST: {
        const char *const *items;
        size_t n;

        memcpy(&items, at, sizeof items);
        memcpy(&n, (const unsigned char *)all + row->n_at, sizeof n);
        assert_int_equal(n, row->number);
        assert_string_equal(items[0], row->value);
        break;
    }
    }
}

static void each_option_reaches_its_module(void **state)
{
    struct run r;

    (void)state;
    begin(&r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (i == 0 || strcmp(rows[i].path, rows[i - 1].path) != 0)
            add(&r, rows[i].path, rows[i].value);
    wire(&r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&r.all, &rows[i]);
    assert_false(r.all.merger.fresh_topics);
    end(&r);
}

static void no_option_is_forgotten_here(void **state)
{
    (void)state;
    for (int id = 0; id < OPTION_COUNT; id++) {
        const char *path = option_at(id)->path;
        bool found = false;

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            found = found || !strcmp(rows[i].path, path);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            found = found || !strcmp(others[i], path);
        if (!found)
            fail_msg("%s has no row here: say which module's member it sets", path);
    }
}

static void no_value_here_is_the_default(void **state)
{
    struct all defaults;
    struct run r;

    (void)state;
    begin(&r);
    wire(&r);
    defaults = r.all;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const unsigned char *at = (const unsigned char *)&defaults + rows[i].at;
        const char *text;
        long long number = 0;

        if (rows[i].kind == TEXT) {
            memcpy(&text, at, sizeof text);
            assert_true(!text || strcmp(text, rows[i].value) != 0);
        } else if (rows[i].kind == NUMBER) {
            memcpy(&number, at, rows[i].size);
            if (number == rows[i].number)
                fail_msg("%s: choose another value than the default", rows[i].path);
        }
    }
    end(&r);
}

static void a_socket_takes_the_place_of_the_host(void **state)
{
    struct run r;

    (void)state;
    begin(&r);
    add(&r, "source.socket", "/run/x.sock");
    wire(&r);
    assert_null(r.all.connection.host);
    assert_string_equal(r.all.connection.socket, "/run/x.sock");
    assert_int_equal(r.all.connection.tls, TLS_PREFERRED);
    end(&r);
}

static void a_mock_cluster_is_not_overrun(void **state)
{
    struct run r;

    (void)state;
    begin(&r);
    add(&r, "kafka.brokers", "mock://");
    add(&r, "kafka.queue_bytes", "1GiB");
    wire(&r);
    assert_in_range(r.all.capture.producer.queue_bytes, 1, 2 << 20);
    assert_in_range(r.all.capture.producer.queue_records, 1, 5000);
    assert_true(r.all.merger.fresh_topics);
    end(&r);
}

static const char *property(const struct kafka_options *k, const char *name)
{
    for (size_t i = 0; i < k->n_properties; i++)
        if (!strcmp(k->properties[i].name, name))
            return k->properties[i].value;
    fail_msg("there is no property %s", name);
    return "";
}

static void properties_and_openid_reach_kafka(void **state)
{
    struct run r;

    (void)state;
    begin(&r);
    add(&r, "kafka.brokers", "k1:9093");
    add(&r, "kafka.properties", "{client.rack: eu-1a}");
    add(&r, "kafka.sasl.mechanism", "OAUTHBEARER");
    add(&r, "kafka.sasl.oauth.token_url", "https://login.example.com/token");
    add(&r, "kafka.sasl.oauth.client_id", "me");
    add(&r, "kafka.sasl.oauth.client_secret", "secret-7");
    add(&r, "kafka.sasl.oauth.scope", "all");
    wire(&r);
    assert_string_equal(r.all.kafka.security, "sasl_ssl");
    assert_string_equal(property(&r.all.kafka, "client.rack"), "eu-1a");
    assert_string_equal(property(&r.all.kafka, "sasl.oauthbearer.method"), "oidc");
    assert_string_equal(property(&r.all.kafka, "sasl.oauthbearer.token.endpoint.url"),
                        "https://login.example.com/token");
    assert_string_equal(property(&r.all.kafka, "sasl.oauthbearer.client.id"), "me");
    assert_string_equal(property(&r.all.kafka, "sasl.oauthbearer.client.secret"), "secret-7");
    assert_string_equal(property(&r.all.kafka, "sasl.oauthbearer.scope"), "all");
    assert_string_equal(property(&r.all.merger.kafka, "client.rack"), "eu-1a");
    end(&r);
}

static void key_rules_reach_capture(void **state)
{
    const struct capture_options *c;
    struct run r;

    (void)state;
    begin(&r);
    add(&r, "events.keys", "{shop.audit: 'rider_id, created_at', shop.log: id}");
    wire(&r);
    c = &r.all.capture;
    assert_int_equal(c->n_keys, 2);
    assert_string_equal(c->keys[0].table, "shop.audit");
    assert_int_equal(c->keys[0].n_columns, 2);
    assert_string_equal(c->keys[0].columns[0], "rider_id");
    assert_string_equal(c->keys[0].columns[1], "created_at");
    assert_string_equal(c->keys[1].table, "shop.log");
    assert_int_equal(c->keys[1].n_columns, 1);
    assert_string_equal(c->keys[1].columns[0], "id");
    end(&r);
}

static void a_key_rule_without_columns_is_refused(void **state)
{
    char name[] = "test", flag[] = "--events.keys={shop.audit: ' , '}", *args[] = {name, flag, NULL};
    struct err err = ERR_INIT;
    struct wiring w;
    int argc = 2;

    (void)state;
    assert_int_equal(wiring_init(&w, &argc, args, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "shop.audit"));
    wiring_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_option_reaches_its_module), cmocka_unit_test(no_option_is_forgotten_here),
        cmocka_unit_test(no_value_here_is_the_default),   cmocka_unit_test(a_socket_takes_the_place_of_the_host),
        cmocka_unit_test(a_mock_cluster_is_not_overrun),  cmocka_unit_test(properties_and_openid_reach_kafka),
        cmocka_unit_test(key_rules_reach_capture),        cmocka_unit_test(a_key_rule_without_columns_is_refused),
    };

    unsetenv("PILLION_CONFIG");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
