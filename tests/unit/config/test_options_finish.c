/* test_options_finish: derived defaults and the checks of what must fit together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/options.h"

#include <string.h>

static int finish(struct options *o, const char *yaml, struct err *err)
{
    options_init(o);
    if (options_load_bytes(o, "p.yaml", yaml, strlen(yaml), err) < 0)
        return -1;
    return options_finish(o, err);
}

static void embedded_defaults(void **state)
{
    struct err err = ERR_INIT;
    struct options o;
    int64_t id;

    (void)state;
    assert_int_equal(finish(&o, "data_dir: /data", &err), 0);
    assert_string_equal(o.registry_url, "file:///data/registry");
    assert_string_equal(o.documents_url, "sqlite:///data/documents.sqlite");
    assert_string_equal(o.objects_url, "file:///data/objects");
    assert_string_equal(o.topics_prefix, "pillion");
    assert_string_equal(o.merge_group, "pillion-merge");
    assert_int_equal(o.source_tls_mode, OPTIONS_TLS_PREFERRED);
    assert_string_equal(o.kafka_security, "plaintext");
    id = o.source_server_id;
    assert_true(id >= 1000000000 && id < 2000000000);
    options_release(&o);
    assert_int_equal(finish(&o, "name: other\n", &err), 0);
    assert_true(o.source_server_id != id);
    assert_int_equal(strncmp(o.registry_url, "file:///", 8), 0); /* a relative folder made absolute */
    options_release(&o);
}

