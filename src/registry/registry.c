#include "registry/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "registry/backend.h"

/* Far above what a fleet of tables makes; a registry that goes beyond it is asked again rather than remembered. */
enum { CACHE_MAX = 100000, CACHE_BUCKETS = 4096 };

struct known {
    struct known *by_text_next, *by_id_next;
    uint32_t id;
    char *subject; /* NULL: known by its id only */
    char *schema;
};

struct registry {
    const struct registry_backend *backend;
    void *context;
    pthread_mutex_t lock;
    struct known *by_text[CACHE_BUCKETS];
    struct known *by_id[CACHE_BUCKETS];
    size_t count;
};

/* FNV-1a, 64 bits (RFC draft-eastlake-fnv). */
static uint64_t hash_add(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(1099511628211);
    return (h ^ 0xff) * UINT64_C(1099511628211);
}

static size_t text_bucket(const char *subject, const char *schema)
{
    return hash_add(hash_add(UINT64_C(14695981039346656037), subject), schema) % CACHE_BUCKETS;
}

static int file_url(const char *url, const char **path, struct err *err)
{
    const char *p = url + strlen("file://");

    if (*p != '/')
        return err_set(err, ERR_REGISTRY_CONFIG, "\"%s\" does not name a folder; write file:// and an absolute path.",
                       url);
    *path = p;
    return 0;
}

int registry_open(struct registry **out, const struct registry_options *options, struct err *err)
{
    const struct registry_backend *backend;
    struct registry *r;
    const char *path = NULL;
    void *context;

    *out = NULL;
    if (!options->url || !*options->url)
        return err_set(err, ERR_REGISTRY_CONFIG,
                       "No schema registry is named; set registry.url to http(s)://host or file:///folder.");
    if (!strncmp(options->url, "file://", 7)) {
        if (file_url(options->url, &path, err) || registry_folder_open(&context, path, err))
            return -1;
        backend = &registry_folder;
    } else {
        if (registry_http_open(&context, options, err))
            return -1;
        backend = &registry_http;
    }
    r = xcalloc(1, sizeof(*r));
    r->backend = backend;
    r->context = context;
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return 0;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    r->backend->close(r->context);
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        for (struct known *k = r->by_id[i], *next; k; k = next) {
            next = k->by_id_next;
            free(k->subject);
            free(k->schema);
            free(k);
        }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct known *find_id(struct registry *r, uint32_t id)
{
    for (struct known *k = r->by_id[id % CACHE_BUCKETS]; k; k = k->by_id_next)
        if (k->id == id)
            return k;
    return NULL;
}

static struct known *find_text(struct registry *r, const char *subject, const char *schema)
{
    for (struct known *k = r->by_text[text_bucket(subject, schema)]; k; k = k->by_text_next)
        if (!strcmp(k->subject, subject) && !strcmp(k->schema, schema))
            return k;
    return NULL;
}

static void remember(struct registry *r, const char *subject, const char *schema, uint32_t id)
{
    struct known *k = xcalloc(1, sizeof(*k));
    size_t bucket;

    k->id = id;
    k->subject = subject ? xstrdup(subject) : NULL;
    k->schema = xstrdup(schema);
    k->by_id_next = r->by_id[id % CACHE_BUCKETS];
    r->by_id[id % CACHE_BUCKETS] = k;
    if (subject) {
        bucket = text_bucket(subject, schema);
        k->by_text_next = r->by_text[bucket];
        r->by_text[bucket] = k;
    }
    r->count++;
}

static int check_subject(const char *subject, struct err *err)
{
    if (!*subject || strlen(subject) > REGISTRY_SUBJECT_MAX)
        return err_set(err, ERR_REGISTRY_CONFIG, "A subject must have 1 to %d characters; shorten the topic's name.",
                       REGISTRY_SUBJECT_MAX);
    return 0;
}

static int check_text(const char *subject, const char *schema, struct err *err)
{
    if (check_subject(subject, err))
        return -1;
    if (strlen(schema) > REGISTRY_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "The schema of subject %s is longer than %d bytes.", subject, REGISTRY_TEXT_MAX);
    return 0;
}

int registry_register(struct registry *r, const char *subject, const char *schema, uint32_t *id, struct err *err)
{
    struct known *k;
    int rc;

    if (check_text(subject, schema, err))
        return -1;
    pthread_mutex_lock(&r->lock);
    k = find_text(r, subject, schema);
    if (k) {
        *id = k->id;
        rc = 0;
    } else {
        rc = r->backend->register_schema(r->context, subject, schema, id, err);
        if (!rc && r->count < CACHE_MAX)
            remember(r, subject, schema, *id);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

int registry_schema(struct registry *r, uint32_t id, const char **schema, struct err *err)
{
    struct known *k;
    char *text = NULL;
    int rc = 0;

    *schema = NULL;
    pthread_mutex_lock(&r->lock);
    k = find_id(r, id);
    if (!k && r->count >= CACHE_MAX) {
        /* The text is lent for good, so it cannot be fetched without being kept. */
        rc = err_set(err, ERR_LIMIT, "More than %d schemas; that many ids in the topics are no sane use.", CACHE_MAX);
    } else if (!k) {
        rc = r->backend->schema(r->context, id, &text, err);
        if (!rc) {
            remember(r, NULL, text, id);
            k = find_id(r, id);
        }
    }
    if (k)
        *schema = k->schema;
    free(text);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

int registry_compatible(struct registry *r, const char *subject, const char *schema, bool *ok, char *reason,
                        size_t size, struct err *err)
{
    int rc;

    *ok = true;
    if (size)
        reason[0] = 0;
    if (check_text(subject, schema, err))
        return -1;
    pthread_mutex_lock(&r->lock);
    rc = r->backend->compatible(r->context, subject, schema, ok, reason, size, err);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

int registry_ping(struct registry *r, struct err *err)
{
    int rc;

    pthread_mutex_lock(&r->lock);
    rc = r->backend->ping(r->context, err);
    pthread_mutex_unlock(&r->lock);
    return rc;
}
