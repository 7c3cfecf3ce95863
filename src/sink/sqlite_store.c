#include "sink/sqlite_store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { BUSY_MS = 30000, INDEXES_MAX = 8, SQL_MAX = 1 << 20, NAME_MAX_BYTES = 200, COLLECTIONS_MAX = 4096 };

struct collection {
    char *name;
    char *fields[INDEXES_MAX];
    size_t n_fields;
    sqlite3_stmt *put, *get, *remove, *patch;
};

struct sqlite_store {
    struct document_store base;
    sqlite3 *db;
    struct collection *collections;
    size_t n_collections;
    char *path;
};

static struct sqlite_store *self(struct document_store *s)
{
    return (struct sqlite_store *)(void *)s;
}

static int fail(struct sqlite_store *s, const char *doing, struct err *err)
{
    int rc = sqlite3_errcode(s->db);
    enum err_code code = rc == SQLITE_BUSY || rc == SQLITE_LOCKED      ? ERR_STORE
                         : rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? ERR_STORE_DATA
                         : rc == SQLITE_FULL || rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY
                             ? ERR_FILE
                             : ERR_STORE;

    return err_set(err, code, "SQLite file %s: %s failed: %s.", s->path, doing, sqlite3_errmsg(s->db));
}

static int run(struct sqlite_store *s, const char *sql, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, "a statement", err);
}

/* Names come from contracts: quoted, and kept to what a quoted identifier can hold. */
static int check_name(const char *name, struct err *err)
{
    size_t n = strlen(name);

    if (!n || n > NAME_MAX_BYTES || strchr(name, '"'))
        return err_set(err, ERR_STORE_CONFIG,
                       "The collection or field name '%.80s' cannot be used in SQLite; rename it.", name);
    return 0;
}

/* The id as text: relaxed extended JSON of the value alone. */
static char *id_text(const bson_t *id)
{
    size_t len;
    char *json = bson_as_relaxed_extended_json(id, &len);
    char *colon = json ? strchr(json, ':') : NULL;
    char *text;

    if (!colon) {
        bson_free(json);
        return xstrdup("null");
    }
    while (*++colon == ' ')
        ;
    len = strlen(colon);
    while (len && (colon[len - 1] == '}' || colon[len - 1] == ' ')) {
        len--;
        if (colon[len] == '}')
            break;
    }
    while (len && colon[len - 1] == ' ')
        len--;
    text = xstrndup(colon, len);
    bson_free(json);
    return text;
}

static struct collection *find(struct sqlite_store *s, const char *name)
{
    for (size_t i = 0; i < s->n_collections; i++)
        if (!strcmp(s->collections[i].name, name))
            return &s->collections[i];
    return NULL;
}

static int prepare(struct sqlite_store *s, sqlite3_stmt **out, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static int prepare(struct sqlite_store *s, sqlite3_stmt **out, struct err *err, const char *format, ...)
{
    char sql[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL) != SQLITE_OK)
        return fail(s, "preparing a statement", err);
    return 0;
}

static int op_ensure(struct document_store *base, const char *name, const struct document_index *indexes, size_t n,
                     struct err *err)
{
    struct sqlite_store *s = self(base);
    struct collection *c;
    char sql[2048];

