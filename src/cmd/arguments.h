/* arguments: a command's own arguments, after options_load has taken those of the configuration: flags, options with a
 * value (`--limit 5` or `--limit=5`), and words.
 *
 * `--` ends the options; a lone `-` and what begins with a minus and a digit are words. Ownership: all strings are
 * argv's. Thread: any. Errors: ERR_USAGE, with the nearest name for a wrong one. */
#ifndef PILLION_CMD_ARGUMENTS_H
#define PILLION_CMD_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct argument_option {
    const char *name;   /* "--json" */
    bool *flag;         /* set when it is given; or */
    const char **value; /* its value */
};

struct arguments {
    const char *command;
    const struct argument_option *options; /* ended by one without a name; NULL: none */
    bool configured;                       /* the command takes the options of the configuration, too */
    const char **words;                    /* room for max_words */
    size_t max_words, n_words;
};

/* Reads argv[1..argc). */
int arguments_read(struct arguments *a, int argc, char **argv, struct err *err);
/* A whole number from min to max. */
int arguments_number(const char *name, const char *text, long min, long max, long *out, struct err *err);

#endif
