#include "merge/bronze_object.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "avro/object_file.h"
#include "avro/raw_record.h"
#include "base/mem.h"

enum { HEADERS_MAX = 256, BLOCK_RECORDS = 1000 };

char *bronze_object_name(const char *topic, uint32_t epoch, int32_t partition, int64_t first)
{
    return xasprintf("%s/epoch=%" PRIu32 "/partition=%" PRId32 "/%020" PRId64 ".avro", topic, epoch, partition, first);
}

int bronze_object_encode(const struct record *record, struct buf *out, struct err *err)
{
    struct kafka_header headers[HEADERS_MAX];
    struct raw_header raw[HEADERS_MAX];
    size_t n = record_headers(record, headers, HEADERS_MAX);
    struct raw_record r = {.topic = record->topic,
                           .topic_len = strlen(record->topic),
                           .partition = record->partition,
                           .offset = record->offset,
                           .timestamp_ms = record->timestamp_ms,
                           .key = record->key,
                           .key_len = record->key_len,
                           .value = record->value,
                           .value_len = record->value_len,
                           .headers = raw,
                           .n_headers = n};

    if (n > HEADERS_MAX)
        return err_set(err, ERR_LIMIT, "The record at %s/%" PRId32 " offset %" PRId64 " has more than %d headers.",
                       record->topic, record->partition, record->offset, HEADERS_MAX);
    for (size_t i = 0; i < n; i++)
        raw[i] = (struct raw_header){.name = headers[i].name,
                                     .name_len = strlen(headers[i].name),
                                     .value = headers[i].value,
                                     .len = headers[i].len};
    return raw_record_encode(&r, out, err);
}

static int write_blocks(struct object_file_writer *w, const struct bronze_object *o, struct err *err)
{
    const uint8_t *at = o->bytes;

    for (size_t i = 0; i < o->n_records;) {
        size_t n = 0, len = 0;

        while (i + n < o->n_records && n < BLOCK_RECORDS)
            len += o->sizes[i + n++];
        if (object_file_block(w, at, len, n, err))
            return -1;
        at += len;
        i += n;
    }
    return 0;
}

int bronze_object_write(struct buf *out, const char *name, const char *topic, uint32_t epoch, int32_t partition,
                        const struct bronze_object *o, struct err *err)
{
    char *texts[] = {xasprintf("%" PRIu32, epoch), xasprintf("%" PRId32, partition), xasprintf("%" PRId64, o->first),
                     xasprintf("%" PRId64, o->next)};
    struct object_meta meta[] = {{"pillion.topic", topic, strlen(topic)},
                                 {"pillion.epoch", texts[0], strlen(texts[0])},
                                 {"pillion.partition", texts[1], strlen(texts[1])},
                                 {"pillion.first", texts[2], strlen(texts[2])},
                                 {"pillion.next", texts[3], strlen(texts[3])}};
    struct object_file_writer w;
    int rc = object_file_begin(&w, out, raw_record_schema, OBJECT_DEFLATE, name, strlen(name), meta, 5, err);

    if (!rc) {
        rc = write_blocks(&w, o, err);
        object_file_release(&w);
    }
    for (size_t i = 0; i < 4; i++)
        free(texts[i]);
    return rc ? err_prefix(err, "bronze object %s", name) : 0;
}

static bool meta_number(const struct object_file_reader *r, const char *name, int64_t *out)
{
    char text[32], *end;
    size_t len;
    const void *value = object_file_meta(r, name, &len);

    if (!value || len == 0 || len >= sizeof text)
        return false;
    memcpy(text, value, len);
    text[len] = 0;
    *out = strtoll(text, &end, 10);
    return *end == 0;
}

int bronze_object_next(const struct buf *bytes, const char *name, const char *topic, int32_t partition, int64_t first,
                       int64_t *next, struct err *err)
{
    struct object_file_reader *r = object_file_open(bytes->data, bytes->len, err);
    int64_t its_first, its_partition;
    const void *its_topic;
    size_t len;
    int rc = 0;

    if (!r)
        return err_prefix(err, "bronze object %s is there already, but cannot be read; move it away", name);
    its_topic = object_file_meta(r, "pillion.topic", &len);
    if (!its_topic || len != strlen(topic) || memcmp(its_topic, topic, len) != 0 ||
        !meta_number(r, "pillion.partition", &its_partition) || its_partition != partition ||
        !meta_number(r, "pillion.first", &its_first) || its_first != first || !meta_number(r, "pillion.next", next))
        rc = err_set(err, ERR_STORE_DATA, "The object %s is there already and is not Pillion's; move it away.", name);
    object_file_close(r);
    return rc;
}
