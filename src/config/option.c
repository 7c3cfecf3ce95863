#include "config/option.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB(n) ((int64_t)(n)*1024)
#define MIB(n) ((int64_t)(n)*1024 * 1024)
#define SECONDS(n) ((int64_t)(n)*1000)
#define DAYS(n) ((int64_t)(n)*86400000)
#define ANY .choices = NULL
#define BETWEEN(low, high) .min = (low), .max = (high)
#define CHOICES(list) .choices = (list)

static const struct option rows[OPTION_COUNT] = {
#define SECTION(path, help)
#define OPTION(k, member, p, d, limits, e, h)                                                                          \
    [OPTION_ID_##member] = {.kind = OPTION_##k, .path = (p), .def = (d), limits, .example = (e), .help = (h)},
#include "config/options.def"
#undef OPTION
#undef SECTION
};

/* Sections and options in the table's order; from it come the ids at which sections begin. */
enum { ROW_SECTION, ROW_OPTION };
static const struct {
    int type;
    const char *path;
    const char *help;
} all_rows[] = {
#define SECTION(p, h) {ROW_SECTION, (p), (h)},
#define OPTION(k, member, p, d, limits, e, h) {ROW_OPTION, (p), (h)},
#include "config/options.def"
#undef OPTION
#undef SECTION
};

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30},  {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}, {"B", 1}, {"kB", 1000},
    {"MB", 1000000},           {"GB", 1000000000}};

const struct option *option_at(int id)
{
    return &rows[id];
}

bool option_section(size_t index, struct option_section *out)
{
    int id = 0;

    for (size_t i = 0; i < sizeof all_rows / sizeof *all_rows; i++) {
        if (all_rows[i].type == ROW_OPTION)
            id++;
        else if (index-- == 0) {
            *out = (struct option_section){all_rows[i].path, all_rows[i].help, id, id};
            for (i++; i < sizeof all_rows / sizeof *all_rows && all_rows[i].type == ROW_OPTION; i++)
                out->end++;
            return true;
        }
    }
    return false;
}

int option_find(const char *path, bool *is_file)
{
    size_t len = strlen(path);

    *is_file = false;
    for (int id = 0; id < OPTION_COUNT; id++)
        if (strcmp(rows[id].path, path) == 0)
            return id;
    if (len <= 5 || strcmp(path + len - 5, "_file") != 0)
        return -1;
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (rows[id].kind == OPTION_SECRET && strlen(rows[id].path) == len - 5 &&
            strncmp(rows[id].path, path, len - 5) == 0) {
            *is_file = true;
            return id;
        }
    }
    return -1;
}

bool option_is_section(const char *path)
{
    size_t len = strlen(path);

    for (int id = 0; id < OPTION_COUNT; id++)
        if (strncmp(rows[id].path, path, len) == 0 && rows[id].path[len] == '.')
            return true;
    return false;
}

int option_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b);
    int before[MAX + 1], last[MAX + 1], now[MAX + 1];

    if (n > MAX || m > MAX)
        return 99;
    for (size_t j = 0; j <= m; j++)
        last[j] = (int)j;
    memset(before, 0, sizeof before);
    for (size_t i = 1; i <= n; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            int best = last[j - 1] + !same;
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        memcpy(before, last, sizeof before);
        memcpy(last, now, sizeof last);
    }
    return last[m];
}

/* How unlike a name may be and still be meant. */
static int tolerance(const char *name)
{
    size_t len = strlen(name);

    return len < 4 ? 1 : len < 9 ? 2 : 3;
}

struct nearest {
    const char *wanted;
    int distance;
    char name[OPTION_NAME_MAX];
};

static void offer(struct nearest *best, const char *candidate, const char *full)
{
    int distance = option_distance(best->wanted, candidate);

    if (distance < best->distance) {
        best->distance = distance;
        snprintf(best->name, sizeof best->name, "%s", full);
    }
}

