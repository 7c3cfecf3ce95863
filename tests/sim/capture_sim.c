/* Capture's pure half: transactions in, records to partitions, acknowledgements in any order across partitions,
 * checkpoints, and crashes after which each partition holds some prefix of what was sent to it. At the end every
 * partition must hold every record that was meant for it, once and in order (C1, C2). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/ack_window.h"
#include "checkpoint/published.h"
#include "sim.h"

enum { PARTITIONS = 3, TXNS = 16, RECORDS = 8, LOG = TXNS * RECORDS };

struct sent {
    size_t txn, index;
    uint64_t tag;
};

struct partition {
    struct sent log[LOG]; /* appended: what the broker has */
    size_t appended;
    struct sent flight[LOG]; /* sent by the live process, in order */
    size_t n_flight, taken;  /* the broker took the first `taken` of them ... */
    size_t acked;            /* ... and the process knows of this many */
    size_t base;             /* offset of flight[0] */
};

struct capture {
    struct sim_random *random;
    struct sim_result *result;
    bool skip;
    size_t n_txns, n_records[TXNS], partition_of[TXNS][RECORDS];
    struct partition partitions[PARTITIONS];
    size_t checkpoint_txns; /* those before are covered */
    int64_t checkpoint_ends[PARTITIONS];
    /* the live process */
    struct ack_window *window;
    struct published *published;
    size_t next, record; /* transaction, and record in the open one */
    uint64_t tag;        /* 0: none open */
};

static void violation(struct capture *c, const char *text, size_t a, size_t b)
{
    if (!*c->result->text)
        snprintf(c->result->text, sizeof c->result->text, "%s (%zu, %zu)", text, a, b);
}

static void check(struct capture *c, int rc, const struct err *err)
{
    if (rc)
        violation(c, err->text, 0, 0);
}

static struct gtid gtid_of(size_t txn)
{
    static const uint8_t uuid[16] = {1, 2, 3};
    struct gtid g;

    gtid_make_mysql(&g, uuid, (const uint8_t *)"", 0, txn + 1);
    return g;
}

static void make_history(struct capture *c)
{
    c->n_txns = 1 + sim_below(c->random, TXNS);
    for (size_t t = 0; t < c->n_txns; t++) {
        c->n_records[t] = sim_chance(c->random, 20) ? 0 : sim_below(c->random, RECORDS + 1);
        for (size_t i = 0; i < c->n_records[t]; i++)
            c->partition_of[t][i] = sim_below(c->random, PARTITIONS);
    }
}

static void start(struct capture *c)
{
    struct partition_end ends[PARTITIONS];
    struct err err = ERR_INIT;

    c->window = ack_window_new(1 + sim_below(c->random, 6));
    c->published = published_new();
    for (size_t p = 0; p < PARTITIONS; p++) {
        struct partition *part = &c->partitions[p];

        ends[p] = (struct partition_end){.topic = 0, .partition = (int32_t)p, .end = c->checkpoint_ends[p]};
        for (size_t i = (size_t)c->checkpoint_ends[p]; i < part->appended; i++) {
            struct gtid g = gtid_of(part->log[i].txn);
            check(c, published_saw(c->published, "t", (int32_t)p, &g, part->log[i].index, &err), &err);
        }
        part->n_flight = part->taken = part->acked = 0;
        part->base = part->appended;
    }
    ack_window_restore(c->window, ends, PARTITIONS);
    c->next = c->checkpoint_txns;
    c->record = 0;
    c->tag = 0;
}

static void stop(struct capture *c)
{
    ack_window_free(c->window);
    published_free(c->published);
}

static void append(struct partition *part)
{
    part->log[part->appended++] = part->flight[part->taken++];
}

static void crash(struct capture *c)
{
    c->result->crashes++;
    stop(c);
    for (size_t p = 0; p < PARTITIONS; p++) {
        struct partition *part = &c->partitions[p];
        size_t torn = sim_below(c->random, part->n_flight - part->taken + 1);

        while (torn--)
            append(part);
    }
    start(c);
}

static void send_record(struct capture *c)
{
    size_t p = c->partition_of[c->next][c->record];
    struct partition *part = &c->partitions[p];
    struct gtid g = gtid_of(c->next);

    if (!c->skip || !published_has(c->published, "t", (int32_t)p, &g, c->record)) {
        if (part->appended + part->n_flight - part->taken == LOG) {
            violation(c, "C2: a partition gets more records than there are", p, c->next);
            return;
        }
        part->flight[part->n_flight++] = (struct sent){c->next, c->record, c->tag};
        ack_window_sent(c->window, c->tag, 1);
    }
    c->record++;
}

