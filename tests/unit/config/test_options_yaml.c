/* test_options_yaml: what the file layer takes, and the place and remedy that each mistake is told with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/options.h"

#include <stdlib.h>
#include <string.h>

static int load(struct options *o, const char *text, struct err *err)
{
    options_init(o);
    return options_load_bytes(o, "p.yaml", text, strlen(text), err);
}

static void every_kind_is_read(void **state)
{
    struct err err = ERR_INIT;
    struct options o;

    (void)state;
    assert_int_equal(load(&o,
                          "# a comment\n"
                          "name: shop\n"
                          "source:\n"
                          "  host: 'db 1'\n"
                          "  port: \"3307\"\n"
                          "  tls: {mode: verify-ca, ca: /ca.pem}\n"
                          "  tables:\n"
                          "    - shop\\.rides\n"
                          "    - 'shop\\.users{1,2}'\n"
                          "  heartbeat: 500ms\n"
                          "  password: 0123\n"
                          "events:\n"
                          "  tombstones: no\n"
                          "  zero_dates: null\n"
                          "  max_record_bytes: 64KiB\n"
                          "  keys:\n"
                          "    shop.audit: [a, b]\n"
                          "    shop.log: c\n"
                          "kafka:\n"
                          "  compression: zstd\n"
                          "  properties: {client.rack: eu-1a}\n",
                          &err),
                     0);
    assert_string_equal(o.name, "shop");
    assert_string_equal(o.source_host, "db 1");
    assert_int_equal(o.source_port, 3307);
    assert_int_equal(o.source_tls_mode, OPTIONS_TLS_VERIFY_CA);
    assert_string_equal(o.source_tls_ca, "/ca.pem");
    assert_int_equal(o.source_tables.n, 2);
    assert_string_equal(o.source_tables.items[1], "shop\\.users{1,2}");
    assert_int_equal(o.source_heartbeat, 500);
    assert_string_equal(o.source_password.value, "0123");
    assert_false(o.events_tombstones);
    assert_int_equal(o.events_zero_dates, 0);
    assert_int_equal(o.events_max_record_bytes, 65536);
    assert_int_equal(o.events_keys.n, 2);
    assert_string_equal(o.events_keys.names[0], "shop.audit");
    assert_string_equal(o.events_keys.values[0], "a,b");
    assert_string_equal(o.events_keys.values[1], "c");
    assert_string_equal(o.kafka_compression, "zstd");
    assert_string_equal(o.kafka_properties.values[0], "eu-1a");
    assert_int_equal(o.origin[OPTION_ID_source_heartbeat].line, 10);
    assert_int_equal(o.origin[OPTION_ID_source_heartbeat].layer, OPTION_LAYER_FILE);
    assert_int_equal(o.origin[OPTION_ID_kafka_brokers].layer, OPTION_LAYER_DEFAULT);
    options_release(&o);
}

static void nothing_means_the_defaults(void **state)
{
    static const char *const texts[] = {"",
                                        "# only a comment\n",
                                        "---\n",
                                        "~",
                                        "{}",
                                        "source:\nkafka: ~\n",
                                        "name:\n",
                                        "name: ''\n",
                                        "source: {host: , port: null}\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err err = ERR_INIT;
        struct options o;

        if (load(&o, texts[i], &err) != 0)
            fail_msg("%s: %s", texts[i], err.text);
        assert_string_equal(o.name, "pillion");
        assert_string_equal(o.source_host, "127.0.0.1");
        assert_int_equal(o.source_port, 3306);
        options_release(&o);
    }
}

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        /* names */
        {"source:\n  hots: a", "p.yaml:2: source.hots is unknown; did you mean source.host?"},
        {"\n\nbrokers: a", "p.yaml:3: brokers is unknown; did you mean kafka.brokers?"},
        {"soruce:\n  host: a", "p.yaml:1: soruce is unknown; did you mean source?"},
        {"source: {tls: {cas: a}}", "p.yaml:1: source.tls.cas is unknown; did you mean source.tls.ca?"},
        {"xyzzy_plugh: 1", "p.yaml:1: xyzzy_plugh is unknown"},
        {"source: {host_file: /x}", "p.yaml:1: source.host_file is unknown"},
        {"'': 1", "p.yaml:1:  is unknown"},
        {"[a]: 1", "p.yaml:1: A key must be a text."},
        {"{a: b}: 1", "p.yaml:1: A key must be a text."},
        {"\"na\\0me\": 1", "p.yaml:1: A key must be a text."},
        /* twice */
        {"source:\n  port: 1\n  host: a\n  port: 2", "p.yaml:4: source.port is given twice"},
        {"source: {port: 1}\nkafka: {}\nsource: {host: a}", "p.yaml:3: source is given twice"},
        {"source: {host: a}\nsource.host: b", "p.yaml:2: source.host is given twice"},
        {"source: {password: a, password_file: b}", "source.password_file: is given both as a value and as a file"},
        {"events: {keys: {a.b: c, a.b: d}}", "p.yaml:1: events.keys: has a.b twice."},
        /* types */
        {"source: a", "p.yaml:1: source is a section"},
        {"source: [a]", "p.yaml:1: source is a section"},
        {"- a", "p.yaml:1: The file must hold keys and values"},
        {"just text", "p.yaml:1: The file must hold keys and values"},
        {"name: [a]", "p.yaml:1: name: must be one value, not a list."},
        {"source:\n  port: {a: 1}", "p.yaml:2: source.port: must be one value, not a map."},
        {"source: {port: abc}", "p.yaml:1: source.port: \"abc\" is not a whole number."},
        {"source: {heartbeat: 500}", "source.heartbeat: \"500\" is not a duration"},
        {"kafka: {queue_bytes: 16M}", "kafka.queue_bytes: \"16M\" is not a size"},
        {"events: {tombstones: maybe}", "events.tombstones: \"maybe\" is neither on nor off."},
        {"events: {profile: debezum}", "events.profile: \"debezum\" is no choice; did you mean debezium?"},
        {"kafka: {compression: fast-one}",
         "kafka.compression: \"fast-one\" is no choice; it must be one of none | gzip"},
        {"source: {tables: a}", "source.tables: must be a list"},
        {"source: {tables: {a: b}}", "source.tables: must be one value, not a map."},
        {"source: {tables: [[a]]}", "source.tables: must be a list of texts"},
        {"source: {tables: [a, {b: c}]}", "source.tables: must be a list of texts"},
        {"source: {tables: [a, '']}", "source.tables: has an empty item."},
        {"kafka: {properties: [a]}", "kafka.properties: must be one value, not a list."},
        {"kafka: {properties: a}", "kafka.properties: must be a map"},
        {"kafka: {properties: {a: {b: c}}}", "kafka.properties: a must be a text or a list of texts."},
        {"kafka: {properties: {a: [[b]]}}", "kafka.properties: a must be a list of texts."},
        {"kafka: {properties: {[a]: b}}", "kafka.properties: must be a map of texts."},
        {"kafka: {properties: {'': b}}", "kafka.properties: has an empty name."},
        /* bounds */
        {"source: {port: 65536}", "source.port: 65536 is out of bounds; it must be from 1 to 65535."},
        {"source: {port: 0}", "source.port: 0 is out of bounds"},
        {"source: {heartbeat: 1ms}", "source.heartbeat: 1ms is out of bounds; it must be from 100ms to 10m."},
        {"topics: {replication: -2}", "topics.replication: -2 is out of bounds"},
        /* control characters */
        {"source: {host: \"a\\nb\"}", "source.host: has a control character at byte 2."},
        {"source: {host: \"a\\0b\"}", "source.host: has a NUL character"},
        {"source: {password: \"a\\0b\"}", "source.password: has a NUL character"},
        {"source: {tables: [\"a\\0b\"]}", "source.tables: has a control character at byte 2."},
        {"kafka: {properties: {a: \"b\\rc\"}}", "kafka.properties: has a control character"},
        /* what YAML can do and a configuration need not */
        {"name: &a b\ndata_dir: *a", "p.yaml:1: An anchor (&name) cannot be used here"},
        {"name: *a", "An alias (*name) cannot be used here"},
        {"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]", "p.yaml:1: a is unknown"},
        {"name: !!binary aGk=", "A tag (!name) cannot be used here"},
        {"<<: {name: a}", "p.yaml:1: << is unknown"},
        {"name: a\n---\nname: b", "p.yaml:2: The file holds a second document"},
        /* no YAML */
        {"name: 'a", "p.yaml:1: This is no YAML: "},
        {"name: a\n\tb: c", "This is no YAML: "},
        {"name: b: c", "This is no YAML: "},
        {"name: \xff\xfe", "This is no YAML: "},
        {"{", "This is no YAML: "},
        {"%YAML 9.9\n---\n", "This is no YAML: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = ERR_INIT;
        struct options o;

        if (load(&o, rows[i].text, &err) != -1)
            fail_msg("taken: %s", rows[i].text);
        if (!strstr(err.text, rows[i].told) || strncmp(err.text, "p.yaml:", 7) != 0)
            fail_msg("for <%s>\ntold   %s\nwanted %s", rows[i].text, err.text, rows[i].told);
        assert_int_equal(err.code, ERR_CONFIG);
        options_release(&o);
    }
}

