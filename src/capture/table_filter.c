#include "capture/table_filter.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

/* Longest names: 64 characters of 4 bytes each, twice. */
enum { FULL_NAME = 2 * 64 * 4 + 2 };

static const char *const helper_tables[] = {"[^.]+\\._.+_(gho|ghc|del|new|old)"};

struct table_filter {
    regex_t *include, *exclude;
    size_t n_include, n_exclude;
};

static int compile(regex_t **out, size_t *n_out, const char *const *patterns, size_t n, struct err *err)
{
    *out = n ? xcalloc(n, sizeof(**out)) : NULL;
    for (*n_out = 0; *n_out < n; ++*n_out) {
        const char *pattern = patterns[*n_out];
        char *whole = xasprintf("^(%s)$", pattern), reason[128];
        int code = regcomp(&(*out)[*n_out], whole, REG_EXTENDED | REG_NOSUB);

        free(whole);
        if (code) {
            regerror(code, &(*out)[*n_out], reason, sizeof(reason));
            return err_set(err, ERR_CONFIG,
                           "\"%.200s\" is no regular expression (%s); write one for database.table, with a dot as \\.",
                           pattern, reason);
        }
    }
    return 0;
}

int table_filter_new(struct table_filter **out, const char *const *include, size_t n_include,
                     const char *const *exclude, size_t n_exclude, struct err *err)
{
    struct table_filter *f = xcalloc(1, sizeof(*f));

    *out = NULL;
    if (!n_exclude) {
        exclude = helper_tables;
        n_exclude = sizeof(helper_tables) / sizeof(*helper_tables);
    }
    if (compile(&f->include, &f->n_include, include, n_include, err) ||
        compile(&f->exclude, &f->n_exclude, exclude, n_exclude, err)) {
        table_filter_free(f);
        return -1;
    }
    *out = f;
    return 0;
}

void table_filter_free(struct table_filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_include; i++)
        regfree(&f->include[i]);
    for (size_t i = 0; i < f->n_exclude; i++)
        regfree(&f->exclude[i]);
    free(f->include);
    free(f->exclude);
    free(f);
}

bool table_filter_system(const char *database)
{
    static const char *const system[] = {"mysql", "sys", "information_schema", "performance_schema"};

    for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++)
        if (!strcasecmp(database, system[i]))
            return true;
    return false;
}

static bool matches(const regex_t *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!regexec(&list[i], name, 0, NULL, 0))
            return true;
    return false;
}

bool table_filter_takes(const struct table_filter *f, const char *database, const char *table)
{
    char name[FULL_NAME];

    if (table_filter_system(database))
        return false;
    snprintf(name, sizeof(name), "%s.%s", database, table);
    return (!f->n_include || matches(f->include, f->n_include, name)) && !matches(f->exclude, f->n_exclude, name);
}
