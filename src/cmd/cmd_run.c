#include "cmd/command.h"
#include "cmd/daemon.h"

static const char usage[] =
    "Usage: pillion run [-c FILE] [OPTIONS]\n\n"
    "The replication daemon: reads the binlog, publishes change events to Kafka, and merges them into bronze and "
    "silver, in one\n"
    "process. Runs until SIGTERM or SIGINT, then finishes what it holds and writes a last checkpoint.\n\n"
    "  -c, --config FILE     the configuration (default: $PILLION_CONFIG; without one, the embedded defaults)\n"
    "  --until-caught-up     end when everything that was in the source at the start is in silver\n"
    "  -h, --help            this text\n"
    "Every option of the configuration can be given as a flag too (--source.host=db1) or in the environment\n"
    "(PILLION_SOURCE_HOST). 'pillion help options' lists them all.\n\n"
    "Exit codes: 0 stopped as asked; 1 data that is not understood; 2 bad usage, configuration or contract; 3 "
    "something could not be "
    "reached or would\n"
    "break a promise; 70 a bug.\n";

int cmd_run(int argc, char **argv)
{
    return daemon_main(argc, argv, DAEMON_CAPTURE | DAEMON_MERGE, "run", usage);
}
