#include "cmd/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"

static int unknown(const struct arguments *a, const char *arg, struct err *err)
{
    char name[OPTION_NAME_MAX] = "";
    size_t len = strcspn(arg, "=");
    const struct argument_option *nearest = NULL;

    memcpy(name, arg, len < sizeof name ? len : 0);
    for (const struct argument_option *o = a->options; *name && o && o->name; o++)
        if (option_distance(name, o->name) <= 3)
            nearest = o;
    if (nearest)
        return err_set(err, ERR_USAGE, "There is no option %s; did you mean %s?", name, nearest->name);
    if (a->configured)
        return options_unknown_flag(arg, err);
    return err_set(err, ERR_USAGE, "There is no option %.100s; 'pillion %s --help' lists them.", arg, a->command);
}

/* One argument that begins with a minus; *i moves over a value that is an argument of its own. */
static int read_option(const struct arguments *a, int argc, char **argv, int *i, struct err *err)
{
    const char *arg = argv[*i];
    size_t len = strcspn(arg, "=");

    for (const struct argument_option *o = a->options; o && o->name; o++) {
        if (strlen(o->name) != len || strncmp(arg, o->name, len) != 0)
            continue;
        if (o->flag) {
            if (arg[len])
                return err_set(err, ERR_USAGE, "%s takes no value.", o->name);
            *o->flag = true;
            return 0;
        }
        if (*o->value)
            return err_set(err, ERR_USAGE, "%s is given twice.", o->name);
        if (!arg[len] && *i + 1 >= argc)
            return err_set(err, ERR_USAGE, "%s needs a value.", o->name);
        *o->value = arg[len] ? arg + len + 1 : argv[++*i];
        return 0;
    }
    return unknown(a, arg, err);
}

static bool is_word(const char *arg)
{
    return arg[0] != '-' || !arg[1] || (arg[1] >= '0' && arg[1] <= '9');
}

int arguments_read(struct arguments *a, int argc, char **argv, struct err *err)
{
    bool words_only = false;

    a->n_words = 0;
    for (int i = 1; i < argc; i++) {
        if (!words_only && !strcmp(argv[i], "--")) {
            words_only = true;
        } else if (words_only || is_word(argv[i])) {
            if (a->n_words == a->max_words)
                return err_set(err, ERR_USAGE,
                               "'%.100s' is an argument too many; 'pillion %s --help' shows which it takes.", argv[i],
                               a->command);
            a->words[a->n_words++] = argv[i];
        } else if (read_option(a, argc, argv, &i, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int arguments_number(const char *name, const char *text, long min, long max, long *out, struct err *err)
{
    char *end;

    errno = 0;
    *out = strtol(text, &end, 10);
    if (*end || !*text || errno || *out < min || *out > max)
        return err_set(err, ERR_USAGE, "%s takes a whole number from %ld to %ld, not '%.40s'.", name, min, max, text);
    return 0;
}
