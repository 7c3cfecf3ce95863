#include "kafka/consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kafka/handle.h"
#include "kafka/mock.h"

enum { REQUEST_MS = 15000, NOTICES_MAX = 8, FETCH_BYTES = 16 << 20, BATCH_MAX = 100000 };

/* Reading without a group still needs a name; nothing is ever joined or committed under it. */
#define NO_GROUP "pillion.reader"

struct notice {
    enum consumer_notice kind;
    rd_kafka_topic_partition_list_t *partitions;
};

struct consumer {
    struct kafka_handle handle;
    char *group; /* NULL: none */
    bool closing;

    char **topics; /* interned names */
    size_t n_topics;
    const rd_kafka_topic_t *newest_rkt;
    const char *newest_topic;

    struct notice notices[NOTICES_MAX]; /* not yet given to the caller */
    size_t n_notices;
    struct notice current; /* given, and perhaps waiting for consumer_assignment_done */
    bool awaiting;
    struct topic_partition *changed;
    size_t n_changed;
};

struct record_batch {
    rd_kafka_message_t **messages;
    struct record *records;
    size_t n;
};

/* ---- notices ---- */

/* Runs inside the consumer's own polls. It only notes: the group waits until consumer_assignment_done. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                         void *opaque)
{
    struct kafka_handle *h = opaque;
    struct consumer *c = (struct consumer *)(void *)h;
    struct notice *n;

    if (c->closing || c->n_notices == NOTICES_MAX) {
        rd_kafka_assign(rk, NULL);
        return;
    }
    n = &c->notices[c->n_notices++];
    n->partitions = rd_kafka_topic_partition_list_copy(partitions);
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        n->kind = CONSUMER_ASSIGNED;
    else
        n->kind = rd_kafka_assignment_lost(rk) ? CONSUMER_LOST : CONSUMER_REVOKED;
    rd_kafka_queue_yield(h->queue); /* the poll that runs this would wait on for records */
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_handle *h = opaque;
    char text[KAFKA_TROUBLE_TEXT];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        code = rd_kafka_fatal_error(rk, text, sizeof(text));
        reason = text;
    }
    kafka_handle_trouble(h, (rd_kafka_resp_err_t)code, reason);
}

static void clear_notice(struct notice *n)
{
    if (n->partitions)
        rd_kafka_topic_partition_list_destroy(n->partitions);
    n->partitions = NULL;
}

/* Gives the first waiting notice to the caller. */
static enum consumer_notice take_notice(struct consumer *c)
{
    clear_notice(&c->current);
    c->current = c->notices[0];
    c->n_notices--;
    memmove(c->notices, c->notices + 1, c->n_notices * sizeof(c->notices[0]));
    c->awaiting = true;
    c->n_changed = (size_t)c->current.partitions->cnt;
    c->changed = xreallocarray(c->changed, c->n_changed, sizeof(*c->changed));
    for (size_t i = 0; i < c->n_changed; i++) {
        const rd_kafka_topic_partition_t *p = &c->current.partitions->elems[i];

        c->changed[i] = (struct topic_partition){consumer_topic(c, p->topic), p->partition, -1};
    }
    return c->current.kind;
}

size_t consumer_changed(struct consumer *c, const struct topic_partition **out)
{
    *out = c->changed;
    return c->n_changed;
}

/* ---- opening ---- */

