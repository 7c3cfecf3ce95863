/* test_key_guess: which values a written key may stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/key_guess.h"

#include <string.h>

static const char *one[] = {"id"}, *two[] = {"shop", "no"};
static const struct entity rides = {.name = "rides", .key = one, .n_key = 1};
static const struct entity bills = {.name = "bills", .key = two, .n_key = 2};

/* Whether the guesses hold this one, as canonical extended JSON. */
static bool holds(const struct key_guess *g, const char *json)
{
    bool found = false;

    for (size_t i = 0; i < g->n; i++) {
        char *text = bson_as_canonical_extended_json(g->ids[i], NULL);

        found = found || !strcmp(text, json);
        bson_free(text);
    }
    return found;
}

static void a_single_key(void **state)
{
    struct err err = ERR_INIT;
    struct key_guess g;

    (void)state;
    assert_int_equal(key_guess_init(&g, &rides, "-7", &err), 0);
    assert_true(holds(&g, "{ \"_id\" : \"-7\" }"));
    assert_true(holds(&g, "{ \"_id\" : { \"$numberLong\" : \"-7\" } }"));
    assert_true(holds(&g, "{ \"_id\" : { \"$numberDecimal\" : \"-7\" } }"));
    key_guess_release(&g);
    assert_int_equal(key_guess_init(&g, &rides, "7.5", &err), 0);
    assert_true(holds(&g, "{ \"_id\" : { \"$numberDouble\" : \"7.5\" } }"));
    assert_true(holds(&g, "{ \"_id\" : { \"$numberDecimal\" : \"7.5\" } }"));
    assert_int_equal(g.n, 3);
    key_guess_release(&g);
    assert_int_equal(key_guess_init(&g, &rides, "0xff00", &err), 0);
    assert_true(holds(&g, "{ \"_id\" : { \"$binary\" : { \"base64\" : \"/wA=\", \"subType\" : \"00\" } } }"));
    key_guess_release(&g);
    assert_int_equal(key_guess_init(&g, &rides, "a,b\\", &err), 0);
    assert_true(holds(&g, "{ \"_id\" : \"a,b\\\\\" }"));
    assert_int_equal(g.n, 1);
    key_guess_release(&g);
    assert_int_equal(key_guess_init(&g, &rides, "", &err), 0);
    assert_int_equal(g.n, 1);
    key_guess_release(&g);
}

static void a_composite_key(void **state)
{
    struct err err = ERR_INIT;
    struct key_guess g;

    (void)state;
    assert_int_equal(key_guess_init(&g, &bills, "a\\,b,7", &err), 0);
    assert_true(holds(&g, "{ \"_id\" : { \"shop\" : \"a,b\", \"no\" : { \"$numberLong\" : \"7\" } } }"));
    assert_true(holds(&g, "{ \"_id\" : { \"shop\" : \"a,b\", \"no\" : \"7\" } }"));
    key_guess_release(&g);
    assert_int_equal(key_guess_init(&g, &bills, "1,2", &err), 0);
    assert_true(
        holds(&g, "{ \"_id\" : { \"shop\" : { \"$numberLong\" : \"1\" }, \"no\" : { \"$numberLong\" : \"2\" } } }"));
    key_guess_release(&g);
}

static void a_wrong_number_of_parts_is_told(void **state)
{
    static const char *const wrong[] = {"7", "7,8,9", "7\\,8"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = ERR_INIT;
        struct key_guess g;

        assert_int_equal(key_guess_init(&g, &bills, wrong[i], &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.text, "The key of bills has 2 parts"));
    }
}

static void guesses_are_bounded(void **state)
{
    const char *names[20] = {NULL};
    struct entity wide = {.name = "wide", .key = names, .n_key = 20};
    char text[64] = "1";
    struct err err = ERR_INIT;
    struct key_guess g;
    bson_iter_t it, sub;

    (void)state;
    for (int i = 0; i < 20; i++)
        names[i] = "c";
    for (int i = 1; i < 20; i++)
        memcpy(text + 2 * i - 1, ",1", 3);
    assert_int_equal(key_guess_init(&g, &wide, text, &err), 0);
    assert_in_range(g.n, 1, KEY_GUESS_MAX);
    /* all of them integers is the first guess */
    assert_true(bson_iter_init_find(&it, g.ids[0], "_id") && bson_iter_recurse(&it, &sub));
    while (bson_iter_next(&sub))
        assert_true(BSON_ITER_HOLDS_INT64(&sub));
    key_guess_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_key),
        cmocka_unit_test(a_composite_key),
        cmocka_unit_test(a_wrong_number_of_parts_is_told),
        cmocka_unit_test(guesses_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
