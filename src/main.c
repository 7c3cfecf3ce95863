/* main: the command table. Everything that does something is in cmd/. */
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
#define COMMAND(name, function, summary) {name, function, summary},
#include "cmd/command.def"
#undef COMMAND
    {NULL, NULL, NULL},
};

static void help(FILE *out)
{
    fputs("Usage: pillion COMMAND [OPTIONS]\n\n"
          "Replicates row changes of MySQL and MariaDB to Kafka as Avro events, and merges them into MongoDB and S3 so "
          "that no\n"
          "row is ever visible before the rows that it refers to.\n\nCommands:\n",
          out);
    for (size_t i = 0; commands[i].name; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'pillion COMMAND --help' tells more, 'pillion help options' lists what can be configured, 'pillion "
          "--version' "
          "prints the\nversion.\n",
          out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || (!strcmp(argv[1], "help") && argc == 2)) {
        help(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
        puts("pillion " PILLION_VERSION);
        return 0;
    }
    for (size_t i = 0; commands[i].name; i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "pillion: there is no command '%s'; 'pillion --help' lists them.\n", argv[1]);
    return 2;
}
