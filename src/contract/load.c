/* load: reads files, gives findings, and drives odcs.c, reference.c and reference_graph.c. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "contract/loader.h"

enum { SET_BYTES_MAX = 256 << 20, NAME_DISTANCE_MAX = 32 };

void loader_find(struct loader *l, bool is_error, int line, int column, const char *format, ...)
{
    struct contract_finding f = {.file = l->file, .line = line, .column = column, .is_error = is_error};
    va_list args;

    va_start(args, format);
    vsnprintf(f.text, sizeof f.text, format, args);
    va_end(args);
    if (is_error && l->errors++ == 0)
        err_set(l->err, ERR_CONTRACT, "%s:%d:%d: %s", f.file, line, column, f.text);
    if (l->fn)
        l->fn(l->arg, &f);
}

char *loader_text(struct loader *l, const char *text)
{
    return arena_strndup(&l->set->arena, text, strlen(text));
}

/* Levenshtein distance, for the nearest name; long names are simply far away. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_DISTANCE_MAX + 1], la = strlen(a), lb = strlen(b);

    if (la > NAME_DISTANCE_MAX || lb > NAME_DISTANCE_MAX)
        return NAME_DISTANCE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

void loader_check_keys(struct loader *l, const struct yaml_node *mapping, const char *const known[], const char *what)
{
    const struct yaml_node *m = yaml_resolve(mapping);

    for (const struct yaml_node *n = m->first; n; n = n->next) {
        const char *nearest = NULL;
        size_t least = 4;
        bool found = false;

        for (size_t i = 0; known[i] && !found; i++) {
            size_t d = distance(n->key, known[i]);

            found = d == 0 && !strcmp(n->key, known[i]);
            if (d < least) {
                least = d;
                nearest = known[i];
            }
        }
        if (found)
            continue;
        if (nearest)
            loader_find(l, true, n->key_line, n->key_column, "%s has no key \"%.64s\"; did you mean \"%s\"?", what,
                        n->key, nearest);
        else
            loader_find(l, true, n->key_line, n->key_column,
                        "%s has no key \"%.64s\" in ODCS 3.1; put what is your own under customProperties.", what,
                        n->key);
    }
}

static void read_document(struct loader *l, const char *name, const void *bytes, size_t len)
{
    struct err err = ERR_INIT;
    struct yaml_place place;
    struct yaml_node *root;

    l->file = loader_text(l, name);
    if (!l->file) {
        l->file = "";
        loader_find(l, true, 1, 1, "the contracts need more memory than is allowed.");
        return;
    }
    root = yaml_tree_parse(&l->set->arena, bytes, len, &place, &err);
    if (root)
        odcs_read(l, root);
    else
        loader_find(l, true, place.line, place.column, "%s", err.text);
}

static int read_file(struct loader *l, const char *path, struct err *err)
{
    FILE *f = fopen(path, "rb");
    char *bytes;
    size_t n;

    if (!f)
        return err_set(err, ERR_CONTRACT, "The contract %s cannot be opened: %s.", path, strerror(errno));
    bytes = xmalloc(YAML_BYTES_MAX + 1);
    n = fread(bytes, 1, YAML_BYTES_MAX + 1, f);
    if (ferror(f)) {
        err_set(err, ERR_CONTRACT, "The contract %s cannot be read: %s.", path, strerror(errno));
        fclose(f);
        free(bytes);
        return -1;
    }
    fclose(f);
    read_document(l, path, bytes, n);
    free(bytes);
    return 0;
}

static int is_yaml(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');

    return dot && e->d_name[0] != '.' && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static int read_folder(struct loader *l, const char *path, struct err *err)
{
    struct dirent **names;
    int n = scandir(path, &names, is_yaml, alphasort), rc = 0;

    if (n < 0)
        return err_set(err, ERR_CONTRACT, "The folder of contracts %s cannot be read: %s.", path, strerror(errno));
    if (n == 0)
        rc = err_set(err, ERR_CONTRACT, "The folder %s holds no contract (*.yaml, *.yml).", path);
    if (n > CONTRACT_FILES_MAX)
        rc = err_set(err, ERR_CONTRACT, "The folder %s holds more than %d contracts.", path, CONTRACT_FILES_MAX);
    for (int i = 0; i < n; i++) {
        if (!rc) {
            char *file = xasprintf("%s/%s", path, names[i]->d_name);
            rc = read_file(l, file, err);
            free(file);
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

static void begin(struct loader *l)
{
    l->set = xcalloc(1, sizeof *l->set);
    arena_init(&l->set->arena, SET_BYTES_MAX);
}

/* Resolves what was read; takes the set out of the loader. */
static int finish(struct loader *l, int rc, struct contract_set **out)
{
    if (rc == 0)
        reference_resolve(l);
    if (rc == 0 && l->errors == 0) {
        l->set->by_rank = arena_alloc(&l->set->arena, (l->set->n_entities + 1) * sizeof *l->set->by_rank);
        if (!l->set->by_rank)
            loader_find(l, true, 1, 1, "the contracts need more memory than is allowed.");
        else
            reference_graph_rank(l->set);
    }
    free(l->pending);
    if (rc == 0 && l->errors > 1)
        err_prefix(l->err, "%zu errors in the data contracts, the first", l->errors);
    if (rc != 0 || l->errors) {
        contract_set_free(l->set);
        return -1;
    }
    *out = l->set;
    return 0;
}

int contract_set_load(struct contract_set **out, const char *path, contract_finding_fn *fn, void *arg, struct err *err)
{
    struct loader l = {.fn = fn, .arg = arg, .err = err, .file = ""};
    struct stat st;
    int rc;

    if (stat(path, &st) != 0)
        return err_set(err, ERR_CONTRACT, "The contracts at %s cannot be found: %s.", path, strerror(errno));
    begin(&l);
    rc = S_ISDIR(st.st_mode) ? read_folder(&l, path, err) : read_file(&l, path, err);
    return finish(&l, rc, out);
}

int contract_set_load_bytes(struct contract_set **out, const char *name, const void *bytes, size_t len,
                            contract_finding_fn *fn, void *arg, struct err *err)
{
    struct loader l = {.fn = fn, .arg = arg, .err = err, .file = ""};

    begin(&l);
    read_document(&l, name, bytes, len);
    return finish(&l, 0, out);
}
