/* test_options_docs: the texts that are made from the tables, and that no secret is ever printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/options_docs.h"

#include <stdlib.h>
#include <string.h>

static char *printed(const struct options *o)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    assert_int_equal(options_print(o, f), 0);
    assert_int_equal(fclose(f), 0);
    return text;
}

static char *written(void (*write_it)(FILE *))
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    write_it(f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void secrets_are_never_printed(void **state)
{
    struct option_origin origin = {OPTION_LAYER_ENV, 0};
    struct err err = ERR_INIT;
    struct options o;
    char *text, *at;
    size_t secrets = 0, shown = 0;

    (void)state;
    options_init(&o);
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (option_at(id)->kind != OPTION_SECRET)
            continue;
        assert_int_equal(options_set(&o, id, false, "geheim", origin, &err), 0);
        secrets++;
    }
    assert_true(secrets >= 6);
    assert_int_equal(
        options_set(&o, OPTION_ID_kafka_properties, false,
                    "{sasl.password: geheim, ssl.key.password: geheim, sasl.oauthbearer.client.secret: geheim, "
                    "ssl.key.pem: geheim, sasl.oauthbearer.config: geheim, client.rack: visible}",
                    origin, &err),
        0);
    text = printed(&o);
    assert_null(strstr(text, "geheim"));
    assert_non_null(strstr(text, "visible"));
    for (at = text; (at = strstr(at, "(set)")) != NULL; at++)
        shown++;
    assert_int_equal(shown, secrets + 5);
    free(text);
    options_release(&o);
}

static void printing_shows_value_and_origin(void **state)
{
    static const char yaml[] = "source:\n  host: it's\n  tls: {ca: /ca}\n  password_file: /run/x\n";
    struct option_origin flag = {OPTION_LAYER_FLAG, 0};
    struct err err = ERR_INIT;
    struct options o;
    char *text;

    (void)state;
    options_init(&o);
    assert_int_equal(options_load_bytes(&o, "p.yaml", yaml, strlen(yaml), &err), 0);
    assert_int_equal(options_set(&o, OPTION_ID_source_port, false, "3307", flag, &err), 0);
    text = printed(&o);
    assert_non_null(strstr(
        text, "source:\n  host: 'it''s'  # p.yaml:2\n  port: 3307  # flag\n  user: pillion  # default\n"
              "  password_file: /run/x  # p.yaml:4\n  tls:\n    mode: auto  # default\n    ca: /ca  # p.yaml:3\n"));
    free(text);
    options_release(&o);
}

/* What is printed can be loaded again, and is the same. */
static void printed_options_load_again(void **state)
{
    static const char yaml[] = "name: shop\nsource: {host: \"a'b: #c\", tables: ['x, y', 'null', '~', '- z']}\n"
                               "events: {keys: {a.b: 'c,d'}, zero_dates: null}\n";
    struct err err = ERR_INIT;
    struct options o, again;
    char *text, *text_again, *p, *q;

    (void)state;
    options_init(&o);
    assert_int_equal(options_load_bytes(&o, "p.yaml", yaml, strlen(yaml), &err), 0);
    text = printed(&o);
    options_init(&again);
    if (options_load_bytes(&again, "q.yaml", text, strlen(text), &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(again.source_host, "a'b: #c");
    assert_int_equal(again.source_tables.n, 4);
    assert_string_equal(again.source_tables.items[1], "null");
    text_again = printed(&again);
    /* but for the origins */
    for (p = text, q = text_again; *p && *q;) {
        size_t n = strcspn(p, "#\n"), m = strcspn(q, "#\n");
        assert_int_equal(n, m);
        assert_memory_equal(p, q, n);
        p += strcspn(p, "\n") + 1;
        q += strcspn(q, "\n") + 1;
    }
    free(text);
    free(text_again);
    options_release(&o);
    options_release(&again);
}

/* The example as it stands means the defaults; with all its examples switched on it is still well formed. */
static void the_example_loads(void **state)
{
    char *text = written(options_write_example), *was, *is, *p;
    struct err err = ERR_INIT;
    struct options plain, loaded;

    (void)state;
    options_init(&plain);
    options_init(&loaded);
    if (options_load_bytes(&loaded, "example", text, strlen(text), &err) != 0)
        fail_msg("%s", err.text);
    memset(loaded.origin, 0, sizeof loaded.origin);
    was = printed(&plain);
    is = printed(&loaded);
    assert_string_equal(was, is);
    free(was);
    free(is);
    options_release(&loaded);

    for (p = text; (p = strstr(p, "#")) != NULL; p++)
        if (p[1] >= 'a' && p[1] <= 'z')
            memmove(p, p + 1, strlen(p));
    options_init(&loaded);
    if (options_load_bytes(&loaded, "example", text, strlen(text), &err) != 0)
        fail_msg("%s", err.text);
    for (int id = 0; id < OPTION_COUNT; id++)
        if (loaded.origin[id].layer != OPTION_LAYER_FILE)
            fail_msg("%s is not in the example", option_at(id)->path);
    options_release(&loaded);
    options_release(&plain);
    free(text);
}

static void the_reference_is_complete(void **state)
{
    char *text = written(options_write_reference), name[OPTION_NAME_MAX + 8];

    (void)state;
    for (int id = 0; id < OPTION_COUNT; id++) {
        snprintf(name, sizeof name, "| `%s` | ", option_at(id)->path);
        if (!strstr(text, name))
            fail_msg("%s is missing", option_at(id)->path);
    }
    for (int code = 1; code < ERR_CODES; code++)
        assert_non_null(strstr(text, err_code_name((enum err_code)code)));
    assert_non_null(strstr(text, "| `pillion_merge_outcome_total` | counter | table outcome | "));
    free(text);
}

static void help_can_be_narrowed(void **state)
{
    static const char *const sections[] = {"log", NULL};
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    (void)state;
    assert_non_null(f);
    options_help(f, sections);
    assert_int_equal(fclose(f), 0);
    assert_non_null(strstr(text, "--log.level=info  (one of error | warn | info | debug)"));
    assert_null(strstr(text, "--source.host"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_never_printed),  cmocka_unit_test(printing_shows_value_and_origin),
        cmocka_unit_test(printed_options_load_again), cmocka_unit_test(the_example_loads),
        cmocka_unit_test(the_reference_is_complete),  cmocka_unit_test(help_can_be_narrowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
