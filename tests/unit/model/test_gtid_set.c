/* Sets of GTIDs: against a plain model for random operations, and the forms that the servers take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/gtid.h"

#define UUID "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define UUID2 "9a6e623c-e54b-11f1-a1e6-02fc00000001"

static struct gtid_set *parse(const char *text, enum gtid_flavor flavor)
{
    struct gtid_set *s = gtid_set_new();
    struct err err = ERR_INIT;

    if (gtid_set_parse(s, text, flavor, &err))
        fail_msg("%s", err.text);
    return s;
}

static void assert_text(const struct gtid_set *s, const char *text)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    assert_int_equal(gtid_set_format(s, &b), 0);
    assert_string_equal(buf_cstr(&b), text);
    buf_release(&b);
}

static void assert_round_trip(const char *in, const char *out, enum gtid_flavor flavor)
{
    struct gtid_set *s = parse(in, flavor), *again;

    assert_text(s, out);
    again = parse(out, flavor);
    assert_true(gtid_set_equal(s, again));
    gtid_set_free(again);
    gtid_set_free(s);
}

static bool contains(const struct gtid_set *s, const char *gtid)
{
    struct gtid g;

    assert_int_equal(gtid_parse(&g, gtid, NULL), 0);
    return gtid_set_contains(s, &g);
}

static void add(struct gtid_set *s, const char *gtid)
{
    struct gtid g;
    struct err err = ERR_INIT;

    assert_int_equal(gtid_parse(&g, gtid, NULL), 0);
    if (gtid_set_add(s, &g, &err))
        fail_msg("%s", err.text);
}

static void text_forms(void **state)
{
    (void)state;
    assert_round_trip("", "", GTID_MYSQL);
    assert_round_trip(UUID ":1-5:7", UUID ":1-5:7", GTID_MYSQL);
    assert_round_trip(" " UUID2 ":3 ,\n" UUID " : 7 : 1 - 5:6,", UUID ":1-7," UUID2 ":3", GTID_MYSQL);
    assert_round_trip("3E11FA47-71CA-11E1-9E33-C80AA9429562:1:BLUE:2-3:4:_red:9", UUID ":1:_red:9:blue:2-4",
                      GTID_MYSQL);
    assert_round_trip(UUID ":tag:1," UUID ":5", UUID ":5:tag:1", GTID_MYSQL);
    assert_round_trip(UUID ":5-4", "", GTID_MYSQL);
    assert_round_trip("1-2-9,0-1-5", "0-1-5,1-2-9", GTID_MARIADB);
    assert_round_trip("mysql-bin.000003:1234", "mysql-bin.000003:1234", GTID_FILE);
    assert_round_trip(UUID ":1-2,mysql-bin.000003:1234", UUID ":1-2,mysql-bin.000003:1234", GTID_MYSQL);
}

static void bad_texts(void **state)
{
    static const char *const mysql[] = {"x",
                                        UUID ":0",
                                        UUID ":1-x",
                                        UUID ":99999999999999999999",
                                        UUID ":1 2",
                                        "0-1-5",
                                        UUID ":1-2;" UUID2 ":1",
                                        UUID ":tagthatislongerthanthirtytwobytesx:1",
                                        UUID ":1-"};
    struct gtid_set *s = gtid_set_new();

    (void)state;
    for (size_t i = 0; i < sizeof mysql / sizeof mysql[0]; i++) {
        struct err err = ERR_INIT;

        if (!gtid_set_parse(s, mysql[i], GTID_MYSQL, &err))
            fail_msg("\"%s\" was taken", mysql[i]);
        assert_int_equal(err.code, ERR_MALFORMED);
    }
    assert_int_equal(gtid_set_parse(s, UUID ":1", GTID_MARIADB, NULL), -1);
    assert_int_equal(gtid_set_parse(s, "0-4294967296-1", GTID_MARIADB, NULL), -1);
    gtid_set_free(s);
}

static void one_gtid(void **state)
{
    static const char *const texts[] = {UUID ":5", UUID ":tag:5", "0-1-5", "4294967295-4294967295-18446744073709551615",
                                        "a.b.000001:4"};
    char text[GTID_TEXT];
    struct gtid g, h;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(gtid_parse(&g, texts[i], NULL), 0);
        assert_int_equal(gtid_format(&g, text), strlen(texts[i]));
        assert_string_equal(text, texts[i]);
        assert_int_equal(gtid_parse(&h, text, NULL), 0);
        assert_true(gtid_equal(&g, &h));
    }
    assert_int_equal(gtid_parse(&g, UUID, NULL), -1);
    assert_int_equal(gtid_parse(&g, UUID ":1:2", NULL), -1);
    assert_int_equal(gtid_parse(&g, "", NULL), -1);
}

static void mariadb_domains(void **state)
{
    struct gtid_set *s = gtid_set_new(), *other;

    (void)state;
    add(s, "0-1-5");
    add(s, "0-1-6");
    add(s, "7-1-100");
    add(s, "0-2-7");
    assert_text(s, "0-2-7,7-1-100");
    assert_true(contains(s, "0-1-5"));
    assert_false(contains(s, "0-1-4")); /* added one by one: only these are known */
    other = parse("0-9-7", GTID_MARIADB);
    assert_true(contains(other, "0-9-3"));
    assert_true(gtid_set_contains_set(s, other)); /* the domain has reached 7 */
    assert_false(gtid_set_contains_set(other, s));
    assert_int_equal(gtid_set_minus_count(s, other), 100);
    gtid_set_free(other);
    other = parse("0-9-8", GTID_MARIADB);
    assert_false(gtid_set_contains_set(s, other));
    assert_int_equal(gtid_set_minus_count(other, s), 1);
    assert_int_equal(gtid_set_union(s, other, NULL), 0);
    assert_text(s, "0-9-8,7-1-100");
    gtid_set_free(other);
    gtid_set_free(s);
}

