/* rig: capture over hand-made binlog files into the mock cluster and a folder registry, and the topics read back as a
 * consumer with the schemas sees them. */
#ifndef PILLION_TESTS_CAPTURE_RIG_H
#define PILLION_TESTS_CAPTURE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "avro/envelope_reader.h"
#include "base/fault.h"
#include "base/mem.h"
#include "capture/capture.h"
#include "capture/checkpoint_log.h"
#include "capture/topic_tail.h"
#include "unit/capture/small_log.h"

struct rig {
    char folder[64];
    char prefix[32];
    char *log, *registry_url;
    const char *files[1];
    struct capture_options options;
};

struct seen {
    char table[32];
    uint64_t transaction, place;
    int64_t key;
    int32_t partition;
    int64_t offset;
    uint32_t schema;
};

struct seen_list {
    struct rig *rig;
    struct registry *registry;
    const char *table;
    struct seen *list;
    size_t n, size;
    struct envelope_reader *reader;
    uint32_t reader_id;
};

static inline void rig_init(struct rig *r, const char *prefix)
{
    static const char *const include[] = {"shop\\..*"};

    memset(r, 0, sizeof(*r));
    snprintf(r->folder, sizeof(r->folder), "/tmp/pillion-capture-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->prefix, sizeof(r->prefix), "%s", prefix);
    r->log = xasprintf("%s/binlog.000001", r->folder);
    r->registry_url = xasprintf("file://%s/registry", r->folder);
    r->files[0] = r->log;
    r->options = (struct capture_options){.name = "test",
                                          .prefix = r->prefix,
                                          .source_files = r->files,
                                          .n_source_files = 1,
                                          .include = include,
                                          .n_include = 1,
                                          .producer = {.kafka = {.brokers = "mock://"}, .record_max = 1 << 20},
                                          .registry = {.url = r->registry_url},
                                          .tombstones = TOMBSTONES_ON,
                                          .partitions = 3,
                                          .replication = 1,
                                          .checkpoint_interval_ms = 5,
                                          .max_transactions = 50,
                                          .schema_change_topic = true};
}

static inline int rig_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void rig_release(struct rig *r)
{
    nftw(r->folder, rig_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(r->log);
    free(r->registry_url);
}

static inline int rig_run(struct rig *r, struct err *err)
{
    struct capture *c;
    int rc;

    err_clear(err);
    assert_int_equal(capture_new(&c, &r->options, err), 0);
    rc = capture_run(c, err);
    capture_free(c);
    return rc;
}

static inline void rig_run_ok(struct rig *r)
{
    struct err err = ERR_INIT;

    if (rig_run(r, &err))
        fail_msg("%s", err.text);
}

static inline int seen_take(void *arg, const struct record *record, struct err *err)
{
    struct seen_list *s = arg;
    struct seen *e;
    const void *id;
    size_t len;
    char text[GTID_TEXT + 32];
    uint64_t index = 0;
    char op = 0;

    if (s->n == s->size) {
        s->size = s->size ? 2 * s->size : 256;
        s->list = xreallocarray(s->list, s->size, sizeof(*s->list));
    }
    e = &s->list[s->n++];
    *e = (struct seen){.partition = record->partition, .offset = record->offset, .key = -1};
    snprintf(e->table, sizeof(e->table), "%s", s->table);
    if (record->key) {
        struct cursor key = cursor_of(record->key + 5, record->key_len - 5);
        uint64_t z = 0;

        for (unsigned shift = 0;; shift += 7) {
            uint8_t b = cursor_u8(&key);

            z |= (uint64_t)(b & 0x7f) << shift;
            if (!(b & 0x80))
                break;
        }
        e->key = (int64_t)(z >> 1);
    }
    if (record->value) {
        struct cursor value = cursor_of(record->value, record->value_len);
        struct envelope envelope;
        const char *schema;

        cursor_skip(&value, 1);
        e->schema = (uint32_t)cursor_be(&value, 4);
        if (!s->reader || s->reader_id != e->schema) {
            envelope_reader_free(s->reader);
            assert_int_equal(registry_schema(s->registry, e->schema, &schema, err), 0);
            s->reader = envelope_reader_new(schema, strlen(schema), err);
            assert_non_null(s->reader);
            s->reader_id = e->schema;
        }
        if (envelope_read(s->reader, value, &envelope, err))
            fail_msg("%s", err->text);
        op = envelope.op;
        index = envelope.source.index;
        snprintf(text, sizeof(text), "%.*s", (int)envelope.source.gtid_len, envelope.source.gtid);
    }
    if (record_header(record, "pillion.id", &id, &len)) {
        snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)id);
        assert_non_null(strchr(text, '#'));
        index = strtoull(strchr(text, '#') + 1, NULL, 10);
        *strchr(text, '#') = '\0';
    } else {
        assert_non_null(record->value);
    }
    e->place = table_record_place(index, op);
    e->transaction = strtoull(strrchr(text, ':') + 1, NULL, 10);
    return 0;
}

