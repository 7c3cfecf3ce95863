/* metric: counters and gauges that the admin page serves in the Prometheus text format (version 0.0.4).
 *
 * Every family is one row of metric.def; code, /metrics and the reference page come from it. A series is a family plus
 * one value per label; metric_series finds or makes it once (takes a lock), then metric_add/metric_set are relaxed
 * atomics for the hot path. Series live until the process ends. Limit: METRIC_SERIES_MAX series; past it all share one
 * series whose labels are "other". Histograms have fixed bounds. Thread: any. */
#ifndef PILLION_BASE_METRIC_H
#define PILLION_BASE_METRIC_H

#include <stdint.h>

#include "base/buf.h"

enum metric_id {
#define METRIC(id, type, name, labels, help) id,
#include "base/metric.def"
#undef METRIC
    METRICS
};

enum { METRIC_SERIES_MAX = 20000, METRIC_LABELS_MAX = 4 };

struct metric;

/* label values in the order of the family's labels, as many as it has. Never NULL. */
struct metric *metric_series(enum metric_id id, const char *const values[]);
/* The series of a family without labels. */
struct metric *metric_plain(enum metric_id id);
void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, double v);
void metric_observe(struct metric *m, double seconds); /* histograms */
double metric_value(const struct metric *m);
double metric_sum(enum metric_id id); /* over all series of a family */
/* All series as Prometheus text. */
int metric_render(struct buf *out);
/* Visits every series; for /status. */
void metric_each(void (*fn)(void *arg, enum metric_id id, const char *const values[], double v), void *arg);
const char *metric_name(enum metric_id id);

#endif