    if (check_name(name, err) < 0)
        return -1;
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS \"%s\"(id TEXT PRIMARY KEY, v INTEGER NOT NULL, deleted INTEGER NOT NULL, "
             "json TEXT "
             "NOT NULL, bson BLOB NOT NULL) WITHOUT ROWID",
             name);
    if (run(s, sql, err) < 0)
        return -1;
    c = find(s, name);
    if (!c) {
        if (s->n_collections >= COLLECTIONS_MAX)
            return err_set(err, ERR_LIMIT, "More than %d collections in SQLite; use MongoDB.", COLLECTIONS_MAX);
        s->collections = xreallocarray(s->collections, s->n_collections + 1, sizeof *s->collections);
        c = &s->collections[s->n_collections++];
        *c = (struct collection){.name = xstrdup(name)};
        if (prepare(s, &c->put, err,
                    "INSERT INTO \"%s\"(id,v,deleted,json,bson) VALUES(?1,?2,?3,?4,?5) ON CONFLICT(id) DO UPDATE SET "
                    "v=?2,deleted=?3,json=?4,bson=?5 WHERE v<?2",
                    name) < 0 ||
            prepare(s, &c->get, err, "SELECT v,bson FROM \"%s\" WHERE id=?1", name) < 0 ||
            prepare(s, &c->remove, err, "DELETE FROM \"%s\" WHERE id=?1 AND v<=?2", name) < 0 ||
            prepare(s, &c->patch, err, "UPDATE \"%s\" SET deleted=?3,json=?4,bson=?5 WHERE id=?1 AND v<?2", name) < 0)
            return -1;
    }
    for (size_t i = 0; i < n; i++) {
        bool there = false;

        for (size_t k = 0; k < c->n_fields; k++)
            there |= !strcmp(c->fields[k], indexes[i].field);
        if (there)
            continue;
        if (check_name(indexes[i].field, err) < 0)
            return -1;
        if (c->n_fields == INDEXES_MAX)
            return err_set(err, ERR_LIMIT, "More than %d indexed fields in collection %s.", INDEXES_MAX, name);
        snprintf(sql, sizeof sql,
                 "CREATE TABLE IF NOT EXISTS \"%s.%s\"(value TEXT, id TEXT, PRIMARY KEY(value,id)) WITHOUT ROWID;"
                 "CREATE INDEX IF NOT EXISTS \"%s.%s.id\" ON \"%s.%s\"(id)",
                 name, indexes[i].field, name, indexes[i].field, name, indexes[i].field);
        if (run(s, sql, err) < 0)
            return -1;
        c->fields[c->n_fields++] = xstrdup(indexes[i].field);
    }
    return 0;
}

static int op_view(struct document_store *base, const char *name, const char *view, struct err *err)
{
    char sql[1024];

    if (check_name(name, err) < 0 || check_name(view, err) < 0)
        return -1;
    snprintf(sql, sizeof sql, "CREATE VIEW IF NOT EXISTS \"%s\" AS SELECT id,v,json FROM \"%s\" WHERE deleted=0", view,
             name);
    return run(self(base), sql, err);
}

static struct collection *need(struct sqlite_store *s, const char *name, struct err *err)
{
    struct collection *c = find(s, name);

    if (!c) {
        if (op_ensure(&s->base, name, NULL, 0, err) < 0)
            return NULL;
        c = find(s, name);
    }
    return c;
}

