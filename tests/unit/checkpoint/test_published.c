/* test_published: prefixes of partitions, and a crash at every record of a random history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "checkpoint/published.h"

static struct gtid gtid(unsigned n)
{
    struct gtid g;
    struct err err = ERR_INIT;
    char text[64];

    snprintf(text, sizeof(text), n % 3 ? "0-1-%u" : "1-2-%u", n);
    assert_int_equal(gtid_parse(&g, text, &err), 0);
    return g;
}

static void a_half_published_transaction_is_known_by_its_index(void **state)
{
    struct published *p = published_new();
    struct err err = ERR_INIT;
    struct gtid a = gtid(1), b = gtid(2), c = gtid(4);

    (void)state;
    assert_true(published_empty(p));
    assert_int_equal(published_saw(p, "t", 0, &a, 3, &err), 0);
    assert_int_equal(published_saw(p, "t", 0, &a, 9, &err), 0);
    assert_int_equal(published_saw(p, "t", 0, &b, 5, &err), 0);
    assert_false(published_empty(p));
    assert_true(published_has(p, "t", 0, &a, 1000)); /* complete: something newer is behind it */
    assert_true(published_has(p, "t", 0, &b, 5));
    assert_true(published_has(p, "t", 0, &b, 0));
    assert_false(published_has(p, "t", 0, &b, 6));
    assert_false(published_has(p, "t", 1, &a, 0));
    assert_false(published_has(p, "u", 0, &a, 0));
    assert_false(published_has(p, "t", 0, &c, 0));
    published_free(p);
}

static void it_is_empty_when_all_was_read_again(void **state)
{
    struct published *p = published_new();
    struct err err = ERR_INIT;
    struct gtid a = gtid(1), b = gtid(2), c = gtid(3);

    (void)state;
    assert_int_equal(published_saw(p, "t", 0, &a, 0, &err), 0);
    assert_int_equal(published_saw(p, "t", 1, &b, 0, &err), 0);
    assert_true(published_has(p, "t", 0, &a, 0));
    published_committed(p);
    assert_false(published_empty(p));
    assert_false(published_has(p, "t", 1, &c, 0));
    published_committed(p);
    assert_false(published_empty(p));
    assert_true(published_has(p, "t", 1, &b, 0));
    assert_true(published_has(p, "t", 1, &b, 0));
    assert_false(published_empty(p)); /* the transaction is not over */
    published_committed(p);
    assert_true(published_empty(p));
    published_free(p);
}

enum { RECORDS = 300, PARTS = 3 };
struct rec {
    unsigned txn;
    uint64_t index;
    int part;
};

/* Each partition keeps a prefix of what was meant for it; sending again what is not there must give each record once.
 */
static void every_prefix_is_completed_exactly(void **state)
{
    struct rec records[RECORDS];
    uint32_t seed = 7;
    unsigned txn = 1;
    uint64_t index = 0;

    (void)state;
    for (int i = 0; i < RECORDS; i++) {
        seed = seed * 1664525 + 1013904223;
        if (seed >> 28 > 11) {
            txn++;
            index = 0;
        }
        records[i] = (struct rec){txn, index++, (int)(seed >> 20) % PARTS};
    }
    for (int cut = 0; cut <= RECORDS; cut += 3) {
        struct published *p = published_new();
        struct err err = ERR_INIT;
        bool there[RECORDS] = {false};
        int until[PARTS], sent = 0, kept = 0;

        for (int k = 0; k < PARTS; k++) {
            seed = seed * 1664525 + 1013904223;
            until[k] = cut - (int)((seed >> 16) % 40);
        }
        for (int i = 0; i < RECORDS; i++)
            if (i < until[records[i].part]) {
                struct gtid g = gtid(records[i].txn);

                there[i] = true;
                kept++;
                assert_int_equal(published_saw(p, "t", records[i].part, &g, records[i].index, &err), 0);
            }
        for (int i = 0; i < RECORDS; i++) {
            struct gtid g = gtid(records[i].txn);
            bool has = published_has(p, "t", records[i].part, &g, records[i].index);

            assert_int_equal(has, there[i]);
            sent += !has;
            if (i + 1 == RECORDS || records[i + 1].txn != records[i].txn)
                published_committed(p);
        }
        assert_int_equal(sent + kept, RECORDS);
        assert_true(published_empty(p));
        published_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_half_published_transaction_is_known_by_its_index),
        cmocka_unit_test(it_is_empty_when_all_was_read_again),
        cmocka_unit_test(every_prefix_is_completed_exactly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
