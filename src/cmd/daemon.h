/* daemon: capture, merge, or both in one process, with the admin page and progress.
 *
 * One thread each for capture and merge; the caller's thread waits, shows progress, and ends both when one ends or a
 * signal comes. Errors of the parts are logged once here; the exit code is the worst of theirs. */
#ifndef PILLION_CMD_DAEMON_H
#define PILLION_CMD_DAEMON_H

#include <stdbool.h>

enum daemon_part { DAEMON_CAPTURE = 1, DAEMON_MERGE = 2 };

/* argv: the command's. Gives the exit code. */
int daemon_main(int argc, char **argv, int parts, const char *name, const char *usage);

#endif
