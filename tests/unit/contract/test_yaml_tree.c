/* Trees with places, and every cap on hostile YAML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "contract/yaml_tree.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static const struct yaml_node *parse(const void *text, size_t len, struct yaml_place *place, struct err *err)
{
    return yaml_tree_parse(&arena, text, len, place, err);
}

static void refused(const void *text, size_t len, const char *words)
{
    struct yaml_place place;
    struct err err = ERR_INIT;

    assert_null(parse(text, len, &place, &err));
    if (!strstr(err.text, words))
        fail_msg("wanted \"%s\", got \"%s\"", words, err.text);
    assert_int_equal(err.code, ERR_CONTRACT);
    assert_true(place.line >= 1 && place.column >= 1);
}

static void test_places_and_values(void **state)
{
    static const char text[] = "a: 1\nb:\n  - x\n  - \"y\"\nc: &k {d: e}\nf: *k\n";
    struct yaml_place place;
    struct err err = ERR_INIT;
    const struct yaml_node *n = parse(text, sizeof text - 1, &place, &err), *b;

    (void)state;
    assert_non_null(n);
    assert_string_equal(yaml_text(n, "a", ""), "1");
    assert_string_equal(yaml_text(n, "z", "none"), "none");
    b = yaml_get(n, "b");
    assert_int_equal(b->key_line, 2);
    assert_int_equal(b->kind, YAML_SEQUENCE);
    assert_int_equal(b->first->line, 3);
    assert_int_equal(b->first->column, 5);
    assert_false(b->first->quoted);
    assert_true(b->last->quoted);
    assert_string_equal(yaml_text(yaml_get(n, "f"), "d", ""), "e");
    assert_int_equal(yaml_get(n, "f")->line, 6);
}

static void test_hostile(void **state)
{
    struct buf b;

    (void)state;
    refused("", 0, "empty");
    refused("a: 1\n---\nb: 2\n", 14, "second document");
    refused("a: *b\n", 6, "not defined");
    refused("a: &b [*b]\n", 11, "contains it");
    refused("? [x]\n: 1\n", 10, "plain text");
    refused("a: 1\na: 2\n", 10, "twice");
    refused("a: \"x\\0y\"\n", 10, "NUL");
    refused("a: \"\xff\"\n", 7, "UTF-8");
    buf_init(&b, 16 << 20);
    for (int i = 0; i < 100; i++)
        buf_put_str(&b, "[");
    refused(b.data, b.len, "deeper");
    buf_clear(&b);
    buf_put_str(&b, "a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (char c = 'b'; c < 'j'; c++)
        buf_putf(&b, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1, c - 1, c - 1, c - 1, c - 1,
                 c - 1, c - 1, c - 1, c - 1, c - 1);
    refused(b.data, b.len, "blow");
    buf_clear(&b);
    for (int i = 0; i <= YAML_WIDTH_MAX; i++)
        buf_putf(&b, "k%d: 1\n", i);
    refused(b.data, b.len, "more keys");
    buf_clear(&b);
    for (int i = 0; i <= YAML_NODES_MAX; i++)
        buf_put_str(&b, "- 1\n");
    refused(b.data, b.len, "more nodes");
    buf_clear(&b);
    for (int i = 0; i <= YAML_BYTES_MAX; i++)
        buf_put_u8(&b, '#');
    refused(b.data, b.len, "larger");
    buf_release(&b);
}

static void test_every_prefix(void **state)
{
    static const char text[] = "a: &x [1, {b: 'c'}]\nd: |\n  text\ne: *x\n";

    (void)state;
    for (size_t i = 0; i < sizeof text; i++) {
        struct yaml_place place;
        struct err err = ERR_INIT;
        (void)parse(text, i, &place, &err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_places_and_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_prefix, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
