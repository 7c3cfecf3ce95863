#include "merge/key_map.h"
#include "sample.h"

static void test_map(void **state)
{
    static char keys[3000][8];
    struct key_map m = {0};
    bool is_new;

    (void)state;
    assert_null(key_map_get(&m, 0, "x"));
    for (size_t i = 0; i < 3000; i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i);
        *key_map_put(&m, i % 2, keys[i], &is_new) = i;
        assert_true(is_new);
    }
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(*key_map_get(&m, i % 2, keys[i]), i);
        assert_null(key_map_get(&m, 1 - i % 2, keys[i]));
        assert_int_equal(*key_map_put(&m, i % 2, keys[i], &is_new), i);
        assert_false(is_new);
    }
    key_map_clear(&m);
    assert_null(key_map_get(&m, 0, "0"));
    key_map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_map)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
