/* merger_partition: what the merger keeps of each partition it owns: position, epoch, bronze, and the commit. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "merge/bronze_object.h"
#include "merge/merger_internal.h"

enum { MARK_INTERVAL_US = 1000000, TAIL_WAIT_MS = 5000, COMMIT_TRIES = 10, COMMIT_PAUSE_MS = 200 };

/* --- beginning --- */

static int entity_of(const struct merger *m, const char *topic)
{
    size_t prefix = strlen(m->options.prefix);
    const char *rest = topic, *dot;
    char *database;
    int entity;

    if (!strncmp(topic, m->options.prefix, prefix) && topic[prefix] == '.')
        rest = topic + prefix + 1;
    dot = strrchr(rest, '.');
    if (!dot)
        return contract_set_find(m->options.contracts, "", rest);
    for (const char *p = dot; p > rest; p--) /* names of other writers may have more parts before the database */
        if (p[-1] == '.') {
            rest = p;
            break;
        }
    database = xstrndup(rest, (size_t)(dot - rest));
    entity = contract_set_find(m->options.contracts, database, dot + 1);
    free(database);
    return entity;
}

/* The fingerprint of the record at `offset`, read outside of the group; *found false when there is none. */
static int read_mark(struct merger *m, const char *topic, int32_t partition, int64_t offset, uint64_t *mark,
                     bool *found, struct err *err)
{
    struct consumer_options options = {.kafka = m->options.kafka, .fetch_bytes = 1 << 20};
    struct topic_partition at = {.topic = topic, .partition = partition, .offset = offset};
    struct record_batch *batch = NULL;
    enum consumer_notice notice = CONSUMER_IDLE;
    struct consumer *c;
    int rc;

    *found = false;
    if (consumer_new(&c, &options, err))
        return -1;
    rc = consumer_assign(c, &at, 1, err);
    if (!rc)
        rc = consumer_poll_batch(c, &batch, 1, TAIL_WAIT_MS, &notice, err);
    if (!rc && notice == CONSUMER_RECORDS && record_batch_count(batch) && record_batch_at(batch, 0)->offset == offset) {
        *mark = topic_epochs_mark(record_batch_at(batch, 0));
        *found = true;
    }
    if (!rc && notice == CONSUMER_RECORDS)
        record_batch_free(batch);
    consumer_free(c);
    return rc;
}

/* Was the topic made anew since the offset was committed? */
static int is_new_life(struct merger *m, const struct partition_life *life, const struct partition *p, int64_t low,
                       bool *yes, struct err *err)
{
    uint64_t mark;
    bool found;

    *yes = false;
    if (life->behind || p->committed < 0)
        return 0;
    if (p->committed > p->high) {
        *yes = true;
        return 0;
    }
    if (!life->mark_known || life->next > p->high || life->next - 1 < low)
        return 0;
    if (read_mark(m, p->topic, p->partition, life->next - 1, &mark, &found, err))
        return -1;
    *yes = found && mark != life->mark;
    return 0;
}

/* A commit that the group refuses is no reason to stop: then the next start begins at the beginning again. */
static int begin_new(struct merger *m, struct partition *p, int64_t low, struct err *err)
{
    struct topic_partition at = {.topic = p->topic, .partition = p->partition, .offset = low};

    p->committed = low;
    if (!consumer_commit(m->consumer, &at, 1, err))
        return topic_epochs_keep(m->epochs, p->topic, p->partition, p->epoch, low, 0, err);
    if (err_class(err) != ERR_CLASS_RETRY)
        return -1;
    log_warn("merge", "The first offset of a topic could not be committed: %s", err->text);
    err_clear(err);
    return 0;
}

