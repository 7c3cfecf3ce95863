#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/parked_row.h"
#include "cmd/wiring.h"

static const char usage[] =
    "Usage: pillion why TABLE KEY [-c FILE]\n\n"
    "Why a row is visible in silver, or what it waits for: its parents, each with its state.\n\n"
    "  TABLE               as the contract names it\n"
    "  KEY                 its primary key; the parts of a composite key joined with |; one that begins with a minus\n"
    "                      and a letter comes after --\n"
    "  -c, --config FILE   the configuration (default: $PILLION_CONFIG)\n"
    "  -h, --help          this text\n\n"
    "Exit codes: 0 the row is visible; 1 it is not; 2 bad usage or configuration; 3 the document store cannot be "
    "reached.\n";

struct sight {
    bool found, deleted, pending;
    char note[64];
};

static int see(void *arg, const bson_t *doc, struct err *err)
{
    struct sight *s = arg;
    bson_iter_t it, at;

    (void)err;
    s->found = true;
    if (bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, "_pillion.deleted", &at))
        s->deleted = bson_iter_as_bool(&at);
    if (bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, "_pillion.pending", &at))
        s->pending = bson_iter_as_bool(&at);
    return 0;
}

static int keep(void *arg, const bson_t *doc, struct err *err)
{
    (void)err;
    *(bson_t **)arg = bson_copy(doc);
    return 0;
}

/* A single-column key may be a number or text: both are asked for. */
static int look(struct document_store *s, const char *collection, const char *key, struct sight *out, struct err *err)
{
    bson_t *text = BCON_NEW("_id", BCON_UTF8(key)), *number = NULL;
    const bson_t *ids[2] = {text, NULL};
    size_t n = 1;
    char *end;
    long long v = strtoll(key, &end, 10);
    int rc;

    *out = (struct sight){0};
    if (*key && !*end) {
        number = BCON_NEW("_id", BCON_INT64(v));
        ids[n++] = number;
    }
    rc = s->ops->find_ids(s, collection, ids, n, NULL, see, out, err);
    bson_destroy(text);
    if (number)
        bson_destroy(number);
    return rc;
}

static int find_parked(struct document_store *s, const char *table, const char *key, bson_t **doc, struct err *err)
{
    char *text = xasprintf("%s|%s", table, key);
    bson_t *id = BCON_NEW("_id", BCON_UTF8(text));
    const bson_t *ids[] = {id};
    int rc;

    *doc = NULL;
    rc = s->ops->find_ids(s, PARKED_COLLECTION, ids, 1, NULL, keep, doc, err);
    bson_destroy(id);
    free(text);
    return rc;
}

static const char *state_text(const struct sight *s)
{
    return !s->found    ? "not in silver"
           : s->pending ? "in silver, held back"
           : s->deleted ? "deleted (a tombstone, which still resolves)"
                        : "visible";
}

static int explain_parked(struct document_store *s, const bson_t *doc, struct err *err)
{
    bson_iter_t it, at;
    struct parked_row row;

    if (parked_row_read(&row, doc, err) < 0)
        return -1;
    printf("It is parked, and waits for: %s\n",
           *row.waiting ? row.waiting : "its last child to go (its delete is held)");
    if (!bson_iter_init_find(&it, doc, "waiting") || !bson_iter_recurse(&it, &at))
        return 0;
    while (bson_iter_next(&at)) {
        char *parent = xstrdup(bson_iter_utf8(&at, NULL));
        char *bar = strchr(parent, '|');
        struct sight sight;
        int rc = 0;

        if (bar) {
            *bar = 0;
            rc = look(s, parent, bar + 1, &sight, err);
            if (!rc)
                printf("  %s %s is %s\n", parent, bar + 1, state_text(&sight));
        }
        free(parent);
        if (rc < 0)
            return -1;
    }
    if (bson_iter_init_find(&it, doc, "reason") && BSON_ITER_HOLDS_UTF8(&it))
        printf("  %s\n", bson_iter_utf8(&it, NULL));
    return 0;
}

int cmd_why(int argc, char **argv)
{
    const char *words[2] = {NULL}, *table, *key;
    struct arguments a = {.command = "why", .configured = true, .words = words, .max_words = 2};
    struct document_store *s = NULL;
    struct document_store_options documents;
    struct sight sight = {0};
    bson_t *parked = NULL;
    struct wiring w;
    struct err err = ERR_INIT;
    int rc = 1;

    if (command_help(argc, argv, usage))
        return 0;
    if (wiring_init(&w, &argc, argv, &err) < 0)
        goto out;
    if (arguments_read(&a, argc, argv, &err) < 0)
        goto out;
    table = words[0];
    key = words[1];
    if (!table || !key) {
        fputs(usage, stderr);
        rc = 2;
        goto out;
    }
    documents = wiring_documents(&w);
    if (document_store_open(&s, &documents, &err) < 0 || look(s, table, key, &sight, &err) < 0 ||
        find_parked(s, table, key, &parked, &err) < 0)
        goto out;
    printf("%s %s is %s.\n", table, key, state_text(&sight));
    if (parked)
        explain_parked(s, parked, &err);
    else if (!sight.found)
        puts("It is not parked either: no event of it was merged yet, or it never was in the source.");
    rc = sight.found && !sight.deleted && !sight.pending ? 0 : 1;
out:
    if (err.code)
        rc = command_fail("why", &err);
    if (parked)
        bson_destroy(parked);
    if (s)
        s->ops->free(s);
    wiring_release(&w);
    return rc;
}
