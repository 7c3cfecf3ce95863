/* document_store: silver documents and parked rows, in MongoDB (libmongoc, w:majority) or SQLite (embedded), behind one
 * table of functions.
 *
 * Only operations that hold on every MongoDB and on its lookalikes: guarded single-document writes, reads by id, reads
 * by a reference field, ordered scans. No transactions, no change streams, no pipeline updates, no reliance on
 * retryable writes. A guard compares `_pillion.v`, one 64-bit number (document_version): a write is refused
 * (WRITE_STALE) unless it is newer. Writes are durable (majority) when the call returns. After an error nothing is
 * known about the batch: the same call again is right, since every write is idempotent under its guard. Writes of one
 * call are independent: at most one per id and collection. Ownership: ids and documents are the caller's bson. Thread:
 * one owner per store (open one per thread). Errors: ERR_STORE (passing), ERR_STORE_CONFIG, ERR_STORE_DATA. */
#ifndef PILLION_SINK_DOCUMENT_STORE_H
#define PILLION_SINK_DOCUMENT_STORE_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { DOCUMENT_OFFSET_BITS = 44 };
/* Version of a record: epoch, then offset. Offsets up to 2^44, epochs up to 2^19. */
static inline int64_t document_version(uint32_t epoch, int64_t offset)
{
    return (int64_t)((uint64_t)epoch << DOCUMENT_OFFSET_BITS | (uint64_t)offset);
}

enum write_kind {
    WRITE_UPSERT, /* put the document unless one with version >= is there */
    WRITE_PATCH,  /* $set the members of `document` on an existing one with version < ; its version is not changed */
    WRITE_REMOVE  /* remove it when its version is <= */
};
enum write_result { WRITE_UNKNOWN, WRITE_APPLIED, WRITE_STALE /* or absent, for PATCH and REMOVE */ };

struct document_write {
    enum write_kind kind;
    const char *collection;
    const bson_t *id; /* {"_id": value} */
    int64_t version;
    const bson_t *document; /* UPSERT: without _id, with _pillion.v == version. PATCH: {"a.b": value, ...} */
    enum write_result result;
};

struct document_index {
    const char *field; /* dotted path; arrays index each element */
};

typedef int document_fn(void *arg, const bson_t *document, struct err *err); /* 0 goes on */

struct document_store;

struct document_store_ops {
    int (*ensure)(struct document_store *s, const char *collection, const struct document_index *indexes, size_t n,
                  struct err *err);
    /* A view of the documents without tombstones. */
    int (*ensure_live_view)(struct document_store *s, const char *collection, const char *view, struct err *err);
    int (*write)(struct document_store *s, struct document_write *writes, size_t n, struct err *err);
    /* fn for each document found, in any order. fields: NULL for all, else the top-level names wanted. */
    int (*find_ids)(struct document_store *s, const char *collection, const bson_t *const ids[], size_t n,
                    const char *const fields[], document_fn *fn, void *arg, struct err *err);
    /* Documents whose indexed field equals (or, an array, contains) one of n values {"v": value}; at most limit, by
     * _id, with _id > after ({"_id": value} or NULL). */
    int (*find_field)(struct document_store *s, const char *collection, const char *field, const bson_t *const values[],
                      size_t n, const bson_t *after, size_t limit, document_fn *fn, void *arg, struct err *err);
    int (*scan)(struct document_store *s, const char *collection, const bson_t *after, size_t limit, document_fn *fn,
                void *arg, struct err *err);
    int (*count)(struct document_store *s, const char *collection, int64_t *n, struct err *err);
    int (*ping)(struct document_store *s, struct err *err);
    void (*free)(struct document_store *s);
};

struct document_store {
    const struct document_store_ops *ops;
};

struct document_store_options {
    const char *url;      /* mongodb://, mongodb+srv://, sqlite:///path */
    const char *database; /* MongoDB; NULL: the URL's */
    const char *username, *password;
    const char *tls_ca, *tls_cert;
};

int document_store_open(struct document_store **out, const struct document_store_options *options, struct err *err);

#endif