static void files(void **state)
{
    struct gtid_set *s = gtid_set_new();

    (void)state;
    add(s, "mysql-bin.000003:500");
    assert_true(contains(s, "mysql-bin.000003:4"));
    assert_true(contains(s, "mysql-bin.000002:900000"));
    assert_false(contains(s, "mysql-bin.000003:501"));
    assert_false(contains(s, "mysql-bin.000004:4"));
    assert_false(contains(s, "other.000001:4"));
    add(s, "mysql-bin.000010:4");
    assert_text(s, "mysql-bin.000010:4");
    add(s, "mysql-bin.999999:4");
    add(s, "mysql-bin.1000000:4");
    assert_text(s, "mysql-bin.1000000:4");
    gtid_set_free(s);
}

/* Two sources of numbers 1 to 63 as bits. */
struct bits {
    uint64_t of[2];
};

static const char *const names[2] = {UUID, UUID2 ":blue"};

static void random_operations(void **state)
{
    unsigned seed = 17;

    (void)state;
    for (int round = 0; round < 400; round++) {
        struct gtid_set *a = gtid_set_new(), *b = gtid_set_new(), *sum, *rest;
        struct bits x = {{0, 0}}, y = {{0, 0}};
        uint64_t missing = 0;
        struct buf encoded;

        for (int i = 0; i < 60; i++) {
            int source = rand_r(&seed) % 2, number = 1 + rand_r(&seed) % 63, which = rand_r(&seed) % 2;
            char text[GTID_TEXT];

            snprintf(text, sizeof text, "%s:%d", names[source], number);
            add(which ? a : b, text);
            (which ? &x : &y)->of[source] |= 1ull << number;
        }
        for (int source = 0; source < 2; source++) {
            missing += (uint64_t)__builtin_popcountll(x.of[source] & ~y.of[source]);
            for (int n = 1; n < 64; n++) {
                char text[GTID_TEXT];

                snprintf(text, sizeof text, "%s:%d", names[source], n);
                assert_int_equal(contains(a, text), x.of[source] >> n & 1);
            }
        }
        assert_int_equal(gtid_set_minus_count(a, b), missing);
        assert_int_equal(gtid_set_contains_set(b, a), missing == 0);
        rest = gtid_set_copy(a);
        gtid_set_subtract(rest, b);
        assert_int_equal(gtid_set_minus_count(rest, b), missing);
        assert_int_equal(gtid_set_minus_count(a, rest),
                         (uint64_t)(__builtin_popcountll(x.of[0]) + __builtin_popcountll(x.of[1])) - missing);
        assert_true(gtid_set_contains_set(a, rest));
        sum = gtid_set_copy(b);
        assert_int_equal(gtid_set_union(sum, rest, NULL), 0);
        assert_true(gtid_set_contains_set(sum, a));
        assert_true(gtid_set_contains_set(sum, b));
        gtid_set_subtract(sum, a);
        gtid_set_subtract(sum, b);
        assert_true(gtid_set_empty(sum));
        /* and through both forms */
        buf_init(&encoded, 1 << 20);
        assert_int_equal(gtid_set_encode(a, &encoded), 0);
        gtid_set_clear(sum);
        assert_int_equal(gtid_set_decode(sum, cursor_of(encoded.data, encoded.len), NULL), 0);
        assert_true(gtid_set_equal(sum, a));
        for (size_t len = 0; len < encoded.len; len++) {
            gtid_set_clear(sum);
            assert_int_equal(gtid_set_decode(sum, cursor_of(encoded.data, len), NULL), -1);
        }
        buf_clear(&encoded);
        assert_int_equal(gtid_set_format(a, &encoded), 0);
        assert_int_equal(gtid_set_parse(sum, buf_cstr(&encoded), GTID_MYSQL, NULL), 0);
        assert_true(gtid_set_equal(sum, a));
        buf_release(&encoded);
        gtid_set_free(a);
        gtid_set_free(b);
        gtid_set_free(sum);
        gtid_set_free(rest);
    }
}

