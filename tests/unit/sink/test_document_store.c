/* The promises of sink/document_store.h, the same for every store. The URL comes from PILLION_TEST_DOCUMENTS (the
 * scenario `stores` gives a MongoDB server); without it a SQLite file in a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sink/document_store.h"

static struct document_store *store;
static char folder[] = "/tmp/pillion-test-XXXXXX";
static char collection[64];

static bson_t *id_of(int64_t id)
{
    return BCON_NEW("_id", BCON_INT64(id));
}

static bson_t *doc_of(int64_t v, const char *text, bool deleted)
{
    return BCON_NEW("text", BCON_UTF8(text), "waiting", "[", BCON_UTF8("users|1"), BCON_UTF8("users|2"), "]",
                    "_pillion", "{", "v", BCON_INT64(v), "deleted", BCON_BOOL(deleted), "}");
}

static enum write_result write_one(enum write_kind kind, int64_t id, int64_t v, const bson_t *doc)
{
    bson_t *key = id_of(id);
    struct document_write w = {.kind = kind, .collection = collection, .id = key, .version = v, .document = doc};
    struct err err = ERR_INIT;

    if (store->ops->write(store, &w, 1, &err) < 0)
        fail_msg("%s", err.text);
    bson_destroy(key);
    return w.result;
}

static enum write_result upsert(int64_t id, int64_t v, const char *text)
{
    bson_t *doc = doc_of(v, text, false);
    enum write_result r = write_one(WRITE_UPSERT, id, v, doc);

    bson_destroy(doc);
    return r;
}

struct seen {
    int n;
    int64_t ids[64];
    char text[64];
    int64_t v;
    bool deleted, has_waiting;
};

static int see(void *arg, const bson_t *doc, struct err *err)
{
    struct seen *s = arg;
    bson_iter_t it, at;

    (void)err;
    assert_true(bson_iter_init_find(&it, doc, "_id"));
    s->ids[s->n++ % 64] = bson_iter_as_int64(&it);
    s->text[0] = 0;
    if (bson_iter_init_find(&it, doc, "text"))
        snprintf(s->text, sizeof s->text, "%s", bson_iter_utf8(&it, NULL));
    s->has_waiting = bson_iter_init_find(&it, doc, "waiting");
    if (bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, "_pillion.v", &at))
        s->v = bson_iter_as_int64(&at);
    if (bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, "_pillion.deleted", &at))
        s->deleted = bson_iter_as_bool(&at);
    return 0;
}

static struct seen find(int64_t id, const char *const fields[])
{
    struct seen s = {0};
    bson_t *key = id_of(id);
    const bson_t *keys[] = {key};
    struct err err = ERR_INIT;

    if (store->ops->find_ids(store, collection, keys, 1, fields, see, &s, &err) < 0)
        fail_msg("%s", err.text);
    bson_destroy(key);
    return s;
}

static void test_guard(void **state)
{
    (void)state;
    assert_int_equal(upsert(1, 10, "a"), WRITE_APPLIED);
    assert_int_equal(upsert(1, 9, "old"), WRITE_STALE);
    assert_int_equal(upsert(1, 10, "same"), WRITE_STALE);
    assert_string_equal(find(1, NULL).text, "a");
    assert_int_equal(upsert(1, 11, "b"), WRITE_APPLIED);
    assert_string_equal(find(1, NULL).text, "b");
    assert_int_equal(find(1, NULL).v, 11);
}

static void test_mixed_batch(void **state)
{
    enum { N = 2500 };
    struct document_write *w = xcalloc(N, sizeof *w);
    bson_t **ids = xcalloc(N, sizeof *ids), **docs = xcalloc(N, sizeof *docs);
    struct err err = ERR_INIT;
    int64_t n;

    (void)state;
    assert_int_equal(upsert(1000, 500, "newer"), WRITE_APPLIED);
    assert_int_equal(upsert(1000 + N - 1, 500, "newer"), WRITE_APPLIED);
    for (int i = 0; i < N; i++) {
        ids[i] = id_of(1000 + i);
        docs[i] = doc_of(100, "bulk", false);
        w[i] = (struct document_write){
            .kind = WRITE_UPSERT, .collection = collection, .id = ids[i], .version = 100, .document = docs[i]};
    }
    if (store->ops->write(store, w, N, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < N; i++) {
        assert_int_equal(w[i].result, i == 0 || i == N - 1 ? WRITE_STALE : WRITE_APPLIED);
        bson_destroy(ids[i]);
        bson_destroy(docs[i]);
    }
    free(ids);
    free(docs);
    free(w);
    assert_string_equal(find(1000, NULL).text, "newer");
    assert_string_equal(find(1001, NULL).text, "bulk");
    assert_int_equal(store->ops->count(store, collection, &n, &err), 0);
    assert_int_equal(n, N);
}

static void test_patch_and_remove(void **state)
{
    bson_t *patch = BCON_NEW("_pillion.deleted", BCON_BOOL(true), "_pillion.pending", BCON_BOOL(true));
    struct seen s;

    (void)state;
    write_one(WRITE_PATCH, 7, 100, patch);
    assert_int_equal(find(7, NULL).n, 0); /* a patch makes nothing */
    assert_int_equal(upsert(7, 50, "x"), WRITE_APPLIED);
    write_one(WRITE_PATCH, 7, 50, patch);
    assert_false(find(7, NULL).deleted); /* not older than the patch */
    write_one(WRITE_PATCH, 7, 51, patch);
    s = find(7, NULL);
    assert_true(s.deleted);
    assert_int_equal(s.v, 50);
    assert_int_equal(upsert(7, 51, "y"), WRITE_APPLIED); /* the version was left, so the release passes */
    assert_false(find(7, NULL).deleted);
    write_one(WRITE_REMOVE, 7, 50, NULL);
    assert_int_equal(find(7, NULL).n, 1);
    write_one(WRITE_REMOVE, 7, 51, NULL);
    assert_int_equal(find(7, NULL).n, 0);
    bson_destroy(patch);
}

