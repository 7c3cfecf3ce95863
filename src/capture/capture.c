#include "capture/capture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/stop.h"
#include "capture/ack_thread.h"
#include "capture/checkpoint_log.h"
#include "capture/recovery.h"
#include "capture/stream.h"
#include "capture/table_filter.h"
#include "capture/topic_book.h"
#include "kafka/lease.h"
#include "mysql/preflight.h"

enum {
    LEASE_WAIT_MS = 30000,
    FIRST_CHECKPOINT_MS = 15000,
    FLUSH_MS = 30000,
    FLUSH_AT_STOP_MS = 5000, /* a stop, or an error, is over within 10 s; what is missing is read again */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    MAX_TRANSACTIONS = 20000,
    CHECKPOINT_INTERVAL_MS = 1000
};

struct capture {
    struct capture_options o;
    struct table_filter *filter;
    char *checkpoint_topic;
    atomic_int state;

    /* made by capture_run, in this order */
    struct admin_client *admin;
    struct lease *lease;
    struct registry *registry;
    struct producer *producer;
    struct recovery *recovery;
    struct checkpoint checkpoint;
    bool has_checkpoint;
    struct ack_thread *acks;
    struct topic_book *topics;

    pthread_mutex_t lock; /* of what other threads look at */
    struct event_source *source;
    struct stream *stream;
    bool visible; /* acks, stream and producer may be looked at */
};

static const char *const states[] = {"acquire", "recover", "connect", "stream", "backoff", "stopped"};

const char *capture_state_name(enum capture_state state)
{
    return states[state];
}

static void enter(struct capture *c, enum capture_state state)
{
    atomic_store(&c->state, (int)state);
    log_debug("capture", "%s: %s", c->o.name, states[state]);
}

static bool is_name(const char *s)
{
    if (!s || !*s || strlen(s) > 100)
        return false;
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("._-", *s)))
            return false;
    return true;
}

int capture_new(struct capture **out, const struct capture_options *options, struct err *err)
{
    struct capture *c;

    *out = NULL;
    if (!is_name(options->name) || !is_name(options->prefix))
        return err_set(err, ERR_CONFIG,
                       "The capture's name and topic prefix must have 1 to 100 letters, digits, dots, underscores or "
                       "hyphens; correct \"%.100s\" and \"%.100s\".",
                       options->name ? options->name : "", options->prefix ? options->prefix : "");
    c = xcalloc(1, sizeof(*c));
    c->o = *options;
    if (!c->o.max_transactions)
        c->o.max_transactions = MAX_TRANSACTIONS;
    if (c->o.checkpoint_interval_ms <= 0)
        c->o.checkpoint_interval_ms = CHECKPOINT_INTERVAL_MS;
    if (!c->o.start)
        c->o.start = "latest";
    if (c->o.partitions <= 0)
        c->o.partitions = 1;
    if (!c->o.replication)
        c->o.replication = -1;
    pthread_mutex_init(&c->lock, NULL);
    checkpoint_init(&c->checkpoint);
    c->checkpoint_topic = checkpoint_log_topic(c->o.prefix);
    if (table_filter_new(&c->filter, c->o.include, c->o.n_include, c->o.exclude, c->o.n_exclude, err)) {
        capture_free(c);
        return -1;
    }
    *out = c;
    return 0;
}