/* One value of an indexed field, as text like an id. */
static int index_value(struct sqlite_store *s, const struct collection *c, const char *field, const char *id,
                       const bson_iter_t *at, struct err *err)
{
    bson_t one = BSON_INITIALIZER;
    sqlite3_stmt *st = NULL;
    char *value;
    int rc;

    bson_append_iter(&one, "v", 1, at);
    value = id_text(&one);
    bson_destroy(&one);
    if (prepare(s, &st, err, "INSERT OR IGNORE INTO \"%s.%s\"(value,id) VALUES(?1,?2)", c->name, field) < 0) {
        free(value);
        return -1;
    }
    sqlite3_bind_text(st, 1, value, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(st, 2, id, -1, SQLITE_TRANSIENT);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    free(value);
    return rc == SQLITE_DONE ? 0 : fail(s, "writing an index", err);
}

static int reindex(struct sqlite_store *s, const struct collection *c, const char *id, const bson_t *doc,
                   struct err *err)
{
    for (size_t i = 0; i < c->n_fields; i++) {
        sqlite3_stmt *st = NULL;
        bson_iter_t it, at, child;
        int rc;

        if (prepare(s, &st, err, "DELETE FROM \"%s.%s\" WHERE id=?1", c->name, c->fields[i]) < 0)
            return -1;
        sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
        rc = sqlite3_step(st);
        sqlite3_finalize(st);
        if (rc != SQLITE_DONE)
            return fail(s, "clearing an index", err);
        if (!doc || !bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, c->fields[i], &at))
            continue;
        if (bson_iter_type(&at) == BSON_TYPE_ARRAY) {
            if (!bson_iter_recurse(&at, &child))
                continue;
            while (bson_iter_next(&child))
                if (index_value(s, c, c->fields[i], id, &child, err) < 0)
                    return -1;
        } else if (index_value(s, c, c->fields[i], id, &at, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool is_deleted(const bson_t *doc)
{
    bson_iter_t it, at;

    return bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, "_pillion.deleted", &at) &&
           bson_iter_as_bool(&at);
}

static int put(struct sqlite_store *s, sqlite3_stmt *st, const char *id, int64_t v, const bson_t *doc, struct err *err)
{
    char *json = bson_as_relaxed_extended_json(doc, NULL);
    int rc;

    if (!json)
        return err_set(err, ERR_STORE_DATA, "A document for SQLite holds text that is not UTF-8.");
    sqlite3_reset(st);
    sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(st, 2, v);
    sqlite3_bind_int(st, 3, is_deleted(doc));
    sqlite3_bind_text(st, 4, json, -1, SQLITE_TRANSIENT);
    sqlite3_bind_blob64(st, 5, bson_get_data(doc), doc->len, SQLITE_TRANSIENT);
    rc = sqlite3_step(st);
    sqlite3_reset(st);
    bson_free(json);
    return rc == SQLITE_DONE ? 0 : fail(s, "writing a document", err);
}

/* Copies doc with one dotted member set (two levels are enough for `_pillion.x`; deeper names become plain members). */
static void set_member(const bson_t *doc, const char *path, const bson_iter_t *value, bson_t *out)
{
    const char *dot = strchr(path, '.');
    bson_iter_t it, sub;
    bool done = false;

    bson_init(out);
    if (bson_iter_init(&it, doc)) {
        while (bson_iter_next(&it)) {
            const char *key = bson_iter_key(&it);

            if (dot && !strncmp(key, path, (size_t)(dot - path)) && !key[dot - path] && BSON_ITER_HOLDS_DOCUMENT(&it) &&
                bson_iter_recurse(&it, &sub)) {
                bson_t inner;

                bson_append_document_begin(out, key, -1, &inner);
                while (bson_iter_next(&sub))
                    if (strcmp(bson_iter_key(&sub), dot + 1) != 0)
                        bson_append_iter(&inner, NULL, 0, &sub);
                bson_append_iter(&inner, dot + 1, -1, value);
                bson_append_document_end(out, &inner);
                done = true;
            } else if (!dot && !strcmp(key, path)) {
                bson_append_iter(out, path, -1, value);
                done = true;
            } else {
                bson_append_iter(out, NULL, 0, &it);
            }
        }
    }
    if (!done)
        bson_append_iter(out, path, -1, value);
}

static int patch(struct sqlite_store *s, struct collection *c, struct document_write *w, const char *id,
                 struct err *err)
{
    bson_t doc, next;
    bson_iter_t it;
    int rc;

    w->result = WRITE_STALE;
    sqlite3_reset(c->get);
    sqlite3_bind_text(c->get, 1, id, -1, SQLITE_TRANSIENT);
    rc = sqlite3_step(c->get);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(c->get);
        return 0;
    }
    if (rc != SQLITE_ROW)
        return fail(s, "reading a document", err);
    if (sqlite3_column_int64(c->get, 0) >= w->version ||
        !bson_init_static(&doc, sqlite3_column_blob(c->get, 1), (size_t)sqlite3_column_bytes(c->get, 1))) {
        sqlite3_reset(c->get);
        return 0;
    }
    bson_copy_to(&doc, &next);
    sqlite3_reset(c->get);
    if (bson_iter_init(&it, w->document)) {
        while (bson_iter_next(&it)) {
            bson_t changed;

            set_member(&next, bson_iter_key(&it), &it, &changed);
            bson_destroy(&next);
            bson_steal(&next, &changed);
        }
    }
    rc = put(s, c->patch, id, w->version, &next, err);
    if (!rc)
        rc = reindex(s, c, id, &next, err);
    bson_destroy(&next);
    if (!rc)
        w->result = WRITE_APPLIED;
    return rc;
}

static int write_one(struct sqlite_store *s, struct document_write *w, struct err *err)
{
    struct collection *c = need(s, w->collection, err);
    char *id;
    int rc = -1;

    if (!c)
        return -1;
    id = id_text(w->id);
    if (w->kind == WRITE_UPSERT) {
        bson_t full;

        bson_copy_to(w->id, &full);
        bson_concat(&full, w->document);
        rc = put(s, c->put, id, w->version, &full, err);
        if (!rc) {
            w->result = sqlite3_changes(s->db) ? WRITE_APPLIED : WRITE_STALE;
            if (w->result == WRITE_APPLIED)
                rc = reindex(s, c, id, &full, err);
        }
        bson_destroy(&full);
    } else if (w->kind == WRITE_PATCH) {
        rc = patch(s, c, w, id, err);
    } else {
        sqlite3_reset(c->remove);
        sqlite3_bind_text(c->remove, 1, id, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(c->remove, 2, w->version);
        rc = sqlite3_step(c->remove) == SQLITE_DONE ? 0 : fail(s, "removing a document", err);
        sqlite3_reset(c->remove);
        if (!rc) {
            w->result = sqlite3_changes(s->db) ? WRITE_APPLIED : WRITE_STALE;
            if (w->result == WRITE_APPLIED)
                rc = reindex(s, c, id, NULL, err);
        }
    }
    free(id);
    return rc;
}

static int op_write(struct document_store *base, struct document_write *writes, size_t n, struct err *err)
{
    struct sqlite_store *s = self(base);

    if (!n)
        return 0;
    if (run(s, "BEGIN IMMEDIATE", err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (write_one(s, &writes[i], err) < 0) {
            sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
            return -1;
        }
    }
    if (run(s, "COMMIT", err) < 0) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return -1;
    }
    return 0;
}

/* Steps a statement whose first column is a BSON document. The rows are collected first, so that fn may use the store.
 */
static int each(struct sqlite_store *s, sqlite3_stmt *st, const char *const fields[], document_fn *fn, void *arg,
                struct err *err)
{
    bson_t **docs = NULL;
    size_t n = 0, room = 0;
    int rc, result = 0;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        bson_t doc, *copy;

        if (!bson_init_static(&doc, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0))) {
            result = err_set(err, ERR_STORE_DATA, "SQLite file %s: a document is not BSON.", s->path);
            break;
        }
        if (fields) {
            bson_iter_t it;

            copy = bson_new();
            if (bson_iter_init(&it, &doc))
                while (bson_iter_next(&it)) {
                    bool wanted = !strcmp(bson_iter_key(&it), "_id");

                    for (size_t i = 0; fields[i] && !wanted; i++)
                        wanted = !strcmp(fields[i], bson_iter_key(&it));
                    if (wanted)
                        bson_append_iter(copy, NULL, 0, &it);
                }
        } else {
            copy = bson_copy(&doc);
        }
        if (n == room)
            docs = xreallocarray(docs, room = room ? room * 2 : 64, sizeof *docs);
        docs[n++] = copy;
    }
    if (!result && rc != SQLITE_DONE)
        result = fail(s, "reading documents", err);
    sqlite3_reset(st);
    for (size_t i = 0; i < n; i++) {
        if (!result)
            result = fn(arg, docs[i], err);
        bson_destroy(docs[i]);
    }
    free(docs);
    return result ? -1 : 0;
}

static int op_find_ids(struct document_store *base, const char *name, const bson_t *const ids[], size_t n,
                       const char *const fields[], document_fn *fn, void *arg, struct err *err)
{
    struct sqlite_store *s = self(base);
    sqlite3_stmt *st = NULL;
    int result = 0;

    if (!need(s, name, err) || prepare(s, &st, err, "SELECT bson FROM \"%s\" WHERE id=?1", name) < 0)
        return -1;
    for (size_t i = 0; i < n && !result; i++) {
        char *id = id_text(ids[i]);

        sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
        result = each(s, st, fields, fn, arg, err);
        free(id);
    }
    sqlite3_finalize(st);
    return result;
}

static int op_find_field(struct document_store *base, const char *name, const char *field, const bson_t *const values[],
                         size_t n, const bson_t *after, size_t limit, document_fn *fn, void *arg, struct err *err)
{
    struct sqlite_store *s = self(base);
    struct document_index index = {field};
    struct buf list, sql;
    sqlite3_stmt *st = NULL;
    char *after_text;
    int result = -1;

    if (!n)
        return 0;
    if (op_ensure(base, name, &index, 1, err) < 0)
        return -1;
    buf_init(&list, SQL_MAX);
    buf_init(&sql, SQL_MAX);
    after_text = after ? id_text(after) : NULL;
    for (size_t i = 0; i < n; i++)
        buf_putf(&list, "%s?%zu", i ? "," : "", i + 3);
    buf_putf(
        &sql,
        "SELECT bson FROM \"%s\" WHERE id IN (SELECT id FROM \"%s.%s\" WHERE value IN (%s)) AND (?1 IS NULL OR id>?1) "
        "ORDER BY id LIMIT ?2",
        name, name, field, buf_cstr(&list));
    if (sqlite3_prepare_v2(s->db, buf_cstr(&sql), -1, &st, NULL) != SQLITE_OK) {
        fail(s, "preparing a search", err);
        goto out;
    }
    if (after_text)
        sqlite3_bind_text(st, 1, after_text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)limit);
    for (size_t i = 0; i < n; i++) {
        char *value = id_text(values[i]);

        sqlite3_bind_text(st, (int)i + 3, value, -1, SQLITE_TRANSIENT);
        free(value);
    }
    result = each(s, st, NULL, fn, arg, err);
out:
    sqlite3_finalize(st);
    free(after_text);
    buf_release(&list);
    buf_release(&sql);
    return result;
}