static void sizes_are_capped(void **state)
{
    size_t size = OPTIONS_FILE_MAX + 1;
    char *text = malloc(size + 1);
    struct err err = ERR_INIT;
    struct options o;

    (void)state;
    assert_non_null(text);
    /* a file that is too long */
    memset(text, '#', size);
    text[size] = 0;
    assert_int_equal(load(&o, text, &err), -1);
    assert_non_null(strstr(err.text, "larger than 1048576 bytes"));
    options_release(&o);
    /* a text that is too long */
    memset(text, 'a', size);
    memcpy(text, "name: ", 6);
    text[6 + OPTION_TEXT_MAX + 1] = 0;
    assert_int_equal(load(&o, text, &err), -1);
    assert_non_null(strstr(err.text, "is longer than 4096 bytes"));
    options_release(&o);
    /* a key that is too long */
    memset(text, 'a', 900);
    memcpy(text + 900, ": b", 4);
    assert_int_equal(load(&o, text, &err), -1);
    assert_non_null(strstr(err.text, "is unknown"));
    options_release(&o);
    /* too many items */
    memcpy(text, "source: {tables: [", 18);
    for (size_t i = 18; i < 18 + 2 * (OPTIONS_ITEMS_MAX + 1); i += 2)
        memcpy(text + i, "a,", 2);
    memcpy(text + 18 + 2 * (OPTIONS_ITEMS_MAX + 1), "]}", 3);
    assert_int_equal(load(&o, text, &err), -1);
    assert_non_null(strstr(err.text, "has more than 10000 items"));
    options_release(&o);
    /* depth */
    memset(text, '[', size - 1);
    text[size - 1] = 0;
    assert_int_equal(load(&o, text, &err), -1);
    options_release(&o);
    free(text);
}

/* Whatever is cut off a good file, the loader gives an answer and keeps nothing. */
static void every_beginning_is_survived(void **state)
{
    static const char text[] =
        "source: {host: 'a', tables: [x, \"y\"], tls: {mode: off}}\nevents:\n  keys: {a.b: [c, d]}\n";

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        struct err err = ERR_INIT;
        struct options o;

        options_init(&o);
        (void)options_load_bytes(&o, "p.yaml", text, len, &err);
        options_release(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(nothing_means_the_defaults),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(sizes_are_capped),
        cmocka_unit_test(every_beginning_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