static void test_find_field_pages(void **state)
{
    bson_t *value = BCON_NEW("v", BCON_UTF8("users|2")), *none = BCON_NEW("v", BCON_UTF8("users|3"));
    const bson_t *both[] = {value, none};
    const bson_t *only_none[] = {none};
    struct err err = ERR_INIT;
    struct seen s = {0};
    bson_t *after = NULL;
    int total = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        upsert(i, 1, "z");
    for (;;) {
        memset(&s, 0, sizeof s);
        if (store->ops->find_field(store, collection, "waiting", both, 2, after, 4, see, &s, &err) < 0)
            fail_msg("%s", err.text);
        if (after)
            bson_destroy(after);
        after = s.n ? id_of(s.ids[s.n - 1]) : NULL;
        total += s.n;
        assert_true(s.n <= 4);
        if (!s.n)
            break;
    }
    assert_int_equal(total, 10);
    memset(&s, 0, sizeof s);
    assert_int_equal(store->ops->find_field(store, collection, "waiting", only_none, 1, NULL, 4, see, &s, &err), 0);
    assert_int_equal(s.n, 0);
    write_one(WRITE_REMOVE, 3, 1, NULL);
    memset(&s, 0, sizeof s);
    assert_int_equal(store->ops->find_field(store, collection, "waiting", both, 2, NULL, 100, see, &s, &err), 0);
    assert_int_equal(s.n, 9);
    bson_destroy(value);
    bson_destroy(none);
}

static void test_scan_and_projection(void **state)
{
    static const char *const fields[] = {"_pillion", NULL};
    struct err err = ERR_INIT;
    struct seen s = {0};
    bson_t *after = NULL;
    int total = 0;

    (void)state;
    for (int i = 0; i < 7; i++)
        upsert(i, i + 1, "s");
    do {
        memset(&s, 0, sizeof s);
        assert_int_equal(store->ops->scan(store, collection, after, 3, see, &s, &err), 0);
        if (after)
            bson_destroy(after);
        after = s.n ? id_of(s.ids[s.n - 1]) : NULL;
        total += s.n;
    } while (s.n);
    assert_int_equal(total, 7);
    s = find(3, fields);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.v, 4);
    assert_false(s.has_waiting);
}

