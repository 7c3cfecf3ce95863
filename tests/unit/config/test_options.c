/* test_options: the layers one over the other, flags, environment, and the files of secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* argv and the environment are arrays of char *, which literals are not. */
#define TEXT(s) ((char *)(uintptr_t)(s))

static char folder[] = "/tmp/pillion-options-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* A file in the folder; the name is valid until the next call. */
static const char *write_file(const char *name, const void *bytes, size_t len)
{
    static char path[200];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void later_layers_are_stronger(void **state)
{
    static const char yaml[] = "source: {host: file, port: 1, user: file, tables: [f1, f2]}\n";
    char *env[] = {TEXT("PILLION_SOURCE_PORT=2"),
                   TEXT("PILLION_SOURCE_USER=env"),
                   TEXT("PILLION_SOURCE_TABLES=e1, e2"),
                   TEXT("PILLION_SERVICE_HOST=10.1"),
                   TEXT("PILLION_NAME="),
                   TEXT("HOME=/x"),
                   NULL};
    char *argv[] = {
        TEXT("run"),        TEXT("--source.user=flag"),      TEXT("--wait"), TEXT("--source.tables"),  TEXT("a,b"),
        TEXT("shop.rides"), TEXT("--source.tables=['c,d']"), TEXT("--"),     TEXT("--source.host=no"), NULL};
    struct err err = ERR_INIT;
    struct options o;
    int argc = 9;

    (void)state;
    options_init(&o);
    assert_int_equal(options_load_bytes(&o, "p.yaml", yaml, strlen(yaml), &err), 0);
    assert_int_equal(o.source_tables.n, 2);
    assert_int_equal(options_load_env(&o, env, &err), 0);
    assert_int_equal(o.source_tables.n, 2);
    assert_string_equal(o.source_tables.items[1], "e2");
    assert_int_equal(options_load_flags(&o, &argc, argv, &err), 0);
    assert_string_equal(o.source_host, "file");
    assert_int_equal(o.source_port, 2);
    assert_string_equal(o.source_user, "flag");
    assert_string_equal(o.name, "pillion"); /* an empty variable is none */
    assert_int_equal(o.source_tables.n, 3);
    assert_string_equal(o.source_tables.items[0], "a");
    assert_string_equal(o.source_tables.items[2], "c,d");
    /* what is not ours stays, in order */
    assert_int_equal(argc, 5);
    assert_string_equal(argv[1], "--wait");
    assert_string_equal(argv[2], "shop.rides");
    assert_string_equal(argv[3], "--");
    assert_string_equal(argv[4], "--source.host=no");
    assert_null(argv[5]);
    options_release(&o);
}

static void flag_mistakes(void **state)
{
    static const struct {
        const char *arg, *told;
        enum err_code code;
    } rows[] = {
        {"--source.hots=a", "There is no option --source.hots; did you mean --source.host?", ERR_USAGE},
        {"--source.port", "--source.port needs a value.", ERR_USAGE},
        {"--source.port=x", "--source.port: \"x\" is not a whole number.", ERR_CONFIG},
        {"--source.password=hunter2", "--source.password: a secret among the arguments", ERR_USAGE},
        {"--source.tables=a,,b", "--source.tables: has an empty item.", ERR_CONFIG},
        {"--source.tables=[a", "--source.tables: This is no YAML", ERR_CONFIG},
        {"--source.tables=[a] [b]", "--source.tables: ", ERR_CONFIG},
        {"--source.tables=[a]\n---\n[b]", "--source.tables: has something behind its end.", ERR_CONFIG},
        {"--events.keys=a", "--events.keys: must be a map", ERR_CONFIG},
        {"--events.keys={a.b: c, a.b: d}", "--events.keys: has a.b twice.", ERR_CONFIG},
        {"--events.keys=[a]", "--events.keys: must be a map", ERR_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char arg[200];
        char *argv[] = {TEXT("run"), arg, NULL};
        struct err err = ERR_INIT;
        struct options o;
        int argc = 2;

        snprintf(arg, sizeof arg, "%s", rows[i].arg);
        options_init(&o);
        if (options_load_flags(&o, &argc, argv, &err) != -1)
            fail_msg("taken: %s", rows[i].arg);
        if (strncmp(err.text, rows[i].told, strlen(rows[i].told)) != 0)
            fail_msg("for <%s> told %s", rows[i].arg, err.text);
        assert_int_equal(err.code, rows[i].code);
        assert_null(strstr(err.text, "hunter2"));
        options_release(&o);
    }
}

static void unknown_flags_have_a_nearest_name(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(options_unknown_flag("--nmae=x", &err), -1);
    assert_string_equal(err.text, "There is no option --nmae; did you mean --name?");
    assert_int_equal(options_unknown_flag("--zzzzzzzz", &err), -1);
    assert_string_equal(err.text, "There is no option --zzzzzzzz; --help lists them.");
    assert_int_equal(options_unknown_flag("-", &err), -1);
}

static void environment_mistakes(void **state)
{
    char *env[] = {TEXT("PILLION_SOURCE_PORT=65536"), NULL};
    struct err err = ERR_INIT;
    struct options o;

    (void)state;
    options_init(&o);
    assert_int_equal(options_load_env(&o, env, &err), -1);
    assert_string_equal(err.text, "PILLION_SOURCE_PORT: 65536 is out of bounds; it must be from 1 to 65535.");
    options_release(&o);
}

static void load_takes_the_file_from_the_arguments(void **state)
{
    const char *path = write_file("p.yaml", "name: shop\n", 11);
    char *argv[] = {TEXT("run"), TEXT("x"), TEXT("-c"), TEXT(path), TEXT("--log.level=debug"), NULL};
    char *missing[] = {TEXT("run"), TEXT("--config=/does/not/exist.yaml"), NULL},
         *cut[] = {TEXT("run"), TEXT("-c"), NULL};
    struct err err = ERR_INIT;
    struct options o;
    int argc = 5;

    (void)state;
    options_init(&o);
    if (options_load(&o, &argc, argv, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(o.name, "shop");
    assert_string_equal(o.merge_group, "shop-merge"); /* options_finish came too */
    assert_int_equal(o.log_level, 3);
    assert_int_equal(argc, 2);
    assert_string_equal(argv[1], "x");
    options_release(&o);
    unlink(path);

    options_init(&o);
    argc = 2;
    assert_int_equal(options_load(&o, &argc, missing, &err), -1);
    assert_int_equal(err.code, ERR_FILE);
    assert_non_null(strstr(err.text, "/does/not/exist.yaml"));
    argc = 2;
    assert_int_equal(options_load(&o, &argc, cut, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    options_release(&o);
}

static void secrets_come_from_files(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *value; /* NULL: refused */
    } rows[] = {{"s3cret\n", 7, "s3cret"},
                {"s3cret", 6, "s3cret"},
                {"s3cret\r\n", 8, "s3cret"},
                {" a b \n\n", 7, " a b \n"},
                {"", 0, NULL},
                {"\n", 1, NULL},
                {"a\0b", 3, NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = write_file("secret", rows[i].bytes, rows[i].len);
        char entry[300];
        char *env[] = {entry, NULL};
        struct err err = ERR_INIT;
        struct options o;
        int rc;

        snprintf(entry, sizeof entry, "PILLION_SOURCE_PASSWORD_FILE=%s", path);
        options_init(&o);
        assert_int_equal(options_load_env(&o, env, &err), 0);
        assert_null(o.source_password.value);
        rc = options_read_secrets(&o, &err);
        if (rows[i].value) {
            assert_int_equal(rc, 0);
            assert_string_equal(o.source_password.value, rows[i].value);
        } else {
            assert_int_equal(rc, -1);
            assert_memory_equal(err.text, "PILLION_SOURCE_PASSWORD_FILE: /tmp/", 35);
        }
        options_release(&o);
        unlink(path);
    }
}

static void a_missing_secret_file_is_told_with_its_place(void **state)
{
    static const char yaml[] = "kafka:\n  sasl:\n    password_file: /does/not/exist\n";
    struct err err = ERR_INIT;
    struct options o;

    (void)state;
    options_init(&o);
    assert_int_equal(options_load_bytes(&o, "p.yaml", yaml, strlen(yaml), &err), 0);
    assert_int_equal(options_finish(&o, &err), -1);
    assert_string_equal(
        err.text, "p.yaml:3: kafka.sasl.password_file: /does/not/exist cannot be opened: No such file or directory.");
    options_release(&o);
}

static void the_stronger_layer_of_a_secret_counts(void **state)
{
    static const char yaml[] = "source: {password_file: /does/not/exist}\n", other[] = "source: {password: weak}\n";
    char *env[] = {TEXT("PILLION_SOURCE_PASSWORD=strong"), NULL};
    char *both[] = {TEXT("PILLION_SOURCE_PASSWORD=a"), TEXT("PILLION_SOURCE_PASSWORD_FILE=/b"), NULL};
    struct err err = ERR_INIT;
    struct options o;

    (void)state;
    options_init(&o);
    assert_int_equal(options_load_bytes(&o, "p.yaml", yaml, strlen(yaml), &err), 0);
    assert_int_equal(options_load_env(&o, env, &err), 0);
    assert_int_equal(options_read_secrets(&o, &err), 0); /* the file is not asked for any more */
    assert_string_equal(o.source_password.value, "strong");
    options_release(&o);

    options_init(&o);
    assert_int_equal(options_load_bytes(&o, "p.yaml", other, strlen(other), &err), 0);
    assert_int_equal(options_load_env(&o, both, &err), -1);
    assert_non_null(strstr(err.text, "both as a value and as a file"));
    options_release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_layers_are_stronger),
        cmocka_unit_test(flag_mistakes),
        cmocka_unit_test(unknown_flags_have_a_nearest_name),
        cmocka_unit_test(environment_mistakes),
        cmocka_unit_test(load_takes_the_file_from_the_arguments),
        cmocka_unit_test(secrets_come_from_files),
        cmocka_unit_test(a_missing_secret_file_is_told_with_its_place),
        cmocka_unit_test(the_stronger_layer_of_a_secret_counts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
