/* fault: named points at which a test can make the process die, fail or wait.
 *
 * FAULT("produce.after") costs one load of a flag that is false in production. PILLION_FAULT="name:n:action[;...]" arms
 * the n-th pass of a point, counted from 1: `kill` (SIGKILL to itself), `err` (FAULT is true once), `sleep=ms`. The
 * same point may be named several times. Limit: 32 rules. Thread: any; fault_setup before the threads start. */
#ifndef PILLION_BASE_FAULT_H
#define PILLION_BASE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool fault_armed;

void fault_setup(
    const char *spec); /* NULL reads PILLION_FAULT; an unreadable spec is logged and ends the process with 2 */
bool fault_hit(const char *name); /* true: the caller must fail as if the next step had */

#define FAULT(name) (atomic_load_explicit(&fault_armed, memory_order_relaxed) && fault_hit(name))

#endif
