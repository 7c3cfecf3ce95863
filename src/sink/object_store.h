/* object_store: immutable objects by name, in an S3-compatible bucket (libcurl, SigV4) or a folder, behind one table of
 * functions.
 *
 * put_if_absent is the only write: `If-None-Match: *` on S3, link(2) of a synced temporary file in a folder; so two
 * writers of one name never tear or replace each other. Names are path-like and are encoded for signing (`=` is %3D).
 * Lists are in name order. Source: AWS Signature Version 4, S3 API PutObject, GetObject, ListObjectsV2. Credentials are
 * never logged; redirects are not followed. Thread: one owner per store. Errors: ERR_STORE (also 503 SlowDown),
 * ERR_STORE_CONFIG (no such bucket, signature), ERR_STORE_DATA. */
#ifndef PILLION_SINK_OBJECT_STORE_H
#define PILLION_SINK_OBJECT_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct object_store;
typedef int object_fn(void *arg, const char *name, size_t size, struct err *err); /* 0 goes on */

struct object_store_ops {
    /* *created false: an object of that name was there, and nothing was written. */
    int (*put_if_absent)(struct object_store *s, const char *name, const void *bytes, size_t len, bool *created,
                         struct err *err);
    /* *found false: no such object. out is cleared first; its cap limits the object. */
    int (*get)(struct object_store *s, const char *name, struct buf *out, bool *found, struct err *err);
    /* Names with the prefix that sort after `after` (NULL: all), in order. */
    int (*list)(struct object_store *s, const char *prefix, const char *after, object_fn *fn, void *arg,
                struct err *err);
    int (*ping)(struct object_store *s, struct err *err);
    void (*free)(struct object_store *s);
};

struct object_store {
    const struct object_store_ops *ops;
};

struct object_store_options {
    const char *url;      /* s3://bucket/prefix or file:///folder */
    const char *endpoint; /* S3: http(s)://host:port; NULL: AWS of the region */
    const char *region;
    const char *access_key, *secret_key, *session_token;
    const char *tls_ca;
    int timeout_ms;
};

int object_store_open(struct object_store **out, const struct object_store_options *options, struct err *err);

#endif
