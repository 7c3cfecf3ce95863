#include "capture/blind_truncate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "capture/table_route.h"
#include "capture/topic_tail.h"

/* Records looked at from a partition's end: tombstones may stand last. */
enum { LOOK_BACK = 64, WIRE_HEAD = 5 };

struct newest_id {
    uint32_t id;
    int64_t timestamp_ms;
    bool found;
};

static int take(void *arg, const struct record *record, struct err *err)
{
    struct newest_id *n = arg;

    (void)err;
    if (!record->value || record->value_len < WIRE_HEAD || record->value[0])
        return 0;
    if (n->found && record->timestamp_ms < n->timestamp_ms)
        return 0;
    n->found = true;
    n->timestamp_ms = record->timestamp_ms;
    n->id = (uint32_t)record->value[1] << 24 | (uint32_t)record->value[2] << 16 | (uint32_t)record->value[3] << 8 |
            record->value[4];
    return 0;
}

static int find_id(struct recovery *r, const struct producer_topic *topic, struct newest_id *out, struct err *err)
{
    size_t n = (size_t)producer_topic_partitions(topic);
    struct topic_tail_part *parts = xcalloc(n, sizeof(*parts));
    int rc = -1;

    for (size_t i = 0; i < n; i++)
        parts[i] = (struct topic_tail_part){.topic = producer_topic_name(topic), .partition = (int32_t)i};
    if (topic_tail_look(recovery_consumer(r), parts, n, err))
        goto out;
    for (size_t i = 0; i < n; i++)
        if (parts[i].from < parts[i].high - LOOK_BACK)
            parts[i].from = parts[i].high - LOOK_BACK;
    rc = topic_tail_read(recovery_consumer(r), parts, n, take, out, err);
out:
    free(parts);
    return rc;
}

int blind_truncate(const struct blind_truncate_options *o, const struct change_source *source, const char *database,
                   const char *table, uint64_t index, bool *sent, struct err *err)
{
    struct table_codec_options options = {
        .profile = o->capture->profile,
        .server_name = o->capture->prefix,
        .connector = source->gtid.flavor == GTID_MARIADB ? "mariadb" : "mysql",
        .transaction_metadata = o->capture->transaction_topic,
    };
    struct table_map map = {.references = 1};
    struct column key = {.name = "id", .kind = COLUMN_INT, .width = 8, .visible = true, .key_part = -1};
    struct wire_column wire = {.type = WIRE_LONGLONG, .length_bytes = 8};
    struct newest_id newest = {.found = false};
    struct table_codec *codec = NULL;
    struct producer_topic *topic;
    bool exists;
    int rc = -1;

    *sent = false;
    if (topic_book_has_table(o->topics, database, table, &exists, err))
        return -1;
    if (!exists)
        return 0;
    map.schema = table_schema_new();
    map.schema->database = database;
    map.schema->table = table;
    map.schema->columns = &key;
    map.schema->n_columns = map.n_columns = 1;
    map.columns = &wire;
    if (topic_book_table(o->topics, database, table, &topic, err) || find_id(o->recovery, topic, &newest, err))
        goto out;
    if (newest.found) {
        options.topic = producer_topic_name(topic);
        codec = table_codec_new(&map, &options, err);
        if (!codec)
            goto out;
        table_codec_set_ids(codec, 0, newest.id);
        if (transaction_feed_open(o->feed, source, err) ||
            table_route_send_truncate(o->capture, o->publisher, topic, codec, source, index, err))
            goto out;
        *sent = true;
    }
    rc = 0;
out:
    table_codec_free(codec);
    table_schema_free(map.schema);
    return rc ? err_prefix(err, "truncate of table %s.%s", database, table) : 0;
}
