#include "cmd/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"

enum { TERMINAL_US = 250000, LOG_US = 5000000 };

void progress_init(struct progress *p, struct capture *capture, struct merger *merger)
{
    *p = (struct progress){
        .capture = capture, .merger = merger, .terminal = isatty(STDERR_FILENO), .last_us = clock_mono_us()};
}

static size_t put(char *out, size_t size, size_t n, const char *format, ...) __attribute__((format(printf, 4, 5)));
static size_t put(char *out, size_t size, size_t n, const char *format, ...)
{
    va_list args;
    int k;

    va_start(args, format);
    k = vsnprintf(out + n, size - n, format, args);
    va_end(args);
    return k < 0 || n + (size_t)k >= size ? size - 1 : n + (size_t)k;
}

static void line(struct progress *p, char *out, size_t size, double seconds)
{
    size_t n = 0;

    out[0] = 0;
    if (p->capture) {
        struct capture_status s;

        capture_status_get(p->capture, &s);
        n = put(out, size, n, "capture %s: %llu events, %.0f/s, lag %.1f s", capture_state_name(s.state),
                (unsigned long long)s.events, (double)(s.events - p->last_events) / seconds, (double)s.lag_us / 1e6);
        p->last_events = s.events;
    }
    if (p->merger) {
        uint64_t records = (uint64_t)metric_sum(M_MERGE_RECORDS);
        int64_t backlog = merger_backlog(p->merger);

        put(out, size, n, "%smerge: %llu records, %.0f/s, %lld behind, %.0f parked, %.0f released", n ? " | " : "",
            (unsigned long long)records, (double)(records - p->last_records) / seconds,
            (long long)(backlog < 0 ? 0 : backlog), metric_sum(M_MERGE_PARKED), metric_sum(M_MERGE_RELEASED));
        p->last_records = records;
    }
}

void progress_tick(struct progress *p)
{
    int64_t now = clock_mono_us();
    double total;
    char text[512];

    if (now < p->next_us)
        return;
    total = metric_sum(M_CAPTURE_EVENTS) + metric_sum(M_MERGE_RECORDS) + metric_sum(M_MERGE_RELEASED);
    p->next_us = now + (p->terminal ? TERMINAL_US : LOG_US);
    if (!p->terminal && total == p->last_total) { /* an idle daemon is silent */
        p->last_us = now;
        return;
    }
    line(p, text, sizeof text, now > p->last_us ? (double)(now - p->last_us) / 1e6 : 1);
    p->last_total = total;
    p->last_us = now;
    if (p->terminal) {
        fprintf(stderr, "\r\033[K%s", text);
        fflush(stderr);
        p->shown = true;
    } else {
        log_info("progress", "%s", text);
    }
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fputc('\n', stderr);
}