static int configure(rd_kafka_conf_t *conf, const struct consumer_options *o, struct err *err)
{
    size_t ahead = o->fetch_bytes ? o->fetch_bytes : FETCH_BYTES;
    size_t part = ahead / 4 > 1 << 20 ? ahead / 4 : 1 << 20;

    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (kafka_conf_set(conf, err, "group.id", "%s", o->group ? o->group : NO_GROUP) ||
        kafka_conf_set(conf, err, "enable.auto.commit", "false") ||
        kafka_conf_set(conf, err, "enable.auto.offset.store", "false") ||
        kafka_conf_set(conf, err, "isolation.level", "read_committed") ||
        /* Where to start is always said; an offset that is gone must be heard of. */
        kafka_conf_set(conf, err, "auto.offset.reset", "error") ||
        kafka_conf_set(conf, err, "partition.assignment.strategy", "roundrobin") ||
        kafka_conf_set(conf, err, "allow.auto.create.topics", "false") ||
        /* A regular expression finds a new topic this soon. */
        kafka_conf_set(conf, err, "topic.metadata.refresh.interval.ms", "5000") ||
        kafka_conf_set(conf, err, "queued.max.messages.kbytes", "%zu", ahead / 1024 ? ahead / 1024 : 1) ||
        kafka_conf_set(conf, err, "fetch.max.bytes", "%zu", part) ||
        /* A fetch that finds nothing holds up what is assigned or sought after it: capture's start waits for that. */
        kafka_conf_set(conf, err, "fetch.wait.max.ms", "%d", o->group ? 100 : 10) ||
        kafka_conf_set(conf, err, "fetch.error.backoff.ms", "100"))
        return -1;
    if (rd_kafka_version() >= 0x02020000 && kafka_conf_set(conf, err, "fetch.queue.backoff.ms", "20"))
        return -1;
    if (o->session_timeout_ms && (kafka_conf_set(conf, err, "session.timeout.ms", "%d", o->session_timeout_ms) ||
                                  kafka_conf_set(conf, err, "heartbeat.interval.ms", "%d",
                                                 o->session_timeout_ms < 9000 ? o->session_timeout_ms / 3 : 3000)))
        return -1;
    if (o->instance_id && kafka_conf_set(conf, err, "group.instance.id", "%s", o->instance_id))
        return -1;
    return kafka_conf_set_raw(conf, &o->kafka, err);
}

static int subscribe(struct consumer *c, const struct consumer_options *o, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)o->n_topics);
    rd_kafka_resp_err_t code;

    for (size_t i = 0; i < o->n_topics; i++)
        rd_kafka_topic_partition_list_add(list, o->topics[i], RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(c->handle.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_handle_failed(&c->handle, code, NULL, err, "The group %s cannot be joined", o->group);
    return 0;
}

int consumer_new(struct consumer **out, const struct consumer_options *options, struct err *err)
{
    struct consumer *c;
    rd_kafka_conf_t *conf;

    *out = NULL;
    if (kafka_conf_new(&conf, &options->kafka, err))
        return -1;
    if (configure(conf, options, err)) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    c = xcalloc(1, sizeof(*c));
    if (kafka_handle_init(&c->handle, RD_KAFKA_CONSUMER, conf, &options->kafka, err)) {
        free(c);
        return -1;
    }
    c->group = options->group ? xstrdup(options->group) : NULL;
    rd_kafka_poll_set_consumer(c->handle.rk);
    rd_kafka_queue_destroy(c->handle.queue);
    c->handle.queue = rd_kafka_queue_get_consumer(c->handle.rk);
    if (options->n_topics && subscribe(c, options, err)) {
        consumer_free(c);
        return -1;
    }
    *out = c;
    return 0;
}

void consumer_free(struct consumer *c)
{
    if (!c)
        return;
    c->closing = true;
    if (c->awaiting || c->n_notices)
        rd_kafka_assign(c->handle.rk, NULL);
    rd_kafka_consumer_close(c->handle.rk);
    for (size_t i = 0; i < c->n_notices; i++)
        clear_notice(&c->notices[i]);
    clear_notice(&c->current);
    kafka_handle_release(&c->handle);
    for (size_t i = 0; i < c->n_topics; i++)
        free(c->topics[i]);
    free(c->topics);
    free(c->changed);
    free(c->group);
    free(c);
}

void consumer_wake(struct consumer *c)
{
    rd_kafka_queue_yield(c->handle.queue);
}

const char *consumer_topic(struct consumer *c, const char *name)
{
    for (size_t i = 0; i < c->n_topics; i++)
        if (!strcmp(c->topics[i], name))
            return c->topics[i];
    c->topics = xreallocarray(c->topics, c->n_topics + 1, sizeof(*c->topics));
    c->topics[c->n_topics] = xstrdup(name);
    return c->topics[c->n_topics++];
}

/* ---- records ---- */

/* An error that came in a record's place. 0: it passes by itself. */
static int judge(struct consumer *c, const rd_kafka_message_t *m, struct err *err)
{
    const char *topic = m->rkt ? rd_kafka_topic_name(m->rkt) : "";

    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED: /* CONSUMER_LOST follows */
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:     /* subscribed, and not there yet */
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return 0;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return err_set(
            err, ERR_KAFKA_FATAL,
            "The records to read next in %s, partition %d, are not in the topic any more: %s. They were deleted by its "
            "retention, or the topic was made anew; lengthen retention.ms, and backfill the table.",
            topic, (int)m->partition, rd_kafka_message_errstr(m));
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        if (!c->group)
            return 0;
        break;
    default:
        break;
    }
    if (kafka_error_code(m->err) == ERR_KAFKA) {
        log_debug("kafka", "%s [%d]: %s", topic, (int)m->partition, rd_kafka_message_errstr(m));
        return 0;
    }
    return kafka_handle_failed(&c->handle, m->err, rd_kafka_message_errstr(m), err, "Reading %s failed",
                               *topic ? topic : "from Kafka");
}

