/* options: every setting of Pillion in one struct, made from options.def and filled in four layers, the later the
 * stronger: defaults, the YAML file, the environment (PILLION_SOURCE_HOST for source.host), flags (--source.host=db1).
 *
 * Every key that is not known is an error with file, line and the nearest name; so are a key given twice, a wrong type,
 * and a value out of bounds. Aliases, anchors and tags are refused; file size and number of values are capped, depth is
 * the table's. A null or empty value means the default. Each secret X may be given as X_file, the path of a file that
 * holds it; secrets are refused as flags, since every user of the machine can read a process's arguments; they are
 * never printed, and wiped when released. Members: STRING, WORD char * (NULL when unset), ENUM int (index in its
 * choices), INT, DURATION (ms; -1 for ever), SIZE int64_t, BOOL bool, SECRET struct option_secret, LIST and MAP below.
 * Paths are used as they are, relative to the working folder. Ownership: the struct owns what its members point to.
 * Thread: filled by one, then read by any. Errors: ERR_CONFIG, ERR_USAGE, ERR_FILE. */
#ifndef PILLION_CONFIG_OPTIONS_H
#define PILLION_CONFIG_OPTIONS_H

#include <stdio.h>

#include "config/option.h"

enum { OPTIONS_FILE_MAX = 1 << 20, OPTIONS_EVENTS_MAX = 100000, OPTIONS_ITEMS_MAX = 10000 };

/* The choices of source.tls.mode; after options_finish never OPTIONS_TLS_AUTO. */
enum {
    OPTIONS_TLS_OFF,
    OPTIONS_TLS_PREFERRED,
    OPTIONS_TLS_REQUIRED,
    OPTIONS_TLS_VERIFY_CA,
    OPTIONS_TLS_VERIFY_IDENTITY,
    OPTIONS_TLS_AUTO
};

enum option_layer { OPTION_LAYER_DEFAULT, OPTION_LAYER_FILE, OPTION_LAYER_ENV, OPTION_LAYER_FLAG };

struct option_origin {
    enum option_layer layer;
    int line; /* in the file */
};

struct option_secret {
    char *value; /* NULL: none */
    char *file;
    struct option_origin value_origin, file_origin;
};

struct option_list {
    char **items;
    size_t n;
};

struct option_map {
    char **names;
    char **values;
    size_t n;
};

#define OPTION_TYPE_STRING char *
#define OPTION_TYPE_WORD char *
#define OPTION_TYPE_ENUM int
#define OPTION_TYPE_SECRET struct option_secret
#define OPTION_TYPE_INT int64_t
#define OPTION_TYPE_BOOL bool
#define OPTION_TYPE_DURATION int64_t
#define OPTION_TYPE_SIZE int64_t
#define OPTION_TYPE_LIST struct option_list
#define OPTION_TYPE_MAP struct option_map

struct options {
#define SECTION(path, help)
#define OPTION(kind, member, path, def, limits, example, help) OPTION_TYPE_##kind member;
#include "config/options.def"
#undef OPTION
#undef SECTION
    struct option_origin origin[OPTION_COUNT];
    char *file; /* name of the YAML file, for messages; NULL: none */
};

void options_init(struct options *o); /* the defaults */
void options_release(struct options *o);

/* All at once, as a command does. Takes from argv the flags that are options and -c FILE, --config FILE (else
 * PILLION_CONFIG), and leaves the others, in order, in argv[1..*argc); nothing behind "--" is taken. */
int options_load(struct options *o, int *argc, char **argv, struct err *err);

/* The layers one by one, weakest first; options_finish ends. */
int options_load_file(struct options *o, const char *path, struct err *err);
int options_load_bytes(struct options *o, const char *name, const void *bytes, size_t len, struct err *err);
int options_load_env(struct options *o, char *const *env, struct err *err);
int options_load_flags(struct options *o, int *argc, char **argv, struct err *err);
/* A part of options_finish: reads the files of secrets. */
int options_read_secrets(struct options *o, struct err *err);
/* Reads the files of secrets, derives what depends on other options (prefix, group, URLs of the embedded stand-ins, TLS
 * modes, server id), and checks what must fit together. */
int options_finish(struct options *o, struct err *err);

/* The error for an argument that neither options_load nor the command knows; names the nearest option. Always -1. */
int options_unknown_flag(const char *arg, struct err *err);
/* What is in force, as YAML, with where each value comes from; secrets as "(set)". */
int options_print(const struct options *o, FILE *out);
/* "pillion.yaml:12: source.port", "PILLION_SOURCE_PORT", "--source.port" or "source.port": how a message names an
 * option. */
void options_place(const struct options *o, int id, char *out, size_t size);

/* One value from text, as environment and flags give it: lists as "a,b" or "[a, b]", maps as "{a: b}". */
int options_set(struct options *o, int id, bool is_file, const char *text, struct option_origin origin,
                struct err *err);

#endif
