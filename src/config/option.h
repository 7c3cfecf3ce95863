/* option: one row of options.def: its names, kind, limits, default and help; and how values are read from and written
 * as text.
 *
 * It does not know struct options. All functions are pure. Durations are milliseconds (`500ms`, `10s`, `5m`, `1h`,
 * `7d`, `forever` is -1 where the limits allow it), sizes bytes (`100`, `64KiB`, `16MiB`, `1GB`). A unit is needed, so
 * that no number is taken for another one. Thread: any. */
#ifndef PILLION_CONFIG_OPTION_H
#define PILLION_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum option_kind {
    OPTION_STRING,
    OPTION_WORD,
    OPTION_ENUM,
    OPTION_SECRET,
    OPTION_INT,
    OPTION_BOOL,
    OPTION_DURATION,
    OPTION_SIZE,
    OPTION_LIST,
    OPTION_MAP
};

enum option_id {
#define SECTION(path, help)
#define OPTION(kind, member, path, def, limits, example, help) OPTION_ID_##member,
#include "config/options.def"
#undef OPTION
#undef SECTION
    OPTION_COUNT
};

enum { OPTION_TEXT_MAX = 4096, OPTION_SECRET_MAX = 65536, OPTION_NAME_MAX = 128 };

struct option {
    enum option_kind kind;
    const char *path; /* "source.tls.mode" */
    const char *def;
    int64_t min, max;
    const char *choices; /* "a|b|c", or NULL */
    const char *example;
    const char *help;
};

struct option_section {
    const char *path;
    const char *help;
    int first, end; /* ids of its options */
};

const struct option *option_at(int id);
/* The index-th section in the table's order; false behind the last. */
bool option_section(size_t index, struct option_section *out);

/* The id of a path, or -1. *is_file: the path is that of a secret with "_file" behind it. */
int option_find(const char *path, bool *is_file);
/* Whether some option's path begins with path and a dot. */
bool option_is_section(const char *path);
/* The known name that is most like the wrong one: a key of the same section, else the same key of another section, else
 * any path that is near. false when none is like it. Section: "" or "source.tls". */
bool option_nearest(const char *section, const char *key, char *out, size_t size);
/* "PILLION_SOURCE_TLS_MODE" */
void option_env_name(const struct option *option, bool is_file, char *out, size_t size);
/* Number of insertions, deletions, replacements and swaps of neighbours between two names, capped at 99. */
int option_distance(const char *a, const char *b);

/* These give 0, or -1 with what is wrong with the text (never the text of a secret). The bounds are checked. */
int option_read_number(const struct option *option, const char *text, int64_t *v,
                       struct err *err); /* INT, DURATION, SIZE */
int option_read_bool(const char *text, bool *v, struct err *err);
int option_read_choice(const struct option *option, const char *text, int *index, struct err *err); /* ENUM, WORD */
/* The choice's name, copied into out. */
void option_choice(const struct option *option, int index, char *out, size_t size);
/* As option_read_number would read it. */
void option_write_number(enum option_kind kind, int64_t v, char *out, size_t size);
/* "integer from 1 to 65535", "one of a, b", ... */
void option_describe(const struct option *option, char *out, size_t size);

#endif
