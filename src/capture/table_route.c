#include "capture/table_route.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { OPS = 4 };

struct table_route {
    struct table_routes *routes;
    struct table_map *map;
    char *name;
    bool captured;
    struct producer_topic *topic;
    struct table_codec *codec;
    struct metric *events[OPS]; /* c, u, d, t */
    struct metric *filtered;
    struct table_route *next; /* in the bucket */
    uint64_t order;           /* rises with every new route */
};

enum { BUCKETS = 1024 };

struct table_routes {
    struct table_routes_options o;
    struct table_route *buckets[BUCKETS];
    size_t n;
    uint64_t order;
    struct table_route *newest; /* found last */
};

struct table_routes *table_routes_new(const struct table_routes_options *options)
{
    struct table_routes *r = xcalloc(1, sizeof(*r));

    r->o = *options;
    return r;
}

static void route_free(struct table_route *t)
{
    if (!t)
        return;
    table_codec_free(t->codec);
    table_map_free(t->map);
    free(t->name);
    free(t);
}

static void forget_all(struct table_routes *r)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct table_route *t = r->buckets[i], *next; t; t = next) {
            next = t->next;
            route_free(t);
        }
    memset(r->buckets, 0, sizeof(r->buckets));
    r->n = 0;
    r->newest = NULL;
}

void table_routes_free(struct table_routes *r)
{
    if (!r)
        return;
    forget_all(r);
    free(r);
}

static size_t bucket_of(const struct table_map *map)
{
    return ((uintptr_t)map >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 54;
}

static int choose_key(const struct capture_options *o, const char *name, struct table_schema *schema, struct err *err)
{
    for (size_t i = 0; i < o->n_keys; i++)
        if (!strcmp(o->keys[i].table, name) && table_schema_set_key(schema, o->keys[i].columns, o->keys[i].n_columns))
            return err_set(err, ERR_CONFIG,
                           "The key that is configured for table %s names a column that it does not have; correct the "
                           "rule.",
                           name);
    return 0;
}

/* One schema; a refusal names the subject, the registry's reason and the remedy. */
static int register_schema(struct table_routes *r, const char *topic, const char *what, const char *schema,
                           uint32_t *id, struct err *err)
{
    char *subject = xasprintf("%s-%s", topic, what);
    int rc = registry_register(r->o.registry, subject, schema, id, err);

    if (rc && err && err->code == ERR_REGISTRY_REJECTED && !strstr(err->text, subject))
        err_prefix(err, "subject %s", subject);
    if (!rc) {
        metric_add(metric_plain(M_CAPTURE_SCHEMAS), 1);
        log_debug("capture", "subject %s: schema id %u", subject, (unsigned)*id);
    }
    free(subject);
    return rc;
}

static int open_codec(struct table_route *t, enum gtid_flavor flavor, struct err *err)
{
    struct table_routes *r = t->routes;
    const struct capture_options *o = r->o.capture;
    const struct table_schema *schema = t->map->schema;
    struct table_codec_options options = {
        .profile = o->profile,
        .bigint_unsigned = o->bigint_unsigned,
        .zero_dates = o->zero_dates,
        .server_name = o->prefix,
        .connector = flavor == GTID_MARIADB ? "mariadb" : "mysql",
        .transaction_metadata = o->transaction_topic,
        .record_bytes_max = o->record_max,
    };
    uint32_t key_id = 0, value_id = 0;
    const char *topic;

    if (topic_book_table(r->o.topics, schema->database, schema->table, &t->topic, err))
        return -1;
    topic = producer_topic_name(t->topic);
    options.topic = topic;
    t->codec = table_codec_new(t->map, &options, err);
    if (!t->codec)
        return -1;
    if (table_codec_key_schema(t->codec) &&
        register_schema(r, topic, "key", table_codec_key_schema(t->codec), &key_id, err))
        return -1;
    if (register_schema(r, topic, "value", table_codec_value_schema(t->codec), &value_id, err))
        return -1;
    table_codec_set_ids(t->codec, key_id, value_id);
    return 0;
}

static int route_new(struct table_route **out, struct table_routes *r, const struct table_map *map,
                     enum gtid_flavor flavor, struct err *err)
{
    static const char *const ops[OPS] = {"c", "u", "d", "t"};
    struct table_route *t = xcalloc(1, sizeof(*t));

    *out = NULL;
    t->routes = r;
    t->map = table_map_keep(map);
    t->name = xasprintf("%s.%s", map->schema->database, map->schema->table);
    t->captured = table_filter_takes(r->o.filter, map->schema->database, map->schema->table);
    if (t->captured) {
        if (choose_key(r->o.capture, t->name, t->map->schema, err) || open_codec(t, flavor, err)) {
            err_prefix(err, "table %s", t->name);
            route_free(t);
            return -1;
        }
        for (int i = 0; i < OPS; i++)
            t->events[i] = metric_series(M_CAPTURE_EVENTS, (const char *const[]){t->name, ops[i]});
    } else {
        t->filtered = metric_series(M_CAPTURE_FILTERED, (const char *const[]){t->name});
    }
    *out = t;
    return 0;
}

int table_routes_find(struct table_routes *r, const struct table_map *map, enum gtid_flavor flavor,
                      struct table_route **out, struct err *err)
{
    size_t bucket;

    if (r->newest && r->newest->map == map) {
        *out = r->newest;
        return 0;
    }
    bucket = bucket_of(map);
    for (struct table_route *t = r->buckets[bucket]; t; t = t->next)
        if (t->map == map) {
            *out = r->newest = t;
            return 0;
        }
    if (r->n == TABLE_ROUTES_MAX)
        forget_all(r);
    if (route_new(out, r, map, flavor, err))
        return -1;
    (*out)->order = ++r->order;
    (*out)->next = r->buckets[bucket];
    r->buckets[bucket] = *out;
    r->n++;
    r->newest = *out;
    return 0;
}

struct table_route *table_routes_by_name(struct table_routes *r, const char *database, const char *table)
{
    struct table_route *best = NULL;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct table_route *t = r->buckets[i]; t; t = t->next)
            if (!strcmp(t->map->schema->table, table) && !strcmp(t->map->schema->database, database) &&
                (!best || t->order > best->order))
                best = t;
    return best;
}

