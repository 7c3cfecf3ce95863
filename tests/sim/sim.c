/* The simulator's command: runs seeds, prints the first that fails, and how fast it went. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const safeguards[] = {"nothing",  "recheck",      "version-guard",  "read-back",
                                         "withdraw", "unpark-guard", "skip-published", "postcheck"};

static int usage(void)
{
    fputs("usage: sim [--seed N] [--runs N] [--seconds N] [--only merge|capture] [--without SAFEGUARD] "
          "[--expect-failure] [--trace]\n"
          "SAFEGUARD: recheck version-guard read-back withdraw unpark-guard skip-published postcheck\n",
          stderr);
    return 2;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct plan {
    uint64_t seed, runs;
    double seconds;
    bool merge, capture, expect_failure, trace;
    enum sim_without without;
};

static bool read_plan(struct plan *p, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(argv[i], "--trace")) {
            p->trace = true;
            continue;
        }
        if (!strcmp(argv[i], "--expect-failure")) {
            p->expect_failure = true;
            continue;
        }
        if (!value)
            return false;
        if (!strcmp(argv[i], "--seed"))
            p->seed = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--runs"))
            p->runs = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "--seconds"))
            p->seconds = strtod(value, NULL);
        else if (!strcmp(argv[i], "--only") && (!strcmp(value, "merge") || !strcmp(value, "capture")))
            p->capture = !(p->merge = !strcmp(value, "merge"));
        else if (!strcmp(argv[i], "--without")) {
            size_t k = 1;
            while (k < sizeof safeguards / sizeof *safeguards && strcmp(safeguards[k], value) != 0)
                k++;
            if (k == sizeof safeguards / sizeof *safeguards)
                return false;
            p->without = (enum sim_without)k;
        } else {
            return false;
        }
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct plan p = {.seed = 1, .runs = 20000, .seconds = 0, .merge = true, .capture = true};
    struct sim_result total = {.text = ""};
    uint64_t done = 0;
    double start = now(), took;

    if (!read_plan(&p, argc, argv))
        return usage();
    total.trace = p.trace;
    merge_sim_setup();
    for (uint64_t seed = p.seed; done < p.runs && (p.seconds <= 0 || now() - start < p.seconds) && !*total.text;
         seed++, done++) {
        if (p.merge)
            merge_sim_run(seed, p.without, &total);
        if (*total.text)
            printf("merge: seed %" PRIu64 ": %s\n", seed, total.text);
        else if (p.capture) {
            capture_sim_run(seed, p.without, &total);
            if (*total.text)
                printf("capture: seed %" PRIu64 ": %s\n", seed, total.text);
        }
    }
    merge_sim_teardown();
    took = now() - start;
    printf("%" PRIu64 " runs, %" PRIu64 " steps, %" PRIu64 " crashes, %" PRIu64 " rebalances, %" PRIu64
           " late writes in %.1f s (%.0f runs/s); without %s: %s\n",
           done, total.steps, total.crashes, total.rebalances, total.late_writes, took,
           (double)done / (took > 0 ? took : 1), safeguards[p.without], *total.text ? "FAILED" : "all promises held");
    return (*total.text != 0) != p.expect_failure;
}