static void protection_by_address(void **state)
{
    static const struct {
        const char *yaml;
        int tls;
        const char *security;
    } rows[] = {
        {"source: {host: localhost}", OPTIONS_TLS_PREFERRED, "plaintext"},
        {"source: {host: 127.1.2.3}\nkafka: {brokers: '127.0.0.1:9092,[::1]:9092'}", OPTIONS_TLS_PREFERRED,
         "plaintext"},
        {"source: {host: '::1'}", OPTIONS_TLS_PREFERRED, "plaintext"},
        {"source: {host: db1}\nkafka: {brokers: 'localhost:9092,k2:9092'}", OPTIONS_TLS_VERIFY_IDENTITY, "ssl"},
        {"source: {host: db1, socket: /run/s}\nkafka: {brokers: 'localhost.evil.org:1'}", OPTIONS_TLS_PREFERRED, "ssl"},
        {"source: {host: db1, tls: {mode: off}}\nkafka: {brokers: k1, security: plaintext}", OPTIONS_TLS_OFF,
         "plaintext"},
        {"kafka: {brokers: 'k1:9093', sasl: {mechanism: PLAIN, username: u, password: p}}", OPTIONS_TLS_PREFERRED,
         "sasl_ssl"},
        {"kafka: {brokers: 'localhost:9093', sasl: {mechanism: PLAIN, username: u, password: p}}",
         OPTIONS_TLS_PREFERRED, "sasl_plaintext"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = ERR_INIT;
        struct options o;

        if (finish(&o, rows[i].yaml, &err) != 0)
            fail_msg("%s: %s", rows[i].yaml, err.text);
        if (o.source_tls_mode != rows[i].tls || strcmp(o.kafka_security, rows[i].security) != 0)
            fail_msg("%s gave %d and %s", rows[i].yaml, o.source_tls_mode, o.kafka_security);
        options_release(&o);
    }
}

static void contradictions(void **state)
{
    static const struct {
        const char *yaml, *told;
    } rows[] = {
        {"name: a/b", "p.yaml:1: name: must be 1 to 100 letters"},
        {"name: '..'", "name: must be"},
        {"topics: {prefix: a b}", "topics.prefix: must be"},
        {"source: {start: yesterday}", "source.start: must be earliest"},
        {"source: {start: 'file:binlog.000001'}", "source.start: must be"},
        {"source: {start: 'file:binlog.000001:x'}", "source.start: must be"},
        {"source: {start: 'file::4'}", "source.start: must be"},
        {"source: {start: 'gtid:'}", "source.start: must be"},
        {"source: {tables: ['ok', 'a(']}", "source.tables: \"a(\" is no regular expression"},
        {"source: {exclude_tables: ['[']}", "source.exclude_tables: \"[\" is no regular expression"},
        {"source: {heartbeat: 40s}", "source.read_timeout: must be at least twice"},
        {"source: {tls: {cert: /a}}", "source.tls.cert: must be given together with source.tls.key."},
        {"kafka: {tls: {key: /a}}", "kafka.tls.cert: must be given together with kafka.tls.key."},
        {"events: {keys: {rides: id}}", "events.keys: \"rides\" must be database.table"},
        {"events: {keys: {shop.rides: ''}}", "events.keys: \"shop.rides\" must be"},
        {"events: {max_record_bytes: 32MiB}", "events.max_record_bytes: is above kafka.queue_bytes"},
        {"kafka: {sasl: {mechanism: PLAIN}}", "PLAIN needs kafka.sasl.username and kafka.sasl.password."},
        {"kafka: {sasl: {mechanism: OAUTHBEARER}}", "OAUTHBEARER needs kafka.sasl.oauth.token_url"},
        {"kafka: {security: ssl, sasl: {mechanism: PLAIN}}", "kafka.security: must be sasl_ssl or sasl_plaintext"},
        {"kafka: {security: sasl_ssl}", "kafka.security: needs kafka.sasl.mechanism."},
        {"registry: {url: 'ftp://x'}", "registry.url: must begin with http:// or https:// or file://"},
        {"registry: {url: 'http://u:geheim@x'}", "registry.url: holds a password"},
        {"registry: {url: 'https://'}", "registry.url: names no host"},
        {"registry: {url: 'file://x'}", "registry.url: needs an absolute path"},
        {"registry: {password: geheim}", "registry.password: is given without registry.username."},
        {"registry: {url: 'http://r:8081', username: u, password: geheim}", "registry.url: would carry the password"},
        {"documents: {url: 'mongodb://u:geheim@a,b/x'}", "documents.url: holds a password"},
        {"documents: {password: geheim}", "documents.password: is given without documents.username."},
        {"documents: {url: 'sqlite://'}", "documents.url: needs an absolute path"},
        {"objects: {url: 's3://'}", "objects.url: names no bucket"},
        {"objects: {endpoint: 'x:9000'}", "objects.endpoint: must begin with http:// or https://"},
        {"objects: {access_key: a}", "must be given together with objects.secret_key."},
        {"objects: {secret_key: geheim}", "must be given together with objects.secret_key."},
        {"admin: {listen: '0.0.0.0:8088'}", "admin.listen: can be reached from other machines"},
        {"admin: {listen: 'localhost.evil.org:1'}", "admin.listen: can be reached"},
        {"admin: {listen: '8088'}", "is not ADDRESS:PORT"},
        {"admin: {listen: ':8088'}", "is not ADDRESS:PORT"},
        {"admin: {listen: '127.0.0.1:65536'}", "is not ADDRESS:PORT"},
        {"admin: {listen: '127.0.0.1:'}", "is not ADDRESS:PORT"},
        {"admin: {listen: '127.0.0.1:80x'}", "is not ADDRESS:PORT"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = ERR_INIT;
        struct options o;

        if (finish(&o, rows[i].yaml, &err) != -1)
            fail_msg("taken: %s", rows[i].yaml);
        if (!strstr(err.text, rows[i].told))
            fail_msg("for <%s>\ntold   %s\nwanted %s", rows[i].yaml, err.text, rows[i].told);
        assert_null(strstr(err.text, "geheim"));
        assert_int_equal(err.code, ERR_CONFIG);
        options_release(&o);
    }
}

static void oauth_becomes_properties(void **state)
{
    static const char yaml[] =
        "kafka:\n  brokers: k:9093\n  sasl:\n    mechanism: OAUTHBEARER\n    oauth: {token_url: 'https://t', "
        "client_id: me, client_secret: geheim}\n  properties: {client.rack: a}\n";
    static const char twice[] =
        "kafka:\n  brokers: k:9093\n  sasl:\n    mechanism: OAUTHBEARER\n    oauth: {token_url: 'https://t', "
        "client_id: me, client_secret: geheim}\n  properties: {sasl.oauthbearer.client.id: a}\n";
    static const char *const wanted[][2] = {{"client.rack", "a"},
                                            {"sasl.oauthbearer.method", "oidc"},
                                            {"sasl.oauthbearer.token.endpoint.url", "https://t"},
                                            {"sasl.oauthbearer.client.id", "me"},
                                            {"sasl.oauthbearer.client.secret", "geheim"}};
    struct err err = ERR_INIT;
    struct options o;

    (void)state;
    if (finish(&o, yaml, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(o.kafka_properties.n, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(o.kafka_properties.names[i], wanted[i][0]);
        assert_string_equal(o.kafka_properties.values[i], wanted[i][1]);
    }
    assert_string_equal(o.kafka_security, "sasl_ssl");
    options_release(&o);
    assert_int_equal(finish(&o, twice, &err), -1);
    assert_string_equal(
        err.text, "p.yaml:6: kafka.properties: sasl.oauthbearer.client.id comes from kafka.sasl.oauth; leave it out.");
    options_release(&o);
}

static void good_ones_are_taken(void **state)
{
    static const char *const yaml[] = {
        "source: {start: 'gtid:0-1-5'}",
        "source: {start: 'file:binlog.000001:4'}",
        "registry: {url: 'https://r.example.com/base', username: u, password: p}",
        "registry: {url: 'http://localhost:8081', username: u, password: p}",
        "documents: {url: 'mongodb://u@a:1,b:2/?replicaSet=rs'}",
        "documents: {url: 'mongodb://a/?appName=x:y@z'}",
        "objects: {url: 's3://bucket/a/b', endpoint: 'http://127.0.0.1:9000', access_key: a, secret_key: b}",
        "admin: {listen: 'off'}",
        "admin: {listen: '[::1]:0'}",
        "admin: {listen: '0.0.0.0:8088', token: t}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof yaml / sizeof *yaml; i++) {
        struct err err = ERR_INIT;
        struct options o;

        if (finish(&o, yaml[i], &err) != 0)
            fail_msg("%s: %s", yaml[i], err.text);
        options_release(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedded_defaults),   cmocka_unit_test(protection_by_address),
        cmocka_unit_test(contradictions),      cmocka_unit_test(oauth_becomes_properties),
        cmocka_unit_test(good_ones_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
