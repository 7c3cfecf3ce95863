/* status_report: the JSON of /status: what each part does, its position, lag and counters. Keys are stable. Thread:
 * any. */
#ifndef PILLION_CMD_STATUS_REPORT_H
#define PILLION_CMD_STATUS_REPORT_H

#include "base/buf.h"
#include "capture/capture.h"
#include "merge/merger.h"

void status_report_json(struct buf *out, const char *name, int64_t started_us, struct capture *capture,
                        struct merger *merger);

#endif
