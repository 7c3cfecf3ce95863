#include "capture/stream.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "binlog/decoder.h"
#include "capture/blind_truncate.h"
#include "capture/publisher.h"
#include "capture/table_route.h"
#include "capture/transaction_feed.h"

enum { LAG_QUERY_US = 5000000, GAUGE_US = 200000 };

struct stream {
    struct stream_options o;
    struct decoder *decoder;
    struct publisher publisher;
    struct table_routes *routes;
    struct transaction_feed *feed;

    bool in_transaction;
    bool unsettled;           /* checkpoints still name the ends that the former one had */
    struct gtid_set *covered; /* of binlog files: what is not published again; NULL for a server */
    bool pass_over;           /* the open transaction is in it */
    uint64_t statements;      /* in the open transaction */
    struct gtid resume_gtid;
    struct position position;
    bool has_position;
    uint64_t transactions;
    int64_t next_gauge, next_lag_query;
    uint64_t binlog_bytes, new_transactions; /* not yet in the metrics */

    pthread_mutex_t lock;
    struct stream_counters counters; /* under the lock */
};

struct stream *stream_new(const struct stream_options *options)
{
    const struct capture_options *c = options->capture;
    struct stream *s = xcalloc(1, sizeof(*s));

    s->o = *options;
    s->publisher = (struct publisher){.producer = options->producer,
                                      .hold = c->hold,
                                      .hold_arg = c->hold_arg,
                                      .published = recovery_published(options->recovery)};
    s->publisher.tag = ack_thread_tag(options->acks);
    s->routes = table_routes_new(&(struct table_routes_options){.capture = c,
                                                                .filter = options->filter,
                                                                .topics = options->topics,
                                                                .registry = options->registry,
                                                                .publisher = &s->publisher});
    s->feed = transaction_feed_new(&(struct transaction_feed_options){.transactions = c->transaction_topic,
                                                                      .schema_changes = c->schema_change_topic,
                                                                      .filter = options->filter,
                                                                      .topics = options->topics,
                                                                      .registry = options->registry,
                                                                      .publisher = &s->publisher});
    s->unsettled = true;
    position_init(&s->position);
    if (c->n_source_files)
        s->covered =
            options->covered && options->covered->gtids ? gtid_set_copy(options->covered->gtids) : gtid_set_new();
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    transaction_feed_free(s->feed);
    table_routes_free(s->routes);
    decoder_free(s->decoder);
    position_release(&s->position);
    gtid_set_free(s->covered);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const struct position *stream_position(const struct stream *s)
{
    return s->has_position ? &s->position : NULL;
}

uint64_t stream_transactions(const struct stream *s)
{
    return s->transactions;
}

void stream_use_tag(struct stream *s, uint64_t tag)
{
    s->publisher.tag = tag;
}

void stream_counters(struct stream *s, struct stream_counters *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->counters;
    pthread_mutex_unlock(&s->lock);
}

/* ---- transactions ---- */

static int on_begin(struct stream *s, const struct change_source *source, struct err *err)
{
    s->pass_over = s->covered && gtid_set_contains(s->covered, &source->gtid);
    if (s->pass_over) {
        s->in_transaction = true;
        return 0;
    }
    if (s->publisher.resume && !gtid_equal(&s->resume_gtid, &source->gtid)) {
        char was[GTID_TEXT];

        (void)gtid_format(&s->resume_gtid, was);
        return err_set(
            err, ERR_POSITION_FOREIGN,
            "The connection was lost inside transaction %s, of which %" PRIu64 " records are "
            "in the topics, and the server goes on with %s instead: it has lost that transaction. Make sure which "
            "server is right; then set a position with `pillion position set`.",
            was, s->publisher.resume, source->gtid_text);
    }
    s->in_transaction = true;
    s->statements = 0;
    publisher_begin(&s->publisher, &source->gtid);
    transaction_feed_begin(s->feed);
    return 0;
}

static int find_route(struct stream *s, const struct table_map *map, struct table_route **out, struct err *err)
{
    enum gtid_flavor flavor = s->publisher.gtid.flavor;

    if (flavor == GTID_FILE && s->position.flavor == GTID_MARIADB)
        flavor = GTID_MARIADB;
    return table_routes_find(s->routes, map, flavor, out, err);
}

static int on_rows(struct stream *s, struct item *item, struct err *err)
{
    struct table_route *route = NULL;
    uint64_t n;

    if (s->pass_over)
        return 0;
    if (find_route(s, item->table, &route, err))
        return -1;
    if (table_route_captured(route) && transaction_feed_open(s->feed, item->source, err))
        return -1;
    if (table_route_rows(route, item->source, &item->rows, item->first_index, &n, err))
        return -1;
    if (n) {
        transaction_feed_count(s->feed, table_route_name(route), n);
        ack_thread_sample(s->o.acks, s->publisher.tag);
    }
    return 0;
}

static int truncate_table(struct stream *s, const struct change_source *source, const char *database, const char *table,
                          struct err *err)
{
    struct table_route *route = table_routes_by_name(s->routes, database, table);
    struct blind_truncate_options blind = {.capture = s->o.capture,
                                           .topics = s->o.topics,
                                           .recovery = s->o.recovery,
                                           .publisher = &s->publisher,
                                           .feed = s->feed};
    char *name;
    bool sent;

