/* command: the subcommands of `pillion`, one row of command.def and one file cmd_<name>.c each; the only place that
 * wires modules.
 *
 * A command gets argv from its own name on and returns the exit code of DESIGN section 4: 0 done, 1 violations found, 2
 * bad usage, configuration or contract, 3 something could not be reached, 70 a bug. Data goes to stdout, logs to
 * stderr. */
#ifndef PILLION_CMD_COMMAND_H
#define PILLION_CMD_COMMAND_H

#include <stdbool.h>

#include "base/err.h"

#define COMMAND(name, function, summary) int function(int argc, char **argv);
#include "cmd/command.def"
#undef COMMAND

/* True when -h or --help is among the arguments; the text is printed. */
bool command_help(int argc, char **argv, const char *usage);
/* Logs the error once and gives its exit code. */
int command_fail(const char *facility, const struct err *err);

#endif
