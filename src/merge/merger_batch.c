/* merger_batch: what the merger does with one batch: bronze, decoding, the gate, TRUNCATE, quarantine, counting. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "merge/bronze_object.h"
#include "merge/merger_internal.h"
#include "merge/truncate.h"

void merger_batch_clear(struct merger *m)
{
    for (size_t i = 0; i < m->n_changes; i++)
        row_free(m->rows[i]);
    for (size_t i = 0; i < m->n_poison; i++) {
        bson_destroy(&m->poison_ids[i]);
        bson_destroy(&m->poison_docs[i]);
    }
    for (size_t i = 0; i < m->n_raw; i++) {
        bson_destroy(&m->raw_ids[i]);
        bson_destroy(&m->raw_docs[i]);
    }
    m->n_changes = m->n_poison = m->n_raw = 0;
}

/* Room for a batch of n records; none of the arrays moves while it is filled. */
static void make_room(struct merger *m, size_t n)
{
    if (n > m->changes_size) {
        m->changes_size = n;
        m->rows = xreallocarray(m->rows, n, sizeof *m->rows);
        m->changes = xreallocarray(m->changes, n, sizeof *m->changes);
    }
    if (n > m->poison_size) {
        m->poison_size = n;
        m->poison = xreallocarray(m->poison, n, sizeof *m->poison);
        m->poison_ids = xreallocarray(m->poison_ids, n, sizeof *m->poison_ids);
        m->poison_docs = xreallocarray(m->poison_docs, n, sizeof *m->poison_docs);
    }
    if (n > m->raw_size && m->options.bronze >= BRONZE_DOCUMENTS) {
        m->raw_size = n;
        m->raw = xreallocarray(m->raw, n, sizeof *m->raw);
        m->raw_ids = xreallocarray(m->raw_ids, n, sizeof *m->raw_ids);
        m->raw_docs = xreallocarray(m->raw_docs, n, sizeof *m->raw_docs);
    }
}

/* --- bronze
 * -------------------------------------------------------------------------------------------------------------------
 */

static void put_bytes(bson_t *out, const char *name, const uint8_t *bytes, size_t len)
{
    if (bytes)
        bson_append_binary(out, name, -1, BSON_SUBTYPE_BINARY, bytes, (uint32_t)len);
    else
        bson_append_null(out, name, -1);
}

