#include "sink/mongodb_store.h"

#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { DUPLICATE_KEY = 11000, NAMESPACE_EXISTS = 48, BULK_MAX = 1000, TIMEOUT_MS = 10000 };

struct mongodb_store {
    struct document_store base;
    mongoc_client_t *client;
    char *database;
    mongoc_collection_t **collections;
    size_t n_collections;
};

static pthread_once_t driver_once = PTHREAD_ONCE_INIT;

static void no_log(mongoc_log_level_t level, const char *domain, const char *message, void *arg)
{
    (void)level, (void)domain, (void)message, (void)arg;
}

static void driver_start(void)
{
    mongoc_init();
    mongoc_log_set_handler(no_log, NULL); /* its errors come back as err; its warnings may hold addresses */
}

static struct mongodb_store *self(struct document_store *s)
{
    return (struct mongodb_store *)(void *)s;
}

static int fail(const char *doing, const bson_error_t *e, struct err *err)
{
    if (e->domain == MONGOC_ERROR_CLIENT && e->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
        return err_set(err, ERR_STORE_CONFIG,
                       "MongoDB refuses the login: %s; check documents.username and its password.", e->message);
    if (e->code == 13 || e->code == 18)
        return err_set(err, ERR_STORE_CONFIG, "MongoDB refuses %s: %s; give the user readWrite on the database.", doing,
                       e->message);
    if (e->domain == MONGOC_ERROR_BSON || e->code == 10334 || e->code == 2)
        return err_set(err, ERR_STORE_DATA, "MongoDB refuses %s: %s.", doing, e->message);
    return err_set(err, ERR_STORE, "MongoDB: %s failed: %s.", doing, e->message);
}

static mongoc_collection_t *collection(struct mongodb_store *s, const char *name)
{
    mongoc_collection_t *c;
    mongoc_write_concern_t *w;

    for (size_t i = 0; i < s->n_collections; i++)
        if (!strcmp(mongoc_collection_get_name(s->collections[i]), name))
            return s->collections[i];
    c = mongoc_client_get_collection(s->client, s->database, name);
    w = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(w, TIMEOUT_MS * 3);
    mongoc_collection_set_write_concern(c, w);
    mongoc_write_concern_destroy(w);
    s->collections = xreallocarray(s->collections, s->n_collections + 1, sizeof(mongoc_collection_t *));
    s->collections[s->n_collections++] = c;
    return c;
}

static int command(struct mongodb_store *s, const bson_t *cmd, const char *doing, uint32_t allowed, struct err *err)
{
    bson_error_t e = {0};

    if (!mongoc_client_write_command_with_opts(s->client, s->database, cmd, NULL, NULL, &e) && e.code != allowed)
        return fail(doing, &e, err);
    return 0;
}

static int op_ensure(struct document_store *base, const char *name, const struct document_index *indexes, size_t n,
                     struct err *err)
{
    struct mongodb_store *s = self(base);
    bson_t *cmd = BCON_NEW("create", BCON_UTF8(name));
    int rc = command(s, cmd, "creating a collection", NAMESPACE_EXISTS, err);

    bson_destroy(cmd);
    for (size_t i = 0; i < n && !rc; i++) {
        char index_name[256];

        snprintf(index_name, sizeof index_name, "pillion_%s", indexes[i].field);
        cmd = BCON_NEW("createIndexes", BCON_UTF8(name), "indexes", "[", "{", "key", "{", indexes[i].field,
                       BCON_INT32(1), "}", "name", BCON_UTF8(index_name), "}", "]");
        rc = command(s, cmd, "creating an index", 0, err);
        bson_destroy(cmd);
    }
    return rc ? err_prefix(err, "collection %s", name) : 0;
}

static int op_view(struct document_store *base, const char *name, const char *view, struct err *err)
{
    bson_t *cmd = BCON_NEW("create", BCON_UTF8(view), "viewOn", BCON_UTF8(name), "pipeline", "[", "{", "$match", "{",
                           "_pillion.deleted", "{", "$ne", BCON_BOOL(true), "}", "}", "}", "]");
    int rc = command(self(base), cmd, "creating a view", NAMESPACE_EXISTS, err);

    bson_destroy(cmd);
    return rc;
}

static bool add_to_bulk(mongoc_bulk_operation_t *bulk, const struct document_write *w, bson_error_t *e)
{
    bson_t filter, guard, opts = BSON_INITIALIZER;
    bool ok;

    bson_copy_to(w->id, &filter);
    bson_append_document_begin(&filter, "_pillion.v", -1, &guard);
    bson_append_int64(&guard, w->kind == WRITE_REMOVE ? "$lte" : "$lt", -1, w->version);
    bson_append_document_end(&filter, &guard);
    if (w->kind == WRITE_UPSERT) {
        bson_append_bool(&opts, "upsert", -1, true);
        ok = mongoc_bulk_operation_replace_one_with_opts(bulk, &filter, w->document, &opts, e);
    } else if (w->kind == WRITE_PATCH) {
        bson_t update = BSON_INITIALIZER;

        bson_append_document(&update, "$set", -1, w->document);
        ok = mongoc_bulk_operation_update_one_with_opts(bulk, &filter, &update, &opts, e);
        bson_destroy(&update);
    } else {
        ok = mongoc_bulk_operation_remove_one_with_opts(bulk, &filter, &opts, e);
    }
    bson_destroy(&filter);
    bson_destroy(&opts);
    return ok;
}

/* Marks the writes that the reply refuses with 11000 as stale. False when it holds any other error. */
static bool read_refusals(const bson_t *reply, struct document_write *const writes[], size_t n)
{
    bson_iter_t it, errors, one;

    if (!bson_iter_init_find(&it, reply, "writeErrors") || !bson_iter_recurse(&it, &errors))
        return false;
    while (bson_iter_next(&errors)) {
        int64_t index = -1, code = 0;

        if (!bson_iter_recurse(&errors, &one))
            return false;
        while (bson_iter_next(&one)) {
            if (!strcmp(bson_iter_key(&one), "index"))
                index = bson_iter_as_int64(&one);
            else if (!strcmp(bson_iter_key(&one), "code"))
                code = bson_iter_as_int64(&one);
        }
        if (code != DUPLICATE_KEY || index < 0 || (size_t)index >= n)
            return false;
        writes[index]->result = WRITE_STALE;
    }
    if (bson_iter_init_find(&it, reply, "writeConcernErrors") && bson_iter_recurse(&it, &errors) &&
        bson_iter_next(&errors))
        return false; /* not durable on a majority: say so */
    return true;
}

static int write_chunk(struct mongodb_store *s, struct document_write *const writes[], size_t n, struct err *err)
{
    bson_t opts = BSON_INITIALIZER, reply = BSON_INITIALIZER;
    mongoc_bulk_operation_t *bulk;
    bson_error_t e = {0};
    int rc = 0;

    bson_append_bool(&opts, "ordered", -1, false);
    bulk = mongoc_collection_create_bulk_operation_with_opts(collection(s, writes[0]->collection), &opts);
    bson_destroy(&opts);
    for (size_t i = 0; i < n; i++) {
        writes[i]->result = WRITE_APPLIED;
        if (!add_to_bulk(bulk, writes[i], &e)) {
            rc = err_set(err, ERR_STORE_DATA, "A document for collection %s cannot be sent to MongoDB: %s.",
                         writes[i]->collection, e.message);
            mongoc_bulk_operation_destroy(bulk);
            return rc;
        }
    }
    if (!mongoc_bulk_operation_execute(bulk, &reply, &e) && !read_refusals(&reply, writes, n)) {
        rc = fail("writing documents", &e, err);
        for (size_t i = 0; i < n; i++)
            writes[i]->result = WRITE_UNKNOWN;
    }
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    return rc;
}

/* All writes of one collection, in chunks; then once more those that were refused. */
static int write_collection(struct mongodb_store *s, struct document_write **writes, size_t n, struct err *err)
{
    for (int round = 0; round < 2 && n; round++) {
        size_t refused = 0;

        for (size_t at = 0; at < n; at += BULK_MAX)
            if (write_chunk(s, writes + at, n - at < BULK_MAX ? n - at : BULK_MAX, err) < 0)
                return err_prefix(err, "collection %s", writes[0]->collection);
        for (size_t i = 0; i < n; i++)
            if (writes[i]->result == WRITE_STALE)
                writes[refused++] = writes[i];
        n = refused;
    }
    return 0;
}

static int op_write(struct document_store *base, struct document_write *writes, size_t n, struct err *err)
{
    struct document_write **some = xmalloc(n * sizeof *some);
    bool *done = xcalloc(n, sizeof *done);
    int rc = 0;

    for (size_t i = 0; i < n && !rc; i++) {
        size_t k = 0;

        if (done[i])
            continue;
        for (size_t j = i; j < n; j++) {
            if (!done[j] &&
                (writes[j].collection == writes[i].collection || !strcmp(writes[j].collection, writes[i].collection))) {
                done[j] = true;
                some[k++] = &writes[j];
            }
        }
        rc = write_collection(self(base), some, k, err);
    }
    free(some);
    free(done);
    return rc;
}

static int each(mongoc_cursor_t *cursor, document_fn *fn, void *arg, struct err *err)
{
    const bson_t *doc;
    bson_error_t e = {0};
    int rc = 0;

    while (!rc && mongoc_cursor_next(cursor, &doc))
        rc = fn(arg, doc, err);
    if (!rc && mongoc_cursor_error(cursor, &e))
        rc = fail("reading documents", &e, err);
    mongoc_cursor_destroy(cursor);
    return rc;
}

static void append_values(bson_t *out, const bson_t *const values[], size_t n)
{
    bson_t array;

    bson_append_array_begin(out, "$in", -1, &array);
    for (size_t i = 0; i < n; i++) {
        char key[16];
        const char *at;
        size_t len = bson_uint32_to_string((uint32_t)i, &at, key, sizeof key);
        bson_iter_t it;

        if (bson_iter_init(&it, values[i]) && bson_iter_next(&it))
            bson_append_iter(&array, at, (int)len, &it);
    }
    bson_append_array_end(out, &array);
}

static int op_find_ids(struct document_store *base, const char *name, const bson_t *const ids[], size_t n,
                       const char *const fields[], document_fn *fn, void *arg, struct err *err)
{
    int rc = 0;

    for (size_t at = 0; at < n && !rc; at += BULK_MAX) {
        bson_t filter = BSON_INITIALIZER, in, opts = BSON_INITIALIZER;

        bson_append_document_begin(&filter, "_id", -1, &in);
        append_values(&in, ids + at, n - at < BULK_MAX ? n - at : BULK_MAX);
        bson_append_document_end(&filter, &in);
        if (fields) {
            bson_t projection;

            bson_append_document_begin(&opts, "projection", -1, &projection);
            bson_append_int32(&projection, "_id", -1, 1);
            for (size_t i = 0; fields[i]; i++)
                if (strcmp(fields[i], "_id") != 0)
                    bson_append_int32(&projection, fields[i], -1, 1);
            bson_append_document_end(&opts, &projection);
        }
        rc = each(mongoc_collection_find_with_opts(collection(self(base), name), &filter, &opts, NULL), fn, arg, err);
        bson_destroy(&filter);
        bson_destroy(&opts);
    }
    return rc;
}

static int find_sorted(struct mongodb_store *s, const char *name, bson_t *filter, const bson_t *after, size_t limit,
                       document_fn *fn, void *arg, struct err *err)
{
    bson_t opts = BSON_INITIALIZER, sort, greater;
    bson_iter_t it;
    int rc;

    if (after && bson_iter_init(&it, after) && bson_iter_next(&it)) {
        bson_append_document_begin(filter, "_id", -1, &greater);
        bson_append_iter(&greater, "$gt", -1, &it);
        bson_append_document_end(filter, &greater);
    }
    bson_append_document_begin(&opts, "sort", -1, &sort);
    bson_append_int32(&sort, "_id", -1, 1);
    bson_append_document_end(&opts, &sort);
    bson_append_int64(&opts, "limit", -1, (int64_t)limit);
    rc = each(mongoc_collection_find_with_opts(collection(s, name), filter, &opts, NULL), fn, arg, err);
    bson_destroy(&opts);
    return rc;
}

static int op_find_field(struct document_store *base, const char *name, const char *field, const bson_t *const values[],
                         size_t n, const bson_t *after, size_t limit, document_fn *fn, void *arg, struct err *err)
{
    bson_t filter = BSON_INITIALIZER, in;
    int rc;

    if (!n)
        return 0;
    bson_append_document_begin(&filter, field, -1, &in);
    append_values(&in, values, n);
    bson_append_document_end(&filter, &in);
    rc = find_sorted(self(base), name, &filter, after, limit, fn, arg, err);
    bson_destroy(&filter);
    return rc;
}

static int op_scan(struct document_store *base, const char *name, const bson_t *after, size_t limit, document_fn *fn,
                   void *arg, struct err *err)
{
    bson_t filter = BSON_INITIALIZER;
    int rc = find_sorted(self(base), name, &filter, after, limit, fn, arg, err);

    bson_destroy(&filter);
    return rc;
}

static int op_count(struct document_store *base, const char *name, int64_t *n, struct err *err)
{
    bson_t filter = BSON_INITIALIZER;
    bson_error_t e = {0};

    *n = mongoc_collection_count_documents(collection(self(base), name), &filter, NULL, NULL, NULL, &e);
    bson_destroy(&filter);
    return *n < 0 ? fail("counting documents", &e, err) : 0;
}

static int op_ping(struct document_store *base, struct err *err)
{
    struct mongodb_store *s = self(base);
    bson_t *cmd = BCON_NEW("ping", BCON_INT32(1));
    bson_error_t e = {0};
    bool ok = mongoc_client_command_simple(s->client, s->database, cmd, NULL, NULL, &e);

    bson_destroy(cmd);
    return ok ? 0 : fail("a ping", &e, err);
}

static void op_free(struct document_store *base)
{
    struct mongodb_store *s = self(base);

    for (size_t i = 0; i < s->n_collections; i++)
        mongoc_collection_destroy(s->collections[i]);
    free(s->collections);
    if (s->client)
        mongoc_client_destroy(s->client);
    free(s->database);
    free(s);
}

static const struct document_store_ops mongodb_ops = {
    .ensure = op_ensure,
    .ensure_live_view = op_view,
    .write = op_write,
    .find_ids = op_find_ids,
    .find_field = op_find_field,
    .scan = op_scan,
    .count = op_count,
    .ping = op_ping,
    .free = op_free,
};

int mongodb_store_open(struct document_store **out, const struct document_store_options *o, struct err *err)
{
    struct mongodb_store *s;
    mongoc_uri_t *uri;
    mongoc_read_concern_t *majority;
    bson_error_t e = {0};
    const char *database;

    pthread_once(&driver_once, driver_start);
    uri = mongoc_uri_new_with_error(o->url, &e);
    if (!uri)
        return err_set(err, ERR_STORE_CONFIG,
                       "documents.url is not a MongoDB address; it should read mongodb://host:port/database.");
    if (o->username && *o->username) {
        mongoc_uri_set_username(uri, o->username);
        if (o->password)
            mongoc_uri_set_password(uri, o->password);
    }
    if (o->tls_ca && *o->tls_ca) {
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true);
        mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_TLSCAFILE, o->tls_ca);
    }
    if (o->tls_cert && *o->tls_cert)
        mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE, o->tls_cert);
    if (!mongoc_uri_get_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 0))
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, TIMEOUT_MS);
    if (!mongoc_uri_get_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, 0))
        mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, TIMEOUT_MS * 6);
    majority = mongoc_read_concern_new();
    mongoc_read_concern_set_level(majority, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    mongoc_uri_set_read_concern(uri, majority);
    mongoc_read_concern_destroy(majority);
    database = o->database && *o->database ? o->database : mongoc_uri_get_database(uri);

    s = xcalloc(1, sizeof *s);
    s->base.ops = &mongodb_ops;
    s->database = xstrdup(database ? database : "pillion");
    s->client = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    if (!s->client) {
        op_free(&s->base);
        return err_set(err, ERR_STORE_CONFIG, "The MongoDB client refuses documents.url or its TLS files; check them.");
    }
    mongoc_client_set_error_api(s->client, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_set_appname(s->client, "pillion");
    *out = &s->base;
    return 0;
}