static int find_begin(struct merger *m, void *arg, struct err *err)
{
    struct partition *p = arg;
    struct topic_partition committed = {.topic = p->topic, .partition = p->partition, .offset = -1};
    struct partition_life life;
    int64_t low;
    bool again;

    if (consumer_watermarks(m->consumer, p->topic, p->partition, &low, &p->high, err) ||
        consumer_committed(m->consumer, &committed, 1, err) ||
        topic_epochs_read(m->epochs, p->topic, p->partition, &life, err))
        return -1;
    p->committed = committed.offset;
    p->epoch = life.epoch;
    if (is_new_life(m, &life, p, low, &again, err))
        return -1;
    if (again) {
        log_warn("merge", "Topic %s was made anew: its records begin a new epoch.", p->topic);
        if (topic_epochs_raise(m->epochs, p->topic, life.epoch, &p->epoch, err))
            return -1;
    }
    if ((again || life.behind || p->committed < 0) && begin_new(m, p, low, err))
        return -1;
    return 0;
}

static void begin_partition(struct merger *m, struct partition *p)
{
    struct bronze_limits limits = {m->options.object_bytes, m->options.object_records};
    char number[16];
    const char *labels[] = {p->topic, number};

    snprintf(number, sizeof number, "%" PRId32, p->partition);
    p->through = p->committed;
    if (m->objects)
        p->bronze = bronze_writer_new(&limits, p->committed);
    p->records = metric_series(M_MERGE_RECORDS, &p->topic);
    p->lag = metric_series(M_MERGE_LAG_RECORDS, labels);
}

int merger_assign(struct merger *m, struct err *err)
{
    const struct topic_partition *changed;
    size_t n = consumer_changed(m->consumer, &changed);
    struct topic_partition *starts = xcalloc(n + 1, sizeof *starts);
    int rc = 0;

    merger_drop_partitions(m);
    m->partitions = xcalloc(n + 1, sizeof *m->partitions);
    for (size_t i = 0; i < n && !rc; i++) {
        struct partition *p = &m->partitions[i];

        p->topic = consumer_topic(m->consumer, changed[i].topic);
        p->partition = changed[i].partition;
        p->entity = entity_of(m, p->topic);
        if (p->entity == NO_ENTITY && p->partition == 0)
            log_warn("merge", "Topic %s is in no contract: its records go to bronze alone.", p->topic);
        rc = merger_patiently(m, "finding where a partition begins", find_begin, p, err);
        if (rc)
            break;
        begin_partition(m, p);
        m->n_partitions = i + 1;
        starts[i] = (struct topic_partition){p->topic, p->partition, p->committed};
    }
    if (!rc)
        rc = consumer_assignment_done(m->consumer, starts, n, err);
    free(starts);
    if (rc)
        return -1;
    log_info("merge", "%zu partitions are merged here.", n);
    gate_forget_parked(gate_driver_gate(m->driver));
    m->assigned = true;
    m->idle_polls = 0;
    m->next_sweep_us = m->next_look_us = 0;
    m->sweeping = false;
    atomic_store(&m->caught_up, false);
    return 0;
}

void merger_drop_partitions(struct merger *m)
{
    for (size_t i = 0; i < m->n_partitions; i++) {
        metric_set(m->partitions[i].lag, 0);
        bronze_writer_free(m->partitions[i].bronze);
    }
    free(m->partitions);
    m->partitions = NULL;
    m->n_partitions = 0;
    m->assigned = false;
}

struct partition *merger_partition(struct merger *m, const struct record *r)
{
    for (size_t i = 0; i < m->n_partitions; i++)
        if (m->partitions[i].partition == r->partition && m->partitions[i].topic == r->topic)
            return &m->partitions[i];
    return NULL;
}

/* --- bronze objects, commits --- */

struct object_task {
    struct partition *partition;
    const struct bronze_object *object;
    bool created;
    int64_t next; /* when it was there before */
};

static int put_object(struct merger *m, void *arg, struct err *err)
{
    struct object_task *t = arg;
    struct partition *p = t->partition;
    char *name = bronze_object_name(p->topic, p->epoch, p->partition, t->object->first);
    bool found = true;
    int rc;

    buf_clear(&m->object);
    rc = bronze_object_write(&m->object, name, p->topic, p->epoch, p->partition, t->object, err);
    if (!rc)
        rc = m->objects->ops->put_if_absent(m->objects, name, m->object.data, m->object.len, &t->created, err);
    if (!rc && t->created) {
        metric_add(metric_plain(M_MERGE_BRONZE_OBJECTS), 1);
        metric_add(metric_plain(M_MERGE_BRONZE_BYTES), (int64_t)m->object.len);
    } else if (!rc) {
        rc = m->objects->ops->get(m->objects, name, &m->object, &found, err);
        if (!rc && !found)
            rc = err_set(err, ERR_STORE, "The object %s is said to be there, but cannot be read.", name);
        if (!rc)
            rc = bronze_object_next(&m->object, name, p->topic, p->partition, t->object->first, &t->next, err);
    }
    free(name);
    return rc;
}