void capture_free(struct capture *c)
{
    if (!c)
        return;
    table_filter_free(c->filter);
    checkpoint_release(&c->checkpoint);
    free(c->checkpoint_topic);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- ACQUIRE and RECOVER ---- */

static int acquire(struct capture *c, struct err *err)
{
    const struct kafka_options *kafka = &c->o.producer.kafka;
    char *group = xasprintf("%s.pillion.capture.%s", c->o.prefix, c->o.name);
    int rc;

    enter(c, CAPTURE_ACQUIRE);
    rc = admin_client_new(&c->admin, kafka, err) ||
         checkpoint_log_ensure(c->admin, c->checkpoint_topic, c->o.replication, err) ||
         (!c->o.without_lease &&
          lease_acquire(&c->lease, kafka, group, c->checkpoint_topic, c->o.name, LEASE_WAIT_MS, err));
    free(group);
    return rc ? -1 : 0;
}

static int recover(struct capture *c, struct err *err)
{
    struct recovery_options options = {
        .kafka = c->o.producer.kafka, .admin = c->admin, .checkpoint_topic = c->checkpoint_topic};

    enter(c, CAPTURE_RECOVER);
    if (registry_open(&c->registry, &c->o.registry, err) || registry_ping(c->registry, err) ||
        producer_new(&c->producer, &c->o.producer, err))
        return -1;
    options.registry = c->registry;
    if (recovery_new(&c->recovery, &options, err) ||
        checkpoint_log_read(recovery_consumer(c->recovery), c->checkpoint_topic, c->o.name, &c->checkpoint,
                            &c->has_checkpoint, err))
        return -1;
    if (!c->has_checkpoint) {
        c->checkpoint.name = xstrdup(c->o.name);
        /* Rises even when nothing remembers the former one, as after a mock cluster's end. */
        c->checkpoint.epoch = (uint32_t)(clock_wall_us() / 1000000);
    }
    if (recovery_start(c->recovery, &c->checkpoint, err))
        return -1;
    if (recovery_records(c->recovery))
        log_info("capture", "%s: read back %" PRIu64 " records beyond the checkpoint", c->o.name,
                 recovery_records(c->recovery));
    return 0;
}

/* ---- CONNECT ---- */

static int parse_start(const char *text, struct start_point *out, struct position *at, struct err *err)
{
    const char *colon;
    char *end;

    out->position = at;
    if (!strcmp(text, "earliest") || !strcmp(text, "latest")) {
        out->kind = *text == 'e' ? START_EARLIEST : START_LATEST;
        return 0;
    }
    if (!strncmp(text, "gtid:", 5)) {
        out->kind = START_GTID;
        at->flavor = strchr(text + 5, ':') ? GTID_MYSQL : GTID_MARIADB;
        return gtid_set_parse(at->gtids, text + 5, at->flavor, err) ? err_prefix(err, "start position") : 0;
    }
    colon = strrchr(text, ':');
    if (!strncmp(text, "file:", 5) && colon > text + 5 && (size_t)(colon - text - 5) < sizeof(at->file)) {
        out->kind = START_FILE;
        at->flavor = GTID_FILE;
        memcpy(at->file, text + 5, (size_t)(colon - text - 5));
        at->offset = strtoull(colon + 1, &end, 10);
        if (colon[1] >= '0' && colon[1] <= '9' && !*end)
            return 0;
    }
    return err_set(err, ERR_CONFIG,
                   "The start position \"%.200s\" is none of earliest, latest, gtid:SET, file:NAME:OFFSET.", text);
}

/* Asks, before the first event is read, whether the server's settings and the user's grants allow it at all. The server
 * id is left out: event_source looks at it, and knows of this capture's own dump threads that the server has yet to
 * miss. */
static int preflight(const struct capture *c, struct err *err)
{
    struct connection *connection = NULL;
    int errors = connection_open(&connection, &c->o.source.connection, err);

    if (!errors)
        errors = preflight_run(connection, NULL, 0, NULL, NULL, err);
    connection_close(connection);
    return errors ? -1 : 0;
}

static void set_source(struct capture *c, struct event_source *source)
{
    pthread_mutex_lock(&c->lock);
    c->source = source;
    pthread_mutex_unlock(&c->lock);
}

/* Called by the ack thread. */
static void interrupt(void *arg)
{
    struct capture *c = arg;

    pthread_mutex_lock(&c->lock);
    if (c->source)
        event_source_interrupt(c->source);
    pthread_mutex_unlock(&c->lock);
}

/* Opens the source after the newest complete transaction of this run, else of the checkpoint, else where the options
 * say. */
static int connect_source(struct capture *c, struct position *at, struct err *err)
{
    const struct position *known = c->stream ? stream_position(c->stream) : NULL;
    struct event_source_options options = c->o.source;
    struct start_point start = {.kind = START_POSITION};
    struct event_source *source = NULL;
    struct position first;
    int rc = -1;

    enter(c, CAPTURE_CONNECT);
    position_init(&first);
    if (c->o.n_source_files) {
        const char *name = strrchr(c->o.source_files[0], '/');

        snprintf(at->file, sizeof(at->file), "%s", name ? name + 1 : c->o.source_files[0]);
        at->offset = 4;
        rc = event_source_open_files(&source, c->o.source_files, c->o.n_source_files, err);
        goto out;
    }
    if (!known && c->has_checkpoint)
        known = &c->checkpoint.position;
    start.position = known;
    if (!known && parse_start(c->o.start, &start, &first, err))
        goto out;
    if (!c->stream || !stream_position(c->stream)) {
        if (preflight(c, err))
            goto out;
    }
    options.until_now |= c->o.until_caught_up;
    if (!options.capture_name)
        options.capture_name = c->o.name;
    rc = event_source_open_server(&source, &options, &start, at, err);
out:
    position_release(&first);
    if (!rc)
        set_source(c, source);
    return rc;
}

static void disconnect(struct capture *c)
{
    struct event_source *source = c->source;

    set_source(c, NULL);
    event_source_close(source);
}

/* ---- the run ---- */

static int start_threads(struct capture *c, struct err *err)
{
    struct ack_thread_options options = {.producer = c->producer,
                                         .kafka = &c->o.producer.kafka,
                                         .checkpoint_topic = c->checkpoint_topic,
                                         .base = &c->checkpoint,
                                         .lease = c->lease,
                                         .interval_ms = c->o.checkpoint_interval_ms,
                                         .max_transactions = c->o.max_transactions,
                                         .interrupt = interrupt,
                                         .interrupt_arg = c};
    struct topic_book_options book = {.prefix = c->o.prefix,
                                      .admin = c->admin,
                                      .producer = c->producer,
                                      .recovery = c->recovery,
                                      .partitions = c->o.partitions,
                                      .replication = c->o.replication,
                                      .retention_ms = c->o.retention_ms};
    struct stream_options stream = {.capture = &c->o,
                                    .filter = c->filter,
                                    .producer = c->producer,
                                    .registry = c->registry,
                                    .recovery = c->recovery};

    if (ack_thread_start(&c->acks, &options, err))
        return -1;
    book.acks = stream.acks = c->acks;
    stream.topics = c->topics = topic_book_new(&book);
    if (c->has_checkpoint && c->o.n_source_files)
        stream.covered = &c->checkpoint.position;
    c->stream = stream_new(&stream);
    pthread_mutex_lock(&c->lock);
    c->visible = true;
    pthread_mutex_unlock(&c->lock);
    return 0;
}

/* A start position that moves ("latest") must be held fast before the first record leaves, or a crash would lose what
 * lies between two starts. */
static int hold_first_position(struct capture *c, const struct position *at, struct err *err)
{
    uint64_t tag;

    if (c->has_checkpoint || c->o.n_source_files)
        return 0;
    if (ack_thread_commit(c->acks, 0, at, &tag, err) || ack_thread_wait_checkpoint(c->acks, FIRST_CHECKPOINT_MS, err))
        return -1;
    c->has_checkpoint = true;
    position_copy(&c->checkpoint.position, at);
    stream_use_tag(c->stream, tag);
    return 0;
}

static void count_error(const struct err *err)
{
    metric_add(metric_series(M_ERRORS, (const char *const[]){"capture", err_class_name(err_class(err))}), 1);
}

/* Connects and streams, again and again while errors pass by themselves. */
static int stream_all(struct capture *c, struct err *err)
{
    int delay_ms = BACKOFF_FIRST_MS, rc = -1;
    bool connected_once = false;
    uint64_t transactions = 0;
    struct position at;

    position_init(&at);
    while (!stop_requested()) {
        if (connect_source(c, &at, err)) {
            if (!connected_once)
                goto out; /* a first connection that fails is a wrong address or account more often than a pause */
        } else {
            connected_once = true;
            log_debug("capture", "%s: connected", c->o.name);
            if (hold_first_position(c, &at, err))
                goto out;
            enter(c, CAPTURE_STREAM);
            log_info("capture", "%s: streaming from %s:%" PRIu64, c->o.name, at.file, at.offset);
            rc = stream_run(c->stream, c->source, &at, err);
            disconnect(c);
            if (!rc)
                goto out;
            rc = -1;
        }
        if (stop_requested() || err_class(err) != ERR_CLASS_RETRY || ack_thread_failed(c->acks, err))
            goto out;
        if (stream_transactions(c->stream) > transactions)
            delay_ms = BACKOFF_FIRST_MS;
        transactions = stream_transactions(c->stream);
        count_error(err);
        metric_add(metric_plain(M_CAPTURE_RECONNECTS), 1);
        enter(c, CAPTURE_BACKOFF);
        log_warn("capture", "%s: %s; trying again in %d ms", c->o.name, err->text, delay_ms);
        err_clear(err);
        if (stop_wait_ms(delay_ms))
            break;
        delay_ms = delay_ms * 2 < BACKOFF_MAX_MS ? delay_ms * 2 : BACKOFF_MAX_MS;
    }
    rc = 0;
out:
    if (rc && stop_requested() && err->code == ERR_STOPPED)
        rc = 0;
    position_release(&at);
    return rc;
}

static void release_run(struct capture *c)
{
    pthread_mutex_lock(&c->lock);
    c->visible = false;
    pthread_mutex_unlock(&c->lock);
    stream_free(c->stream);
    topic_book_free(c->topics);
    ack_thread_free(c->acks);
    recovery_free(c->recovery);
    producer_free(c->producer, 0);
    registry_close(c->registry);
    if (c->lease)
        lease_release(c->lease);
    admin_client_free(c->admin);
    c->stream = NULL;
    c->topics = NULL;
    c->acks = NULL;
    c->recovery = NULL;
    c->producer = NULL;
    c->registry = NULL;
    c->lease = NULL;
    c->admin = NULL;
}

int capture_run(struct capture *c, struct err *err)
{
    struct err last = ERR_INIT;
    int rc = -1;

    if (acquire(c, err) || recover(c, err) || start_threads(c, err))
        goto out;
    rc = stream_all(c, err);
    enter(c, CAPTURE_STOPPED);
    /* After an error too: what was sent and acknowledged need not be read again. */
    if (ack_thread_finish(c->acks, rc || stop_requested() ? FLUSH_AT_STOP_MS : FLUSH_MS, &last) && !rc) {
        *err = last;
        rc = -1;
    }
out:
    if (rc && stop_requested() && err->code == ERR_STOPPED)
        rc = 0;
    if (rc) {
        char at[128] = "";

        if (c->acks)
            ack_thread_position(c->acks, at, sizeof(at));
        count_error(err);
        err_prefix(err, "capture %s%s%s", c->o.name, *at ? ", newest checkpoint " : "", at);
    }
    release_run(c);
    enter(c, CAPTURE_STOPPED);
    return rc;
}

void capture_status_get(struct capture *c, struct capture_status *out)
{
    struct stream_counters counters;

    memset(out, 0, sizeof(*out));
    out->state = (enum capture_state)atomic_load(&c->state);
    pthread_mutex_lock(&c->lock);
    if (c->visible) {
        stream_counters(c->stream, &counters);
        ack_thread_position(c->acks, out->position, sizeof(out->position));
        snprintf(out->newest_gtid, sizeof(out->newest_gtid), "%s", counters.newest_gtid);
        out->events = counters.events;
        out->transactions = counters.transactions;
        out->bytes = counters.bytes;
        out->skipped = counters.skipped;
        out->lag_us = counters.lag_us;
        out->in_flight = producer_in_flight(c->producer);
    }
    pthread_mutex_unlock(&c->lock);
}
