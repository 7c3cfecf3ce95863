#include <stdio.h>
#include <string.h>

#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/key_guess.h"
#include "cmd/parked_row.h"
#include "cmd/wiring.h"
#include "merge/parked.h"
#include "merge/silver.h"

static const char usage[] =
    "Usage: pillion why TABLE KEY [-c FILE]\n\n"
    "Why a row is visible in silver, or what it waits for: its parents, each with its state.\n\n"
    "  TABLE               as the contract names it\n"
    "  KEY                 its primary key; the parts of a composite key joined with commas; one that begins with a\n"
    "                      minus and a letter comes after --\n"
    "  -c, --config FILE   the configuration (default: $PILLION_CONFIG)\n"
    "  -h, --help          this text\n\n"
    "Exit codes: 0 the row is visible; 1 it is not; 2 bad usage or configuration; 3 the document store cannot be "
    "reached.\n";

struct sight {
    enum gate_state state;
    bool cascaded;
};

static int see(void *arg, const bson_t *doc, struct err *err)
{
    struct sight *s = arg;
    int64_t version;

    (void)err;
    s->state = silver_state(doc, &version, &s->cascaded);
    return 0;
}

static int keep(void *arg, const bson_t *doc, struct err *err)
{
    (void)err;
    *(bson_t **)arg = bson_copy(doc);
    return 0;
}

static int look(struct document_store *s, const char *collection, const bson_t *const ids[], size_t n,
                struct sight *out, struct err *err)
{
    *out = (struct sight){.state = GATE_ABSENT};
    return s->ops->find_ids(s, collection, ids, n, NULL, see, out, err);
}

static int look_for_key(struct document_store *s, const struct entity *e, const char *key, struct sight *out,
                        struct err *err)
{
    struct key_guess guess;
    int rc;

    if (key_guess_init(&guess, e, key, err) < 0)
        return -1;
    rc = look(s, e->name, (const bson_t *const *)guess.ids, guess.n, out, err);
    key_guess_release(&guess);
    return rc;
}

static int find_parked(struct document_store *s, const char *table, const char *key, bson_t **doc, struct err *err)
{
    bson_t id = BSON_INITIALIZER;
    const bson_t *ids[] = {&id};
    int rc;

    *doc = NULL;
    parked_id(&id, table, key);
    rc = s->ops->find_ids(s, PARKED_COLLECTION, ids, 1, NULL, keep, doc, err);
    bson_destroy(&id);
    return rc;
}

static const char *state_text(const struct sight *s)
{
    switch (s->state) {
    case GATE_VISIBLE:
        return "visible";
    case GATE_WAITING:
        return "in silver, but held back";
    case GATE_DELETED:
        return s->cascaded ? "deleted with its parent" : "deleted (a tombstone, which still resolves)";
    case GATE_ABSENT:
        break;
    }
    return "not in silver";
}

/* One of `refs`: {e: table, k: key, id: value of silver's _id}. */
static int explain_parent(struct document_store *s, const bson_iter_t *ref, struct err *err)
{
    bson_iter_t it = *ref, sub;
    const char *table = NULL, *key = NULL;
    bson_t id = BSON_INITIALIZER;
    const bson_t *ids[] = {&id};
    struct sight sight;
    int rc = 0;

    if (!BSON_ITER_HOLDS_DOCUMENT(&it) || !bson_iter_recurse(&it, &sub))
        return 0;
    while (bson_iter_next(&sub)) {
        const char *name = bson_iter_key(&sub);

        if (!strcmp(name, "e") && BSON_ITER_HOLDS_UTF8(&sub))
            table = bson_iter_utf8(&sub, NULL);
        else if (!strcmp(name, "k") && BSON_ITER_HOLDS_UTF8(&sub))
            key = bson_iter_utf8(&sub, NULL);
        else if (!strcmp(name, "id"))
            bson_append_iter(&id, "_id", 3, &sub);
    }
    if (table && key && !bson_empty(&id)) {
        rc = look(s, table, ids, 1, &sight, err);
        if (!rc)
            printf("  %s %s is %s\n", table, key, state_text(&sight));
    }
    bson_destroy(&id);
    return rc;
}

static int explain_parked(struct document_store *s, const bson_t *doc, struct err *err)
{
    bson_iter_t it, at;
    struct parked_row row;

    if (parked_row_read(&row, doc, err) < 0)
        return -1;
    printf("It is parked, and waits for: %s\n",
           *row.waiting ? row.waiting : "its last child to go (its delete is held)");
    if (bson_iter_init_find(&it, doc, "reason") && BSON_ITER_HOLDS_UTF8(&it))
        printf("  reason: %s\n", bson_iter_utf8(&it, NULL));
    if (!bson_iter_init_find(&it, doc, "refs") || !BSON_ITER_HOLDS_ARRAY(&it) || !bson_iter_recurse(&it, &at))
        return 0;
    while (bson_iter_next(&at))
        if (explain_parent(s, &at, err) < 0)
            return -1;
    return 0;
}

static const struct entity *find_entity(const struct contract_set *contracts, const char *name, struct err *err)
{
    for (size_t i = 0; i < contracts->n_entities; i++)
        if (!strcmp(contracts->entities[i].name, name))
            return &contracts->entities[i];
    err_set(err, ERR_USAGE,
            "No contract names a table '%.100s'; 'pillion check --only contracts' shows where they are.", name);
    return NULL;
}

int cmd_why(int argc, char **argv)
{
    const char *words[2] = {NULL}, *table, *key;
    struct arguments a = {.command = "why", .configured = true, .words = words, .max_words = 2};
    struct document_store *s = NULL;
    struct document_store_options documents;
    struct contract_set *contracts = NULL;
    const struct entity *entity;
    struct sight sight;
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
    if (wiring_contracts(&w, &contracts, &err) < 0)
        goto out;
    entity = find_entity(contracts, table, &err);
    if (!entity)
        goto out;
    documents = wiring_documents(&w);
    if (document_store_open(&s, &documents, &err) < 0 || look_for_key(s, entity, key, &sight, &err) < 0 ||
        find_parked(s, table, key, &parked, &err) < 0)
        goto out;
    printf("%s %s is %s.\n", table, key, state_text(&sight));
    if (parked)
        explain_parked(s, parked, &err);
    else if (sight.state == GATE_ABSENT)
        puts("It is not parked either: no event of it was merged yet, or it never was in the source.");
    rc = sight.state == GATE_VISIBLE ? 0 : 1;
out:
    if (err.code)
        rc = command_fail("why", &err);
    if (parked)
        bson_destroy(parked);
    if (s)
        s->ops->free(s);
    contract_set_free(contracts);
    wiring_release(&w);
    return rc;
}