static int write_objects(struct merger *m, struct partition *p, bool flush, struct err *err)
{
    struct bronze_object o;

    if (!p->bronze)
        return 0;
    if (p->object_us && clock_mono_us() - p->object_us >= (int64_t)m->options.object_interval_ms * 1000)
        flush = true;
    while (bronze_writer_due(p->bronze, flush, &o)) {
        struct object_task t = {.partition = p, .object = &o};

        if (merger_patiently(m, "writing a bronze object", put_object, &t, err))
            return -1;
        if (FAULT("merge.object.written"))
            return err_set(err, ERR_STORE, "A test made the merger fail after a bronze object.");
        if (t.created)
            bronze_writer_written(p->bronze);
        else if (bronze_writer_exists(p->bronze, t.next, err))
            return -1;
    }
    p->object_us = bronze_writer_held_bytes(p->bronze) ? (p->object_us && !flush ? p->object_us : clock_mono_us()) : 0;
    return 0;
}

/* What may be committed: a boundary of objects whose records are all through the gate. */
static int64_t committable(const struct partition *p)
{
    int64_t at = p->bronze ? bronze_writer_position(p->bronze) : p->through;

    return at <= p->through ? at : p->committed;
}

static int commit(struct merger *m, struct err *err)
{
    struct topic_partition *offsets = xcalloc(m->n_partitions + 1, sizeof *offsets);
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < m->n_partitions; i++) {
        const struct partition *p = &m->partitions[i];

        if (committable(p) > p->committed)
            offsets[n++] = (struct topic_partition){p->topic, p->partition, committable(p)};
    }
    if (n)
        rc = consumer_commit(m->consumer, offsets, n, err);
    free(offsets);
    if (rc)
        return -1;
    for (size_t i = 0; i < m->n_partitions; i++)
        if (committable(&m->partitions[i]) > m->partitions[i].committed)
            m->partitions[i].committed = committable(&m->partitions[i]);
    return 0;
}

/* The group may have given the partitions to others meanwhile, which only the next poll tells; so a refused commit must
 * not be waited for. What is not committed is merged again, by whoever comes next. */
static int try_commit(struct merger *m, int tries, struct err *err)
{
    while (commit(m, err)) {
        if (err_class(err) != ERR_CLASS_RETRY)
            return -1;
        if (--tries == 0) {
            log_warn("merge", "Offsets were not committed: %s", err->text);
            metric_add(metric_series(M_ERRORS, (const char *const[]){"merge", "retry"}), 1);
            err_clear(err);
            return 0;
        }
        err_clear(err);
        clock_sleep_ms(COMMIT_PAUSE_MS);
    }
    return 0;
}

/* The fingerprint by which a topic that was made anew is known; not with every commit, for an older one serves as well.
 */
static int keep_marks(struct merger *m, void *arg, struct err *err)
{
    const bool *all = arg;
    int64_t now = clock_mono_us();

    for (size_t i = 0; i < m->n_partitions; i++) {
        struct partition *p = &m->partitions[i];

        if (p->mark_next == 0 || p->committed < p->mark_next || (!*all && now - p->kept_us < MARK_INTERVAL_US))
            continue;
        if (topic_epochs_keep(m->epochs, p->topic, p->partition, p->epoch, p->mark_next, p->mark, err))
            return -1;
        p->mark_next = 0;
        p->kept_us = now;
    }
    return 0;
}