/* As COM_BINLOG_DUMP_GTID has it; the layout is the server's Gtid_set::encode. */
static void binary_form(void **state)
{
    static const uint8_t plain[] = {1,    0,    0,    0,    0,    0,    0,    0,    0x3e, 0x11, 0xfa, 0x47, 0x71,
                                    0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62, 2,    0,
                                    0,    0,    0,    0,    0,    0,    1,    0,    0,    0,    0,    0,    0,
                                    0,    6,    0,    0,    0,    0,    0,    0,    0,    7,    0,    0,    0,
                                    0,    0,    0,    0,    8,    0,    0,    0,    0,    0,    0,    0};
    struct gtid_set *s = parse(UUID ":1-5:7", GTID_MYSQL);
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 10);
    assert_int_equal(gtid_set_encode(s, &b), 0);
    assert_int_equal(b.len, sizeof plain);
    assert_memory_equal(b.data, plain, sizeof plain);
    add(s, UUID ":blue:3");
    buf_clear(&b);
    assert_int_equal(gtid_set_encode(s, &b), 0);
    assert_memory_equal(b.data, "\1\2\0\0\0\0\0\1", 8); /* format, two sources, format */
    assert_int_equal(b.data[24], 0);                    /* no tag */
    assert_memory_equal(b.data + 24 + 1 + 40 + 16,
                        "\x8"
                        "blue",
                        5);
    buf_release(&b);
    gtid_set_free(s);
}

static void long_set_stays_small(void **state)
{
    struct gtid_set *s = gtid_set_new();
    struct gtid g;

    (void)state;
    assert_int_equal(gtid_parse(&g, UUID ":1", NULL), 0);
    for (g.number = 1; g.number <= 200000; g.number++)
        assert_int_equal(gtid_set_add(s, &g, NULL), 0);
    assert_text(s, UUID ":1-200000");
    gtid_set_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_forms),  cmocka_unit_test(bad_texts),
        cmocka_unit_test(one_gtid),    cmocka_unit_test(mariadb_domains),
        cmocka_unit_test(files),       cmocka_unit_test(random_operations),
        cmocka_unit_test(binary_form), cmocka_unit_test(long_set_stays_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
