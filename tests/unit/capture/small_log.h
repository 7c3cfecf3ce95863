/* small_log: binlog files of a two-column table family (id BIGINT key, name VARCHAR), made by hand, together with what
 * capture must publish for them. Built on bench/encode_history.h, which writes events as MySQL 8 does. */
#ifndef PILLION_TESTS_CAPTURE_SMALL_LOG_H
#define PILLION_TESTS_CAPTURE_SMALL_LOG_H

#include "bench/encode_history.h"

/* One record that must be in a topic. */
struct expected {
    char table[32];
    uint64_t transaction;
    uint64_t place;
    int64_t key;
};

struct small_log {
    struct history h;
    uint64_t index; /* of the next row in its transaction */
    int columns;    /* 2, or 3 after an ALTER */
    struct expected *list;
    size_t n, size;
};

static inline void small_log_start(struct small_log *l)
{
    memset(l, 0, sizeof(*l));
    history_start(&l->h);
    l->columns = 2;
}

static inline void small_log_release(struct small_log *l)
{
    buf_release(&l->h.bytes);
    free(l->list);
}

static inline void small_log_expect(struct small_log *l, const char *table, uint64_t index, char op, int64_t key)
{
    struct expected *e;

    if (l->n == l->size) {
        l->size = l->size ? 2 * l->size : 256;
        l->list = xreallocarray(l->list, l->size, sizeof(*l->list));
    }
    e = &l->list[l->n++];
    *e = (struct expected){.transaction = l->h.transactions, .place = table_record_place(index, op), .key = key};
    snprintf(e->table, sizeof(e->table), "%s", table);
}

static inline void small_log_begin(struct small_log *l)
{
    history_begin(&l->h);
    l->index = 0;
}

static inline void small_log_commit(struct small_log *l)
{
    history_end(&l->h);
}

/* A statement that is a transaction of its own. */
static inline void small_log_statement(struct small_log *l, const char *sql)
{
    static const uint8_t uuid[16] = {0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1,
                                     0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62};
    size_t at = history_open(&l->h, EVENT_GTID);

    sample_le(&l->h.bytes, 1, 1);
    (void)buf_put(&l->h.bytes, uuid, sizeof(uuid));
    sample_le(&l->h.bytes, ++l->h.transactions, 8);
    sample_le(&l->h.bytes, 2, 1);
    sample_le(&l->h.bytes, 0, 8);
    sample_le(&l->h.bytes, l->h.transactions, 8);
    sample_le(&l->h.bytes, UINT64_C(1763686734000000) + l->h.transactions, 7);
    sample_le(&l->h.bytes, 0xfc, 1);
    sample_le(&l->h.bytes, 1000, 2);
    sample_le(&l->h.bytes, 80040, 4);
    history_close(&l->h, at);
    at = history_open(&l->h, EVENT_QUERY);
    sample_le(&l->h.bytes, 17, 4);
    sample_le(&l->h.bytes, 0, 4);
    sample_le(&l->h.bytes, 4, 1);
    sample_le(&l->h.bytes, 0, 2);
    sample_le(&l->h.bytes, 0, 2);
    (void)buf_put(&l->h.bytes, "shop", 5);
    (void)buf_put_str(&l->h.bytes, sql);
    history_close(&l->h, at);
}

static inline void small_log_map(struct small_log *l, unsigned table_id, const char *database, const char *table)
{
    struct buf *b = &l->h.bytes;
    size_t at = history_open(&l->h, EVENT_TABLE_MAP), tag;

    sample_le(b, table_id, 6);
    sample_le(b, 1, 2);
    history_text(&l->h, database);
    sample_le(b, 0, 1);
    history_text(&l->h, table);
    sample_le(b, 0, 1);
    sample_le(b, (uint64_t)l->columns, 1);
    (void)buf_put(b, "\x08\x0f\x03", (size_t)l->columns); /* LONGLONG, VARCHAR, LONG */
    (void)buf_put(b, "\2\x40\1", 3);                      /* VARCHAR(80) of 4 bytes each */
    sample_le(b, 6, 1);                                   /* all but the key may be NULL */
    (void)buf_put(b, "\1\1\0", 3);
    (void)buf_put(b, "\2\1\x2d", 3);
    sample_le(b, 4, 1);
    tag = b->len;
    sample_le(b, 0, 1);
    history_text(&l->h, "id");
    history_text(&l->h, "name");
    if (l->columns > 2)
        history_text(&l->h, "stars");
    b->data[tag] = (uint8_t)(b->len - tag - 1);
    if (strncmp(table, "keyless", 7) != 0)
        (void)buf_put(b, "\x8\1\0", 3);
    history_close(&l->h, at);
}

