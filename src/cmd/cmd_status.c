#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "cmd/admin_request.h"
#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/wiring.h"

enum { ANSWER_BYTES = 16 << 20, SCALAR_BYTES = 4 << 20, POLL_MS = 200, CALM_POLLS = 4, WAIT_MAX_S = 86400 };

static const char usage[] = "Usage: pillion status [-c FILE] [--json] [--wait-caught-up SECONDS]\n\n"
                            "What a running daemon is doing, as its admin page tells (admin.listen).\n\n"
                            "  --json                     the whole answer\n"
                            "  --wait-caught-up SECONDS   look at the source's position first, and wait until all of "
                            "it is published and merged\n"
                            "  -c, --config FILE          the daemon's configuration (default: $PILLION_CONFIG)\n"
                            "  -h, --help                 this text\n\n"
                            "Exit codes: 0 done; 1 not caught up in time; 2 bad usage or configuration, or the daemon "
                            "refuses the token; 3 no\ndaemon answers.\n";

/* What the source has executed now. */
struct target {
    enum gtid_flavor flavor;
    struct gtid_set *gtids;
    char file[512];
    unsigned long long offset;
};

static int file_row(void *arg, size_t n, const char *const values[], const size_t lengths[])
{
    struct target *t = arg;

    (void)lengths;
    if (n >= 2 && values[0] && values[1]) {
        snprintf(t->file, sizeof t->file, "%s", values[0]);
        t->offset = strtoull(values[1], NULL, 10);
    }
    return 0;
}

static int read_target(const struct wiring *w, struct target *t, struct err *err)
{
    struct connection_options options = wiring_connection(w);
    struct connection *c = NULL;
    char *set = NULL;
    int rc = -1;

    if (connection_open(&c, &options, err) < 0)
        return -1;
    t->gtids = gtid_set_new();
    if (connection_facts(c)->has_gtid) {
        bool maria = connection_facts(c)->flavor == SERVER_MARIADB;

        t->flavor = maria ? GTID_MARIADB : GTID_MYSQL;
        set = xmalloc(SCALAR_BYTES);
        if (connection_scalar(c, maria ? "SELECT @@gtid_binlog_pos" : "SELECT @@gtid_executed", set, SCALAR_BYTES,
                              err) == 0)
            rc = gtid_set_parse(t->gtids, set, t->flavor, err);
    } else {
        t->flavor = GTID_FILE;
        rc = connection_query(c, "SHOW BINARY LOG STATUS", file_row, t, err);
        if (rc < 0 || !t->file[0]) {
            err_clear(err);
            rc = connection_query(c, "SHOW MASTER STATUS", file_row, t, err);
        }
    }
    free(set);
    connection_close(c);
    return rc;
}

/* Has a position, as /status writes it ("GTID set" or "file:offset"), reached the target? */
static bool reached(const struct target *t, const char *position)
{
    struct gtid_set *have;
    struct err ignored = ERR_INIT;
    bool yes;

    if (t->flavor == GTID_FILE) {
        const char *colon = strrchr(position, ':');
        int order = colon ? strncmp(position, t->file, (size_t)(colon - position)) : -1;

        return colon && (order > 0 || (order == 0 && strtoull(colon + 1, NULL, 10) >= t->offset));
    }
    if (gtid_set_empty(t->gtids))
        return true;
    have = gtid_set_new();
    yes = gtid_set_parse(have, position, t->flavor, &ignored) == 0 && gtid_set_contains_set(have, t->gtids);
    gtid_set_free(have);
    return yes;
}

static json_t *ask(const struct wiring *w, struct buf *answer, struct err *err)
{
    json_t *root;
    json_error_t e;

    buf_clear(answer);
    if (admin_request(&w->options, "/status", answer, err) < 0)
        return NULL;
    root = json_loadb((const char *)answer->data, answer->len, 0, &e);
    if (!root)
        err_set(err, ERR_FILE, "What answers at admin.listen %s is no Pillion daemon.", w->options.admin_listen);
    return root;
}

static bool caught_up(const json_t *root, const struct target *t)
{
    const json_t *capture = json_object_get(root, "capture"), *merge = json_object_get(root, "merge");

    if (capture) {
        const char *position = json_string_value(json_object_get(capture, "position"));

        if (!position || !reached(t, position))
            return false;
    }
    return !merge || json_is_true(json_object_get(merge, "caught_up"));
}

