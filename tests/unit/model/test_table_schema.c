#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/position.h"
#include "model/table_schema.h"

static struct table_schema *make(void)
{
    struct table_schema *t = table_schema_new();

    t->database = arena_strndup(&t->arena, "shop", 4);
    t->table = arena_strndup(&t->arena, "rides", 5);
    t->n_columns = 3;
    t->columns = arena_alloc(&t->arena, 3 * sizeof *t->columns);
    for (size_t i = 0; i < 3; i++) {
        t->columns[i] = (struct column){.kind = COLUMN_INT, .width = 8, .visible = true, .key_part = -1};
        t->columns[i].name = arena_strndup(&t->arena, &"abc"[i], 1);
    }
    t->key = arena_alloc(&t->arena, sizeof *t->key);
    t->n_key = 1;
    t->columns[0].key_part = 0;
    table_schema_seal(t);
    return t;
}

/* Every fact changes the shape, and nothing else does. */
static void shape_follows_facts(void **state)
{
    struct table_schema *a = make(), *b = make();
    const char *members[] = {"x", "yz"}, *others[] = {"xy", "z"};
    uint64_t shape = a->shape;

    (void)state;
    assert_int_equal(a->shape, b->shape);
#define CHANGED(...)                                                                                                   \
    do {                                                                                                               \
        __VA_ARGS__;                                                                                                   \
        table_schema_seal(b);                                                                                          \
        assert_int_not_equal(b->shape, shape);                                                                         \
        shape = b->shape;                                                                                              \
    } while (0)
    CHANGED(b->columns[1].nullable = true);
    CHANGED(b->columns[1].is_unsigned = true);
    CHANGED(b->columns[1].width = 4);
    CHANGED(b->columns[1].kind = COLUMN_ENUM);
    CHANGED(b->columns[1].members = members; b->columns[1].n_members = 2);
    CHANGED(b->columns[1].members = others);
    CHANGED(b->columns[2].length = 1);
    CHANGED(b->columns[2].fsp = 1);
    CHANGED(b->columns[2].scale = 1);
    CHANGED(b->columns[2].precision = 1);
    CHANGED(b->columns[2].collation = 1);
    CHANGED(b->columns[2].visible = false);
    CHANGED(b->columns[2].is_fixed = true);
    CHANGED(b->columns[2].name = "d");
    CHANGED(b->table = "ride");
    CHANGED(b->database = "shops");
    CHANGED(b->n_columns = 2);
    CHANGED(b->n_key = 0);
    table_schema_free(a);
    table_schema_free(b);
    table_schema_free(NULL);
}

static void other_key(void **state)
{
    struct table_schema *t = make();
    const char *good[] = {"c", "a"}, *unknown[] = {"x"}, *twice[] = {"a", "a"};
    uint64_t shape = t->shape;

    (void)state;
    assert_int_equal(table_schema_set_key(t, unknown, 1), -1);
    assert_int_equal(table_schema_set_key(t, twice, 2), -1);
    assert_int_equal(t->shape, shape);
    assert_int_equal(t->columns[0].key_part, 0);
    assert_int_equal(table_schema_set_key(t, good, 2), 0);
    assert_int_equal(t->n_key, 2);
    assert_int_equal(t->key[0], 2);
    assert_int_equal(t->columns[0].key_part, 1);
    assert_int_equal(t->columns[1].key_part, -1);
    assert_int_equal(t->columns[2].key_part, 0);
    assert_int_not_equal(t->shape, shape);
    assert_int_equal(table_schema_find(t, "b"), 1);
    assert_int_equal(table_schema_find(t, "B"), -1);
    table_schema_free(t);
}

static void positions_are_copied_whole(void **state)
{
    struct position a, b;
    struct gtid g;

    (void)state;
    position_init(&a);
    position_init(&b);
    assert_int_equal(gtid_parse(&g, "0-1-5", NULL), 0);
    assert_int_equal(gtid_set_add(a.gtids, &g, NULL), 0);
    strcpy(a.file, "mysql-bin.000001");
    a.offset = 1ull << 40;
    position_copy(&b, &a);
    position_copy(&b, &b);
    assert_int_equal(b.offset, 1ull << 40);
    gtid_set_clear(a.gtids);
    assert_true(gtid_set_contains(b.gtids, &g));
    position_release(&a);
    position_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_follows_facts),
        cmocka_unit_test(other_key),
        cmocka_unit_test(positions_are_copied_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
