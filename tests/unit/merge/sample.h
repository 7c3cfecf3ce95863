/* What the tests of merge/ share: contracts of users and rides, their schemas as Debezium would write them, and records
 * of them. */
#ifndef PILLION_TESTS_MERGE_SAMPLE_H
#define PILLION_TESTS_MERGE_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "avro/varint.h"
#include "base/buf.h"
#include "contract/contract.h"
#include "registry/registry.h"

enum { USERS = 0, RIDES = 1 };

static inline struct contract_set *sample_contracts(const char *settings)
{
    static const char head[] =
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - {name: users, physicalName: shop.users, properties: [{name: id, primaryKey: true}, {name: name}]}\n"
        "  - name: rides\n    physicalName: shop.rides\n    properties:\n"
        "      - {name: id, primaryKey: true}\n      - {name: fare}\n"
        "      - name: client_id\n        required: true\n        relationships:\n"
        "          - to: users.id\n            customProperties: [%s]\n"
        "      - name: driver_id\n        relationships: [{to: users.id}]\n";
    struct contract_set *s;
    struct err err = ERR_INIT;
    char text[4096];

    snprintf(text, sizeof text, head, settings);
    if (contract_set_load_bytes(&s, "sample.yaml", text, strlen(text), NULL, NULL, &err))
        fail_msg("%s", err.text);
    return s;
}

#define SAMPLE_ENVELOPE(fields)                                                                                        \
    "{\"type\":\"record\",\"name\":\"Envelope\",\"fields\":[{\"name\":\"before\",\"type\":[\"null\",{\"type\":"        \
    "\"record\","                                                                                                      \
    "\"name\":\"Value\",\"fields\":[" fields                                                                           \
    "]}],\"default\":null},{\"name\":\"after\",\"type\":[\"null\",\"Value\"],"                                         \
    "\"default\":null},{\"name\":\"source\",\"type\":{\"type\":\"record\",\"name\":\"Source\",\"fields\":["            \
    "{\"name\":\"db\",\"type\":\"string\"},{\"name\":\"table\",\"type\":\"string\"},"                                  \
    "{\"name\":\"gtid\",\"type\":[\"null\",\"string\"],\"default\":null},{\"name\":\"ts_ms\",\"type\":\"long\"}]}},"   \
    "{\"name\":\"op\",\"type\":\"string\"}]}"

static const char sample_users_schema[] = SAMPLE_ENVELOPE(
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"name\",\"type\":[\"null\",\"string\"],\"default\":null}");
static const char sample_rides_schema[] = SAMPLE_ENVELOPE(
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"fare\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\","
    "\"precision\":10,\"scale\":2}},{\"name\":\"client_id\",\"type\":[\"null\",\"int\"],\"default\":null},"
    "{\"name\":\"driver_id\",\"type\":[\"null\",\"long\"],\"default\":null}");
static const char sample_key_schema[] =
    "{\"type\":\"record\",\"name\":\"Key\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}]}";

struct sample_ids {
    uint32_t users, rides, key;
};

static inline struct sample_ids sample_register(struct registry *r)
{
    struct sample_ids ids;
    struct err err = ERR_INIT;

    if (registry_register(r, "users-value", sample_users_schema, &ids.users, &err) ||
        registry_register(r, "rides-value", sample_rides_schema, &ids.rides, &err) ||
        registry_register(r, "key", sample_key_schema, &ids.key, &err))
        fail_msg("%s", err.text);
    return ids;
}

static inline void sample_long(struct buf *b, int64_t v)
{
    uint8_t bytes[VARINT_ROOM];

    (void)buf_put(b, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static inline void sample_text(struct buf *b, const char *s)
{
    sample_long(b, (int64_t)strlen(s));
    (void)buf_put_str(b, s);
}

static inline void sample_wire(struct buf *b, uint32_t id)
{
    buf_clear(b);
    (void)buf_put_u8(b, 0);
    for (int shift = 24; shift >= 0; shift -= 8)
        (void)buf_put_u8(b, (uint8_t)(id >> shift));
}

static inline void sample_key(struct buf *b, const struct sample_ids *ids, int64_t id)
{
    sample_wire(b, ids->key);
    sample_long(b, id);
}

static inline void sample_tail(struct buf *b, const char *table, const char *op)
{
    sample_text(b, "shop");
    sample_text(b, table);
    sample_long(b, 1);
    sample_text(b, "0-1-5");
    sample_long(b, 1700000000123);
    sample_text(b, op);
}

/* op c, u or d. */
static inline void sample_user(struct buf *b, const struct sample_ids *ids, int64_t id, const char *name,
                               const char *op)
{
    sample_wire(b, ids->users);
    if (*op != 'd')
        sample_long(b, 0);
    sample_long(b, 1);
    sample_long(b, id);
    sample_long(b, 1);
    sample_text(b, name);
    if (*op == 'd')
        sample_long(b, 0);
    sample_tail(b, "users", op);
}

/* client or driver < 0: NULL. The fare is 12.50. */
static inline void sample_ride(struct buf *b, const struct sample_ids *ids, int64_t id, int64_t client, int64_t driver,
                               const char *op)
{
    const int64_t refs[] = {client, driver};

    sample_wire(b, ids->rides);
    if (*op != 'd')
        sample_long(b, 0);
    sample_long(b, 1);
    sample_long(b, id);
    sample_long(b, 2);
    (void)buf_put(b, "\x04\xe2", 2);
    for (int i = 0; i < 2; i++) {
        sample_long(b, refs[i] >= 0);
        if (refs[i] >= 0)
            sample_long(b, refs[i]);
    }
    if (*op == 'd')
        sample_long(b, 0);
    sample_tail(b, "rides", op);
}

/* TRUNCATE: no rows. */
static inline void sample_truncate(struct buf *b, uint32_t schema, const char *table)
{
    sample_wire(b, schema);
    sample_long(b, 0);
    sample_long(b, 0);
    sample_tail(b, table, "t");
}

/* A temporary folder, removed with its contents. */
static inline char *sample_folder(char path[64])
{
    snprintf(path, 64, "/tmp/pillion-merge-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void sample_remove(const char *path)
{
    char command[256];

    assert_true(!strncmp(path, "/tmp/pillion-merge-", 19));
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

#endif
