/* progress: how far a daemon is, for whoever started it: one line that renews itself on a terminal, else a log line
 * every few seconds (only while something moves). Thread: the daemon's main thread. */
#ifndef PILLION_CMD_PROGRESS_H
#define PILLION_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/capture.h"
#include "merge/merger.h"

struct progress {
    struct capture *capture; /* NULL: not in this process */
    struct merger *merger;
    bool terminal, shown;
    int64_t next_us, last_us;
    uint64_t last_events, last_records;
    double last_total;
};

void progress_init(struct progress *p, struct capture *capture, struct merger *merger);
void progress_tick(struct progress *p);
void progress_end(struct progress *p);

#endif