/* What the documents of bronze and of the quarantine have in common: the record as it came. */
static void put_record(bson_t *id, bson_t *out, const struct partition *p, const struct record *r)
{
    struct kafka_header headers[64];
    size_t n = record_headers(r, headers, sizeof headers / sizeof *headers);
    char *name = xasprintf("%s/%" PRIu32 "/%" PRId32 "/%020" PRId64, p->topic, p->epoch, p->partition, r->offset);
    bson_t list, one;

    bson_append_utf8(id, "_id", 3, name, -1);
    free(name);
    bson_append_utf8(out, "topic", 5, p->topic, -1);
    bson_append_int32(out, "partition", 9, p->partition);
    bson_append_int64(out, "offset", 6, r->offset);
    bson_append_date_time(out, "timestamp", 9, r->timestamp_ms);
    put_bytes(out, "key", r->key, r->key_len);
    put_bytes(out, "value", r->value, r->value_len);
    bson_append_array_begin(out, "headers", 7, &list);
    for (size_t i = 0; i < n && i < sizeof headers / sizeof *headers; i++) {
        char index[24];

        snprintf(index, sizeof index, "%zu", i);
        bson_append_document_begin(&list, index, -1, &one);
        bson_append_utf8(&one, "name", 4, headers[i].name, -1);
        put_bytes(&one, "value", headers[i].value, headers[i].len);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(out, &list);
}

static void put_version(bson_t *out, int64_t version)
{
    bson_t sub;

    bson_append_document_begin(out, "_pillion", 8, &sub);
    bson_append_int64(&sub, "v", 1, version);
    bson_append_document_end(out, &sub);
}

static int take_bronze(struct merger *m, struct partition *p, const struct record *r, struct err *err)
{
    int64_t version = document_version(p->epoch, r->offset);

    if (p->bronze) {
        struct bronze_record b = {.offset = r->offset, .timestamp_ms = r->timestamp_ms};

        buf_clear(&m->encoded);
        if (bronze_object_encode(r, &m->encoded, err))
            return -1;
        b.encoded = m->encoded.data;
        b.len = m->encoded.len;
        if (bronze_writer_add(p->bronze, &b, err))
            return -1;
        if (!p->object_us)
            p->object_us = clock_mono_us();
    }
    if (m->options.bronze >= BRONZE_DOCUMENTS) {
        bson_t *id = &m->raw_ids[m->n_raw], *document = &m->raw_docs[m->n_raw];

        bson_init(id);
        bson_init(document);
        put_record(id, document, p, r);
        put_version(document, version);
        m->raw[m->n_raw++] = (struct document_write){
            .kind = WRITE_UPSERT, .collection = BRONZE_COLLECTION, .id = id, .version = version, .document = document};
    }
    return 0;
}

/* --- decoding, quarantine --- */

static void quarantine(struct merger *m, const struct partition *p, const struct record *r, const struct err *why)
{
    bson_t *id = &m->poison_ids[m->n_poison], *document = &m->poison_docs[m->n_poison];
    int64_t version = document_version(p->epoch, r->offset);

    bson_init(id);
    bson_init(document);
    bson_append_utf8(document, "entity", 6, m->options.contracts->entities[p->entity].name, -1);
    bson_append_utf8(document, "reason", 6, why->text, -1);
    bson_append_utf8(document, "code", 4, err_code_name(why->code), -1);
    bson_append_date_time(document, "since", 5, clock_wall_us() / 1000);
    put_record(id, document, p, r);
    put_version(document, version);
    m->poison[m->n_poison++] = (struct document_write){
        .kind = WRITE_UPSERT, .collection = QUARANTINE_COLLECTION, .id = id, .version = version, .document = document};
    metric_add(m->metrics[p->entity].quarantined, 1);
}

struct decoding {
    struct partition *partition;
    const struct record *record;
    struct row *row;
};

static int decode(struct merger *m, void *arg, struct err *err)
{
    struct decoding *d = arg;

    return row_decode(m->decoder, (size_t)d->partition->entity, d->record, d->partition->epoch, &d->row, err);
}

/* --- the gate
 * ---------------------------------------------------------------------------------------------------------------------
 */

static int write_portions(struct merger *m, struct document_write *writes, size_t n, struct err *err)
{
    for (size_t at = 0; at < n; at += WRITES_MAX)
        if (m->documents->ops->write(m->documents, writes + at, n - at < WRITES_MAX ? n - at : WRITES_MAX, err))
            return -1;
    return 0;
}

static int write_records(struct merger *m, void *arg, struct err *err)
{
    (void)arg;
    return write_portions(m, m->poison, m->n_poison, err) || write_portions(m, m->raw, m->n_raw, err) ? -1 : 0;
}

static int run_gate(struct merger *m, void *arg, struct err *err)
{
    (void)arg;
    return gate_driver_run(m->driver, err);
}

static void count_outcomes(struct merger *m)
{
    struct gate *g = gate_driver_gate(m->driver);

    for (size_t i = 0; i < m->n_changes; i++) {
        struct entity_metrics *e = &m->metrics[m->changes[i].entity];

        switch (m->changes[i].outcome) {
        case GATE_APPLIED:
            metric_add(e->applied, 1);
            break;
        case GATE_SUPERSEDED:
            metric_add(e->superseded, 1);
            break;
        case GATE_PARKED:
            metric_add(e->parked, 1);
            break;
        case GATE_DUPLICATE:
        case GATE_PENDING:
            metric_add(e->duplicate, 1);
            break;
        }
    }
    for (size_t i = 0; i < m->options.contracts->n_entities; i++) {
        uint64_t released, stale;

        gate_entity_counts_take(g, i, &released, &stale);
        metric_add(m->metrics[i].released, (int64_t)released);
        metric_add(m->metrics[i].stale, (int64_t)stale);
    }
}

static int merge_changes(struct merger *m, struct err *err)
{
    if ((m->n_poison || m->n_raw) && merger_patiently(m, "writing records as documents", write_records, NULL, err))
        return -1;
    if (!m->n_changes)
        return 0;
    if (gate_driver_begin(m->driver, m->changes, m->n_changes, err))
        return -1;
    if (merger_patiently(m, "merging a batch", run_gate, NULL, err)) {
        gate_driver_abort(m->driver);
        return -1;
    }
    count_outcomes(m);
    return 0;
}

/* --- records in their order --- */

static int run_truncate(struct merger *m, void *arg, struct err *err)
{
    (void)m;
    return truncate_run(arg, err);
}

/* What came before it in the batch must be in silver or parked, where it is looked for. */
static int carry_out_truncate(struct merger *m, const struct row *event, struct err *err)
{
    struct truncate *t;
    int rc;

    if (merge_changes(m, err))
        return -1;
    merger_batch_clear(m);
    t = truncate_new(m->documents, m->driver, m->options.contracts, event);
    rc = merger_patiently(m, "truncating a table", run_truncate, t, err);
    truncate_free(t);
    if (rc)
        return -1;
    count_outcomes(m); /* what was released */
    metric_add(m->metrics[event->entity].applied, 1);
    return 0;
}

static int take_change(struct merger *m, struct partition *p, const struct record *r, struct err *err)
{
    struct decoding d = {.partition = p, .record = r};
    struct gate_change *c = &m->changes[m->n_changes];

    if (merger_patiently(m, "reading a schema", decode, &d, err)) {
        if (err_class(err) != ERR_CLASS_DATA)
            return -1;
        if (m->options.quarantine == QUARANTINE_STOP)
            return err_prefix(err, "topic %s, partition %" PRId32 ", offset %" PRId64, p->topic, p->partition,
                              r->offset);
        if (m->metrics[p->entity].quarantined && metric_value(m->metrics[p->entity].quarantined) < 10)
            log_warn("merge", "Topic %s, partition %" PRId32 ", offset %" PRId64 " goes to quarantine: %s", p->topic,
                     p->partition, r->offset, err->text);
        quarantine(m, p, r, err);
        err_clear(err);
        return 0;
    }
    if (d.row->truncate) {
        int rc = carry_out_truncate(m, d.row, err);

        row_free(d.row);
        return rc;
    }
    m->rows[m->n_changes] = d.row;
    *c = (struct gate_change){.entity = d.row->entity,
                              .key = d.row->key,
                              .version = d.row->version,
                              .deleted = d.row->deleted,
                              .fresh = d.row->fresh,
                              .refs = d.row->refs,
                              .n_refs = d.row->n_refs,
                              .document = d.row};
    m->n_changes++;
    return 0;
}

static void moved_on(struct merger *m, const struct record_batch *batch, size_t n)
{
    int64_t newest_ms = 0;

    for (size_t i = 0; i < n; i++) {
        const struct record *r = record_batch_at(batch, i);
        struct partition *p = merger_partition(m, r);

        if (!p || r->offset < p->through)
            continue;
        p->through = r->offset + 1;
        metric_add(p->records, 1);
        if (r->timestamp_ms > newest_ms)
            newest_ms = r->timestamp_ms;
    }
    for (size_t i = n; i-- > 0;) { /* a new mark once the one before is stored */
        const struct record *r = record_batch_at(batch, i);
        struct partition *p = merger_partition(m, r);

        if (p && !p->mark_next) {
            p->mark_next = r->offset + 1;
            p->mark = topic_epochs_mark(r);
        }
    }
    if (newest_ms)
        metric_set(metric_plain(M_MERGE_LAG_SECONDS), (double)(clock_wall_us() / 1000 - newest_ms) / 1000.0);
}

int merger_take_batch(struct merger *m, const struct record_batch *batch, struct err *err)
{
    size_t n = record_batch_count(batch);
    int64_t start = clock_mono_us();
    int rc = 0;

    make_room(m, n);
    for (size_t i = 0; i < n && !rc; i++) {
        const struct record *r = record_batch_at(batch, i);
        struct partition *p = merger_partition(m, r);

        if (!p)
            rc = err_set(err, ERR_BUG, "A record of topic %s, partition %" PRId32 " came, which is not merged here.",
                         r->topic, r->partition);
        else if (r->offset >= p->through)
            rc = take_bronze(m, p, r, err) || (p->entity != NO_ENTITY && take_change(m, p, r, err)) ? -1 : 0;
    }
    if (!rc)
        rc = merge_changes(m, err);
    if (!rc && FAULT("merge.batch.merged"))
        rc = err_set(err, ERR_STORE, "A test made the merger fail after a batch.");
    merger_batch_clear(m);
    if (rc)
        return -1;
    moved_on(m, batch, n);
    metric_observe(metric_plain(M_MERGE_BATCH), (double)(clock_mono_us() - start) / 1e6);
    return 0;
}

/* --- the sweep
 * --------------------------------------------------------------------------------------------------------------------
 */

/* The topic of an entity among those that are merged here or in the checkpoints: by its contract's name. */
static void entity_topic(const struct merger *m, const struct entity *e, char *out, size_t size)
{
    snprintf(out, size, "%s.%s.%s", m->options.prefix, e->database, e->table);
}

static bool all_orphan(const struct merger *m, const struct row *row, const bson_t *document)
{
    const struct contract_set *s = m->options.contracts;
    char child[600], parent[600];
    uint32_t epoch;
    int32_t partition;
    int64_t offset;
    bson_iter_t it, waiting;
    bool any = false;

    if (!parked_place(document, &epoch, &partition, &offset) || !bson_iter_init_find(&it, document, "waiting") ||
        !bson_iter_recurse(&it, &waiting))
        return false;
    entity_topic(m, &s->entities[row->entity], child, sizeof child);
    while (bson_iter_next(&waiting)) {
        const char *text = BSON_ITER_HOLDS_UTF8(&waiting) ? bson_iter_utf8(&waiting, NULL) : "",
                   *bar = strchr(text, '|');

        for (size_t i = 0; bar && i < s->n_entities; i++)
            if (strlen(s->entities[i].name) == (size_t)(bar - text) &&
                !memcmp(s->entities[i].name, text, (size_t)(bar - text))) {
                entity_topic(m, &s->entities[i], parent, sizeof parent);
                any = any || frontier_proves_orphan(m->frontier, child, partition, offset, parent);
            }
    }
    return any;
}

static int count_parked(void *arg, const bson_t *document, struct err *err)
{
    struct merger *m = arg;
    struct row *row;

    if (parked_read(m->options.contracts, document, &row, err))
        return -1;
    if (all_orphan(m, row, document))
        m->metrics[row->entity].orphan_now++;
    else
        m->metrics[row->entity].late_now++;
    row_free(row);
    return 0;
}

static int refresh_frontier(struct merger *m, void *arg, struct err *err)
{
    (void)arg;
    return frontier_refresh(m->frontier, err);
}

struct sweep_page {
    bool begun, end;
};

static int sweep(struct merger *m, void *arg, struct err *err)
{
    struct sweep_page *page = arg;

    if (!page->begun) {
        bson_t before;
        int rc;

        bson_copy_to(&m->sweep_after, &before);
        rc = gate_driver_begin_sweep(m->driver, &m->sweep_after, &page->end, count_parked, m, err);
        if (rc) {
            bson_destroy(&m->sweep_after);
            bson_copy_to(&before, &m->sweep_after);
            gate_driver_abort(m->driver);
        }
        bson_destroy(&before);
        if (rc)
            return -1;
        page->begun = true;
    }
    return gate_driver_run(m->driver, err);
}

static void sweep_over(struct merger *m)
{
    int64_t pause;

    gate_sweep_complete(gate_driver_gate(m->driver));
    for (size_t i = 0; i < m->options.contracts->n_entities; i++) {
        metric_set(m->metrics[i].late, (double)m->metrics[i].late_now);
        metric_set(m->metrics[i].orphan, (double)m->metrics[i].orphan_now);
    }
    m->sweeping = false;
    m->next_sweep_us = clock_mono_us();
    /* Many parked rows make long sweeps, which must not take more than a tenth of the time. */
    pause = (m->next_sweep_us - m->sweep_began_us) * 9;
    if (pause < (int64_t)m->options.sweep_interval_ms * 1000)
        pause = (int64_t)m->options.sweep_interval_ms * 1000;
    m->next_sweep_us += pause;
}

int merger_sweep_page(struct merger *m, struct err *err)
{
    struct sweep_page page = {0};

    if (!m->sweeping) {
        if (clock_mono_us() < m->next_sweep_us)
            return 0;
        if (merger_patiently(m, "reading checkpoints", refresh_frontier, NULL, err))
            return -1;
        m->sweeping = true;
        m->sweep_began_us = clock_mono_us();
        bson_reinit(&m->sweep_after);
        for (size_t i = 0; i < m->options.contracts->n_entities; i++)
            m->metrics[i].late_now = m->metrics[i].orphan_now = 0;
    }
    if (merger_patiently(m, "sweeping parked rows", sweep, &page, err)) {
        gate_driver_abort(m->driver);
        return -1;
    }
    count_outcomes(m); /* what was released */
    if (page.end)
        sweep_over(m);
    return 0;
}