bool table_route_captured(const struct table_route *t)
{
    return t->captured;
}

const char *table_route_name(const struct table_route *t)
{
    return t->name;
}

/* The headers of one record. */
struct headers {
    struct kafka_header list[2];
    size_t n;
    char identity[GTID_TEXT + 24];
};

static void put_identity(struct headers *h, const struct change_source *source, uint64_t index)
{
    int n = snprintf(h->identity, sizeof(h->identity), "%s#%" PRIu64, source->gtid_text, index);

    h->list[h->n++] = (struct kafka_header){"pillion.id", h->identity, (size_t)n};
}

/* One record of a row, and its tombstone. other: the row's other record when its key changed. ops: counts what left. */
static int send_record(struct table_route *t, const struct change_source *source, const struct table_record *record,
                       const struct table_record *other, uint64_t index, uint64_t ops[OPS], struct err *err)
{
    const struct capture_options *o = t->routes->o.capture;
    struct publisher *p = t->routes->o.publisher;
    struct publication out = {.topic = t->topic,
                              .key = record->key,
                              .key_len = record->key_len,
                              .value = record->value,
                              .value_len = record->value_len,
                              .place = table_record_place(index, record->op)};
    struct headers h;

    h.n = 0;
    if (o->profile == AVRO_PROFILE_DEBEZIUM) {
        put_identity(&h, source, index);
        if (other)
            h.list[h.n++] = (struct kafka_header){record->op == 'd' ? "__debezium.newkey" : "__debezium.oldkey",
                                                  other->key, other->key_len};
    }
    out.headers = h.list;
    out.n_headers = h.n;
    out.partition = record->key ? producer_partition(t->topic, record->key, record->key_len)
                                : publisher_keyless_partition(p, t->topic, index);
    if (publisher_send(p, &out, err))
        return -1;
    if (!p->left_out) {
        p->all_records++;
        ops[record->op == 'c' ? 0 : record->op == 'u' ? 1 : 2]++;
    }
    if (record->op != 'd' || !record->key || o->tombstones != TOMBSTONES_ON)
        return 0;
    h.n = 0;
    put_identity(&h, source, index);
    out.n_headers = h.n;
    out.value = NULL;
    out.value_len = 0;
    out.place = table_record_place(index, 0);
    return publisher_send(p, &out, err);
}

