/* clock: the two clocks. Wall time is for people and for lag; monotonic time is for waiting and for rates. The pure
 * state machines (ack window, gate, bronze writer) never call these. */
#ifndef PILLION_BASE_CLOCK_H
#define PILLION_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void); /* microseconds since 1970-01-01 UTC */
int64_t clock_mono_us(void); /* microseconds since some start */
int64_t clock_cpu_us(void);  /* CPU time of the process, microseconds */
void clock_sleep_ms(int ms);

#endif
