#include "merge/merger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "kafka/admin_client.h"
#include "merge/bronze_object.h"
#include "merge/merger_internal.h"

enum { DELAY_FIRST_MS = 100, DELAY_MAX_MS = 10000, LOOK_INTERVAL_US = 500000, ENCODED_MAX = 256 << 20 };

/* --- patience --- */

int merger_patiently(struct merger *m, const char *doing, int (*fn)(struct merger *m, void *arg, struct err *err),
                     void *arg, struct err *err)
{
    int delay = DELAY_FIRST_MS;

    for (int tries = 0;; tries++) {
        if (!fn(m, arg, err)) {
            if (tries)
                log_info("merge", "%s works again.", doing);
            return 0;
        }
        if (err_class(err) != ERR_CLASS_RETRY)
            return -1;
        metric_add(metric_series(M_ERRORS, (const char *const[]){"merge", "retry"}), 1);
        if (tries == 0 || delay == DELAY_MAX_MS)
            log_warn("merge", "%s failed and is tried again: %s", doing, err->text);
        if (stop_wait_ms(delay))
            return err_set(err, ERR_STOPPED, "The merger was stopped while %s.", doing);
        delay = delay * 2 < DELAY_MAX_MS ? delay * 2 : DELAY_MAX_MS;
        err_clear(err);
    }
}

/* --- making --- */

static void name_topics(struct merger *m)
{
    const struct contract_set *s = m->options.contracts;

    if (m->options.n_topics) {
        m->topic_names = xcalloc(m->options.n_topics, sizeof *m->topic_names);
        for (; m->n_topics < m->options.n_topics; m->n_topics++)
            m->topic_names[m->n_topics] = xstrdup(m->options.topics[m->n_topics]);
        return;
    }
    m->topic_names = xcalloc(s->n_entities + 1, sizeof *m->topic_names);
    for (; m->n_topics < s->n_entities; m->n_topics++)
        m->topic_names[m->n_topics] =
            xasprintf("%s.%s.%s", m->options.prefix, s->entities[m->n_topics].database, s->entities[m->n_topics].table);
}

static void make_metrics(struct merger *m)
{
    size_t n = m->options.contracts->n_entities;

    m->metrics = xcalloc(n + 1, sizeof *m->metrics);
    for (size_t i = 0; i < n; i++) {
        const char *name = m->options.contracts->entities[i].name;
        struct entity_metrics *e = &m->metrics[i];

        e->applied = metric_series(M_MERGE_OUTCOME, (const char *const[]){name, "applied"});
        e->superseded = metric_series(M_MERGE_OUTCOME, (const char *const[]){name, "superseded"});
        e->parked = metric_series(M_MERGE_OUTCOME, (const char *const[]){name, "parked"});
        e->duplicate = metric_series(M_MERGE_OUTCOME, (const char *const[]){name, "duplicate"});
        e->quarantined = metric_series(M_MERGE_OUTCOME, (const char *const[]){name, "quarantined"});
        e->released = metric_series(M_MERGE_RELEASED, &name);
        e->stale = metric_series(M_MERGE_STALE, &name);
        e->late = metric_series(M_MERGE_PARKED, (const char *const[]){name, "late"});
        e->orphan = metric_series(M_MERGE_PARKED, (const char *const[]){name, "orphan"});
    }
}

static int check_names(const struct merger_options *o, struct err *err)
{
    for (size_t i = 0; o->n_topics == 0 && i < o->contracts->n_entities; i++)
        if (!*o->contracts->entities[i].database)
            return err_set(
                err, ERR_CONTRACT,
                "%s:%d: %s names no database, so its topic is not known; write physicalName: database.table, a server "
                "with a database, or set merge.topics.",
                o->contracts->entities[i].file, o->contracts->entities[i].line, o->contracts->entities[i].name);
    if (o->contracts->n_entities == 0)
        return err_set(err, ERR_CONTRACT, "The contracts name no table, so there is nothing to merge.");
    return 0;
}

