/* The gate on a real document store (SQLite): what DESIGN section 6 says, with cascades, held deletes, paging and
 * sweeps. Rows that were parked come back from their documents as they were. */
#include "base/mem.h"
#include "merge/gate_driver.h"
#include "sample.h"

struct fixture {
    char folder[64];
    struct contract_set *contracts;
    struct document_store *store;
    struct gate_driver *driver;
    struct row *rows[2000];
    struct gate_change changes[2000];
    size_t n;
};

static void begin(struct fixture *f, const char *settings)
{
    struct document_store_options o = {0};
    struct err err = ERR_INIT;
    char *url;

    memset(f, 0, sizeof *f);
    sample_folder(f->folder);
    url = xasprintf("sqlite://%s/d.db", f->folder);
    o.url = url;
    f->contracts = sample_contracts(settings);
    if (document_store_open(&f->store, &o, &err))
        fail_msg("%s", err.text);
    free(url);
    f->driver = gate_driver_new(f->store, f->contracts, 10000);
    if (gate_driver_ensure(f->driver, &err))
        fail_msg("%s", err.text);
}

static void end(struct fixture *f)
{
    gate_driver_free(f->driver);
    f->store->ops->free(f->store);
    contract_set_free(f->contracts);
    sample_remove(f->folder);
}

static struct row *add(struct fixture *f, size_t entity, int64_t key, int64_t version, bool deleted)
{
    struct field_value v = {.kind = FIELD_LONG, .as.i = key};
    const struct field_value *values[] = {&v};
    static const char *const names[] = {"id"};
    struct silver_origin o = {.version = version, .epoch = 0, .offset = version, .op = deleted ? 'd' : 'c'};
    struct row *r = row_new();
    struct err err = ERR_INIT;

    r->entity = entity;
    r->key = xasprintf("%lld", (long long)key);
    r->version = version;
    r->deleted = deleted;
    assert_int_equal(silver_id(&r->id, names, values, 1, &err), 0);
    if (!deleted)
        bson_append_int64(&r->body, "n", -1, version);
    silver_put_origin(&r->body, &o, deleted, &f->contracts->entities[entity], NULL, 0);
    f->rows[f->n] = r;
    f->changes[f->n++] =
        (struct gate_change){.entity = entity, .key = r->key, .version = version, .deleted = deleted, .document = r};
    return r;
}

static void add_ride(struct fixture *f, int64_t key, int64_t version, int64_t client)
{
    struct field_value v = {.kind = FIELD_INT, .as.i = client};
    const struct field_value *values[] = {&v};
    static const char *const names[] = {"id"};
    struct silver_origin o = {.version = version, .offset = version, .op = 'c'};
    struct err err = ERR_INIT;
    struct row *r = add(f, RIDES, key, version, false);
    bson_t *id;

    row_add_ref(r, 0, USERS, xasprintf("%lld", (long long)client), &id);
    assert_int_equal(silver_id(id, names, values, 1, &err), 0);
    bson_reinit(&r->body);
    bson_append_int64(&r->body, "n", -1, version);
    silver_put_origin(&r->body, &o, false, &f->contracts->entities[RIDES], r->refs, r->n_refs);
    f->changes[f->n - 1].refs = r->refs;
    f->changes[f->n - 1].n_refs = r->n_refs;
}

static void run(struct fixture *f)
{
    struct err err = ERR_INIT;

    if (gate_driver_begin(f->driver, f->changes, f->n, &err) || gate_driver_run(f->driver, &err))
        fail_msg("%s", err.text);
    while (f->n)
        row_free(f->rows[--f->n]);
}

static size_t sweep(struct fixture *f)
{
    bson_t after = BSON_INITIALIZER;
    struct err err = ERR_INIT;
    bool last = false;
    size_t pages = 0;

    while (!last) {
        if (gate_driver_begin_sweep(f->driver, &after, &last, NULL, NULL, &err) || gate_driver_run(f->driver, &err))
            fail_msg("%s", err.text);
        pages++;
    }
    gate_sweep_complete(gate_driver_gate(f->driver));
    bson_destroy(&after);
    return pages;
}

struct counted {
    size_t visible, waiting, deleted;
};

static int count(void *arg, const bson_t *document, struct err *err)
{
    struct counted *c = arg;
    int64_t version;
    bool cascaded;

    (void)err;
    switch (silver_state(document, &version, &cascaded)) {
    case GATE_VISIBLE:
        c->visible++;
        break;
    case GATE_WAITING:
        c->waiting++;
        break;
    default:
        c->deleted++;
    }
    return 0;
}

static void expect(struct fixture *f, const char *collection, size_t visible, size_t waiting, size_t deleted)
{
    struct counted c = {0};
    struct err err = ERR_INIT;

    if (f->store->ops->scan(f->store, collection, NULL, 100000, count, &c, &err))
        fail_msg("%s", err.text);
    if (c.visible != visible || c.waiting != waiting || c.deleted != deleted)
        fail_msg("%s: %zu visible, %zu waiting, %zu deleted", collection, c.visible, c.waiting, c.deleted);
}

