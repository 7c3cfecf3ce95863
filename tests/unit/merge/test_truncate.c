/* TRUNCATE on a real document store (SQLite): which rows it takes, over many pages, and again after a crash. */
#include "base/mem.h"
#include "merge/truncate.h"
#include "sample.h"

enum { EPOCH = 2 };

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

static struct silver_origin origin(uint32_t epoch, int32_t partition, int64_t offset, char op)
{
    return (struct silver_origin){
        .version = document_version(epoch, offset), .epoch = epoch, .partition = partition, .offset = offset, .op = op};
}

/* client < 0: a user. */
static void add(struct fixture *f, int64_t key, int64_t client, struct silver_origin o)
{
    struct field_value v = {.kind = FIELD_LONG, .as.i = key}, c = {.kind = FIELD_LONG, .as.i = client};
    const struct field_value *values[] = {&v}, *parent[] = {&c};
    static const char *const names[] = {"id"};
    struct row *r = row_new();
    struct err err = ERR_INIT;
    bson_t *id;

    r->entity = client < 0 ? USERS : RIDES;
    r->key = xasprintf("%lld", (long long)key);
    r->version = o.version;
    assert_int_equal(silver_id(&r->id, names, values, 1, &err), 0);
    if (client >= 0) {
        row_add_ref(r, 0, USERS, xasprintf("%lld", (long long)client), &id);
        assert_int_equal(silver_id(id, names, parent, 1, &err), 0);
    }
    silver_put_origin(&r->body, &o, false, &f->contracts->entities[r->entity], r->refs, r->n_refs);
    f->rows[f->n] = r;
    f->changes[f->n++] = (struct gate_change){
        .entity = r->entity, .key = r->key, .version = r->version, .refs = r->refs, .n_refs = r->n_refs, .document = r};
}

static void merge(struct fixture *f)
{
    struct err err = ERR_INIT;

    if (gate_driver_begin(f->driver, f->changes, f->n, &err) || gate_driver_run(f->driver, &err))
        fail_msg("%s", err.text);
    while (f->n)
        row_free(f->rows[--f->n]);
}

static struct row *event(struct fixture *f, size_t entity, struct silver_origin o)
{
    struct row *r = row_new();

    r->entity = entity;
    r->version = o.version;
    r->deleted = r->truncate = true;
    silver_put_origin(&r->body, &o, true, &f->contracts->entities[entity], NULL, 0);
    return r;
}

static void cut(struct fixture *f, size_t entity, int32_t partition, int64_t offset)
{
    struct row *r = event(f, entity, origin(EPOCH, partition, offset, 't'));
    struct truncate *t = truncate_new(f->store, f->driver, f->contracts, r);
    struct err err = ERR_INIT;

    if (truncate_run(t, &err))
        fail_msg("%s", err.text);
    truncate_free(t);
    row_free(r);
}

static int see(void *arg, const bson_t *document, struct err *err)
{
    struct buf *b = arg;
    int64_t version;
    bool cascaded;
    enum gate_state state = silver_state(document, &version, &cascaded);
    char *json = bson_as_relaxed_extended_json(document, NULL);
    const char *id = strchr(json, ':');

    (void)err;
    buf_putf(b, "%.*s%s%lld ", (int)strcspn(id + 2, ","), id + 2,
             state == GATE_VISIBLE   ? "+"
             : state == GATE_WAITING ? "?"
             : cascaded              ? "~"
                                     : "-",
             (long long)(version - document_version(EPOCH, 0)));
    bson_free(json);
    return 0;
}

/* Each document as its id, what it is (+ visible, - tombstone, ? waiting, ~ cascaded) and its offset. */
static void expect(struct fixture *f, const char *collection, const char *want)
{
    struct err err = ERR_INIT;
    struct buf b;

    buf_init(&b, 1 << 20);
    if (f->store->ops->scan(f->store, collection, NULL, 100000, see, &b, &err))
        fail_msg("%s", err.text);
    assert_string_equal(b.len ? buf_cstr(&b) : "", want);
    buf_release(&b);
}