int merger_flush(struct merger *m, bool flush, struct err *err)
{
    for (size_t i = 0; i < m->n_partitions; i++)
        if (write_objects(m, &m->partitions[i], flush, err))
            return -1;
    if (FAULT("merge.commit.before"))
        return err_set(err, ERR_KAFKA, "A test made the merger fail before a commit.");
    if (try_commit(m, flush ? COMMIT_TRIES : 1, err))
        return -1;
    return merger_patiently(m, "keeping marks of the topics", keep_marks, &flush, err);
}

int merger_let_go(struct merger *m, struct err *err)
{
    int rc = m->n_partitions ? merger_flush(m, true, err) : 0;

    merger_drop_partitions(m);
    return rc;
}

int merger_look_at_ends(struct merger *m, struct err *err)
{
    int64_t backlog = 0;
    bool done = m->assigned;

    for (size_t i = 0; i < m->n_partitions; i++) {
        struct partition *p = &m->partitions[i];
        int64_t low, behind;

        if (consumer_watermarks(m->consumer, p->topic, p->partition, &low, &p->high, err))
            return -1;
        behind = p->high > p->through ? p->high - p->through : 0;
        metric_set(p->lag, (double)behind);
        backlog += behind;
        done = done && behind == 0 && p->committed >= p->through;
    }
    atomic_store(&m->backlog, backlog);
    atomic_store(&m->caught_up, done && !m->sweeping && m->next_sweep_us > 0);
    return 0;
}

/* --- reading order --- */

/* A parent has so many records waiting here that its children would mostly have to be parked. */
static bool parents_behind(const struct merger *m, const struct partition *p)
{
    const struct contract_set *s = m->options.contracts;
    const struct entity *child = &s->entities[p->entity];
    int64_t most = p->paused ? (int64_t)m->options.batch_records / 2 : (int64_t)m->options.batch_records * 2;

    for (size_t i = 0; i < child->n_relationships; i++)
        for (size_t k = 0; k < m->n_partitions; k++) {
            const struct partition *parent = &m->partitions[k];

            if (parent->entity == (int)child->relationships[i].parent &&
                s->entities[parent->entity].rank < child->rank && parent->high - parent->through > most)
                return true;
        }
    return false;
}

/* Parking a row costs three writes in place of one. So while a parent's partitions have a long way to go, the
 * partitions of its children wait; when all keep up nothing waits. Only speed depends on this, and only what is owned
 * here is looked at. */
int merger_order_reading(struct merger *m, struct err *err)
{
    struct topic_partition *pause = xcalloc(2 * m->n_partitions + 1, sizeof *pause), *go_on = pause + m->n_partitions;
    size_t n_pause = 0, n_go_on = 0;
    int rc;

    for (size_t i = 0; i < m->n_partitions; i++) {
        struct partition *p = &m->partitions[i];
        bool wait = p->entity != NO_ENTITY && parents_behind(m, p);
        struct topic_partition at = {p->topic, p->partition, p->through};

        if (wait && !p->paused)
            pause[n_pause++] = at;
        else if (!wait && p->paused)
            go_on[n_go_on++] = at;
    }
    rc = consumer_pause_some(m->consumer, pause, n_pause, true, err);
    if (!rc)
        rc = consumer_pause_some(m->consumer, go_on, n_go_on, false, err);
    for (size_t i = 0; i < m->n_partitions && !rc; i++) {
        for (size_t k = 0; k < n_pause; k++)
            m->partitions[i].paused |=
                pause[k].topic == m->partitions[i].topic && pause[k].partition == m->partitions[i].partition;
        for (size_t k = 0; k < n_go_on; k++)
            m->partitions[i].paused &=
                go_on[k].topic != m->partitions[i].topic || go_on[k].partition != m->partitions[i].partition;
    }
    free(pause);
    return rc;
}

int merger_read_again(struct merger *m, struct err *err)
{
    struct topic_partition *all = xcalloc(m->n_partitions + 1, sizeof *all);
    int rc;

    for (size_t i = 0; i < m->n_partitions; i++) {
        all[i] = (struct topic_partition){m->partitions[i].topic, m->partitions[i].partition, m->partitions[i].through};
        m->partitions[i].paused = false;
    }
    rc = consumer_pause_some(m->consumer, all, m->n_partitions, false, err);
    free(all);
    return rc;
}
