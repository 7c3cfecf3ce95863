#include "model/table_schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SCHEMA_BYTES_MAX = 64 << 20 };

struct table_schema *table_schema_new(void)
{
    struct table_schema *t = xcalloc(1, sizeof *t);

    arena_init(&t->arena, SCHEMA_BYTES_MAX);
    t->database = "";
    t->table = "";
    return t;
}

void table_schema_free(struct table_schema *t)
{
    if (!t)
        return;
    arena_release(&t->arena);
    free(t);
}

int table_schema_find(const struct table_schema *t, const char *column)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (!strcmp(t->columns[i].name, column))
            return (int)i;
    return -1;
}

int table_schema_set_key(struct table_schema *t, const char *const names[], size_t n)
{
    size_t *key = arena_alloc(&t->arena, n * sizeof *key + 1);

    if (!key)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int at = table_schema_find(t, names[i]);

        if (at < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (key[j] == (size_t)at)
                return -1;
        key[i] = (size_t)at;
    }
    for (size_t i = 0; i < t->n_columns; i++)
        t->columns[i].key_part = -1;
    for (size_t i = 0; i < n; i++)
        t->columns[key[i]].key_part = (int)i;
    t->key = key;
    t->n_key = n;
    table_schema_seal(t);
    return 0;
}

/* FNV-1a with the final mix of MurmurHash3, so that shapes that differ in one bit differ everywhere. Every field goes
 * in with a fixed width and every text with its length: no two shapes can run into the same bytes. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static uint64_t hash_u64(uint64_t h, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        h = (h ^ (v >> (8 * i) & 0xff)) * 0x100000001b3u;
    return h;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
    size_t len = strlen(s);

    return hash_bytes(hash_u64(h, len), s, len);
}

void table_schema_seal(struct table_schema *t)
{
    uint64_t h = 0xcbf29ce484222325u;

    h = hash_text(h, t->database);
    h = hash_text(h, t->table);
    h = hash_u64(h, t->n_columns);
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];

        h = hash_text(h, c->name);
        h = hash_u64(h, (uint64_t)c->kind | (uint64_t)c->nullable << 8 | (uint64_t)c->is_unsigned << 9 |
                            (uint64_t)c->is_fixed << 10 | (uint64_t)c->visible << 11 | (uint64_t)c->width << 16 |
                            (uint64_t)c->fsp << 24 | (uint64_t)c->precision << 32 | (uint64_t)c->scale << 48);
        h = hash_u64(h, (uint64_t)c->collation | (uint64_t)c->length << 16);
        h = hash_u64(h, c->n_members);
        for (size_t j = 0; j < c->n_members; j++)
            h = hash_text(h, c->members[j]);
    }
    h = hash_u64(h, t->n_key);
    for (size_t i = 0; i < t->n_key; i++)
        h = hash_u64(h, t->key[i]);
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    h ^= h >> 33;
    t->shape = h;
}

const char *column_kind_name(enum column_kind kind)
{
    static const char *const names[] = {
        [COLUMN_INT] = "int",
        [COLUMN_DECIMAL] = "decimal",
        [COLUMN_FLOAT] = "float",
        [COLUMN_DOUBLE] = "double",
        [COLUMN_BIT] = "bit",
        [COLUMN_STRING] = "string",
        [COLUMN_BYTES] = "bytes",
        [COLUMN_DATE] = "date",
        [COLUMN_TIME] = "time",
        [COLUMN_DATETIME] = "datetime",
        [COLUMN_TIMESTAMP] = "timestamp",
        [COLUMN_YEAR] = "year",
        [COLUMN_ENUM] = "enum",
        [COLUMN_SET] = "set",
        [COLUMN_JSON] = "json",
        [COLUMN_GEOMETRY] = "geometry",
        [COLUMN_VECTOR] = "vector",
    };

    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}
