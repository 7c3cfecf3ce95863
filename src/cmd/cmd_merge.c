#include "cmd/command.h"
#include "cmd/daemon.h"

static const char usage[] =
    "Usage: pillion merge [-c FILE] [OPTIONS]\n\n"
    "Reads the change topics of all tables that the contracts name (or merge.topics), writes "
    "bronze objects and silver documents.\n"
    "A row is never visible in silver before the rows that it refers to. Start as many as you "
    "like: they share the partitions.\n\n"
    "  -c, --config FILE     the configuration (default: $PILLION_CONFIG)\n"
    "  --until-caught-up     end when all partitions are merged to their ends\n"
    "  -h, --help            this text\n"
    "Every option of the configuration can be given as a flag too: --merge.group=silver.\n\n"
    "Exit codes: 0 stopped as asked; 1 data that is not understood; 2 bad usage, configuration or "
    "contract; 3 something could not be\n"
    "reached or would break a promise; 70 a bug.\n";

int cmd_merge(int argc, char **argv)
{
    return daemon_main(argc, argv, DAEMON_MERGE, "merge", usage);
}
