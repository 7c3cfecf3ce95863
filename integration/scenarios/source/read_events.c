/* read_events: opens a source server as capture does and tells what the event source and the preflight say; for run.sh.
 *
 * Arguments are key=value: host port socket user tls ca id name heartbeat_ms from={earliest|latest|gtid:SET|file:NAME:OFFSET}
 * until={now|N events} check=1 (preflight instead of reading) server_position=1. The password is in READ_EVENTS_PASSWORD.
 * Prints one line an event and, at the end, where the stream began and the counts; an error goes to stderr with its code. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "binlog/event.h"
#include "model/position.h"
#include "mysql/event_source.h"
#include "mysql/preflight.h"

static const char *arg(int argc, char **argv, const char *key, const char *otherwise)
{
    size_t n = strlen(key);

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return otherwise;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "%s: %s\n", err_code_name(err->code), err->text);
    return err_exit_code(err);
}

static void print_finding(void *unused, enum finding_level level, const char *what, const char *remedy)
{
    static const char *const names[] = {"ok", "warn", "error"};

    (void)unused;
    printf("%s: %s%s%s\n", names[level], what, *remedy ? " -> " : "", remedy);
}

static bool capture_all(void *unused, const char *database, const char *table)
{
    (void)unused;
    (void)database;
    (void)table;
    return true;
}

static int check(const struct connection_options *o, uint32_t id)
{
    struct preflight_tables tables = {capture_all, NULL};
    struct err err = ERR_INIT;
    struct connection *c;
    int n;

    if (connection_open(&c, o, &err))
        return fail(&err);
    n = preflight_run(c, &tables, id, print_finding, NULL, &err);
    connection_close(c);
    if (n < 0)
        return fail(&err);
    printf("errors: %d\n", n);
    return n ? 1 : 0;
}

/* Text of a start point into a position. */
static int parse_start(const char *text, struct start_point *start, struct position *p, struct err *err)
{
    if (strcmp(text, "earliest") == 0) {
        start->kind = START_EARLIEST;
    } else if (strcmp(text, "latest") == 0) {
        start->kind = START_LATEST;
    } else if (strncmp(text, "gtid:", 5) == 0) {
        start->kind = START_GTID;
        p->flavor = strchr(text + 5, ':') || !text[5] ? GTID_MYSQL : GTID_MARIADB;
        if (gtid_set_parse(p->gtids, text + 5, p->flavor, err))
            return -1;
    } else {
        const char *colon = strrchr(text, ':');

        start->kind = START_FILE;
        snprintf(p->file, sizeof p->file, "%.*s", (int)(colon - text - 5), text + 5);
        p->offset = strtoull(colon + 1, NULL, 10);
    }
    start->position = p;
    return 0;
}

static int read_stream(struct event_source *s, uint64_t most, bool quiet, struct err *err)
{
    uint64_t events = 0, bytes = 0, waits = 0;
    int64_t begin = clock_mono_us(), cpu = clock_cpu_us();
    const uint8_t *event;
    size_t len;
    int rc = 0;

    while (events < most && (rc = event_source_fetch(s, &event, &len, err)) == 1) {
        struct event e;

        if (!quiet) {
            if (event_parse(&e, event, len, false, err))
                return -1;
            printf("%s end_pos=%" PRIu32 " size=%zu\n", event_type_name(e.type), e.end_pos, len);
            fflush(stdout);
        }
        events++;
        bytes += len;
        waits += event_source_pending(s) ? 0 : 1;
    }
    if (rc < 0)
        return -1;
    printf("events=%" PRIu64 " bytes=%" PRIu64 " not_pending=%" PRIu64 " seconds=%.3f cpu=%.3f\n", events, bytes, waits,
           (double)(clock_mono_us() - begin) / 1e6, (double)(clock_cpu_us() - cpu) / 1e6);
    return 0;
}

static int print_position(const char *what, const struct position *p)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    gtid_set_format(p->gtids, &b);
    printf("%s %s:%" PRIu64 " gtids=%s\n", what, p->file, p->offset, buf_cstr(&b));
    buf_release(&b);
    return 0;
}

int main(int argc, char **argv)
{
    const char *until = arg(argc, argv, "until", "now");
    struct event_source_options o = {
        .connection =
            {
                .host = arg(argc, argv, "host", NULL),
                .port = (unsigned)atoi(arg(argc, argv, "port", "3306")),
                .socket = arg(argc, argv, "socket", NULL),
                .user = arg(argc, argv, "user", "cdc"),
                .password = getenv("READ_EVENTS_PASSWORD"),
                .tls = tls_mode_default(arg(argc, argv, "host", NULL)),
                .tls_ca = arg(argc, argv, "ca", NULL),
            },
        .server_id = (uint32_t)strtoul(arg(argc, argv, "id", "0"), NULL, 10),
        .heartbeat_ms = (unsigned)atoi(arg(argc, argv, "heartbeat_ms", "1000")),
        .capture_name = arg(argc, argv, "name", "read-events"),
        .until_now = strcmp(until, "now") == 0,
    };
    struct err err = ERR_INIT;
    struct event_source *s = NULL;
    struct position from, at, now;
    struct start_point start;
    int rc;

    if (tls_mode_parse(&o.connection.tls, arg(argc, argv, "tls", tls_mode_name(o.connection.tls)))) {
        fprintf(stderr, "unknown tls mode\n");
        return 2;
    }
    if (strcmp(arg(argc, argv, "check", "0"), "1") == 0)
        return check(&o.connection, o.server_id);
    position_init(&from);
    position_init(&at);
    position_init(&now);
    if (parse_start(arg(argc, argv, "from", "earliest"), &start, &from, &err) ||
        event_source_open_server(&s, &o, &start, &at, &err)) {
        rc = fail(&err);
        goto out;
    }
    print_position("start", &at);
    rc = read_stream(s, o.until_now ? UINT64_MAX : strtoull(until, NULL, 10), strcmp(arg(argc, argv, "quiet", "0"), "1") == 0,
                     &err)
             ? fail(&err)
             : 0;
    if (!rc && strcmp(arg(argc, argv, "server_position", "0"), "1") == 0)
        rc = event_source_server_position(s, &now, &err) ? fail(&err) : print_position("server", &now);
out:
    event_source_close(s);
    position_release(&from);
    position_release(&at);
    position_release(&now);
    return rc;
}