/* Reads all of a table's topic. */
static inline void rig_read(struct rig *r, struct seen_list *s, const char *table, int partitions)
{
    struct consumer_options o = {.kafka = r->options.producer.kafka};
    struct topic_tail_part parts[16];
    struct consumer *c;
    struct err err = ERR_INIT;
    char *topic = xasprintf("%s.shop.%s", r->prefix, table);

    s->rig = r;
    s->table = table;
    assert_int_equal(registry_open(&s->registry, &r->options.registry, &err), 0);
    assert_int_equal(consumer_new(&c, &o, &err), 0);
    for (int i = 0; i < partitions; i++)
        parts[i] = (struct topic_tail_part){.topic = topic, .partition = i};
    if (topic_tail_look(c, parts, (size_t)partitions, &err) ||
        topic_tail_read(c, parts, (size_t)partitions, seen_take, s, &err))
        fail_msg("%s", err.text);
    consumer_free(c);
    registry_close(s->registry);
    envelope_reader_free(s->reader);
    s->reader = NULL;
    free(topic);
}

/* Every expected record of the table once, nothing else, and in order within each partition. */
static inline void rig_check_table(struct rig *r, const struct small_log *l, const char *table, int partitions)
{
    struct seen_list s = {.n = 0};
    bool *found = xcalloc(l->n + 1, sizeof(*found));
    size_t want = 0;

    rig_read(r, &s, table, partitions);
    for (size_t i = 0; i < l->n; i++)
        want += !strcmp(l->list[i].table, table);
    for (size_t k = 0; k < s.n; k++) {
        size_t i = 0;

        while (i < l->n &&
               (found[i] || strcmp(l->list[i].table, table) != 0 || l->list[i].transaction != s.list[k].transaction ||
                l->list[i].place != s.list[k].place || (s.list[k].key >= 0 && l->list[i].key != s.list[k].key)))
            i++;
        if (i == l->n && getenv("TEST_DEBUG"))
            for (size_t j = 0; j < s.n; j++)
                if (s.list[j].transaction == s.list[k].transaction)
                    fprintf(stderr, "partition %d offset %lld place %llu key %lld\n", s.list[j].partition,
                            (long long)s.list[j].offset, (unsigned long long)s.list[j].place, (long long)s.list[j].key);
        if (i == l->n)
            fail_msg("%s: transaction %llu place %llu key %lld is there twice or should not be", table,
                     (unsigned long long)s.list[k].transaction, (unsigned long long)s.list[k].place,
                     (long long)s.list[k].key);
        found[i] = true;
        for (size_t j = 0; j < k; j++)
            if (s.list[j].partition == s.list[k].partition)
                assert_true(s.list[j].transaction < s.list[k].transaction ||
                            (s.list[j].transaction == s.list[k].transaction && s.list[j].place < s.list[k].place) ||
                            s.list[j].offset > s.list[k].offset);
    }
    assert_int_equal(s.n, want);
    free(found);
    free(s.list);
}

static inline void rig_checkpoint(struct rig *r, struct checkpoint *c)
{
    struct consumer_options o = {.kafka = r->options.producer.kafka};
    char *topic = checkpoint_log_topic(r->prefix);
    struct consumer *consumer;
    struct err err = ERR_INIT;
    bool found;

    checkpoint_init(c);
    assert_int_equal(consumer_new(&consumer, &o, &err), 0);
    assert_int_equal(checkpoint_log_read(consumer, topic, "test", c, &found, &err), 0);
    assert_true(found);
    consumer_free(consumer);
    free(topic);
}

#endif