/* Waits until the answer has been "caught up" for some polls: the merger learns of new records after capture's
 * checkpoint. */
static int wait_caught_up(const struct wiring *w, long seconds, struct buf *answer, bool *yes, struct err *err)
{
    struct target target = {0};
    int64_t end = clock_mono_us() + seconds * 1000000;
    int calm = 0, rc = 0;

    *yes = false;
    if (read_target(w, &target, err) < 0) {
        gtid_set_free(target.gtids);
        return -1;
    }
    while (!*yes && clock_mono_us() < end && !stop_requested()) {
        json_t *root = ask(w, answer, err);

        if (!root) {
            rc = -1;
            break;
        }
        calm = caught_up(root, &target) ? calm + 1 : 0;
        *yes = calm >= CALM_POLLS;
        json_decref(root);
        if (!*yes)
            stop_wait_ms(POLL_MS);
    }
    gtid_set_free(target.gtids);
    return rc;
}

static void print_numbers(const char *title, const json_t *object)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)object, key, v) if (json_number_value(v) != 0)
        printf("  %-10s %-30s %.0f\n", title, key, json_number_value(v));
}

static void print(const json_t *root)
{
    const json_t *c = json_object_get(root, "capture"), *m = json_object_get(root, "merge");

    printf("%s %s, up %.0f s\n", json_string_value(json_object_get(root, "name")),
           json_string_value(json_object_get(root, "version")),
           json_number_value(json_object_get(root, "uptime_seconds")));
    if (c) {
        printf("capture: %s, position %s\n", json_string_value(json_object_get(c, "state")),
               json_string_value(json_object_get(c, "position")));
        printf("  %.0f events, %.0f transactions, lag %.1f s, %.0f acknowledgements in flight\n",
               json_number_value(json_object_get(c, "events")), json_number_value(json_object_get(c, "transactions")),
               json_number_value(json_object_get(c, "lag_seconds")),
               json_number_value(json_object_get(c, "acks_in_flight")));
        print_numbers("events", json_object_get(c, "events_by_table"));
    }
    if (m) {
        printf("merge: %s, %.0f records behind, %.0f merged, %.0f released\n",
               json_is_true(json_object_get(m, "caught_up")) ? "caught up" : "working",
               json_number_value(json_object_get(m, "behind_records")),
               json_number_value(json_object_get(m, "records")), json_number_value(json_object_get(m, "released")));
        print_numbers("outcome", json_object_get(m, "outcomes"));
        print_numbers("parked", json_object_get(m, "parked"));
    }
    print_numbers("errors", json_object_get(root, "errors"));
}

int cmd_status(int argc, char **argv)
{
    struct wiring w;
    struct buf answer;
    struct err err = ERR_INIT;
    json_t *root = NULL;
    bool json = false, yes = true;
    long wait = 0;
    const char *seconds = NULL;
    const struct argument_option options[] = {{"--json", &json, NULL}, {"--wait-caught-up", NULL, &seconds}, {0}};
    struct arguments a = {.command = "status", .options = options, .configured = true};
    int rc = 0;

    if (command_help(argc, argv, usage))
        return 0;
    stop_on_signals();
    buf_init(&answer, ANSWER_BYTES);
    if (wiring_init(&w, &argc, argv, &err) < 0)
        goto out;
    if (arguments_read(&a, argc, argv, &err) < 0 ||
        (seconds && arguments_number("--wait-caught-up", seconds, 1, WAIT_MAX_S, &wait, &err) < 0))
        goto out;
    if (wait > 0 && wait_caught_up(&w, wait, &answer, &yes, &err) < 0)
        goto out;
    root = ask(&w, &answer, &err);
    if (!root)
        goto out;
    if (json)
        fwrite(answer.data, 1, answer.len, stdout);
    else
        print(root);
    if (!yes) {
        fprintf(stderr, "pillion: not caught up after %ld s\n", wait);
        rc = 1;
    }
out:
    if (err.code)
        rc = command_fail("status", &err);
    json_decref(root);
    buf_release(&answer);
    wiring_release(&w);
    return rc;
}
