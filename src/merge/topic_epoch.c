#include "merge/topic_epoch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "merge/key_map.h"

struct topic_epochs {
    struct document_store *store;
    bool fresh;
    char **met; /* topics whose new life was begun here */
    size_t n_met;
};

struct topic_epochs *topic_epochs_new(struct document_store *store, bool fresh)
{
    struct topic_epochs *t = xcalloc(1, sizeof *t);

    t->store = store;
    t->fresh = fresh;
    return t;
}

void topic_epochs_free(struct topic_epochs *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_met; i++)
        free(t->met[i]);
    free(t->met);
    free(t);
}

int topic_epochs_ensure(struct topic_epochs *t, struct err *err)
{
    return t->store->ops->ensure(t->store, TOPICS_COLLECTION, NULL, 0, err);
}

struct stored {
    bool there, mark_known;
    int64_t epoch, next, mark;
};

static int see(void *arg, const bson_t *document, struct err *err)
{
    struct stored *s = arg;
    bson_iter_t it;

    (void)err;
    s->there = true;
    if (bson_iter_init_find(&it, document, "epoch"))
        s->epoch = bson_iter_as_int64(&it);
    if (bson_iter_init_find(&it, document, "next"))
        s->next = bson_iter_as_int64(&it);
    if (bson_iter_init_find(&it, document, "mark")) {
        s->mark = bson_iter_as_int64(&it);
        s->mark_known = s->next > 0;
    }
    return 0;
}

static int find(struct topic_epochs *t, const char *name, struct stored *out, struct err *err)
{
    bson_t id = BSON_INITIALIZER;
    const bson_t *ids = &id;
    int rc;

    *out = (struct stored){0};
    bson_append_utf8(&id, "_id", 3, name, -1);
    rc = t->store->ops->find_ids(t->store, TOPICS_COLLECTION, &ids, 1, NULL, see, out, err);
    bson_destroy(&id);
    return rc;
}

static int put(struct topic_epochs *t, const char *name, int64_t version, const bson_t *body, bool *applied,
               struct err *err)
{
    bson_t id = BSON_INITIALIZER, document;
    struct document_write w = {.kind = WRITE_UPSERT, .collection = TOPICS_COLLECTION, .id = &id, .version = version};
    bson_t sub;
    int rc;

    bson_append_utf8(&id, "_id", 3, name, -1);
    bson_copy_to(body, &document);
    bson_append_document_begin(&document, "_pillion", 8, &sub);
    bson_append_int64(&sub, "v", 1, version);
    bson_append_document_end(&document, &sub);
    w.document = &document;
    rc = t->store->ops->write(t->store, &w, 1, err);
    *applied = w.result == WRITE_APPLIED;
    bson_destroy(&id);
    bson_destroy(&document);
    return rc;
}

int topic_epochs_raise(struct topic_epochs *t, const char *topic, uint32_t old, uint32_t *epoch, struct err *err)
{
    bson_t body = BSON_INITIALIZER;
    struct stored now;
    bool applied;
    int rc;

    bson_append_int64(&body, "epoch", 5, (int64_t)old + 1);
    rc = put(t, topic, (int64_t)old + 1, &body, &applied, err);
    bson_destroy(&body);
    if (!rc)
        rc = find(t, topic, &now, err);
    if (!rc)
        *epoch = (uint32_t)now.epoch;
    return rc;
}

static bool is_met(struct topic_epochs *t, const char *topic)
{
    for (size_t i = 0; i < t->n_met; i++)
        if (!strcmp(t->met[i], topic))
            return true;
    return false;
}

int topic_epochs_read(struct topic_epochs *t, const char *topic, int32_t partition, struct partition_life *out,
                      struct err *err)
{
    char *name = xasprintf("%s/%d", topic, (int)partition);
    struct stored whole, part;
    int rc = find(t, topic, &whole, err);

    if (!rc)
        rc = find(t, name, &part, err);
    free(name);
    if (rc)
        return -1;
    *out = (struct partition_life){.epoch = (uint32_t)whole.epoch};
    if (!whole.there || (t->fresh && !is_met(t, topic))) {
        if (topic_epochs_raise(t, topic, out->epoch, &out->epoch, err))
            return -1;
        t->met = xreallocarray(t->met, t->n_met + 1, sizeof *t->met);
        t->met[t->n_met++] = xstrdup(topic);
    }
    out->behind = !part.there || part.epoch < (int64_t)out->epoch;
    if (!out->behind && part.mark_known) {
        out->next = part.next;
        out->mark = (uint64_t)part.mark;
        out->mark_known = true;
    }
    return 0;
}

int topic_epochs_keep(struct topic_epochs *t, const char *topic, int32_t partition, uint32_t epoch, int64_t next,
                      uint64_t mark, struct err *err)
{
    char *name = xasprintf("%s/%d", topic, (int)partition);
    bson_t body = BSON_INITIALIZER;
    bool applied;
    int rc;

    bson_append_int64(&body, "epoch", 5, epoch);
    bson_append_int64(&body, "next", 4, next);
    if (next > 0)
        bson_append_int64(&body, "mark", 4, (int64_t)mark);
    rc = put(t, name, document_version(epoch, next), &body, &applied, err);
    bson_destroy(&body);
    free(name);
    return rc;
}

uint64_t topic_epochs_mark(const struct record *r)
{
    uint64_t h = key_hash((size_t)r->timestamp_ms, r->key ? r->key : (const uint8_t *)"", r->key ? r->key_len : 0);

    return h ^ key_hash(r->value_len, r->value ? r->value : (const uint8_t *)"", r->value ? r->value_len : 0) >> 1;
}
