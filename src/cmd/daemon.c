#include "cmd/daemon.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_http.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/stop.h"
#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "cmd/status_report.h"
#include "cmd/wiring.h"
#include "kafka/kafka_client.h"

/* On a mock cluster capture waits while the merger is this far behind: its partitions keep 5 MiB (DESIGN section 8). */
enum { TICK_MS = 250, MOCK_BACKLOG_RECORDS = 50000, MOCK_BACKLOG_BYTES = 3 << 20 };

struct part {
    const char *name;
    pthread_t thread;
    bool started;
    atomic_bool done;
    int (*run)(void *what, struct err *err);
    void *what;
    struct err err;
};

struct daemon {
    struct wiring wiring;
    struct contract_set *contracts;
    struct capture *capture;
    struct merger *merger;
    struct admin_http *http;
    struct part parts[2];
    bool until_caught_up;
    int64_t started_us;
};

static int run_capture(void *what, struct err *err)
{
    return capture_run(what, err);
}

static int run_merger(void *what, struct err *err)
{
    return merger_run(what, err);
}

static void *part_main(void *arg)
{
    struct part *p = arg;

    if (p->run(p->what, &p->err) < 0 && p->err.code == ERR_NONE)
        err_set(&p->err, ERR_BUG, "%s ended without saying why.", p->name);
    atomic_store(&p->done, true);
    return NULL;
}

static int start_part(struct part *p, const char *name, int (*run)(void *, struct err *), void *what, struct err *err)
{
    p->name = name;
    p->run = run;
    p->what = what;
    if (pthread_create(&p->thread, NULL, part_main, p) != 0)
        return err_set(err, ERR_FILE, "A thread for %s cannot be started; the system's limit of threads is reached.",
                       name);
    p->started = true;
    return 0;
}

/* Is the merger so far behind that the mock cluster would trim what it has not read? */
static bool hold_capture(void *arg)
{
    struct daemon *d = arg;

    if (merger_backlog(d->merger) > MOCK_BACKLOG_RECORDS)
        return true;
    for (size_t i = 0; i < d->contracts->n_entities; i++) {
        const struct entity *e = &d->contracts->entities[i];
        char topic[512];

        snprintf(topic, sizeof topic, "%s.%s.%s", d->wiring.options.topics_prefix, e->database, e->table);
        if (kafka_mock_backlog(topic) > MOCK_BACKLOG_BYTES)
            return true;
    }
    return false;
}

static int make_parts(struct daemon *d, int parts, struct err *err)
{
    struct kafka_options kafka = wiring_kafka(&d->wiring);

    if (kafka_is_mock(&kafka) && parts != (DAEMON_CAPTURE | DAEMON_MERGE))
        return err_set(err, ERR_CONFIG,
                       "kafka.brokers is mock://, a cluster inside one process, which only 'pillion run' can use; name "
                       "real brokers.");
    if (parts & DAEMON_MERGE) {
        struct merger_options options;

        if (wiring_contracts(&d->wiring, &d->contracts, err) < 0)
            return -1;
        options = wiring_merger(&d->wiring, d->contracts);
        if (merger_new(&d->merger, &options, err) < 0)
            return -1;
    }
    if (parts & DAEMON_CAPTURE) {
        struct capture_options options = wiring_capture(&d->wiring);

        options.until_caught_up = d->until_caught_up;
        if (kafka_is_mock(&kafka)) {
            options.hold = hold_capture;
            options.hold_arg = d;
        }
        if (capture_new(&d->capture, &options, err) < 0)
            return -1;
    }
    return 0;
}

static bool ready(void *arg)
{
    struct daemon *d = arg;
    struct capture_status status;

    if (d->merger && !merger_ready(d->merger))
        return false;
    if (!d->capture)
        return true;
    capture_status_get(d->capture, &status);
    return status.state == CAPTURE_STREAM;
}

