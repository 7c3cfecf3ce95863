#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/parked_row.h"
#include "cmd/wiring.h"
#include "merge/parked.h"

enum { PAGE = 500 };

static const char usage[] = "Usage: pillion parked ls [TABLE] [-c FILE] [--limit N] [--json]\n\n"
                            "Lists the rows that wait for a parent, with what they wait for.\n\n"
                            "  TABLE               only rows of this table (as the contract names it)\n"
                            "  --limit N           at most N rows (default 100; 0: all)\n"
                            "  --json              one JSON object a line, the whole parked document\n"
                            "  -c, --config FILE   the configuration (default: $PILLION_CONFIG)\n"
                            "  -h, --help          this text\n\n"
                            "Exit codes: 0 done; 1 a document is no parked row; 2 bad usage or configuration; 3 the "
                            "document store cannot be\nreached.\n";

struct listing {
    const char *table;
    long limit, shown, all;
    bool json;
    bson_t *last;
};

static int show(void *arg, const bson_t *doc, struct err *err)
{
    struct listing *l = arg;
    struct parked_row row;

    if (l->last)
        bson_destroy(l->last);
    l->last = parked_row_id(doc);
    if (parked_row_read(&row, doc, err) < 0)
        return -1;
    if (l->table && strcmp(row.entity, l->table) != 0)
        return 0;
    l->all++;
    if (l->limit && l->shown >= l->limit)
        return 0;
    l->shown++;
    if (l->json) {
        char *text = bson_as_relaxed_extended_json(doc, NULL);

        puts(text);
        bson_free(text);
    } else {
        printf("%s %s waits for %s\n", row.entity, row.key, row.waiting);
    }
    return 0;
}

static int list(struct document_store *s, struct listing *l, struct err *err)
{
    long before;

    do {
        bson_t *after = l->last ? bson_copy(l->last) : NULL;

        before = l->all;
        if (s->ops->scan(s, PARKED_COLLECTION, after, PAGE, show, l, err) < 0) {
            if (after)
                bson_destroy(after);
            return -1;
        }
        if (after && l->last && bson_equal(after, l->last)) { /* the page was empty */
            bson_destroy(after);
            break;
        }
        if (after)
            bson_destroy(after);
    } while (l->last && (l->table || l->all > before));
    if (!l->json)
        printf("%ld parked%s%s%s\n", l->all, l->table ? " of " : "", l->table ? l->table : "",
               l->shown < l->all ? ", not all shown; --limit 0 shows all" : "");
    return 0;
}

int cmd_parked(int argc, char **argv)
{
    struct listing l = {.limit = 100};
    struct document_store *s = NULL;
    struct document_store_options documents;
    struct wiring w;
    struct err err = ERR_INIT;
    const char *words[2] = {NULL}, *limit = NULL;
    const struct argument_option options[] = {{"--json", &l.json, NULL}, {"--limit", NULL, &limit}, {0}};
    struct arguments a = {.command = "parked", .options = options, .configured = true, .words = words, .max_words = 2};
    int rc = 0;

    if (command_help(argc, argv, usage))
        return 0;
    if (wiring_init(&w, &argc, argv, &err) < 0)
        goto out;
    if (arguments_read(&a, argc, argv, &err) < 0 ||
        (limit && arguments_number("--limit", limit, 0, LONG_MAX, &l.limit, &err) < 0))
        goto out;
    l.table = words[1];
    if (!words[0] || strcmp(words[0], "ls") != 0) {
        fputs(usage, stderr);
        rc = 2;
        goto out;
    }
    documents = wiring_documents(&w);
    if (document_store_open(&s, &documents, &err) == 0)
        list(s, &l, &err);
out:
    if (err.code)
        rc = command_fail("parked", &err);
    if (l.last)
        bson_destroy(l.last);
    if (s)
        s->ops->free(s);
    wiring_release(&w);
    return rc;
}