    if (route) {
        if (transaction_feed_open(s->feed, source, err) || table_route_truncate(route, source, s->statements, err))
            return -1;
        transaction_feed_count(s->feed, table_route_name(route), 1);
        return 0;
    }
    if (blind_truncate(&blind, source, database, table, s->statements, &sent, err))
        return -1;
    if (sent) {
        name = xasprintf("%s.%s", database, table);
        transaction_feed_count(s->feed, name, 1);
        metric_add(metric_series(M_CAPTURE_EVENTS, (const char *const[]){name, "t"}), 1);
        free(name);
    }
    return 0;
}

static int on_statement(struct stream *s, const struct item *item, struct err *err)
{
    const struct statement *t = &item->statement;
    const char *database = t->table_database && *t->table_database ? t->table_database : t->database;

    if (t->kind == STATEMENT_DML)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s:%" PRIu64 " holds a statement instead of the rows that it changed; run SET GLOBAL "
                       "binlog_format=ROW on the source, and backfill the tables that were changed so.",
                       item->source->file, item->source->offset);
    if (s->pass_over)
        return 0;
    if (t->kind == STATEMENT_TRUNCATE_TABLE && t->table && *t->table && database &&
        table_filter_takes(s->o.filter, database, t->table)) {
        if (truncate_table(s, item->source, database, t->table, err))
            return -1;
    }
    s->statements++;
    return transaction_feed_statement(s->feed, item->source, t, err);
}

static void show(struct stream *s, int64_t commit_us)
{
    int64_t now = clock_wall_us();

    pthread_mutex_lock(&s->lock);
    s->counters.transactions = s->transactions;
    s->counters.events = s->publisher.all_records;
    s->counters.bytes = s->publisher.all_bytes;
    s->counters.skipped = s->publisher.all_skipped;
    s->counters.lag_us = commit_us && now > commit_us ? now - commit_us : 0;
    if (commit_us)
        (void)gtid_format(&s->publisher.gtid, s->counters.newest_gtid);
    pthread_mutex_unlock(&s->lock);
    if (now < s->next_gauge && commit_us)
        return;
    s->next_gauge = now + GAUGE_US;
    metric_set(metric_plain(M_CAPTURE_LAG_SECONDS), commit_us && now > commit_us ? (double)(now - commit_us) / 1e6 : 0);
    metric_add(metric_plain(M_CAPTURE_TXNS), (int64_t)s->new_transactions);
    metric_add(metric_plain(M_CAPTURE_BINLOG_BYTES), (int64_t)s->binlog_bytes);
    s->new_transactions = s->binlog_bytes = 0;
}

static int on_commit(struct stream *s, const struct change_source *source, struct err *err)
{
    const struct position *after = decoder_position(s->decoder);

    if (s->pass_over) { /* the position must not go back behind the checkpoint's, whose ends would be too far then */
        s->in_transaction = false;
        return 0;
    }
    if (transaction_feed_commit(s->feed, source, err))
        return -1;
    if (FAULT("capture.commit"))
        return err_set(err, ERR_KAFKA_FATAL, "The commit was refused by the fault point capture.commit.");
    if (ack_thread_commit(s->o.acks, s->publisher.sent, after, &s->publisher.tag, err))
        return -1;
    s->publisher.sent = 0;
    s->publisher.resume = 0;
    s->in_transaction = false;
    position_copy(&s->position, after);
    s->transactions++;
    s->new_transactions++;
    publisher_count(&s->publisher);
    if (!published_empty(s->publisher.published)) {
        published_committed(s->publisher.published);
        s->unsettled = true;
    }
    if (s->unsettled && published_empty(s->publisher.published)) {
        topic_book_settle(s->o.topics);
        s->unsettled = false;
    }
    show(s, source->commit_us);
    return 0;
}

