#include "config/options_docs.h"

#include <string.h>

#include "base/err.h"
#include "config/options_value.h"

enum { COLUMNS = 110 };

static const struct {
    const char *type;
    const char *name;
    const char *labels;
    const char *help;
} metrics[] = {
#define METRIC(id, type, name, labels, help) {#type, name, labels, help},
#include "base/metric.def"
#undef METRIC
};

/* Words of text, wrapped, each line after indent and lead. */
static void wrap(FILE *out, int indent, const char *lead, const char *text)
{
    int column = 0;

    while (*text) {
        int len = (int)strcspn(text, " ");

        if (column > 0 && column + 1 + len > COLUMNS) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0)
            column = fprintf(out, "%*s%s%.*s", indent, "", lead, len, text);
        else
            column += fprintf(out, " %.*s", len, text);
        text += len;
        text += *text == ' ';
    }
    fputc('\n', out);
}

/* Plain where YAML reads it back as the same text, else in single quotes (no control characters get this far). */
static void put_text(FILE *out, const char *s)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@+-";
    size_t len = strlen(s);

    if (len > 0 && strspn(s, safe) == len && !strchr(":@+-.", s[0]) && s[len - 1] != ':' &&
        strcasecmp(s, "null") != 0) {
        fputs(s, out);
        return;
    }
    fputc('\'', out);
    for (; *s; s++) {
        if (*s == '\'')
            fputc('\'', out);
        fputc(*s, out);
    }
    fputc('\'', out);
}

/* Opens the sections between the one that is open and that of path; gives the depth of path's own key. */
static int open_sections(FILE *out, char *open, size_t size, const char *path, const char **key)
{
    const char *dot = path;
    int depth = 0;

    *key = path;
    while ((dot = strchr(dot, '.')) != NULL) {
        size_t len = (size_t)(dot - path);

        /* Already open when the open section is this one or lies inside it. */
        if (strncmp(open, path, len) != 0 || (open[len] != 0 && open[len] != '.'))
            fprintf(out, "%*s%.*s:\n", depth * 2, "", (int)(dot - *key), *key);
        *key = ++dot;
        depth++;
    }
    snprintf(open, size, "%.*s", *key > path ? (int)(*key - path - 1) : 0, path);
    return depth;
}

static bool is_set(const struct options *o, int id)
{
    const void *member = options_member_const(o, id);

    switch (option_at(id)->kind) {
    case OPTION_STRING:
    case OPTION_WORD:
        return *(char *const *)member != NULL;
    case OPTION_SECRET:
        return ((const struct option_secret *)member)->value || ((const struct option_secret *)member)->file;
    case OPTION_LIST:
        return ((const struct option_list *)member)->n > 0;
    case OPTION_MAP:
        return ((const struct option_map *)member)->n > 0;
    case OPTION_ENUM:
    case OPTION_INT:
    case OPTION_BOOL:
    case OPTION_DURATION:
    case OPTION_SIZE:
        break;
    }
    return true;
}

