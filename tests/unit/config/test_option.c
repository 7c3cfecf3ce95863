/* test_option: the rows of the option table, and how their values are read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/option.h"

#include <stdlib.h>
#include <string.h>

static void paths_are_found(void **state)
{
    bool is_file;

    (void)state;
    assert_int_equal(option_find("source.tls.mode", &is_file), OPTION_ID_source_tls_mode);
    assert_false(is_file);
    assert_int_equal(option_find("kafka.sasl.password_file", &is_file), OPTION_ID_kafka_sasl_password);
    assert_true(is_file);
    assert_int_equal(option_find("source.host_file", &is_file), -1); /* no secret */
    assert_int_equal(option_find("source", &is_file), -1);
    assert_int_equal(option_find("", &is_file), -1);
    assert_int_equal(option_find("_file", &is_file), -1);
    assert_true(option_is_section("source"));
    assert_true(option_is_section("kafka.sasl"));
    assert_false(option_is_section("source.host"));
    assert_false(option_is_section("sour"));
}

static void rows_are_sound(void **state)
{
    struct option_section section;
    int next = 0;
    size_t i;

    (void)state;
    for (i = 0; option_section(i, &section); i++) {
        assert_int_equal(section.first, next);
        assert_true(section.end > section.first);
        next = section.end;
        for (int id = section.first; id < section.end; id++) {
            const char *path = option_at(id)->path;
            size_t len = strlen(section.path);
            if (len > 0 && (strncmp(path, section.path, len) != 0 || path[len] != '.'))
                fail_msg("%s is in the section %s", path, section.path);
        }
    }
    assert_int_equal(next, OPTION_COUNT);
    assert_true(i > 5);
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option *option = option_at(id);
        bool is_file;
        size_t len = strlen(option->help);

        assert_int_equal(option_find(option->path, &is_file), id); /* no two rows of one path */
        if (len < 10 || option->help[len - 1] != '.')
            fail_msg("%s: the help is no sentence", option->path);
        if (strspn(option->path, "abcdefghijklmnopqrstuvwxyz_.0123456789") != strlen(option->path))
            fail_msg("%s: lower case, please", option->path);
        if (!*option->def && !*option->example && option->kind != OPTION_SECRET)
            fail_msg("%s has neither default nor example", option->path);
        if ((option->kind == OPTION_WORD || option->kind == OPTION_ENUM) != (option->choices != NULL))
            fail_msg("%s: choices and kind contradict each other", option->path);
    }
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(option_distance("host", "host"), 0);
    assert_int_equal(option_distance("host", "HOST"), 0);
    assert_int_equal(option_distance("hots", "host"), 1); /* a swap */
    assert_int_equal(option_distance("hst", "host"), 1);
    assert_int_equal(option_distance("hoost", "host"), 1);
    assert_int_equal(option_distance("hist", "host"), 1);
    assert_int_equal(option_distance("", "host"), 4);
    assert_int_equal(option_distance("kitten", "sitting"), 3);
    assert_int_equal(
        option_distance("a-name-that-is-longer-than-sixty-four-characters-which-is-too-much-to-compare", "host"), 99);
}

static void nearest_names(void **state)
{
    static const struct {
        const char *section, *key, *near;
    } rows[] = {
        {"source", "hots", "source.host"},
        {"", "soruce", "source"},
        {"", "brokers", "kafka.brokers"},
        {"kafka", "broker", "kafka.brokers"},
        {"source", "pasword_file", "source.password_file"},
        {"kafka.sasl", "mechanisms", "kafka.sasl.mechanism"},
        {"topics", "max_record_bytes", "events.max_record_bytes"},
        {"", "kafka.queue_byte", "kafka.queue_bytes"},
    };
    char near[OPTION_NAME_MAX], longer[500];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(option_nearest(rows[i].section, rows[i].key, near, sizeof near));
        assert_string_equal(near, rows[i].near);
    }
    assert_false(option_nearest("", "xyzzy_plugh", near, sizeof near));
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = 0;
    assert_false(option_nearest("source", longer, near, sizeof near));
}

static void environment_names(void **state)
{
    char name[OPTION_NAME_MAX];

    (void)state;
    option_env_name(option_at(OPTION_ID_source_tls_mode), false, name, sizeof name);
    assert_string_equal(name, "PILLION_SOURCE_TLS_MODE");
    option_env_name(option_at(OPTION_ID_source_password), true, name, sizeof name);
    assert_string_equal(name, "PILLION_SOURCE_PASSWORD_FILE");
}

