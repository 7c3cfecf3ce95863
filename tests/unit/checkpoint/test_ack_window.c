/* test_ack_window: hand-made orders, then seeded random interleavings against a model that keeps every record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "checkpoint/ack_window.h"

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

static void commit(struct ack_window *w, uint64_t tag)
{
    struct position at;
    struct err err = ERR_INIT;

    position_init(&at);
    at.offset = tag * 10;
    assert_int_equal(ack_window_commit(w, tag, &at, &err), 0);
    position_release(&at);
}

static void acked(struct ack_window *w, uint64_t tag, int32_t partition, int64_t offset)
{
    struct err err = ERR_INIT;

    assert_int_equal(ack_window_acked(w, tag, 0, partition, offset, &err), 0);
}

static void out_of_order_acks_hold_the_mark(void **state)
{
    struct ack_window *w = ack_window_new(8);
    const struct position *at;
    const struct partition_end *ends;
    size_t n;
    uint64_t a, b;

    (void)state;
    a = ack_window_begin(w);
    ack_window_sent(w, a, 2);
    commit(w, a);
    b = ack_window_begin(w);
    ack_window_sent(w, b, 1);
    commit(w, b);
    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    assert_true(ack_window_open_round(w));
    acked(w, b, 1, 0);
    acked(w, a, 0, 0);
    assert_int_equal(ack_window_mark(w), 0);
    assert_int_equal(ack_window_unacked(w), 1);
    assert_false(ack_window_take_round(w, &at, &ends, &n));
    acked(w, a, 0, 1);
    assert_int_equal(ack_window_mark(w), 2);
    assert_true(ack_window_take_round(w, &at, &ends, &n));
    assert_int_equal(at->offset, 20);
    assert_int_equal(n, 2);
    assert_int_equal(ends[0].end + ends[1].end, 3);
    assert_false(ack_window_take_round(w, &at, &ends, &n));
    assert_false(ack_window_open_round(w)); /* nothing new */
    ack_window_free(w);
}

static void acks_of_later_transactions_stay_out_of_a_round(void **state)
{
    struct ack_window *w = ack_window_new(8);
    const struct position *at;
    const struct partition_end *ends;
    size_t n;
    uint64_t a, b;

    (void)state;
    a = ack_window_begin(w);
    ack_window_sent(w, a, 1);
    commit(w, a);
    b = ack_window_begin(w);
    ack_window_sent(w, b, 2);
    acked(w, b, 1, 0); /* before the round is opened, of the open transaction */
    assert_true(ack_window_open_round(w));
    acked(w, a, 0, 0);
    commit(w, b);
    acked(w, b, 0, 1); /* after, of a committed one */
    assert_true(ack_window_take_round(w, &at, &ends, &n));
    assert_int_equal(at->offset, 10);
    assert_int_equal(n, 1);
    assert_int_equal(ends[0].partition, 0);
    assert_int_equal(ends[0].end, 1);
    assert_true(ack_window_open_round(w));
    assert_true(ack_window_take_round(w, &at, &ends, &n));
    assert_int_equal(at->offset, 20);
    assert_int_equal(n, 2);
    ack_window_free(w);
}

static void empty_transactions_move_the_position_without_memory(void **state)
{
    struct ack_window *w = ack_window_new(2);
    const struct position *at;
    const struct partition_end *ends;
    size_t n;
    uint64_t tag = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_false(ack_window_full(w));
        tag = ack_window_begin(w);
        commit(w, tag);
    }
    assert_int_equal(ack_window_mark(w), 1000);
    assert_true(ack_window_open_round(w));
    assert_true(ack_window_take_round(w, &at, &ends, &n));
    assert_int_equal(at->offset, 10000);
    assert_int_equal(n, 0);
    ack_window_free(w);
}

static void restored_ends_are_kept(void **state)
{
    struct ack_window *w = ack_window_new(2);
    struct partition_end was[] = {{3, 1, 77}, {0, 0, 5}};
    const struct position *at;
    const struct partition_end *ends;
    size_t n;
    uint64_t tag;

    (void)state;
    ack_window_restore(w, was, 2);
    tag = ack_window_begin(w);
    ack_window_sent(w, tag, 1);
    acked(w, tag, 0, 9);
    commit(w, tag);
    assert_true(ack_window_open_round(w));
    assert_true(ack_window_take_round(w, &at, &ends, &n));
    assert_int_equal(n, 2);
    assert_int_equal(ends[0].topic, 3);
    assert_int_equal(ends[0].end, 77);
    assert_int_equal(ends[1].end, 10);
    ack_window_free(w);
}