/* librdkafka's properties may hold secrets under many names. */
static bool is_secret_name(const char *name)
{
    static const char *const parts[] = {"password", "secret", "token", "key.pem", "oauthbearer.config", "jaas"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

static void put_value(FILE *out, const struct options *o, int id)
{
    const struct option *option = option_at(id);
    const void *member = options_member_const(o, id);
    char text[64];

    switch (option->kind) {
    case OPTION_STRING:
    case OPTION_WORD:
        put_text(out, *(char *const *)member);
        break;
    case OPTION_SECRET:
        fputs("(set)", out);
        break;
    case OPTION_ENUM:
        option_choice(option, *(const int *)member, text, sizeof text);
        fputs(text, out);
        break;
    case OPTION_BOOL:
        fputs(*(const bool *)member ? "on" : "off", out);
        break;
    case OPTION_INT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        option_write_number(option->kind, *(const int64_t *)member, text, sizeof text);
        fputs(text, out);
        break;
    case OPTION_LIST: {
        const struct option_list *list = member;
        for (size_t i = 0; i < list->n; i++) {
            fputs(i ? ", " : "[", out);
            put_text(out, list->items[i]);
        }
        fputc(']', out);
        break;
    }
    case OPTION_MAP: {
        const struct option_map *map = member;
        for (size_t i = 0; i < map->n; i++) {
            fputs(i ? ", " : "{", out);
            put_text(out, map->names[i]);
            fputs(": ", out);
            put_text(out, is_secret_name(map->names[i]) ? "(set)" : map->values[i]);
        }
        fputc('}', out);
        break;
    }
    }
}

static void put_origin(FILE *out, const struct options *o, struct option_origin origin)
{
    static const char *const layers[] = {"default", "file", "environment", "flag"};

    if (origin.layer == OPTION_LAYER_FILE)
        fprintf(out, "  # %s:%d\n", o->file ? o->file : "", origin.line);
    else
        fprintf(out, "  # %s\n", layers[origin.layer]);
}

int options_print(const struct options *o, FILE *out)
{
    char open[OPTION_NAME_MAX] = "";

    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option *option = option_at(id);
        const struct option_secret *secret = options_member_const(o, id);
        const char *key;
        int depth;

        if (!is_set(o, id))
            continue;
        depth = open_sections(out, open, sizeof open, option->path, &key);
        if (option->kind == OPTION_SECRET && secret->file) {
            fprintf(out, "%*s%s_file: ", depth * 2, "", key);
            put_text(out, secret->file);
        } else {
            fprintf(out, "%*s%s: ", depth * 2, "", key);
            put_value(out, o, id);
        }
        put_origin(out, o, o->origin[id]);
    }
    return ferror(out) ? -1 : 0;
}

static bool wanted(const char *section, const char *const sections[])
{
    if (!sections)
        return true;
    for (; *sections; sections++)
        if (strcmp(*sections, section) == 0)
            return true;
    return false;
}

void options_help(FILE *out, const char *const sections[])
{
    struct option_section section;
    char kind[300];

    fputs("  -c, --config=FILE\n      The YAML file with the options below; or the environment variable "
          "PILLION_CONFIG.\n",
          out);
    for (size_t i = 0; option_section(i, &section); i++) {
        if (!wanted(section.path, sections))
            continue;
        fprintf(out, "\n%s:\n", section.help);
        for (int id = section.first; id < section.end; id++) {
            const struct option *option = option_at(id);

            option_describe(option, kind, sizeof kind);
            if (option->kind == OPTION_SECRET)
                fprintf(out, "  --%s_file=FILE  (secret; never as an argument)\n", option->path);
            else
                fprintf(out, "  --%s=%s  (%s)\n", option->path, *option->def ? option->def : "", kind);
            wrap(out, 6, "", option->help);
        }
    }
    fputs("\nEach is a key of the file (source.host: host below source) and an environment variable\n"
          "(PILLION_SOURCE_HOST). Flags are stronger than the environment, the environment than the file.\n",
          out);
}

void options_write_example(FILE *out)
{
    struct option_section section;
    char open[OPTION_NAME_MAX] = "", kind[300], lead[8] = "# ";
    struct options o;

    options_init(&o);
    fputs("# Every option of Pillion with its default. Made from src/config/options.def: change it there.\n"
          "#\n"
          "# A key that is commented out has no default; what it shows is an example. Flags (--source.host=db1) are\n"
          "# stronger than the environment (PILLION_SOURCE_HOST=db1), and the environment is stronger than this file.\n"
          "# Secrets may be given as password_file: the path of a file that holds nothing else.\n",
          out);
    for (size_t i = 0; option_section(i, &section); i++) {
        fprintf(out, "\n# ---- %s\n", section.help);
        for (int id = section.first; id < section.end; id++) {
            const struct option *option = option_at(id);
            const char *key;
            int depth = open_sections(out, open, sizeof open, option->path, &key);

            wrap(out, depth * 2, lead, option->help);
            if (option->kind != OPTION_STRING && option->kind != OPTION_SECRET) {
                option_describe(option, kind, sizeof kind);
                wrap(out, depth * 2, "#   ", kind);
            }
            if (option->kind == OPTION_SECRET) {
                fprintf(out, "%*s#%s_file: /run/secrets/", depth * 2, "", key);
                for (const char *s = option->path; *s; s++)
                    fputc(*s == '.' ? '_' : *s, out);
                fputc('\n', out);
            } else if (is_set(&o, id)) {
                fprintf(out, "%*s%s: ", depth * 2, "", key);
                put_value(out, &o, id);
                fputc('\n', out);
            } else {
                fprintf(out, "%*s#%s: ", depth * 2, "", key);
                if (option->kind == OPTION_LIST || option->kind == OPTION_MAP)
                    fputs(option->example, out);
                else
                    put_text(out, option->example);
                fputc('\n', out);
            }
        }
    }
    options_release(&o);
}

/* A cell of a Markdown table. */
static void put_cell(FILE *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '|')
            fputc('\\', out);
        fputc(*s, out);
    }
}