static void expect_parked(struct fixture *f, int64_t want)
{
    struct err err = ERR_INIT;
    int64_t n;

    assert_int_equal(f->store->ops->count(f->store, PARKED_COLLECTION, &n, &err), 0);
    assert_int_equal(n, want);
}

/* More rides than two pages wait for one user. */
static void test_park_and_release(void **state)
{
    static struct fixture f;
    enum { MANY = 2 * FIND_PAGE + 7 };

    (void)state;
    begin(&f, "");
    for (int i = 0; i < MANY; i++)
        add_ride(&f, i, 100 + i, 7);
    run(&f);
    expect_parked(&f, MANY);
    expect(&f, "rides", 0, 0, 0);
    assert_int_equal(sweep(&f), 3);
    expect_parked(&f, MANY);
    add(&f, USERS, 7, 50, false);
    run(&f);
    expect_parked(&f, 0);
    expect(&f, "rides", MANY, 0, 0);
    add_ride(&f, 1, 5000, 8); /* moves to a user that is not there */
    run(&f);
    expect_parked(&f, 1);
    expect(&f, "rides", MANY - 1, 1, 0);
    add(&f, RIDES, 1, 5001, true);
    run(&f);
    expect_parked(&f, 0);
    expect(&f, "rides", MANY - 1, 0, 1);
    end(&f);
}

static void test_cascade(void **state)
{
    static struct fixture f;

    (void)state;
    begin(&f, "{property: onParentDelete, value: cascade}");
    add(&f, USERS, 7, 50, false);
    add(&f, USERS, 8, 51, false);
    for (int i = 0; i < FIND_PAGE + 5; i++)
        add_ride(&f, i, 100 + i, i % 50 ? 7 : 8);
    run(&f);
    expect(&f, "rides", FIND_PAGE + 5, 0, 0);
    add(&f, USERS, 7, 60, true);
    run(&f);
    expect(&f, "rides", 11, 0, FIND_PAGE + 5 - 11);
    add_ride(&f, 9000, 9000, 7); /* too late: its parent is deleted */
    run(&f);
    expect(&f, "rides", 11, 0, FIND_PAGE + 6 - 11);
    expect_parked(&f, 0);
    end(&f);
}

static void test_hold(void **state)
{
    static struct fixture f;

    (void)state;
    begin(&f, "{property: onParentDelete, value: hold}");
    add(&f, USERS, 7, 50, false);
    add_ride(&f, 1, 100, 7);
    run(&f);
    add(&f, USERS, 7, 60, true);
    run(&f);
    expect(&f, "users", 1, 0, 0);
    expect_parked(&f, 1);
    sweep(&f);
    expect_parked(&f, 1);
    add(&f, RIDES, 1, 110, true);
    run(&f);
    sweep(&f);
    expect(&f, "users", 0, 0, 1);
    expect_parked(&f, 0);
    add(&f, USERS, 7, 70, false); /* parent's delete and its last child's in one batch */
    add_ride(&f, 2, 120, 7);
    run(&f);
    add(&f, USERS, 7, 80, true);
    add(&f, RIDES, 2, 130, true);
    run(&f);
    expect(&f, "users", 0, 0, 1);
    expect_parked(&f, 0);
    end(&f);
}

static int first(void *arg, const bson_t *document, struct err *err)
{
    bson_t **out = arg;

    (void)err;
    *out = bson_copy(document);
    return 0;
}

static void test_parked_document(void **state)
{
    static struct fixture f;
    struct err err = ERR_INIT;
    bson_t *document = NULL, broken = BSON_INITIALIZER;
    struct row *row;
    uint32_t epoch;
    int32_t partition;
    int64_t offset;

    (void)state;
    begin(&f, "");
    add_ride(&f, 1, 100, 7);
    run(&f);
    assert_int_equal(f.store->ops->scan(f.store, PARKED_COLLECTION, NULL, 1, first, &document, &err), 0);
    assert_int_equal(parked_read(f.contracts, document, &row, &err), 0);
    assert_string_equal(row->key, "1");
    assert_int_equal(row->version, 100);
    assert_int_equal(row->n_refs, 1);
    assert_string_equal(row->refs[0].key, "7");
    assert_true(parked_place(document, &epoch, &partition, &offset));
    assert_int_equal(offset, 100);
    row_free(row);
    bson_destroy(document);
    bson_append_utf8(&broken, "entity", -1, "rides", -1);
    assert_int_equal(parked_read(f.contracts, &broken, &row, &err), -1);
    assert_int_equal(err.code, ERR_STORE_DATA);
    bson_destroy(&broken);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_park_and_release), cmocka_unit_test(test_cascade),
                                       cmocka_unit_test(test_hold), cmocka_unit_test(test_parked_document)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
