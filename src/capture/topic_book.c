#include "capture/topic_book.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

struct page {
    char *name;
    char *owner; /* "database.table", or "" */
    struct producer_topic *topic;
    int64_t *highs; /* NULL once settled */
};

struct topic_book {
    struct topic_book_options o;
    struct page *pages;
    size_t n;
};

struct topic_book *topic_book_new(const struct topic_book_options *options)
{
    struct topic_book *b = xcalloc(1, sizeof(*b));

    b->o = *options;
    return b;
}

void topic_book_free(struct topic_book *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++) {
        free(b->pages[i].name);
        free(b->pages[i].owner);
        free(b->pages[i].highs);
    }
    free(b->pages);
    free(b);
}

static int open_page(struct topic_book *b, struct page *page, int partitions, struct err *err)
{
    struct topic_spec spec = {.name = page->name,
                              .partitions = partitions,
                              .replication = b->o.replication,
                              .retention_ms = b->o.retention_ms};
    int64_t *ends = NULL;
    int was = 0, is = 0;

    if (admin_client_partitions(b->o.admin, page->name, &was, err) ||
        (!was && admin_client_ensure_topic(b->o.admin, &spec, &is, err)) ||
        producer_topic_open(b->o.producer, page->name, &page->topic, err))
        return -1;
    is = producer_topic_partitions(page->topic);
    if (!was) { /* nothing can be in it */
        log_debug("capture", "topic %s was made with %d partitions", page->name, is);
        return 0;
    }
    if (recovery_topic(b->o.recovery, page->name, is, &ends, &page->highs, err))
        return -1;
    ack_thread_topic(b->o.acks, page->topic, ends);
    log_debug("capture", "topic %s: %d partitions", page->name, is);
    free(ends);
    return 0;
}

/* Takes name. */
static int open_topic(struct topic_book *b, char *name, const char *owner, int partitions, struct producer_topic **out,
                      struct err *err)
{
    struct page page = {.name = name};

    *out = NULL;
    if (strlen(name) > TOPIC_NAME_MAX) {
        err_set(err, ERR_CONFIG, "Topic name %.300s is longer than %d characters; shorten the prefix.", name,
                TOPIC_NAME_MAX);
        free(name);
        return -1;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (strcmp(b->pages[i].name, name) != 0)
            continue;
        if (strcmp(b->pages[i].owner, owner) != 0) {
            err_set(err, ERR_CONFIG,
                    "Tables %.300s and %.300s would share the topic %s; leave one out with the table filter, or rename "
                    "it.",
                    b->pages[i].owner, owner, name);
            free(name);
            return -1;
        }
        free(name);
        *out = b->pages[i].topic;
        return 0;
    }
    if (open_page(b, &page, partitions, err)) {
        free(name);
        return -1;
    }
    page.owner = xstrdup(owner);
    b->pages = xreallocarray(b->pages, b->n + 1, sizeof(*b->pages));
    b->pages[b->n++] = page;
    *out = page.topic;
    return 0;
}

static char *table_topic(const struct topic_book *b, const char *database, const char *table)
{
    char *name = xasprintf("%s.%s.%s", b->o.prefix, database, table);

    for (char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("._-", *p)))
            *p = '_';
    return name;
}

int topic_book_table(struct topic_book *b, const char *database, const char *table, struct producer_topic **out,
                     struct err *err)
{
    char *owner = xasprintf("%s.%s", database, table);
    int rc = open_topic(b, table_topic(b, database, table), owner, b->o.partitions, out, err);

    free(owner);
    return rc;
}

int topic_book_has_table(struct topic_book *b, const char *database, const char *table, bool *exists, struct err *err)
{
    char *name = table_topic(b, database, table);
    int partitions = 0, rc = admin_client_partitions(b->o.admin, name, &partitions, err);

    *exists = partitions > 0;
    free(name);
    return rc;
}

int topic_book_feed(struct topic_book *b, const char *suffix, struct producer_topic **out, struct err *err)
{
    return open_topic(b, xasprintf("%s.%s", b->o.prefix, suffix), "", 1, out, err);
}

void topic_book_settle(struct topic_book *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (!b->pages[i].highs)
            continue;
        ack_thread_topic(b->o.acks, b->pages[i].topic, b->pages[i].highs);
        free(b->pages[i].highs);
        b->pages[i].highs = NULL;
    }
}
