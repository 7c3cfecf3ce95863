#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture/table_filter.h"
#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/wiring.h"
#include "kafka/admin_client.h"
#include "mysql/preflight.h"

static const char usage[] =
    "Usage: pillion check [-c FILE] [OPTIONS]\n\n"
    "Asks everything that is configured (contracts, source server, Kafka, registry, stores) whether Pillion can work "
    "with it,\n"
    "and prints one line for each answer, with the remedy where something is wrong. Changes nothing.\n\n"
    "  -c, --config FILE   the configuration (default: $PILLION_CONFIG)\n"
    "  --only PART         one of contracts, source, kafka, registry, documents, objects\n"
    "  -h, --help          this text\n"
    "Every option of the configuration can be given as a flag too: --source.host=db1.\n\n"
    "Exit codes: 0 all is well; 1 something is set in a way that Pillion cannot work with; 2 bad usage, "
    "configuration or contract; 3 something could not be reached.\n";

struct report {
    int errors, unreachable, config;
    bool colour;
};

static void line(struct report *r, const char *part, enum finding_level level, const char *what, const char *remedy)
{
    static const char *const words[] = {"ok   ", "warn ", "ERROR"};
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};

    printf("%s%s%s %-9s %s", r->colour ? colours[level] : "", words[level], r->colour ? "\033[0m" : "", part, what);
    if (remedy && *remedy)
        printf("\n%15s -> %s", "", remedy);
    putchar('\n');
}

static void failed(struct report *r, const char *part, const struct err *err)
{
    line(r, part, FINDING_ERROR, err->text, NULL);
    switch (err_exit_code(err)) {
    case 3:
        r->unreachable++;
        break;
    case 2:
        r->config++;
        break;
    default:
        r->errors++;
    }
}

static void finding(void *arg, enum finding_level level, const char *what, const char *remedy)
{
    struct report *r = arg;

    line(r, "source", level, what, remedy);
    r->errors += level == FINDING_ERROR;
}

static bool captured(void *arg, const char *database, const char *table)
{
    return table_filter_takes(arg, database, table);
}

static void check_source(const struct wiring *w, struct report *r)
{
    const struct options *o = &w->options;
    struct connection_options options = wiring_connection(w);
    struct connection *c = NULL;
    struct table_filter *filter = NULL;
    struct err err = ERR_INIT;

    if (table_filter_new(&filter, (const char *const *)o->source_tables.items, o->source_tables.n,
                         (const char *const *)o->source_exclude_tables.items, o->source_exclude_tables.n, &err) < 0 ||
        connection_open(&c, &options, &err) < 0) {
        failed(r, "source", &err);
    } else {
        struct preflight_tables tables = {captured, filter};

        if (preflight_run(c, &tables, (uint32_t)o->source_server_id, finding, r, &err) < 0)
            failed(r, "source", &err);
    }
    connection_close(c);
    table_filter_free(filter);
}

static void check_kafka(const struct wiring *w, struct report *r)
{
    struct kafka_options kafka = wiring_kafka(w);
    struct admin_client *a = NULL;
    struct err err = ERR_INIT;
    char text[512] = "";

    if (kafka_is_mock(&kafka)) {
        line(r, "kafka", FINDING_OK, "an in-process cluster (mock://), for trying and tests only", NULL);
        return;
    }
    if (admin_client_new(&a, &kafka, &err) < 0 || admin_client_describe(a, text, sizeof text, &err) < 0)
        failed(r, "kafka", &err);
    else
        line(r, "kafka", FINDING_OK, text, NULL);
    admin_client_free(a);
}

static void check_registry(const struct wiring *w, struct report *r)
{
    struct registry_options options = wiring_registry(w);
    struct registry *reg = NULL;
    struct err err = ERR_INIT;

    options.retries = 0;
    if (registry_open(&reg, &options, &err) < 0 || registry_ping(reg, &err) < 0)
        failed(r, "registry", &err);
    else
        line(r, "registry", FINDING_OK, options.url, NULL);
    registry_close(reg);
}

static void check_documents(const struct wiring *w, struct report *r)
{
    struct document_store_options options = wiring_documents(w);
    struct document_store *s = NULL;
    struct err err = ERR_INIT;

    if (document_store_open(&s, &options, &err) < 0 || s->ops->ping(s, &err) < 0)
        failed(r, "documents", &err);
    else
        line(r, "documents", FINDING_OK, "the document store answers", NULL);
    if (s)
        s->ops->free(s);
}

static void check_objects(const struct wiring *w, struct report *r)
{
    struct object_store_options options = wiring_objects(w);
    struct object_store *s = NULL;
    struct err err = ERR_INIT;

    if (object_store_open(&s, &options, &err) < 0 || s->ops->ping(s, &err) < 0)
        failed(r, "objects", &err);
    else
        line(r, "objects", FINDING_OK, options.url, NULL);
    if (s)
        s->ops->free(s);
}

static void check_contracts(const struct wiring *w, struct report *r)
{
    struct contract_set *set = NULL;
    struct err err = ERR_INIT;
    char text[256];

    if (wiring_contracts(w, &set, &err) < 0) {
        failed(r, "contracts", &err);
        return;
    }
    snprintf(text, sizeof text, "%zu tables in %s", set->n_entities, w->options.contracts);
    line(r, "contracts", FINDING_OK, text, NULL);
    contract_set_free(set);
}

int cmd_check(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct wiring *, struct report *);
    } parts[] = {{"contracts", check_contracts}, {"source", check_source},       {"kafka", check_kafka},
                 {"registry", check_registry},   {"documents", check_documents}, {"objects", check_objects}};
    struct report r = {.colour = isatty(STDOUT_FILENO)};
    struct wiring w;
    struct err err = ERR_INIT;
    const char *only = NULL;
    const struct argument_option options[] = {{"--only", NULL, &only}, {0}};
    struct arguments a = {.command = "check", .options = options, .configured = true};
    int rc = 0, ran = 0;

    if (command_help(argc, argv, usage))
        return 0;
    if (wiring_init(&w, &argc, argv, &err) < 0)
        goto out;
    if (arguments_read(&a, argc, argv, &err) < 0)
        goto out;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (only && strcmp(only, parts[i].name) != 0)
            continue;
        parts[i].run(&w, &r);
        ran++;
    }
    if (!ran)
        err_set(&err, ERR_USAGE, "--only takes contracts, source, kafka, registry, documents or objects, not '%.40s'.",
                only);
    rc = r.unreachable ? 3 : r.config ? 2 : r.errors ? 1 : 0;
out:
    if (err.code)
        rc = command_fail("check", &err);
    wiring_release(&w);
    return rc;
}