static void count(struct table_route *t, const uint64_t ops[OPS])
{
    for (int i = 0; i < OPS; i++)
        if (ops[i])
            metric_add(t->events[i], (int64_t)ops[i]);
}

/* The walk costs nothing extra: the decoder, which must count the rows for their identities, takes it over. */
static int pass_over(struct table_route *t, struct rows *rows, struct err *err)
{
    const uint8_t *images[2] = {rows->before_present, rows->after_present};
    struct row_image image;
    int64_t n = 0;

    for (; rows_left(rows); rows->row++, n++)
        for (int i = 0; i < 2; i++)
            if (images[i] &&
                (row_image_begin(&image, rows, images[i], err) || row_image_skip(&image, rows->table, err)))
                return err_prefix(err, "table %s", t->name);
    metric_add(t->filtered, n);
    return 0;
}

int table_route_rows(struct table_route *t, const struct change_source *source, struct rows *rows, uint64_t first_index,
                     uint64_t *n, struct err *err)
{
    uint64_t ops[OPS] = {0}, index = first_index;
    struct table_records out;
    int rc = -1;

    *n = 0;
    if (!t->captured)
        return pass_over(t, rows, err);
    if (table_codec_begin_event(t->codec, source, clock_wall_us(), err))
        goto out;
    for (; rows_left(rows); index++) {
        if (table_codec_encode_row(t->codec, rows, index, &out, err))
            goto out;
        for (size_t i = 0; i < out.n; i++) {
            const struct table_record *r = &out.records[i];

            if (send_record(t, source, r, out.key_changed ? &out.records[1 - i] : NULL, index, ops, err))
                goto out;
        }
    }
    rc = 0;
out:
    *n = index - first_index;
    count(t, ops);
    return rc ? err_prefix(err, "table %s", t->name) : 0;
}

int table_route_send_truncate(const struct capture_options *capture, struct publisher *publisher,
                              struct producer_topic *topic, struct table_codec *codec,
                              const struct change_source *source, uint64_t index, struct err *err)
{
    struct table_record record;
    struct publication out = {.topic = topic, .place = table_record_place(index, 't')};
    struct headers h;

    h.n = 0;
    if (table_codec_begin_event(codec, source, clock_wall_us(), err) ||
        table_codec_encode_truncate(codec, index, &record, err))
        return -1;
    if (capture->profile == AVRO_PROFILE_DEBEZIUM)
        put_identity(&h, source, index);
    out.value = record.value;
    out.value_len = record.value_len;
    out.headers = h.list;
    out.n_headers = h.n;
    for (out.partition = 0; out.partition < producer_topic_partitions(topic); out.partition++)
        if (publisher_send(publisher, &out, err))
            return -1;
    return 0;
}

int table_route_truncate(struct table_route *t, const struct change_source *source, uint64_t index, struct err *err)
{
    if (table_route_send_truncate(t->routes->o.capture, t->routes->o.publisher, t->topic, t->codec, source, index, err))
        return err_prefix(err, "table %s", t->name);
    metric_add(t->events[3], 1);
    return 0;
}
