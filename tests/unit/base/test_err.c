/* test_err: setting, prefixing and classing of base/err. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#include <string.h>

static void sets_code_text_and_place(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(err_class(&err), ERR_CLASS_NONE);
    assert_int_equal(err_set(&err, ERR_TRUNCATED, "%d bytes are missing.", 3), -1);
    assert_int_equal(err.code, ERR_TRUNCATED);
    assert_string_equal(err.text, "3 bytes are missing.");
    assert_non_null(strstr(err.file, "test_err.c"));
    assert_true(err.line > 0);
    assert_int_equal(err_set(NULL, ERR_BUG, "nobody listens"), -1);
    assert_int_equal(err_prefix(NULL, "nobody listens"), -1);
    err_clear(&err);
    assert_int_equal(err.code, ERR_NONE);
    assert_string_equal(err.text, "");
}

static void prefixes_inside_out(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    err_set(&err, ERR_VALUE, "Too long.");
    err_prefix(&err, "column %s", "c");
    assert_int_equal(err_prefix(&err, "table %s", "t"), -1);
    assert_string_equal(err.text, "table t: column c: Too long.");
    assert_int_equal(err.code, ERR_VALUE);
    err_set(&err, ERR_VALUE, "again: %s", err.text); /* quotes itself */
    assert_string_equal(err.text, "again: table t: column c: Too long.");
}

static void cuts_long_texts(void **state)
{
    struct err err = ERR_INIT;
    char longer[3 * ERR_TEXT];

    (void)state;
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    err_set(&err, ERR_FILE, "%s", longer);
    assert_int_equal(strlen(err.text), ERR_TEXT - 1);
    err_prefix(&err, "why");
    assert_int_equal(strlen(err.text), ERR_TEXT - 1);
    assert_memory_equal(err.text, "why: xxx", 8);
    err_prefix(&err, "%s", longer);
    assert_true(strlen(err.text) < ERR_TEXT);
}

static void every_code_has_a_row(void **state)
{
    (void)state;
    for (int code = 1; code < ERR_CODES; code++) {
        struct err err = ERR_INIT;
        err_set(&err, (enum err_code)code, "x");
        assert_memory_equal(err_code_name(err.code), "ERR_", 4);
        assert_true(strlen(err_code_meaning(err.code)) > 10);
        assert_int_not_equal(err_class(&err), ERR_CLASS_NONE);
        assert_string_not_equal(err_class_name(err_class(&err)), "unknown");
        assert_int_not_equal(err_exit_code(&err), 0);
    }
}

static void exit_codes_follow_the_class(void **state)
{
    static const struct {
        enum err_code code;
        int exit_code;
    } rows[] = {{ERR_NONE, 0}, {ERR_CHECKSUM, 1}, {ERR_CONFIG, 2}, {ERR_KAFKA, 3}, {ERR_LEASE, 3}, {ERR_BUG, 70}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = ERR_INIT;
        err.code = rows[i].code;
        assert_int_equal(err_exit_code(&err), rows[i].exit_code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_code_text_and_place),
        cmocka_unit_test(prefixes_inside_out),
        cmocka_unit_test(cuts_long_texts),
        cmocka_unit_test(every_code_has_a_row),
        cmocka_unit_test(exit_codes_follow_the_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