static void numbers(void **state)
{
    static const struct {
        enum option_kind kind;
        const char *text;
        int64_t value; /* INT64_MIN: refused */
    } rows[] = {
        {OPTION_INT, "12", 12},
        {OPTION_INT, "-1", -1},
        {OPTION_INT, "0", 0},
        {OPTION_INT, "", INT64_MIN},
        {OPTION_INT, "x", INT64_MIN},
        {OPTION_INT, "1x", INT64_MIN},
        {OPTION_INT, " 1", INT64_MIN},
        {OPTION_INT, "+1", INT64_MIN},
        {OPTION_INT, "0x10", INT64_MIN},
        {OPTION_INT, "1.5", INT64_MIN},
        {OPTION_INT, "1e3", INT64_MIN},
        {OPTION_INT, "99999999999999999999", INT64_MIN},
        {OPTION_DURATION, "500ms", 500},
        {OPTION_DURATION, "10s", 10000},
        {OPTION_DURATION, "10 s", 10000},
        {OPTION_DURATION, "5m", 300000},
        {OPTION_DURATION, "1h", 3600000},
        {OPTION_DURATION, "7d", 604800000},
        {OPTION_DURATION, "0", 0},
        {OPTION_DURATION, "forever", -1},
        {OPTION_DURATION, "10", INT64_MIN},
        {OPTION_DURATION, "-1s", INT64_MIN},
        {OPTION_DURATION, "1.5s", INT64_MIN},
        {OPTION_DURATION, "1S", INT64_MIN},
        {OPTION_DURATION, "9223372036854775807d", INT64_MIN},
        {OPTION_SIZE, "100", 100},
        {OPTION_SIZE, "100B", 100},
        {OPTION_SIZE, "64KiB", 65536},
        {OPTION_SIZE, "16MiB", 16777216},
        {OPTION_SIZE, "1GB", 1000000000},
        {OPTION_SIZE, "16M", INT64_MIN},
        {OPTION_SIZE, "-1", INT64_MIN},
        {OPTION_SIZE, "16mib", INT64_MIN},
        {OPTION_SIZE, "9000000000TiB", INT64_MIN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct option option = {.kind = rows[i].kind, .min = -10, .max = INT64_MAX};
        struct err err = ERR_INIT;
        int64_t v = 77;
        int rc = option_read_number(&option, rows[i].text, &v, &err);

        if ((rc == 0) != (rows[i].value != INT64_MIN) || (rc == 0 && v != rows[i].value))
            fail_msg("\"%s\" gave %d, %lld", rows[i].text, rc, (long long)v);
        if (rc < 0)
            assert_int_equal(err.code, ERR_CONFIG);
    }
}

static void bounds(void **state)
{
    struct option option = {.kind = OPTION_DURATION, .min = 1000, .max = 600000};
    struct err err = ERR_INIT;
    int64_t v;

    (void)state;
    assert_int_equal(option_read_number(&option, "1s", &v, &err), 0);
    assert_int_equal(option_read_number(&option, "10m", &v, &err), 0);
    assert_int_equal(option_read_number(&option, "999ms", &v, &err), -1);
    assert_string_equal(err.text, "999ms is out of bounds; it must be from 1s to 10m.");
    assert_int_equal(option_read_number(&option, "601s", &v, &err), -1);
    assert_int_equal(option_read_number(&option, "forever", &v, &err), -1);
}

static void booleans(void **state)
{
    static const char *const yes[] = {"on", "true", "yes", "1", "On", "TRUE"},
                             *const no[] = {"off", "false", "no", "0", "No"},
                             *const bad[] = {"", "maybe", "2", "o", "onn"};
    struct err err = ERR_INIT;
    bool v;

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(option_read_bool(yes[i], &v, &err) == 0 && v);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_true(option_read_bool(no[i], &v, &err) == 0 && !v);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(option_read_bool(bad[i], &v, &err), -1);
}

static void choices(void **state)
{
    const struct option *mode = option_at(OPTION_ID_source_tls_mode);
    struct err err = ERR_INIT;
    char name[64];
    int index;

    (void)state;
    assert_int_equal(option_read_choice(mode, "off", &index, &err), 0);
    assert_int_equal(index, 0);
    assert_int_equal(option_read_choice(mode, "auto", &index, &err), 0);
    option_choice(mode, index, name, sizeof name);
    assert_string_equal(name, "auto");
    assert_int_equal(option_read_choice(mode, "verify_ca", &index, &err), -1);
    assert_non_null(strstr(err.text, "did you mean verify-ca?"));
    assert_int_equal(option_read_choice(mode, "sometimes", &index, &err), -1);
    assert_non_null(strstr(err.text, "one of off | preferred"));
    assert_int_equal(option_read_choice(mode, "", &index, &err), -1);
    assert_int_equal(option_read_choice(mode, "of", &index, &err), -1);
    assert_int_equal(option_read_choice(mode, "off|preferred", &index, &err), -1);
}

static void numbers_are_written_as_they_are_read(void **state)
{
    static const struct {
        enum option_kind kind;
        int64_t v;
        const char *text;
    } rows[] = {{OPTION_DURATION, 500, "500ms"},
                {OPTION_DURATION, 60000, "1m"},
                {OPTION_DURATION, 90000, "90s"},
                {OPTION_DURATION, -1, "forever"},
                {OPTION_DURATION, 0, "0"},
                {OPTION_DURATION, 604800000, "7d"},
                {OPTION_SIZE, 16 << 20, "16MiB"},
                {OPTION_SIZE, 1000000, "1000000"},
                {OPTION_SIZE, 0, "0"},
                {OPTION_SIZE, INT64_C(1) << 40, "1TiB"},
                {OPTION_INT, -1, "-1"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct option option = {.kind = rows[i].kind, .min = -1, .max = INT64_MAX};
        struct err err = ERR_INIT;
        char text[64];
        int64_t v;

        option_write_number(rows[i].kind, rows[i].v, text, sizeof text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(option_read_number(&option, text, &v, &err), 0);
        assert_true(v == rows[i].v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_found),
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(distances),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(environment_names),
        cmocka_unit_test(numbers),
        cmocka_unit_test(bounds),
        cmocka_unit_test(booleans),
        cmocka_unit_test(choices),
        cmocka_unit_test(numbers_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
