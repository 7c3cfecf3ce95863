/* The steps that the gate asks for, batch by batch: how few they are, and that it defends its protocol. What they do
 * together is proved by the simulator (tests/sim). */
#include "merge/gate.h"
#include "sample.h"

struct fixture {
    struct contract_set *contracts;
    struct gate *gate;
    char told[1024];         /* the kinds of the steps so far */
    enum gate_state parents; /* the answer to every LOOKUP */
    bool find_child;         /* the answer to FIND_CHILDREN, once */
};

static const char *const words[] = {"done",    "lookup", "upsert", "park", "shadow",  "withdraw",
                                    "cascade", "unpark", "find",   "peek", "children"};

static void begin(struct fixture *f, const char *settings)
{
    memset(f, 0, sizeof *f);
    f->contracts = sample_contracts(settings);
    f->gate = gate_new(f->contracts, 1000, 10);
}

static void end(struct fixture *f)
{
    gate_free(f->gate);
    contract_set_free(f->contracts);
}

static void run(struct fixture *f)
{
    struct err err = ERR_INIT;
    const struct gate_step *step;

    f->told[0] = 0;
    do {
        step = gate_next(f->gate);
        assert_ptr_equal(step, gate_next(f->gate));
        if (step->kind != GATE_STEP_DONE) {
            size_t n = strlen(f->told);
            snprintf(f->told + n, sizeof f->told - n, "%s%s:%zu", n ? " " : "", words[step->kind], step->n);
        }
        for (size_t i = 0; i < step->n; i++) {
            step->items[i].yes = true;
            step->items[i].state = f->parents;
        }
        if (step->kind == GATE_STEP_FIND_CHILDREN && f->find_child) {
            struct gate_ref ref = {0, USERS, step->items[0].key};
            f->find_child = false;
            assert_int_equal(gate_found(f->gate, RIDES, "9", 5, false, &ref, 1, NULL, &err), 0);
        }
        bool done = step->kind == GATE_STEP_DONE;
        assert_int_equal(gate_done(f->gate, &err), 0);
        if (done)
            break;
    } while (true);
}

static struct gate_change user(const char *key, int64_t version, bool deleted)
{
    return (struct gate_change){.entity = USERS, .key = key, .version = version, .deleted = deleted};
}

static struct gate_change ride(const char *key, int64_t version, const struct gate_ref *client)
{
    return (struct gate_change){
        .entity = RIDES, .key = key, .version = version, .refs = client, .n_refs = client ? 1 : 0};
}

static void expect(struct fixture *f, struct gate_change *changes, size_t n, const char *want)
{
    struct err err = ERR_INIT;

    assert_int_equal(gate_begin(f->gate, changes, n, &err), 0);
    run(f);
    assert_string_equal(f->told, want);
}

static void test_few_round_trips(void **state)
{
    struct gate_ref seven = {0, USERS, "7"}, eight = {0, USERS, "8"};
    struct gate_change c[4];
    struct gate_counts counts;
    struct fixture f;

    (void)state;
    begin(&f, "");
    gate_sweep_start(f.gate);
    gate_sweep_complete(f.gate); /* nothing is parked */
    c[0] = ride("1", 10, &seven);
    c[1] = user("7", 5, false);
    c[2] = ride("1", 12, &seven);
    c[3] = ride("1", 11, &seven);
    expect(&f, c, 4, "upsert:1 upsert:1 find:1");
    assert_int_equal(c[0].outcome, GATE_SUPERSEDED);
    assert_int_equal(c[1].outcome, GATE_APPLIED);
    assert_int_equal(c[2].outcome, GATE_APPLIED);
    assert_int_equal(c[3].outcome, GATE_SUPERSEDED);
    c[0] = ride("1", 13, &seven);
    expect(&f, c, 1, "upsert:1"); /* the parent is known for ever */
    c[0] = user("7", 6, false);
    expect(&f, c, 1, "upsert:1"); /* and was looked after */
    c[0] = ride("2", 14, &eight);
    expect(&f, c, 1, "lookup:1 park:1 withdraw:1 lookup:1");
    assert_int_equal(c[0].outcome, GATE_PARKED);
    c[0].version = 15;
    c[0].fresh = true;
    expect(&f, c, 1, "lookup:1 park:1 lookup:1"); /* an insert has nothing to withdraw */
    f.parents = GATE_VISIBLE;
    c[0] = ride("2", 16, &eight);
    expect(&f, c, 1, "lookup:1 upsert:1 unpark:1");
    counts = gate_counts_take(f.gate);
    assert_int_equal(counts.applied, 5);
    assert_int_equal(counts.superseded, 2);
    assert_int_equal(counts.parked, 2);
    assert_int_equal(counts.duplicate, 0);
    end(&f);
}

static void test_unpark_until_a_whole_sweep(void **state)
{
    struct gate_change c = user("1", 5, false);
    struct err err = ERR_INIT;
    struct fixture f;

    (void)state;
    begin(&f, "");
    expect(&f, &c, 1, "upsert:1 unpark:1 find:1");
    gate_sweep_start(f.gate);
    assert_int_equal(gate_begin_sweep(f.gate, &err), 0);
    assert_int_equal(gate_found(f.gate, USERS, "3", 9, true, NULL, 0, NULL, &err), 0);
    run(&f);
    gate_forget_parked(f.gate); /* new partitions in the middle */
    gate_sweep_complete(f.gate);
    c = user("1", 6, false);
    expect(&f, &c, 1, "upsert:1 unpark:1");
    gate_sweep_start(f.gate);
    gate_sweep_complete(f.gate);
    c = user("1", 7, false);
    expect(&f, &c, 1, "upsert:1");
    end(&f);
}

static void test_hold_and_cascade(void **state)
{
    struct gate_change c = user("1", 5, true);
    struct fixture f;

    (void)state;
    begin(&f, "{property: onParentDelete, value: hold}");
    f.find_child = true;
    expect(&f, &c, 1, "children:1 park:1 peek:1");
    assert_int_equal(c.outcome, GATE_PARKED);
    c = user("2", 6, true);
    expect(&f, &c, 1, "children:1 upsert:1 unpark:1 find:1");
    assert_int_equal(c.outcome, GATE_APPLIED);
    end(&f);
    begin(&f, "{property: onParentDelete, value: cascade}");
    f.find_child = true;
    c = user("1", 5, true);
    expect(&f, &c, 1, "upsert:1 children:1 cascade:1 unpark:1 find:1");
    end(&f);
}

static void test_protocol(void **state)
{
    struct gate_change c = user("1", 1, false);
    struct err err = ERR_INIT;
    struct fixture f;

    (void)state;
    begin(&f, "");
    assert_int_equal(gate_done(f.gate, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    assert_int_equal(gate_begin(f.gate, &c, 1, &err), -1); /* no version */
    c.version = 2;
    assert_int_equal(gate_begin(f.gate, &c, 1, &err), 0);
    assert_int_equal(gate_begin(f.gate, &c, 1, &err), -1);
    assert_int_equal(gate_next(f.gate)->kind, GATE_STEP_UPSERT);
    assert_int_equal(gate_found(f.gate, RIDES, "1", 2, false, NULL, 0, NULL, &err), -1);
    gate_abort(f.gate);
    expect(&f, &c, 1, "upsert:1 unpark:1 find:1");
    expect(&f, &c, 0, "");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_round_trips),
        cmocka_unit_test(test_unpark_until_a_whole_sweep),
        cmocka_unit_test(test_hold_and_cascade),
        cmocka_unit_test(test_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
