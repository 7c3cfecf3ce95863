/* test_parked_row: what `parked` and `why` read from documents of parked rows, good ones and others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/parked_row.h"

#include <string.h>

static bson_t *from_json(const char *text)
{
    bson_error_t e;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &e);

    if (!doc)
        fail_msg("%s", e.message);
    return doc;
}

static void a_row_and_what_it_waits_for(void **state)
{
    bson_t *doc = from_json("{\"_id\": \"rides|5\", \"entity\": \"rides\", \"key\": \"5\","
                            " \"waiting\": [\"users|7\", \"places|a|b\", \"bare\"]}");
    struct parked_row row;
    struct err err = ERR_INIT;
    bson_t *id;
    char *text;

    (void)state;
    assert_int_equal(parked_row_read(&row, doc, &err), 0);
    assert_string_equal(row.entity, "rides");
    assert_string_equal(row.key, "5");
    assert_string_equal(row.waiting, "users 7, places a|b, bare");
    id = parked_row_id(doc);
    text = bson_as_relaxed_extended_json(id, NULL);
    assert_string_equal(text, "{ \"_id\" : \"rides|5\" }");
    bson_free(text);
    bson_destroy(id);
    bson_destroy(doc);
}

static void nothing_to_wait_for(void **state)
{
    bson_t *doc = from_json("{\"entity\": \"users\", \"key\": \"7\", \"waiting\": []}");
    struct parked_row row;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(parked_row_read(&row, doc, &err), 0);
    assert_string_equal(row.waiting, "");
    bson_destroy(doc);
}

static void a_long_list_is_cut(void **state)
{
    bson_t *doc = bson_new(), list;
    struct parked_row row;
    struct err err = ERR_INIT;

    (void)state;
    BSON_APPEND_UTF8(doc, "entity", "rides");
    BSON_APPEND_UTF8(doc, "key", "5");
    BSON_APPEND_ARRAY_BEGIN(doc, "waiting", &list);
    for (int i = 0; i < 200; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        BSON_APPEND_UTF8(&list, name, "users|123456789");
    }
    bson_append_array_end(doc, &list);
    assert_int_equal(parked_row_read(&row, doc, &err), 0);
    assert_in_range(strlen(row.waiting), 100, sizeof row.waiting - 1);
    assert_non_null(strstr(row.waiting, "..."));
    bson_destroy(doc);
}

static void other_documents_are_refused(void **state)
{
    static const char *const others[] = {
        "{}",
        "{\"entity\": \"rides\", \"key\": \"5\"}",
        "{\"entity\": 5, \"key\": \"5\", \"waiting\": []}",
        "{\"entity\": \"rides\", \"key\": \"5\", \"waiting\": \"users|7\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        bson_t *doc = from_json(others[i]);
        struct parked_row row;
        struct err err = ERR_INIT;

        assert_int_equal(parked_row_read(&row, doc, &err), -1);
        assert_int_equal(err.code, ERR_STORE_DATA);
        bson_destroy(doc);
    }
}

static void strange_members_of_the_list_do_no_harm(void **state)
{
    bson_t *doc = from_json("{\"entity\": \"rides\", \"key\": \"5\", \"waiting\": [1, {\"a\": 2}]}");
    struct parked_row row;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(parked_row_read(&row, doc, &err), 0);
    assert_string_equal(row.waiting, "?, ?");
    bson_destroy(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_and_what_it_waits_for),
        cmocka_unit_test(nothing_to_wait_for),
        cmocka_unit_test(a_long_list_is_cut),
        cmocka_unit_test(other_documents_are_refused),
        cmocka_unit_test(strange_members_of_the_list_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
