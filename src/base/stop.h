/* stop: one flag that asks every loop to end, set by SIGTERM and SIGINT or by a thread that failed. Loops look at it at
 * least every 200 ms; whoever waits longer waits on stop_wait_ms. Thread: any; the setter is async-signal-safe. */
#ifndef PILLION_BASE_STOP_H
#define PILLION_BASE_STOP_H

#include <stdbool.h>

void stop_request(void);
bool stop_requested(void);
void stop_on_signals(void); /* handles SIGINT and SIGTERM, ignores SIGPIPE; a second SIGINT ends the process */
bool stop_wait_ms(int ms);  /* sleeps; returns early, and true, when stopped */
void stop_reset(void);      /* for tests */

#endif
