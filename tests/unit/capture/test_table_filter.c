/* test_table_filter: patterns, system databases, helper tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "capture/table_filter.h"

static void without_patterns_all_but_system_and_helper_tables(void **state)
{
    struct table_filter *f;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(table_filter_new(&f, NULL, 0, NULL, 0, &err), 0);
    assert_true(table_filter_takes(f, "shop", "rides"));
    assert_true(table_filter_takes(f, "mysqlx", "rides"));
    assert_false(table_filter_takes(f, "mysql", "user"));
    assert_false(table_filter_takes(f, "SYS", "x"));
    assert_false(table_filter_takes(f, "information_schema", "x"));
    assert_false(table_filter_takes(f, "performance_schema", "x"));
    assert_false(table_filter_takes(f, "shop", "_rides_gho"));
    assert_false(table_filter_takes(f, "shop", "_rides_ghc"));
    assert_false(table_filter_takes(f, "shop", "_rides_del"));
    assert_false(table_filter_takes(f, "shop", "_rides_new"));
    assert_true(table_filter_takes(f, "shop", "rides_new"));
    assert_true(table_filter_takes(f, "shop", "_gho"));
    table_filter_free(f);
}

static void patterns_match_the_whole_name(void **state)
{
    static const char *const include[] = {"shop\\.rides|shop\\.users", "a\\..*"};
    static const char *const exclude[] = {"a\\.secret"};
    struct table_filter *f;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(table_filter_new(&f, include, 2, exclude, 1, &err), 0);
    assert_true(table_filter_takes(f, "shop", "rides"));
    assert_true(table_filter_takes(f, "shop", "users"));
    assert_false(table_filter_takes(f, "shop", "users2"));
    assert_false(table_filter_takes(f, "myshop", "users"));
    assert_true(table_filter_takes(f, "a", "b"));
    assert_false(table_filter_takes(f, "a", "secret"));
    assert_true(table_filter_takes(f, "a", "_b_gho")); /* an exclude pattern takes the default's place */
    table_filter_free(f);
}

static void a_bad_pattern_is_named(void **state)
{
    static const char *const include[] = {"shop", "(open"};
    struct table_filter *f;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(table_filter_new(&f, include, 2, NULL, 0, &err), -1);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.text, "(open"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_patterns_all_but_system_and_helper_tables),
        cmocka_unit_test(patterns_match_the_whole_name),
        cmocka_unit_test(a_bad_pattern_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