static void set_record(struct consumer *c, struct record *r, rd_kafka_message_t *m)
{
    if (m->rkt != c->newest_rkt) {
        c->newest_rkt = m->rkt;
        c->newest_topic = consumer_topic(c, rd_kafka_topic_name(m->rkt));
    }
    *r = (struct record){.topic = c->newest_topic,
                         .partition = m->partition,
                         .offset = m->offset,
                         .timestamp_ms = rd_kafka_message_timestamp(m, NULL),
                         .key = m->key,
                         .key_len = m->key_len,
                         .value = m->payload,
                         .value_len = m->len,
                         .message = m};
}

/* Waits for a first message, then takes what is there: librdkafka's batch call would wait until the batch is full. */
static size_t take_messages(struct consumer *c, rd_kafka_message_t **messages, size_t max, int timeout_ms)
{
    ssize_t n = rd_kafka_consume_batch_queue(c->handle.queue, timeout_ms, messages, 1), more;

    if (n < 1)
        return 0;
    if (max == 1 || c->n_notices)
        return 1;
    more = rd_kafka_consume_batch_queue(c->handle.queue, 0, messages + 1, max - 1);
    return more > 0 ? (size_t)(n + more) : (size_t)n;
}

int consumer_poll_batch(struct consumer *c, struct record_batch **batch, size_t max, int timeout_ms,
                        enum consumer_notice *notice, struct err *err)
{
    struct record_batch *b;
    size_t n;
    int rc = 0;

    *batch = NULL;
    *notice = CONSUMER_IDLE;
    if (c->n_notices && !c->awaiting) {
        *notice = take_notice(c);
        return 0;
    }
    if (max > BATCH_MAX)
        max = BATCH_MAX;
    b = xcalloc(1, sizeof(*b));
    b->messages = xcalloc(max, sizeof(rd_kafka_message_t *));
    n = take_messages(c, b->messages, max, timeout_ms);
    if (n)
        b->records = xcalloc(n, sizeof(*b->records));
    for (size_t i = 0; i < n; i++) {
        rd_kafka_message_t *m = b->messages[i];

        if (!m->err) {
            set_record(c, &b->records[b->n], m);
            b->messages[b->n++] = m;
            continue;
        }
        if (!rc)
            rc = judge(c, m, err);
        rd_kafka_message_destroy(m);
    }
    if (!rc && rd_kafka_fatal_error(c->handle.rk, NULL, 0))
        rc = kafka_handle_failed(&c->handle, RD_KAFKA_RESP_ERR__FATAL, NULL, err, "Kafka's consumer cannot go on");
    if (!rc && kafka_handle_refused(&c->handle) && c->group)
        rc = kafka_handle_failed(&c->handle, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err, "Kafka cannot be read");
    if (!rc && b->n) {
        *notice = CONSUMER_RECORDS;
        *batch = b;
        return 0;
    }
    record_batch_free(b);
    if (!rc && c->n_notices && !c->awaiting)
        *notice = take_notice(c);
    return rc;
}