static void test_types_survive(void **state)
{
    bson_decimal128_t dec;
    bson_t *doc, *id = id_of(1);
    struct document_write w = {.kind = WRITE_UPSERT, .collection = collection, .id = id, .version = 5};
    struct err err = ERR_INIT;
    struct seen s;

    (void)state;
    assert_true(bson_decimal128_from_string("123.4500", &dec));
    doc = BCON_NEW("text", BCON_UTF8("\xc3\xbc"), "i", BCON_INT32(5), "l", BCON_INT64(5), "d", BCON_DECIMAL128(&dec),
                   "t", BCON_DATE_TIME(1234), "b", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"\0\1", 2),
                   "_pillion", "{", "v", BCON_INT64(5), "}");
    w.document = doc;
    if (store->ops->write(store, &w, 1, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(w.result, WRITE_APPLIED);
    s = find(1, NULL);
    assert_string_equal(s.text, "\xc3\xbc");
    bson_destroy(doc);
    bson_destroy(id);
}

static void test_view(void **state)
{
    bson_t *doc = doc_of(2, "gone", true);
    struct err err = ERR_INIT;
    char view[80];

    (void)state;
    snprintf(view, sizeof view, "%s_live", collection);
    upsert(1, 1, "here");
    write_one(WRITE_UPSERT, 2, 2, doc);
    if (store->ops->ensure_live_view(store, collection, view, &err) < 0)
        fail_msg("%s", err.text);
    if (store->ops->ensure_live_view(store, collection, view, &err) < 0) /* again is no error */
        fail_msg("%s", err.text);
    bson_destroy(doc);
}

static int setup(void **state)
{
    static int serial;
    static const struct document_index index = {"waiting"};
    struct err err = ERR_INIT;

    (void)state;
    snprintf(collection, sizeof collection, "t%ld_%d", (long)getpid(), serial++);
    if (store->ops->ensure(store, collection, &index, 1, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int open_store(void **state)
{
    const char *url = getenv("PILLION_TEST_DOCUMENTS");
    char *file = NULL;
    struct document_store_options o = {.database = "pillion_unit"};
    struct err err = ERR_INIT;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    o.url = url ? url : (file = xasprintf("sqlite://%s/test.db", folder));
    if (document_store_open(&store, &o, &err) < 0)
        fail_msg("%s", err.text);
    free(file);
    return store->ops->ping(store, &err);
}

static int close_store(void **state)
{
    static const char *const files[] = {"test.db", "test.db-wal", "test.db-shm"};

    (void)state;
    store->ops->free(store);
    for (size_t i = 0; i < 3; i++) {
        char *path = xasprintf("%s/%s", folder, files[i]);
        unlink(path);
        free(path);
    }
    rmdir(folder);
    return 0;
}

static void test_bad_addresses(void **state)
{
    struct document_store *s;
    struct document_store_options o = {.url = "postgres://x"};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(document_store_open(&s, &o, &err), -1);
    assert_int_equal(err_class(&err), ERR_CLASS_CONFIG);
    o.url = "sqlite:///nowhere/at/all.db";
    err_clear(&err);
    assert_int_equal(document_store_open(&s, &o, &err), -1);
    assert_int_equal(err.code, ERR_STORE_CONFIG);
    o.url = "mongodb://:broken:@:/";
    err_clear(&err);
    assert_int_equal(document_store_open(&s, &o, &err), -1);
    assert_int_equal(err.code, ERR_STORE_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_guard, setup),
        cmocka_unit_test_setup(test_mixed_batch, setup),
        cmocka_unit_test_setup(test_patch_and_remove, setup),
        cmocka_unit_test_setup(test_find_field_pages, setup),
        cmocka_unit_test_setup(test_scan_and_projection, setup),
        cmocka_unit_test_setup(test_types_survive, setup),
        cmocka_unit_test_setup(test_view, setup),
        cmocka_unit_test(test_bad_addresses),
    };

    return cmocka_run_group_tests(tests, open_store, close_store);
}