static int op_scan(struct document_store *base, const char *name, const bson_t *after, size_t limit, document_fn *fn,
                   void *arg, struct err *err)
{
    struct sqlite_store *s = self(base);
    sqlite3_stmt *st = NULL;
    char *after_text;
    int result;

    if (!need(s, name, err) ||
        prepare(s, &st, err, "SELECT bson FROM \"%s\" WHERE (?1 IS NULL OR id>?1) ORDER BY id LIMIT ?2", name) < 0)
        return -1;
    after_text = after ? id_text(after) : NULL;
    if (after_text)
        sqlite3_bind_text(st, 1, after_text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)limit);
    result = each(s, st, NULL, fn, arg, err);
    sqlite3_finalize(st);
    free(after_text);
    return result;
}

static int op_count(struct document_store *base, const char *name, int64_t *n, struct err *err)
{
    struct sqlite_store *s = self(base);
    sqlite3_stmt *st = NULL;
    int rc;

    if (!need(s, name, err) || prepare(s, &st, err, "SELECT count(*) FROM \"%s\"", name) < 0)
        return -1;
    rc = sqlite3_step(st);
    *n = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? 0 : fail(s, "counting", err);
}

static int op_ping(struct document_store *base, struct err *err)
{
    return run(self(base), "SELECT 1", err);
}

static void op_free(struct document_store *base)
{
    struct sqlite_store *s = self(base);

    for (size_t i = 0; i < s->n_collections; i++) {
        struct collection *c = &s->collections[i];

        sqlite3_finalize(c->put);
        sqlite3_finalize(c->get);
        sqlite3_finalize(c->remove);
        sqlite3_finalize(c->patch);
        for (size_t k = 0; k < c->n_fields; k++)
            free(c->fields[k]);
        free(c->name);
    }
    free(s->collections);
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

static const struct document_store_ops sqlite_ops = {
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

int sqlite_store_open(struct document_store **out, const char *path, struct err *err)
{
    struct sqlite_store *s = xcalloc(1, sizeof *s);

    s->base.ops = &sqlite_ops;
    s->path = xstrdup(path);
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        err_set(err, ERR_STORE_CONFIG,
                "The SQLite file %s cannot be opened: %s; does its folder exist and can it be written?", path,
                s->db ? sqlite3_errmsg(s->db) : "out of memory");
        op_free(&s->base);
        return -1;
    }
    sqlite3_busy_timeout(s->db, BUSY_MS);
    if (run(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;", err) < 0) {
        op_free(&s->base);
        return -1;
    }
    *out = &s->base;
    return 0;
}