bool option_nearest(const char *section, const char *key, char *out, size_t size)
{
    char wanted[OPTION_NAME_MAX], full[OPTION_NAME_MAX], child[OPTION_NAME_MAX];
    size_t len = strlen(section);
    struct nearest best = {.wanted = key, .distance = tolerance(key) + 1};

    if (strlen(key) >= OPTION_NAME_MAX || len + strlen(key) + 2 > sizeof wanted)
        return false;
    /* A key of the same section, options and sections alike. */
    for (int id = 0; id < OPTION_COUNT; id++) {
        const char *path = rows[id].path, *rest = path + len + (len > 0);

        if (strncmp(path, section, len) != 0 || (len > 0 && path[len] != '.'))
            continue;
        snprintf(child, sizeof child, "%.*s", (int)strcspn(rest, "."), rest);
        snprintf(full, sizeof full, "%.*s", (int)((size_t)(rest - path) + strlen(child)), path);
        offer(&best, child, full);
        if (rows[id].kind == OPTION_SECRET && !strchr(rest, '.')) {
            snprintf(child, sizeof child, "%s_file", rest);
            snprintf(full, sizeof full, "%s_file", path);
            offer(&best, child, full);
        }
    }
    /* The same key, written to the letter, of another section. */
    for (int id = 0; id < OPTION_COUNT && best.distance > tolerance(key); id++) {
        const char *dot = strrchr(rows[id].path, '.');
        if (dot && strcmp(dot + 1, key) == 0) {
            best.distance = 0;
            snprintf(best.name, sizeof best.name, "%s", rows[id].path);
        }
    }
    if (best.distance > tolerance(key)) {
        snprintf(wanted, sizeof wanted, "%s%s%s", section, len ? "." : "", key);
        best.wanted = wanted;
        best.distance = tolerance(wanted) + 1;
        for (int id = 0; id < OPTION_COUNT; id++)
            offer(&best, rows[id].path, rows[id].path);
        if (best.distance > tolerance(wanted))
            return false;
    }
    snprintf(out, size, "%s", best.name);
    return true;
}

void option_env_name(const struct option *option, bool is_file, char *out, size_t size)
{
    snprintf(out, size, "PILLION_%s%s", option->path, is_file ? "_file" : "");
    for (; *out; out++)
        *out = *out == '.' ? '_' : (char)toupper((unsigned char)*out);
}

static int read_units(const struct unit *units, size_t n, const char *text, int64_t *v)
{
    bool negative = *text == '-';
    long long number;
    char *end;

    if (!isdigit((unsigned char)text[negative]))
        return -1;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0)
        return -1;
    while (*end == ' ')
        end++;
    for (size_t i = 0; i < n; i++)
        if (strcmp(units[i].name, end) == 0)
            return __builtin_mul_overflow((int64_t)number, units[i].factor, v) ? -1 : 0;
    /* Nothing is nothing in every unit. */
    *v = 0;
    return number == 0 && *end == 0 ? 0 : -1;
}

int option_read_number(const struct option *option, const char *text, int64_t *v, struct err *err)
{
    static const struct unit none[] = {{"", 1}};
    char low[48], high[48];
    int rc;

    switch (option->kind) {
    case OPTION_DURATION:
        if (strcmp(text, "forever") == 0) {
            *v = -1;
            rc = 0;
            break;
        }
        rc = read_units(duration_units, sizeof duration_units / sizeof *duration_units, text, v);
        if (rc == 0 && *v < 0)
            rc = -1;
        if (rc < 0)
            return err_set(err, ERR_CONFIG,
                           "\"%.64s\" is not a duration; write a whole number with its unit: 500ms, 10s, 5m, 1h or 7d.",
                           text);
        break;
    case OPTION_SIZE:
        rc = read_units(size_units, sizeof size_units / sizeof *size_units, text, v);
        if (rc == 0 && *v < 0)
            rc = -1;
        if (rc < 0)
            return err_set(
                err, ERR_CONFIG,
                "\"%.64s\" is not a size; write whole bytes, or a whole number with its unit: 64KiB, 16MiB or 1GiB.",
                text);
        break;
    default:
        if (read_units(none, 1, text, v) < 0)
            return err_set(err, ERR_CONFIG, "\"%.64s\" is not a whole number.", text);
        break;
    }
    if (*v < option->min || *v > option->max) {
        option_write_number(option->kind, option->min, low, sizeof low);
        option_write_number(option->kind, option->max, high, sizeof high);
        return err_set(err, ERR_CONFIG, "%.64s is out of bounds; it must be from %s to %s.", text, low, high);
    }
    return 0;
}

