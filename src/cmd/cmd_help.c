#include <stdio.h>
#include <string.h>

#include "cmd/arguments.h"
#include "cmd/command.h"
#include "config/options_docs.h"

enum { SECTIONS_MAX = 16 };

static const char usage[] =
    "Usage: pillion help COMMAND\n"
    "       pillion help options [SECTION...]\n\n"
    "The help of a command; or all options of the configuration, or those of some sections: source, "
    "kafka,\n"
    "merge and so on.\n\n"
    "Exit codes: 0 done; 2 there is no such command or section.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, function, summary) {name, function},
#include "cmd/command.def"
#undef COMMAND
};

static int options_of(const char *const *names, size_t n, struct err *err)
{
    const char *sections[SECTIONS_MAX + 1] = {NULL};
    struct option_section known;

    for (size_t i = 0; i < n; i++) {
        bool found = false;

        for (size_t k = 0; !found && option_section(k, &known); k++)
            found = !strcmp(known.path, names[i]);
        if (!found)
            return err_set(err, ERR_USAGE,
                           "The configuration has no section '%.40s'; 'pillion help options' shows all.", names[i]);
        sections[i] = names[i];
    }
    options_help(stdout, n ? sections : NULL);
    return 0;
}

int cmd_help(int argc, char **argv)
{
    const char *words[SECTIONS_MAX + 1];
    struct arguments a = {.command = "help", .words = words, .max_words = SECTIONS_MAX + 1};
    struct err err = ERR_INIT;

    if (command_help(argc, argv, usage))
        return 0;
    if (arguments_read(&a, argc, argv, &err) < 0)
        return command_fail("help", &err);
    if (a.n_words == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (!strcmp(words[0], "options"))
        return options_of(words + 1, a.n_words - 1, &err) < 0 ? command_fail("help", &err) : 0;
    for (size_t i = 0; a.n_words == 1 && i < sizeof commands / sizeof *commands; i++) {
        char name[32], flag[] = "--help", *args[] = {name, flag, NULL};

        if (strcmp(words[0], commands[i].name) != 0)
            continue;
        snprintf(name, sizeof name, "%s", commands[i].name);
        return commands[i].run(2, args);
    }
    err_set(&err, ERR_USAGE, "There is no command '%.40s'; 'pillion --help' lists them.", words[0]);
    return command_fail("help", &err);
}