static bool healthy(void *arg)
{
    struct daemon *d = arg;

    for (size_t i = 0; i < 2; i++)
        if (d->parts[i].started && atomic_load(&d->parts[i].done) && d->parts[i].err.code)
            return false;
    return true;
}

static void status(void *arg, struct buf *out)
{
    struct daemon *d = arg;

    status_report_json(out, d->wiring.options.name, d->started_us, d->capture, d->merger);
}

static int start_http(struct daemon *d, struct err *err)
{
    struct admin_http_options options = {
        .listen = d->wiring.options.admin_listen,
        .token = d->wiring.options.admin_token.value,
        .healthy = healthy,
        .ready = ready,
        .status = status,
        .arg = d,
    };

    if (!options.listen || !strcmp(options.listen, "off"))
        return 0;
    return admin_http_start(&d->http, &options, err);
}

/* Waits for the parts; true when the merger may be told that no more will come. */
static void wait_parts(struct daemon *d)
{
    struct progress progress;
    int64_t capture_done_us = 0;

    progress_init(&progress, d->capture, d->merger);
    for (;;) {
        bool running = false;

        for (size_t i = 0; i < 2; i++) {
            struct part *p = &d->parts[i];

            if (!p->started)
                continue;
            if (!atomic_load(&p->done))
                running = true;
            else if (p->err.code || !d->until_caught_up)
                stop_request(); /* one ended: so does the other */
        }
        if (!running)
            break;
        if (d->until_caught_up && d->merger && (!d->parts[0].started || atomic_load(&d->parts[0].done))) {
            if (!capture_done_us)
                capture_done_us = clock_mono_us();
            /* What capture sent last may not be fetched yet: the merger must stay caught up for a while. */
            if (!merger_caught_up(d->merger))
                capture_done_us = clock_mono_us();
            else if (clock_mono_us() - capture_done_us > 1000000)
                stop_request();
        }
        progress_tick(&progress);
        clock_sleep_ms(TICK_MS);
    }
    progress_end(&progress);
}

static int join_parts(struct daemon *d)
{
    int code = 0;

    for (size_t i = 0; i < 2; i++) {
        struct part *p = &d->parts[i];

        if (!p->started)
            continue;
        pthread_join(p->thread, NULL);
        if (p->err.code && p->err.code != ERR_STOPPED) {
            int one = command_fail(p->name, &p->err);

            code = one > code ? one : code;
        }
    }
    return code;
}

int daemon_main(int argc, char **argv, int parts, const char *name, const char *usage)
{
    struct daemon *d;
    struct arguments arguments;
    struct err err = ERR_INIT;
    int code = 0;

    if (command_help(argc, argv, usage))
        return 0;
    d = xcalloc(1, sizeof *d);
    const struct argument_option options[] = {{"--until-caught-up", &d->until_caught_up, NULL}, {0}};
    d->started_us = clock_wall_us();
    stop_on_signals();
    if (wiring_init(&d->wiring, &argc, argv, &err) < 0)
        goto out;
    arguments = (struct arguments){.command = name, .options = options, .configured = true};
    if (arguments_read(&arguments, argc, argv, &err) < 0)
        goto out;
    metric_set(metric_series(M_UP, (const char *const[]){PILLION_VERSION}), 1);
    if (make_parts(d, parts, &err) < 0 || start_http(d, &err) < 0)
        goto out;
    if (d->merger && start_part(&d->parts[1], "merge", run_merger, d->merger, &err) < 0)
        goto out;
    if (d->capture && start_part(&d->parts[0], "capture", run_capture, d->capture, &err) < 0) {
        stop_request();
        join_parts(d);
        goto out;
    }
    wait_parts(d);
    code = join_parts(d);
out:
    if (err.code)
        code = command_fail(name, &err);
    admin_http_stop(d->http);
    capture_free(d->capture);
    merger_free(d->merger);
    contract_set_free(d->contracts);
    kafka_mock_stop();
    wiring_release(&d->wiring);
    free(d);
    return code;
}
