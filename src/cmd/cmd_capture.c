#include "cmd/command.h"
#include "cmd/daemon.h"

static const char usage[] =
    "Usage: pillion capture [-c FILE] [OPTIONS]\n\n"
    "Reads the binlog of the source and publishes each committed row change to Kafka. Goes on from the newest "
    "checkpoint in the\n"
    "topic PREFIX.pillion.checkpoint; without one from source.start. Only one process captures under a name.\n\n"
    "  -c, --config FILE     the configuration (default: $PILLION_CONFIG)\n"
    "  --until-caught-up     end when everything that was in the source at the start is published\n"
    "  -h, --help            this text\n"
    "Every option of the configuration can be given as a flag too: --source.host=db1.\n\n"
    "Exit codes: 0 stopped as asked; 1 data that is not understood; 2 bad usage or configuration; 3 something could "
    "not be "
    "reached or would\n"
    "break a promise; 70 a bug.\n";

int cmd_capture(int argc, char **argv)
{
    return daemon_main(argc, argv, DAEMON_CAPTURE, "capture", usage);
}