static int on_item(struct stream *s, struct item *item, struct err *err)
{
    struct table_route *route = NULL;

    switch (item->kind) {
    case ITEM_BEGIN:
        return on_begin(s, item->source, err);
    case ITEM_TABLE:
        return s->pass_over ? 0 : find_route(s, item->table, &route, err);
    case ITEM_ROWS:
        return on_rows(s, item, err);
    case ITEM_STATEMENT:
        return on_statement(s, item, err);
    case ITEM_COMMIT:
        return on_commit(s, item->source, err);
    case ITEM_HEARTBEAT:
        if (!s->in_transaction)
            show(s, 0);
        return 0;
    case ITEM_ROTATE:
    case ITEM_NONE:
        break;
    }
    return 0;
}

/* Transactions that the server has executed and that were not read: asked for now and then by a session of its own. */
static void ask_lag(struct stream *s, struct event_source *source)
{
    int64_t now = clock_mono_us();
    struct position server;
    struct err ignored = ERR_INIT; /* only a gauge depends on it */

    if (now < s->next_lag_query || !event_source_facts(source))
        return;
    s->next_lag_query = now + LAG_QUERY_US;
    position_init(&server);
    if (!event_source_server_position(source, &server, &ignored) && server.gtids && s->position.gtids)
        metric_set(metric_plain(M_CAPTURE_LAG_TXNS), (double)gtid_set_minus_count(server.gtids, s->position.gtids));
    position_release(&server);
}

static int read_event(struct stream *s, const uint8_t *event, size_t len, struct err *err)
{
    struct item item;

    s->binlog_bytes += len;
    if (decoder_feed(s->decoder, event, len, err))
        return -1;
    for (;;) {
        if (decoder_next(s->decoder, &item, err))
            return -1;
        if (item.kind == ITEM_NONE)
            return 0;
        if (on_item(s, &item, err))
            return -1;
    }
}

/* The decoder asks about a table whose shape it does not understand. */
static bool wanted(void *arg, const char *database, const char *table)
{
    struct stream *s = arg;

    if (table_filter_takes(s->o.filter, database, table))
        return true;
    log_warn("capture", "the shape of table %s.%s is not understood; it is left out by the filter, so capture goes on",
             database, table);
    return false;
}

static int restart(struct stream *s, const struct position *at, struct err *err)
{
    struct decoder_options options = {
        .server_name = s->o.capture->prefix, .dml_statements_stop = true, .wanted = wanted, .wanted_arg = s};

    /* A second reading may have been lost earlier in the transaction than the first. */
    if (s->in_transaction && !s->pass_over && s->publisher.calls > s->publisher.resume) {
        s->publisher.resume = s->publisher.calls;
        s->resume_gtid = s->publisher.gtid;
    }
    s->in_transaction = false;
    if (s->covered && s->has_position && gtid_set_union(s->covered, s->position.gtids, err))
        return -1;
    decoder_free(s->decoder);
    s->decoder = decoder_new(&options);
    decoder_start_at(s->decoder, at);
    position_copy(&s->position, at);
    s->has_position = true;
    return 0;
}

int stream_run(struct stream *s, struct event_source *source, const struct position *at, struct err *err)
{
    const uint8_t *event;
    size_t len;
    int rc;

    if (restart(s, at, err))
        return -1;
    s->next_lag_query = clock_mono_us() + LAG_QUERY_US;
    for (;;) {
        if (stop_requested())
            return 0;
        rc = event_source_fetch(source, &event, &len, err);
        if (ack_thread_failed(s->o.acks, err))
            return -1;
        if (rc > 0 && FAULT("source.fetch"))
            rc = err_set(err, ERR_MYSQL_CONNECT, "The connection was lost at the fault point source.fetch.");
        if (rc < 0)
            return stop_requested() && err->code == ERR_STOPPED ? 0 : -1;
        if (!rc)
            break;
        if (read_event(s, event, len, err))
            return -1;
        ask_lag(s, source);
    }
    if (s->in_transaction)
        return err_set(err, ERR_TRUNCATED,
                       "The binlog ends inside transaction %s; what was read of it is in the topics, and its rest "
                       "is published when it can be read.",
                       s->counters.newest_gtid);
    show(s, 0);
    return 0;
}
