#include "cmd/status_report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metric.h"

/* Adds a metric's series to an object: under the labels joined with a blank. */
struct series {
    enum metric_id id;
    json_t *into;
};

static void add_series(void *arg, enum metric_id id, const char *const values[], double v)
{
    struct series *s = arg;
    char name[512] = "";

    if (id != s->id)
        return;
    for (size_t i = 0; values[i]; i++) {
        size_t n = strlen(name);

        snprintf(name + n, sizeof name - n, "%s%s", i ? " " : "", values[i]);
    }
    json_object_set_new(s->into, name, json_real(v));
}

static json_t *family(enum metric_id id)
{
    struct series s = {id, json_object()};

    metric_each(add_series, &s);
    return s.into;
}

static json_t *capture_json(struct capture *c)
{
    struct capture_status s;

    capture_status_get(c, &s);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:f, s:o}", "state",
                     capture_state_name(s.state), "position", s.position, "newest_gtid", s.newest_gtid, "events",
                     (json_int_t)s.events, "transactions", (json_int_t)s.transactions, "bytes", (json_int_t)s.bytes,
                     "already_published", (json_int_t)s.skipped, "lag_seconds", (double)s.lag_us / 1e6,
                     "lag_transactions", metric_sum(M_CAPTURE_LAG_TXNS), "acks_in_flight", (json_int_t)s.in_flight,
                     "queue_fill", metric_sum(M_CAPTURE_QUEUE), "events_by_table", family(M_CAPTURE_EVENTS));
}

static json_t *merge_json(struct merger *m)
{
    return json_pack("{s:b, s:b, s:I, s:f, s:f, s:f, s:f, s:o, s:o}", "ready", merger_ready(m), "caught_up",
                     merger_caught_up(m), "behind_records", (json_int_t)merger_backlog(m), "records",
                     metric_sum(M_MERGE_RECORDS), "lag_seconds", metric_sum(M_MERGE_LAG_SECONDS), "released",
                     metric_sum(M_MERGE_RELEASED), "stale_writes", metric_sum(M_MERGE_STALE), "outcomes",
                     family(M_MERGE_OUTCOME), "parked", family(M_MERGE_PARKED));
}

void status_report_json(struct buf *out, const char *name, int64_t started_us, struct capture *capture,
                        struct merger *merger)
{
    json_t *root = json_pack("{s:s, s:s, s:f}", "name", name, "version", PILLION_VERSION, "uptime_seconds",
                             (double)(clock_wall_us() - started_us) / 1e6);
    char *text;

    if (capture)
        json_object_set_new(root, "capture", capture_json(capture));
    if (merger)
        json_object_set_new(root, "merge", merge_json(merger));
    json_object_set_new(root, "errors", family(M_ERRORS));
    text = json_dumps(root, JSON_INDENT(2));
    if (text) {
        buf_put_str(out, text);
        buf_put_u8(out, '\n');
    }
    free(text);
    json_decref(root);
}
