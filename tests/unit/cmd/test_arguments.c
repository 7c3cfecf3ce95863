/* test_arguments: what commands take and refuse on the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/arguments.h"

#include <string.h>

struct got {
    bool json;
    const char *limit, *words[2];
    size_t n;
    struct err err;
};

/* Reads a command line that is written as one text. */
static int take(struct got *g, const char *line, bool configured)
{
    static char text[200];
    char *argv[16] = {NULL}, *save = NULL;
    int argc = 0;
    const struct argument_option options[] = {{"--json", &g->json, NULL}, {"--limit", NULL, &g->limit}, {0}};
    struct arguments a = {
        .command = "x", .options = options, .configured = configured, .words = g->words, .max_words = 2};
    int rc;

    *g = (struct got){.err = ERR_INIT};
    assert_in_range(strlen(line), 1, sizeof text - 1);
    memcpy(text, line, strlen(line) + 1);
    for (char *word = strtok_r(text, " ", &save); word && argc < 15; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    rc = arguments_read(&a, argc, argv, &g->err);
    g->n = a.n_words;
    return rc;
}

static void flags_values_and_words(void **state)
{
    struct got g;

    (void)state;
    assert_int_equal(take(&g, "x a --json --limit 5 -7", true), 0);
    assert_true(g.json);
    assert_string_equal(g.limit, "5");
    assert_int_equal(g.n, 2);
    assert_string_equal(g.words[0], "a");
    assert_string_equal(g.words[1], "-7");
    assert_int_equal(take(&g, "x --limit=--json", true), 0);
    assert_false(g.json);
    assert_string_equal(g.limit, "--json");
    assert_int_equal(take(&g, "x - -- --json", true), 0);
    assert_false(g.json);
    assert_string_equal(g.words[0], "-");
    assert_string_equal(g.words[1], "--json");
    assert_int_equal(take(&g, "x", true), 0);
    assert_int_equal(g.n, 0);
}

static void wrong_ones_are_told(void **state)
{
    static const struct {
        const char *line;
        bool configured;
        const char *text;
    } cases[] = {
        {"x --limit", true, "--limit needs a value."},
        {"x --limit 1 --limit=2", true, "--limit is given twice."},
        {"x --json=yes", true, "--json takes no value."},
        {"x --jsn", true, "There is no option --jsn; did you mean --json?"},
        {"x --limits=5", true, "There is no option --limits; did you mean --limit?"},
        {"x --source.hots=a", true, "did you mean --source.host?"},
        {"x --source.hots=a", false, "There is no option --source.hots=a; 'pillion x --help' lists them."},
        {"x -q", false, "There is no option -q; 'pillion x --help' lists them."},
        {"x a b c", true, "'c' is an argument too many; 'pillion x --help' shows which it takes."},
    };
    struct got g;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(take(&g, cases[i].line, cases[i].configured), -1);
        assert_int_equal(g.err.code, ERR_USAGE);
        if (!strstr(g.err.text, cases[i].text))
            fail_msg("%s: '%s'", cases[i].line, g.err.text);
    }
}

static void numbers_are_whole_and_bounded(void **state)
{
    static const char *const wrong[] = {"", "x", "5x", "1.5", "-1", "101", "99999999999999999999", " "};
    struct err err = ERR_INIT;
    long v = 0;

    (void)state;
    assert_int_equal(arguments_number("--limit", "0", 0, 100, &v, &err), 0);
    assert_int_equal(v, 0);
    assert_int_equal(arguments_number("--limit", "100", 0, 100, &v, &err), 0);
    assert_int_equal(v, 100);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err_clear(&err);
        assert_int_equal(arguments_number("--limit", wrong[i], 0, 100, &v, &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.text, "--limit takes a whole number from 0 to 100"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_values_and_words),
        cmocka_unit_test(wrong_ones_are_told),
        cmocka_unit_test(numbers_are_whole_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