static void broken_rules_are_bugs(void **state)
{
    struct ack_window *w = ack_window_new(1);
    struct position at;
    struct err err = ERR_INIT;
    uint64_t a;

    (void)state;
    position_init(&at);
    assert_int_equal(ack_window_acked(w, 1, 0, 0, 0, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    a = ack_window_begin(w);
    assert_int_equal(ack_window_begin(w), 0);
    assert_int_equal(ack_window_commit(w, a + 1, &at, &err), -1);
    acked(w, a, 0, 0); /* an ack may come before the count */
    assert_int_equal(ack_window_commit(w, a, &at, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    ack_window_sent(w, a, 2);
    assert_int_equal(ack_window_acked(w, a, 0, ACK_WINDOW_PARTITIONS_MAX, 1, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(ack_window_commit(w, a, &at, &err), 0);
    assert_true(ack_window_full(w));
    assert_int_equal(ack_window_begin(w), 0);
    acked(w, a, 0, 1);
    assert_false(ack_window_full(w));
    assert_int_equal(ack_window_acked(w, a, 0, 0, 2, &err), -1); /* one too many */
    position_release(&at);
    ack_window_free(w);
}

/* The model: all records ever, nothing clever. */
enum { TXNS = 400, RECORDS = 4000, PARTS = 6 };
struct model {
    struct {
        uint64_t tag;
        int part;
        int64_t offset;
        bool acked;
    } records[RECORDS];
    size_t n;
    bool committed[TXNS + 1];
    uint64_t newest; /* begun */
    int64_t next[PARTS];
    uint64_t round;
};

static void check_round(const struct model *m, const struct position *at, const struct partition_end *ends, size_t n)
{
    int64_t want[PARTS] = {0}, got[PARTS] = {0};

    assert_int_equal(at->offset, m->round * 10);
    for (size_t i = 0; i < m->n; i++)
        if (m->records[i].tag <= m->round) {
            assert_true(m->records[i].acked);
            if (m->records[i].offset + 1 > want[m->records[i].part])
                want[m->records[i].part] = m->records[i].offset + 1;
        }
    for (size_t i = 0; i < n; i++)
        got[ends[i].topic * 3 + ends[i].partition] = ends[i].end;
    assert_memory_equal(want, got, sizeof(want));
}

static void play(void)
{
    static struct model m;
    struct ack_window *w = ack_window_new(1 + rnd(20));
    struct err err = ERR_INIT;
    uint64_t open = 0, uncounted = 0, rounds = 0;
    bool in_round = false;

    memset(&m, 0, sizeof(m));
    for (int step = 0; step < 12000; step++) {
        uint32_t what = rnd(100);

        if (what < 15 && !open && m.newest < TXNS && !ack_window_full(w)) {
            open = ack_window_begin(w);
            assert_int_equal(open, ++m.newest);
        } else if (what < 40 && open && m.n < RECORDS) {
            int part = (int)rnd(PARTS);

            m.records[m.n].tag = open;
            m.records[m.n].part = part;
            m.records[m.n++].offset = m.next[part]++;
            uncounted++;
            if (rnd(2)) {
                ack_window_sent(w, open, uncounted);
                uncounted = 0;
            }
        } else if (what < 50 && open) {
            ack_window_sent(w, open, uncounted);
            uncounted = 0;
            commit(w, open);
            m.committed[open] = true;
            open = 0;
        } else if (what < 80) { /* the oldest unacknowledged record of some partition */
            int part = (int)rnd(PARTS);

            for (size_t i = 0; i < m.n; i++)
                if (m.records[i].part == part && !m.records[i].acked) {
                    m.records[i].acked = true;
                    assert_int_equal(ack_window_acked(w, m.records[i].tag, (uint16_t)(part / 3), part % 3,
                                                      m.records[i].offset, &err),
                                     0);
                    break;
                }
        } else if (what < 85) {
            uint64_t newest = m.newest;

            while (newest && !m.committed[newest])
                newest--;
            if (ack_window_open_round(w) && !in_round) {
                assert_true(newest > m.round);
                m.round = newest;
                in_round = true;
            }
        } else {
            const struct position *at;
            const struct partition_end *ends;
            size_t n;
            uint64_t mark = 0;

            if (ack_window_take_round(w, &at, &ends, &n)) {
                assert_true(in_round);
                in_round = false;
                rounds++;
                check_round(&m, at, ends, n);
            }
            for (mark = m.newest; mark && !m.committed[mark]; mark--)
                ;
            for (size_t i = 0; i < m.n; i++)
                if (!m.records[i].acked && m.records[i].tag <= mark)
                    mark = m.records[i].tag - 1;
            assert_int_equal(ack_window_mark(w), mark);
        }
    }
    assert_true(rounds > 2);
    ack_window_free(w);
}

static void random_interleavings_agree_with_the_model(void **state)
{
    const char *given = getenv("PILLION_SEED");

    (void)state;
    for (uint64_t i = 1; i <= 12; i++) {
        seed = (given ? strtoull(given, NULL, 0) : 20261121) * 1000003 + i;
        play();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_order_acks_hold_the_mark),
        cmocka_unit_test(acks_of_later_transactions_stay_out_of_a_round),
        cmocka_unit_test(empty_transactions_move_the_position_without_memory),
        cmocka_unit_test(restored_ends_are_kept),
        cmocka_unit_test(broken_rules_are_bugs),
        cmocka_unit_test(random_interleavings_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