static inline void small_log_image(struct small_log *l, int64_t id, const char *name)
{
    sample_le(&l->h.bytes, 0, 1);
    sample_le(&l->h.bytes, (uint64_t)id, 8);
    sample_bytes(&l->h.bytes, 2, name, strlen(name));
    if (l->columns > 2)
        sample_le(&l->h.bytes, 5, 4);
}

/* n rows of one event. op: c, u, d, or k: an update that changes the key from id to id + 1000000. Tombstones are
 * expected. */
static inline void small_log_rows(struct small_log *l, unsigned table_id, const char *table, char op,
                                  const int64_t *ids, size_t n)
{
    struct buf *b = &l->h.bytes;
    bool keyed = table && strncmp(table, "keyless", 7) != 0;
    size_t at = history_open(&l->h, op == 'c' ? EVENT_WRITE_ROWS : op == 'd' ? EVENT_DELETE_ROWS : EVENT_UPDATE_ROWS);

    sample_le(b, table_id, 6);
    sample_le(b, 1, 2);
    sample_le(b, 2, 2);
    sample_le(b, (uint64_t)l->columns, 1);
    sample_le(b, 0xff >> (8 - l->columns), 1);
    if (op == 'u' || op == 'k')
        sample_le(b, 0xff >> (8 - l->columns), 1);
    for (size_t i = 0; i < n; i++, l->index++) {
        small_log_image(l, ids[i], "before");
        if (op == 'u' || op == 'k')
            small_log_image(l, op == 'k' ? ids[i] + 1000000 : ids[i], "after");
        if (!table)
            continue;
        if (op == 'd' || op == 'k') {
            small_log_expect(l, table, l->index, 'd', ids[i]);
            if (keyed)
                small_log_expect(l, table, l->index, 0, ids[i]);
        }
        if (op != 'd')
            small_log_expect(l, table, l->index, op == 'k' ? 'c' : op, op == 'k' ? ids[i] + 1000000 : ids[i]);
    }
    history_close(&l->h, at);
}

/* Random transactions on shop.users, shop.rides and other.noise (which the tests filter out). */
static inline void small_log_random(struct small_log *l, uint64_t seed, size_t transactions)
{
    static const char ops[] = "ccccuuudk";
    static const char *const tables[] = {"users", "rides", NULL};
    uint64_t random = seed;

    for (size_t t = 0; t < transactions; t++) {
        size_t events = 1 + sample_random(&random) % 4;

        small_log_begin(l);
        for (size_t e = 0; e < events; e++) {
            unsigned which = (unsigned)(sample_random(&random) % 3);
            size_t n = 1 + sample_random(&random) % 6;
            int64_t ids[6];

            for (size_t i = 0; i < n; i++)
                ids[i] = (int64_t)(sample_random(&random) % 40);
            small_log_map(l, 70 + which, which == 2 ? "other" : "shop", which == 2 ? "noise" : tables[which]);
            small_log_rows(l, 70 + which, tables[which], ops[sample_random(&random) % (sizeof(ops) - 1)], ids, n);
        }
        small_log_commit(l);
    }
}

static inline void small_log_save(const struct small_log *l, const char *path)
{
    FILE *f = fopen(path, "wb");

    if (!f ||
        fwrite("\xfe"
               "bin",
               1, 4, f) != 4 ||
        fwrite(l->h.bytes.data, 1, l->h.bytes.len, f) != l->h.bytes.len || fclose(f))
        abort();
}

#endif
