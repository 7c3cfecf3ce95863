/* sim: a seeded simulator of Pillion's pure cores. One seed is one run: every choice comes from it, so a failing seed
 * fails again.
 *
 * merge_sim: gates and bronze writers of several mergers on one in-memory document store and object store, step by step
 * in random order, with crashes, writes that land late, rebalances, mergers that go on after they lost their
 * partitions, and rewinds. capture_sim: the ack window and the set of published records, with crashes that leave a torn
 * prefix in each partition. Both check the promises of DESIGN section 2 while they run and at the end; a violation ends
 * the run with a text. Thread: one. */
#ifndef PILLION_TESTS_SIM_H
#define PILLION_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A safeguard that is taken out, to see that the checks notice. */
enum sim_without {
    WITHOUT_NOTHING,
    WITHOUT_RECHECK,
    WITHOUT_VERSION_GUARD,
    WITHOUT_READ_BACK,
    WITHOUT_WITHDRAW,
    WITHOUT_UNPARK_GUARD,
    WITHOUT_SKIP_PUBLISHED,
    WITHOUT_POSTCHECK
};

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_next(struct sim_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n-1 */
static inline size_t sim_below(struct sim_random *r, size_t n)
{
    return (size_t)(sim_next(r) % n);
}

static inline bool sim_chance(struct sim_random *r, unsigned percent)
{
    return sim_below(r, 100) < percent;
}

struct sim_result {
    char text[1024]; /* of the violation; "" none */
    uint64_t steps, crashes, rebalances, late_writes;
    bool trace; /* tell every step on standard error */
};

void merge_sim_run(uint64_t seed, enum sim_without without, struct sim_result *out);
void capture_sim_run(uint64_t seed, enum sim_without without, struct sim_result *out);
void merge_sim_setup(void); /* once: loads the contracts of the scenarios */
void merge_sim_teardown(void);

#endif
