/* Never a key that was not added; what is forgotten is said to be. */
#include "merge/known_set.h"
#include "sample.h"

static void test_exact(void **state)
{
    struct known_set *s = known_set_new(100000);
    char key[32];

    (void)state;
    for (int i = 0; i < 5000; i += 3) {
        snprintf(key, sizeof key, "%d", i);
        known_set_add(s, 1, key);
        snprintf(key, sizeof key, "k%d", i);
        known_set_add(s, 1, key);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(known_set_has(s, 1, key), i % 3 == 0);
        assert_false(known_set_has(s, 2, key));
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(known_set_has(s, 1, key), i % 3 == 0);
    }
    known_set_add(s, 1, "007"); /* no canonical number */
    assert_true(known_set_has(s, 1, "007"));
    assert_false(known_set_has(s, 1, "7"));
    known_set_add(s, 1, "-3");
    assert_true(known_set_has(s, 1, "-3"));
    known_set_remove(s, 1, "-3");
    known_set_remove(s, 1, "3");
    assert_false(known_set_has(s, 1, "-3"));
    assert_false(known_set_has(s, 1, "3"));
    assert_true(known_set_has(s, 1, "6"));
    known_set_add(s, 1, "-3");
    assert_true(known_set_has(s, 1, "-3"));
    assert_false(known_set_forgot(s));
    known_set_clear(s);
    assert_false(known_set_has(s, 1, "6"));
    known_set_free(s);
}

static void test_bounded(void **state)
{
    struct known_set *s = known_set_new(200);
    char key[32];
    int kept = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        known_set_add(s, 0, key);
        assert_true(known_set_has(s, 0, key));
        assert_true(known_set_has(s, 0, "k0")); /* what is asked for stays */
    }
    assert_true(known_set_forgot(s));
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        kept += known_set_has(s, 0, key);
    }
    assert_true(kept >= 50 && kept <= 300);
    known_set_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_bounded)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