static void read_on(struct capture *c)
{
    struct position after;
    struct err err = ERR_INIT;

    if (!c->tag) {
        if (c->next < c->n_txns && !ack_window_full(c->window))
            c->tag = ack_window_begin(c->window);
        return;
    }
    if (c->record < c->n_records[c->next]) {
        send_record(c);
        return;
    }
    position_init(&after);
    after.offset = c->next + 1;
    check(c, ack_window_commit(c->window, c->tag, &after, &err), &err);
    position_release(&after);
    published_committed(c->published);
    c->next++;
    c->record = 0;
    c->tag = 0;
}

static void broker(struct capture *c)
{
    struct partition *part = &c->partitions[sim_below(c->random, PARTITIONS)];

    if (part->taken < part->n_flight)
        append(part);
}

static void report(struct capture *c)
{
    size_t p = sim_below(c->random, PARTITIONS);
    struct partition *part = &c->partitions[p];
    struct err err = ERR_INIT;

    if (part->acked == part->taken)
        return;
    check(c,
          ack_window_acked(c->window, part->flight[part->acked].tag, 0, (int32_t)p, (int64_t)(part->base + part->acked),
                           &err),
          &err);
    part->acked++;
}

/* C1: what the checkpoint passes is there; its ends pass nothing that it does not cover. */
static void check_checkpoint(struct capture *c)
{
    for (size_t t = 0; t < c->checkpoint_txns; t++)
        for (size_t i = 0; i < c->n_records[t]; i++) {
            const struct partition *part = &c->partitions[c->partition_of[t][i]];
            bool there = false;

            for (size_t k = 0; k < part->appended && !there; k++)
                there = part->log[k].txn == t && part->log[k].index == i;
            if (!there)
                violation(c, "C1: the checkpoint passed a record that is in no partition", t, i);
        }
    for (size_t p = 0; p < PARTITIONS; p++)
        for (size_t k = 0; k < (size_t)c->checkpoint_ends[p]; k++)
            if (k >= c->partitions[p].appended || c->partitions[p].log[k].txn >= c->checkpoint_txns)
                violation(c, "C2: the checkpoint's end passes a record that it does not cover", p, k);
}

static void checkpoint(struct capture *c)
{
    const struct position *at;
    const struct partition_end *ends;
    size_t n;

    ack_window_open_round(c->window);
    if (!ack_window_take_round(c->window, &at, &ends, &n) || sim_chance(c->random, 10)) /* its own record may be lost */
        return;
    if (at->offset < c->checkpoint_txns)
        violation(c, "C1: the checkpoint went back", at->offset, c->checkpoint_txns);
    c->checkpoint_txns = at->offset;
    for (size_t i = 0; i < n; i++)
        c->checkpoint_ends[ends[i].partition] = ends[i].end;
    check_checkpoint(c);
}

static bool finished(const struct capture *c)
{
    for (size_t p = 0; p < PARTITIONS; p++)
        if (c->partitions[p].acked < c->partitions[p].n_flight)
            return false;
    return c->next == c->n_txns && !c->tag;
}

static void check_end(struct capture *c)
{
    size_t at[PARTITIONS] = {0};

    for (size_t t = 0; t < c->n_txns; t++)
        for (size_t i = 0; i < c->n_records[t]; i++) {
            size_t p = c->partition_of[t][i];
            const struct partition *part = &c->partitions[p];

            if (at[p] == part->appended || part->log[at[p]].txn != t || part->log[at[p]].index != i) {
                violation(c, "C2: a partition does not hold each record once and in order", t, i);
                return;
            }
            at[p]++;
        }
    for (size_t p = 0; p < PARTITIONS; p++)
        if (at[p] != c->partitions[p].appended)
            violation(c, "C2: a partition holds a record twice", p, at[p]);
}

void capture_sim_run(uint64_t seed, enum sim_without without, struct sim_result *out)
{
    struct sim_random random = {.state = seed * 2 + 1};
    struct capture c = {.random = &random, .result = out, .skip = without != WITHOUT_SKIP_PUBLISHED};
    size_t crashes = sim_below(&random, 5);

    make_history(&c);
    start(&c);
    while (!*out->text && !finished(&c)) {
        size_t what = sim_below(&random, 100);

        out->steps++;
        if (what < 40)
            read_on(&c);
        else if (what < 65)
            broker(&c);
        else if (what < 90)
            report(&c);
        else if (what < 98)
            checkpoint(&c);
        else if (crashes) {
            crashes--;
            crash(&c);
        }
    }
    if (!*out->text)
        check_end(&c);
    stop(&c);
}