static void reference_options(FILE *out)
{
    struct option_section section;
    char text[300];

    for (size_t i = 0; option_section(i, &section); i++) {
        fprintf(out, "\n### %s\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n", section.help);
        for (int id = section.first; id < section.end; id++) {
            const struct option *option = option_at(id);

            fprintf(out, "| `%s` | ", option->path);
            option_describe(option, text, sizeof text);
            put_cell(out, text);
            fprintf(out, " | %s%s%s | ", *option->def ? "`" : "", option->def, *option->def ? "`" : "");
            put_cell(out, option->help);
            fputs(" |\n", out);
        }
    }
}

void options_write_reference(FILE *out)
{
    fputs("# Reference\n\n"
          "Made from `src/config/options.def`, `src/base/metric.def` and `src/base/err.def`; a test keeps it equal to "
          "them.\n\n"
          "## Options\n\n"
          "Each option is a key of the YAML file (`source.host` is `host` below `source`), an environment variable\n"
          "(`PILLION_SOURCE_HOST`) and a flag (`--source.host=db1`); the later is the stronger. A secret `X` may be "
          "given as\n"
          "`X_file`, the path of a file that holds it, and never as a flag. Durations are whole numbers with `ms`, "
          "`s`, `m`,\n"
          "`h` or `d`; sizes with `KiB`, `MiB`, `GiB` (or `kB`, `MB`, `GB`), or bytes without a unit.\n",
          out);
    reference_options(out);
    fputs("\n## Metrics\n\nServed at `/metrics` in the Prometheus text format.\n\n"
          "| Name | Type | Labels | Meaning |\n|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const char *type = metrics[i].type;
        fprintf(out, "| `%s` | %s | %s | ", metrics[i].name,
                strcmp(type, "COUNTER") == 0 ? "counter"
                : strcmp(type, "GAUGE") == 0 ? "gauge"
                                             : "histogram",
                metrics[i].labels);
        put_cell(out, metrics[i].help);
        fputs(" |\n", out);
    }
    fputs("\n## Errors\n\nThe class says what Pillion does: `retry` tries again with a growing delay, the others end "
          "the\n"
          "command with the exit code.\n\n"
          "| Code | Class | Exit code | Meaning |\n|---|---|---|---|\n",
          out);
    for (int code = ERR_NONE + 1; code < ERR_CODES; code++) {
        struct err err = ERR_INIT;

        err.code = (enum err_code)code;
        fprintf(out, "| `%s` | %s | %d | ", err_code_name(err.code), err_class_name(err_class(&err)),
                err_exit_code(&err));
        put_cell(out, err_code_meaning(err.code));
        fputs(" |\n", out);
    }
}