static void test_partitions_and_parked(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "");
    add(&f, 1, -1, origin(EPOCH, 1, 10, 'c'));
    add(&f, 2, -1, origin(EPOCH, 0, 10, 'c'));
    add(&f, 3, -1, origin(EPOCH, 1, 30, 'c'));
    add(&f, 11, 1, origin(EPOCH, 1, 10, 'c'));
    add(&f, 12, 1, origin(EPOCH, 0, 10, 'c'));
    add(&f, 13, 9, origin(EPOCH, 1, 11, 'c')); /* waits */
    add(&f, 14, 9, origin(EPOCH, 0, 11, 'c'));
    add(&f, 15, 9, origin(EPOCH, 1, 31, 'c'));
    add(&f, 11, 9, origin(EPOCH, 1, 12, 'u'));
    merge(&f);
    cut(&f, USERS, 1, 20);
    expect(&f, "users", "1-20 2+10 3+30 ");
    expect(&f, "rides", "12+10 "); /* the older version of 11 was never there */
    for (int again = 0; again < 2; again++) {
        cut(&f, RIDES, 1, 20);
        expect(&f, "rides", "11-20 12+10 13-20 ");
        expect(&f, PARKED_COLLECTION, "\"rides|14\"+11 \"rides|15\"+31 ");
    }
    cut(&f, RIDES, 0, 15);
    expect(&f, "rides", "11-20 12-15 13-20 14-15 ");
    add(&f, 12, 2, origin(EPOCH, 0, 16, 'c'));
    add(&f, 14, 2, origin(EPOCH, 0, 9, 'c')); /* older: comes again after a crash */
    add(&f, 9, -1, origin(EPOCH, 1, 40, 'c'));
    merge(&f);
    cut(&f, RIDES, 0, 15);
    expect(&f, "rides", "11-20 12+16 13-20 14-15 15+31 ");
    expect(&f, PARKED_COLLECTION, "");
    end(&f);
}

/* More rows than a page holds, in silver and in parked. */
static void test_many_pages(void **state)
{
    struct fixture f;
    struct err err = ERR_INIT;
    int64_t n;
    struct buf want;

    (void)state;
    begin(&f, "");
    buf_init(&want, 1 << 20);
    for (int i = 1000; i < 2300; i++) {
        add(&f, i, -1, origin(EPOCH, i % 2, i, 'c'));
        buf_putf(&want, i % 2 ? "%d-5000 " : "%d+%d ", i, i);
    }
    merge(&f);
    for (int i = 3000; i < 4300; i++)
        add(&f, i, 9, origin(EPOCH, i % 2, i, 'c'));
    merge(&f);
    cut(&f, USERS, 1, 5000);
    expect(&f, "users", buf_cstr(&want));
    cut(&f, RIDES, 0, 5000);
    assert_int_equal(f.store->ops->count(f.store, PARKED_COLLECTION, &n, &err), 0);
    assert_int_equal(n, 650);
    cut(&f, RIDES, 1, 5000);
    assert_int_equal(f.store->ops->count(f.store, PARKED_COLLECTION, &n, &err), 0);
    assert_int_equal(n, 0);
    buf_release(&want);
    end(&f);
}

/* A tombstone was written, and then the merger died before its children were looked for. */
static void test_cascade_after_a_crash(void **state)
{
    struct fixture f;
    struct row *r;
    struct document_write w = {.kind = WRITE_UPSERT, .collection = "users"};
    struct err err = ERR_INIT;
    bson_t *id = BCON_NEW("_id", BCON_INT64(1));

    (void)state;
    begin(&f, "{property: onParentDelete, value: cascade}");
    add(&f, 1, -1, origin(EPOCH, 1, 10, 'c'));
    add(&f, 2, -1, origin(EPOCH, 1, 11, 'c'));
    add(&f, 3, -1, origin(EPOCH, 0, 11, 'c'));
    for (int i = 1; i <= 3; i++)
        add(&f, 10 + i, i, origin(EPOCH, 0, 10, 'c'));
    merge(&f);
    r = event(&f, USERS, origin(EPOCH, 1, 20, 't'));
    w.id = id;
    w.version = r->version;
    w.document = &r->body;
    assert_int_equal(f.store->ops->write(f.store, &w, 1, &err), 0);
    row_free(r);
    bson_destroy(id);
    cut(&f, USERS, 1, 20);
    expect(&f, "users", "1-20 2-20 3+11 ");
    expect(&f, "rides", "11~10 12~10 13+10 ");
    cut(&f, RIDES, 0, 20);
    expect(&f, "rides", "11-20 12-20 13-20 ");
    end(&f);
}

/* What an earlier life of the topic left goes wherever it was, but never wins over a row of this life. */
static void test_earlier_life(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "");
    add(&f, 1, -1, origin(EPOCH - 1, 7, 100, 'c'));
    add(&f, 2, -1, origin(EPOCH - 1, 0, 101, 'c'));
    add(&f, 3, -1, origin(EPOCH + 1, 0, 1, 'c'));
    merge(&f);
    for (int again = 0; again < 2; again++) {
        char want[80];

        cut(&f, USERS, 0, 20);
        snprintf(want, sizeof want, "1--1 2--1 3+%lld ", 1 + (1LL << DOCUMENT_OFFSET_BITS));
        expect(&f, "users", want);
    }
    add(&f, 1, -1, origin(EPOCH, 1, 0, 'c'));
    merge(&f);
    cut(&f, USERS, 0, 21);
    expect(&f, "users", "1+0 2--1 3+17592186044417 ");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_partitions_and_parked), cmocka_unit_test(test_many_pages),
                                       cmocka_unit_test(test_cascade_after_a_crash),
                                       cmocka_unit_test(test_earlier_life)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