static int open_parts(struct merger *m, struct err *err)
{
    const struct merger_options *o = &m->options;
    struct consumer_options consumer = {.kafka = o->kafka,
                                        .group = o->group,
                                        .topics = (const char *const *)m->topic_names,
                                        .n_topics = m->n_topics,
                                        .fetch_bytes = o->batch_bytes * 2,
                                        .session_timeout_ms = o->session_timeout_ms};

    if (registry_open(&m->registry, &o->registry, err) || document_store_open(&m->documents, &o->documents, err))
        return -1;
    if ((o->bronze == BRONZE_OBJECTS || o->bronze == BRONZE_BOTH) && object_store_open(&m->objects, &o->objects, err))
        return -1;
    if (consumer_new(&m->consumer, &consumer, err))
        return -1;
    m->decoder = row_decoder_new(m->registry, o->contracts);
    m->driver = gate_driver_new(m->documents, o->contracts, o->known_max);
    m->epochs = topic_epochs_new(m->documents, o->fresh_topics);
    m->frontier = frontier_new(&m->options.kafka, o->group, o->prefix);
    return 0;
}

int merger_new(struct merger **out, const struct merger_options *options, struct err *err)
{
    struct merger *m;

    if (check_names(options, err))
        return -1;
    m = xcalloc(1, sizeof *m);
    m->options = *options;
    if (m->options.batch_records == 0)
        m->options.batch_records = 2000;
    buf_init(&m->encoded, ENCODED_MAX);
    buf_init(&m->object, BRONZE_OBJECT_MAX);
    bson_init(&m->sweep_after);
    name_topics(m);
    make_metrics(m);
    if (open_parts(m, err)) {
        merger_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void merger_free(struct merger *m)
{
    if (!m)
        return;
    merger_batch_clear(m);
    merger_drop_partitions(m);
    consumer_free(m->consumer);
    frontier_free(m->frontier);
    topic_epochs_free(m->epochs);
    gate_driver_free(m->driver);
    row_decoder_free(m->decoder);
    if (m->objects)
        m->objects->ops->free(m->objects);
    if (m->documents)
        m->documents->ops->free(m->documents);
    registry_close(m->registry);
    for (size_t i = 0; i < m->n_topics; i++)
        free(m->topic_names[i]);
    free(m->topic_names);
    free(m->rows);
    free(m->changes);
    free(m->poison);
    free(m->poison_ids);
    free(m->poison_docs);
    free(m->raw);
    free(m->raw_ids);
    free(m->raw_docs);
    free(m->metrics);
    bson_destroy(&m->sweep_after);
    buf_release(&m->encoded);
    buf_release(&m->object);
    free(m);
}

/* --- running
 * -------------------------------------------------------------------------------------------------------------------
 */

/* The topics of the contracts are made when capture has not yet: the group is joined at once, and a table's first row
 * is merged as soon as it comes. */
static int ensure_topics(struct merger *m, struct err *err)
{
    struct admin_client *admin = NULL;
    int rc, partitions;

    if (m->options.n_topics)
        return 0;
    rc = admin_client_new(&admin, &m->options.kafka, err);
    for (size_t i = 0; i < m->n_topics && !rc; i++) {
        struct topic_spec spec = {.name = m->topic_names[i],
                                  .partitions = m->options.partitions,
                                  .replication = m->options.replication,
                                  .retention_ms = m->options.retention_ms};

        rc = admin_client_ensure_topic(admin, &spec, &partitions, err);
    }
    admin_client_free(admin);
    return rc;
}

/* Makes what is not there. The first time an error ends the run, for a wrong address or account is more likely than a
 * pause. */
static int ensure(struct merger *m, struct err *err)
{
    if (ensure_topics(m, err))
        return -1;
    if (m->objects && m->objects->ops->ping(m->objects, err))
        return -1;
    if (gate_driver_ensure(m->driver, err) || topic_epochs_ensure(m->epochs, err) ||
        m->documents->ops->ensure(m->documents, QUARANTINE_COLLECTION, NULL, 0, err))
        return -1;
    return m->options.bronze >= BRONZE_DOCUMENTS
               ? m->documents->ops->ensure(m->documents, BRONZE_COLLECTION, NULL, 0, err)
               : 0;
}

static int look(struct merger *m, void *arg, struct err *err)
{
    (void)arg;
    return merger_look_at_ends(m, err) || merger_order_reading(m, err) ? -1 : 0;
}

/* What is done between batches, each in its own time. */
static int housekeeping(struct merger *m, bool idle, struct err *err)
{
    if (!m->assigned)
        return 0;
    if (merger_flush(m, false, err) || merger_sweep_page(m, err))
        return -1;
    m->idle_polls = idle ? m->idle_polls + 1 : 0;
    if (clock_mono_us() < m->next_look_us)
        return 0;
    if (merger_patiently(m, "asking for the ends of the partitions", look, NULL, err))
        return -1;
    m->next_look_us = clock_mono_us() + LOOK_INTERVAL_US;
    return 0;
}

static int take_notice(struct merger *m, enum consumer_notice notice, struct record_batch *batch, struct err *err)
{
    int rc;

    switch (notice) {
    case CONSUMER_RECORDS:
        atomic_store(&m->caught_up, false);
        rc = merger_take_batch(m, batch, err);
        record_batch_free(batch);
        return rc;
    case CONSUMER_ASSIGNED:
        rc = merger_assign(m, err);
        atomic_store(&m->ready, rc == 0);
        return rc;
    case CONSUMER_REVOKED:
        atomic_store(&m->caught_up, false);
        if (merger_let_go(m, err))
            return -1;
        return consumer_assignment_done(m->consumer, NULL, 0, err);
    case CONSUMER_LOST: /* others have them already and do again what was not committed */
        log_warn("merge", "The group took this merger's partitions away; what was not committed is merged by others.");
        atomic_store(&m->caught_up, false);
        merger_drop_partitions(m);
        return consumer_assignment_done(m->consumer, NULL, 0, err);
    case CONSUMER_IDLE:
        return 0;
    }
    return 0;
}

struct poll {
    struct record_batch *batch;
    enum consumer_notice notice;
    bool failed;
};

static int poll_once(struct merger *m, void *arg, struct err *err)
{
    struct poll *p = arg;
    int wait = m->sweeping ? 0 : m->options.batch_wait_ms;

    p->batch = NULL;
    if (p->failed && merger_read_again(m, err))
        return -1;
    p->failed = true; /* a poll that fails may have taken records with it */
    if (consumer_poll_batch(m->consumer, &p->batch, m->options.batch_records, wait > 200 ? 200 : wait, &p->notice, err))
        return -1;
    p->failed = false;
    return 0;
}

int merger_run(struct merger *m, struct err *err)
{
    int rc = ensure(m, err);

    while (!rc && !stop_requested()) {
        struct poll p = {.notice = CONSUMER_IDLE};

        rc = merger_patiently(m, "polling Kafka", poll_once, &p, err);
        if (!rc)
            rc = take_notice(m, p.notice, p.batch, err);
        if (!rc)
            rc = housekeeping(m, p.notice == CONSUMER_IDLE, err);
    }
    if (!rc)
        rc = merger_let_go(m, err);
    if (rc && err->code == ERR_STOPPED) { /* nothing is lost: what was not committed is merged by the next */
        err_clear(err);
        rc = 0;
    }
    merger_drop_partitions(m);
    atomic_store(&m->ready, false);
    return rc;
}

bool merger_ready(const struct merger *m)
{
    return atomic_load(&m->ready);
}

int64_t merger_backlog(const struct merger *m)
{
    return atomic_load(&m->backlog);
}

bool merger_caught_up(const struct merger *m)
{
    return atomic_load(&m->caught_up);
}