size_t record_batch_count(const struct record_batch *b)
{
    return b ? b->n : 0;
}

const struct record *record_batch_at(const struct record_batch *b, size_t i)
{
    return &b->records[i];
}

void record_batch_free(struct record_batch *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n; i++)
        rd_kafka_message_destroy(b->messages[i]);
    free(b->messages);
    free(b->records);
    free(b);
}

bool record_header(const struct record *r, const char *name, const void **value, size_t *len)
{
    rd_kafka_headers_t *headers;

    return !rd_kafka_message_headers(r->message, &headers) && !rd_kafka_header_get_last(headers, name, value, len);
}

size_t record_headers(const struct record *r, struct kafka_header *out, size_t max)
{
    rd_kafka_headers_t *headers;
    size_t n = 0;

    if (rd_kafka_message_headers(r->message, &headers))
        return 0;
    while (n < max && !rd_kafka_header_get_all(headers, n, &out[n].name, &out[n].value, &out[n].len))
        n++;
    return n;
}

/* ---- assignments and offsets ---- */

static rd_kafka_topic_partition_list_t *list_of(const struct topic_partition *parts, size_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);

    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, parts[i].topic, parts[i].partition)->offset =
            parts[i].offset < 0 ? RD_KAFKA_OFFSET_INVALID : parts[i].offset;
    return list;
}

static int committed(struct consumer *c, rd_kafka_topic_partition_list_t *list, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_committed(c->handle.rk, list, REQUEST_MS);

    for (int i = 0; !code && i < list->cnt; i++)
        code = list->elems[i].err;
    if (code)
        return kafka_handle_failed(&c->handle, code, NULL, err, "The group's committed offsets cannot be read");
    for (int i = 0; c->handle.mock && c->group && i < list->cnt; i++) {
        int64_t kept = kafka_mock_kept(c->group, list->elems[i].topic, list->elems[i].partition);

        if (kept >= 0)
            list->elems[i].offset = kept;
    }
    return 0;
}

/* Offsets for an assignment: the caller's, else what was committed, else the beginning. */
static int choose_starts(struct consumer *c, rd_kafka_topic_partition_list_t *list,
                         const struct topic_partition *starts, size_t n, struct err *err)
{
    rd_kafka_topic_partition_list_t *asked;
    bool open = false;

    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(list, starts[i].topic, starts[i].partition);

        if (p && starts[i].offset >= 0)
            p->offset = starts[i].offset;
    }
    for (int i = 0; i < list->cnt; i++)
        open |= list->elems[i].offset < 0;
    if (!open)
        return 0;
    asked = rd_kafka_topic_partition_list_copy(list);
    if (committed(c, asked, err)) {
        rd_kafka_topic_partition_list_destroy(asked);
        return -1;
    }
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0) {
            rd_kafka_topic_partition_t *p =
                rd_kafka_topic_partition_list_find(asked, list->elems[i].topic, list->elems[i].partition);

            list->elems[i].offset = p && p->offset >= 0 ? p->offset : RD_KAFKA_OFFSET_BEGINNING;
        }
    rd_kafka_topic_partition_list_destroy(asked);
    return 0;
}

static int assign(struct consumer *c, rd_kafka_topic_partition_list_t *list, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_assign(c->handle.rk, list);

    c->newest_rkt = NULL;
    if (code)
        return kafka_handle_failed(&c->handle, code, NULL, err, "Partitions cannot be assigned");
    return 0;
}

