/* reader_cache: from a registry id to a compiled reader of values or keys, with the places of an entity's columns in
 * it.
 *
 * Ids never change their meaning, so an entry is made once. A schema that cannot be read or fetched is an error each
 * time it is met; only the registry's passing errors are worth another try. Limit: READERS_MAX entries. Thread: one
 * owner. Ownership: entries are the cache's until it is freed. Errors: those of registry/ and avro/; ERR_LIMIT. */
#ifndef PILLION_MERGE_READER_CACHE_H
#define PILLION_MERGE_READER_CACHE_H

#include <stdint.h>

#include "avro/envelope_reader.h"
#include "contract/contract.h"
#include "registry/registry.h"

enum { READERS_MAX = 65536, NO_COLUMN = -1 };

struct value_reader {
    uint32_t id;
    size_t entity;
    struct envelope_reader *envelope;
    struct field_value *fields; /* room for one row */
    bool *is_key;               /* by field: it is in _id already */
    int *key;                   /* field of each key column, or NO_COLUMN */
    int **refs;                 /* by relationship, then column */
};

struct record_key_reader {
    uint32_t id;
    size_t entity;
    struct key_reader *reader;
    struct field_value *fields;
    int *key; /* field of each key column of the contract; without a key there: 0, 1, 2 ... */
    size_t n_key;
    const char *foreign; /* a field that is no key column of the contract, or NULL */
};

struct reader_cache;

struct reader_cache *reader_cache_new(struct registry *registry, const struct contract_set *contracts);
void reader_cache_free(struct reader_cache *c);
int reader_cache_value(struct reader_cache *c, uint32_t id, size_t entity, struct value_reader **out, struct err *err);
int reader_cache_key(struct reader_cache *c, uint32_t id, size_t entity, struct record_key_reader **out,
                     struct err *err);

#endif