int option_read_bool(const char *text, bool *v, struct err *err)
{
    static const char *const yes[] = {"on", "true", "yes", "1"}, *const no[] = {"off", "false", "no", "0"};

    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *v = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return err_set(err, ERR_CONFIG, "\"%.64s\" is neither on nor off.", text);
}

int option_read_choice(const struct option *option, const char *text, int *index, struct err *err)
{
    const char *choice = option->choices;
    char near[64] = "", one[64], all[256];
    int best = tolerance(text) + 1;

    for (int i = 0;; i++) {
        size_t len = strcspn(choice, "|");
        int distance;

        snprintf(one, sizeof one, "%.*s", (int)len, choice);
        distance = option_distance(text, one);
        if (strcmp(text, one) == 0) {
            *index = i;
            return 0;
        }
        if (distance < best) {
            best = distance;
            memcpy(near, one, sizeof near);
        }
        choice += len;
        if (!*choice)
            break;
        choice++;
    }
    option_describe(option, all, sizeof all);
    if (*near)
        return err_set(err, ERR_CONFIG, "\"%.64s\" is no choice; did you mean %s? It must be %s.", text, near, all);
    return err_set(err, ERR_CONFIG, "\"%.64s\" is no choice; it must be %s.", text, all);
}

void option_choice(const struct option *option, int index, char *out, size_t size)
{
    const char *choice = option->choices;

    for (; index > 0 && *choice; index--) {
        choice += strcspn(choice, "|");
        choice += *choice == '|';
    }
    snprintf(out, size, "%.*s", (int)strcspn(choice, "|"), choice);
}

static void write_units(const struct unit *units, size_t n, int64_t v, char *out, size_t size)
{
    for (size_t i = 0; i < n; i++) {
        if (v >= units[i].factor && v % units[i].factor == 0) {
            snprintf(out, size, "%lld%s", (long long)(v / units[i].factor), units[i].name);
            return;
        }
    }
    snprintf(out, size, "%lld", (long long)v);
}

void option_write_number(enum option_kind kind, int64_t v, char *out, size_t size)
{
    if (kind == OPTION_DURATION && v < 0)
        snprintf(out, size, "forever");
    else if (kind == OPTION_DURATION)
        write_units(duration_units, sizeof duration_units / sizeof *duration_units, v, out, size);
    else if (kind == OPTION_SIZE)
        write_units(size_units, 5, v, out, size);
    else
        snprintf(out, size, "%lld", (long long)v);
}

void option_describe(const struct option *option, char *out, size_t size)
{
    static const char *const names[] = {
        [OPTION_STRING] = "text",      [OPTION_WORD] = "one of ",      [OPTION_ENUM] = "one of ",
        [OPTION_SECRET] = "secret",    [OPTION_INT] = "integer",       [OPTION_BOOL] = "on or off",
        [OPTION_SIZE] = "size",        [OPTION_DURATION] = "duration", [OPTION_LIST] = "list of texts",
        [OPTION_MAP] = "map of texts",
    };
    char low[48], high[48];
    int n = snprintf(out, size, "%s", names[option->kind]);

    if (n < 0 || (size_t)n >= size)
        return;
    if (option->choices) {
        for (const char *s = option->choices; *s && (size_t)n + 4 < size; s++) {
            if (*s == '|') {
                out[n++] = ' ';
                out[n++] = '|';
                out[n++] = ' ';
            } else
                out[n++] = *s;
        }
        out[n] = 0;
    } else if (option->kind == OPTION_INT || option->kind == OPTION_SIZE || option->kind == OPTION_DURATION) {
        option_write_number(option->kind, option->min, low, sizeof low);
        option_write_number(option->kind, option->max, high, sizeof high);
        if (option->kind == OPTION_DURATION && option->min < 0)
            snprintf(out + n, size - (size_t)n, " up to %s, or forever", high);
        else
            snprintf(out + n, size - (size_t)n, " from %s to %s", low, high);
    }
}