int consumer_assignment_done(struct consumer *c, const struct topic_partition *starts, size_t n, struct err *err)
{
    if (!c->awaiting)
        return err_set(err, ERR_BUG, "An assignment is acknowledged that nobody made; please report it.");
    if (c->current.kind == CONSUMER_ASSIGNED && choose_starts(c, c->current.partitions, starts, n, err))
        return -1;
    c->awaiting = false;
    return assign(c, c->current.kind == CONSUMER_ASSIGNED ? c->current.partitions : NULL, err);
}

int consumer_assign(struct consumer *c, const struct topic_partition *parts, size_t n, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(parts, n);
    int rc;

    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0)
            list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    rc = assign(c, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

int consumer_commit(struct consumer *c, const struct topic_partition *offsets, size_t n, struct err *err)
{
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;

    if (!n)
        return 0;
    list = list_of(offsets, n);
    code = rd_kafka_commit(c->handle.rk, list, 0);
    for (int i = 0; !code && i < list->cnt; i++)
        code = list->elems[i].err;
    rd_kafka_topic_partition_list_destroy(list);
    if (c->handle.mock && c->group && (!code || code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)) {
        for (size_t i = 0; i < n; i++) {
            kafka_mock_keep(c->group, offsets[i].topic, offsets[i].partition, code ? offsets[i].offset : -1);
            kafka_mock_committed(offsets[i].topic, offsets[i].partition, offsets[i].offset);
        }
        return 0;
    }
    if (code)
        return kafka_handle_failed(&c->handle, code, NULL, err, "Offsets cannot be committed");
    return 0;
}

int consumer_committed(struct consumer *c, struct topic_partition *inout, size_t n, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = list_of(inout, n);
    int rc = committed(c, list, err);

    for (size_t i = 0; !rc && i < n; i++)
        inout[i].offset = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

int consumer_watermarks(struct consumer *c, const char *topic, int32_t partition, int64_t *low, int64_t *high,
                        struct err *err)
{
    int64_t end = clock_mono_us() + REQUEST_MS * INT64_C(1000);
    rd_kafka_resp_err_t code;

    /* A partition without a leader for a moment is answered at once. */
    for (;;) {
        code = rd_kafka_query_watermark_offsets(c->handle.rk, topic, partition, low, high, REQUEST_MS);
        if (!code)
            return 0;
        if (kafka_error_code(code) != ERR_KAFKA || clock_mono_us() > end)
            break;
        clock_sleep_ms(100);
    }
    return kafka_handle_failed(&c->handle, code, NULL, err, "The ends of %s, partition %d, cannot be read", topic,
                               (int)partition);
}

int consumer_pause(struct consumer *c, bool paused, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t code = rd_kafka_assignment(c->handle.rk, &list);

    if (!code)
        code = paused ? rd_kafka_pause_partitions(c->handle.rk, list) : rd_kafka_resume_partitions(c->handle.rk, list);
    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_handle_failed(&c->handle, code, NULL, err, "Reading cannot be %s", paused ? "paused" : "resumed");
    return 0;
}

int consumer_pause_some(struct consumer *c, const struct topic_partition *parts, size_t n, bool paused, struct err *err)
{
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_t *error = NULL;

    if (!n)
        return 0;
    list = list_of(parts, n);
    if (paused)
        code = rd_kafka_pause_partitions(c->handle.rk, list);
    else
        error = rd_kafka_seek_partitions(c->handle.rk, list, REQUEST_MS);
    if (error) {
        code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
    }
    for (int i = 0; !code && i < list->cnt; i++)
        code = list->elems[i].err;
    if (!code && !paused)
        code = rd_kafka_resume_partitions(c->handle.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_handle_failed(&c->handle, code, NULL, err, "Reading of partitions cannot be %s",
                                   paused ? "paused" : "resumed");
    return 0;
}
