#include "capture/transaction_feed.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/varint.h"
#include "base/clock.h"
#include "base/mem.h"

static const char key_schema[] = "{\"type\":\"record\",\"name\":\"TransactionMetadataKey\",\"namespace\":\"io.debezium."
                                 "connector.common\",\"fields\":["
                                 "{\"name\":\"id\",\"type\":\"string\"}],\"connect.version\":1,"
                                 "\"connect.name\":\"io.debezium.connector.common.TransactionMetadataKey\"}";
static const char value_schema[] =
    "{\"type\":\"record\",\"name\":\"TransactionMetadataValue\",\"namespace\":\"io.debezium.connector.common\","
    "\"fields\":["
    "{\"name\":\"status\",\"type\":\"string\"},{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"event_count\",\"type\":[\"null\",\"long\"],\"default\":null},"
    "{\"name\":\"data_collections\",\"type\":[\"null\",{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":"
    "\"collection\","
    "\"namespace\":\"event\",\"fields\":[{\"name\":\"data_collection\",\"type\":\"string\"},"
    "{\"name\":\"event_count\",\"type\":\"long\"}],\"connect.version\":1,\"connect.name\":\"event.collection\"}}],"
    "\"default\":null},{\"name\":\"ts_ms\",\"type\":\"long\"}],\"connect.version\":1,"
    "\"connect.name\":\"io.debezium.connector.common.TransactionMetadataValue\"}";

enum { WIRE_HEAD = 5, VALUE_MAX = 4 << 20 };

struct table_count {
    char *name;
    uint64_t rows;
};

struct transaction_feed {
    struct transaction_feed_options o;
    struct producer_topic *transactions, *changes;
    uint32_t key_id, value_id;
    struct buf key, value;
    bool open;
    uint64_t rows, statements;
    struct table_count *tables;
    size_t n_tables, tables_size, hint;
};

struct transaction_feed *transaction_feed_new(const struct transaction_feed_options *options)
{
    struct transaction_feed *f = xcalloc(1, sizeof(*f));

    f->o = *options;
    buf_init(&f->key, 1024);
    buf_init(&f->value, VALUE_MAX);
    return f;
}

void transaction_feed_free(struct transaction_feed *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->tables_size; i++)
        free(f->tables[i].name);
    free(f->tables);
    buf_release(&f->key);
    buf_release(&f->value);
    free(f);
}

void transaction_feed_begin(struct transaction_feed *f)
{
    f->open = false;
    f->rows = f->statements = 0;
    f->n_tables = f->hint = 0;
}

/* ---- the transaction topic ---- */

static int open_transactions(struct transaction_feed *f, struct err *err)
{
    char *subject;
    int rc;

    if (f->transactions)
        return 0;
    if (topic_book_feed(f->o.topics, "transaction", &f->transactions, err))
        return -1;
    subject = xasprintf("%s-key", producer_topic_name(f->transactions));
    rc = registry_register(f->o.registry, subject, key_schema, &f->key_id, err);
    free(subject);
    if (!rc) {
        subject = xasprintf("%s-value", producer_topic_name(f->transactions));
        rc = registry_register(f->o.registry, subject, value_schema, &f->value_id, err);
        free(subject);
    }
    if (rc)
        f->transactions = NULL; /* the next try registers again */
    return rc;
}

static int put_long(struct buf *b, int64_t v)
{
    uint8_t *p = buf_room(b, VARINT_ROOM);

    if (!p)
        return -1;
    buf_advance(b, (size_t)(varint_put(p, v) - p));
    return 0;
}

static int put_text(struct buf *b, const char *s)
{
    return put_long(b, (int64_t)strlen(s)) || buf_put_str(b, s) ? -1 : 0;
}

static int put_head(struct buf *b, uint32_t id)
{
    uint8_t head[WIRE_HEAD] = {0, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

    buf_clear(b);
    return buf_put(b, head, sizeof(head));
}

static int put_counts(struct transaction_feed *f)
{
    struct buf *b = &f->value;

    if (put_long(b, 1) || put_long(b, (int64_t)f->rows) || put_long(b, 1) ||
        (f->n_tables && put_long(b, (int64_t)f->n_tables)))
        return -1;
    for (size_t i = 0; i < f->n_tables; i++)
        if (put_text(b, f->tables[i].name) || put_long(b, (int64_t)f->tables[i].rows))
            return -1;
    return put_long(b, 0);
}

static int send_feed(struct transaction_feed *f, struct producer_topic *topic, const char *gtid, uint64_t place,
                     const char *kind, struct err *err)
{
    char identity[GTID_TEXT + 24];
    int n = snprintf(identity, sizeof(identity), "%s#%" PRIu64, gtid, place);
    struct kafka_header headers[] = {{"pillion.id", identity, (size_t)n}, {"pillion.kind", kind, strlen(kind)}};
    struct publication out = {.topic = topic,
                              .partition = 0,
                              .key = f->key.data,
                              .key_len = f->key.len,
                              .value = f->value.data,
                              .value_len = f->value.len,
                              .headers = headers,
                              .n_headers = 2,
                              .place = place};

    return publisher_send(f->o.publisher, &out, err);
}

static int send_boundary(struct transaction_feed *f, const struct change_source *source, bool end, struct err *err)
{
    const char *status = end ? "END" : "BEGIN";

    if (put_head(&f->key, f->key_id) || put_text(&f->key, source->gtid_text) || put_head(&f->value, f->value_id) ||
        put_text(&f->value, status) || put_text(&f->value, source->gtid_text) ||
        (end ? put_counts(f) : put_long(&f->value, 0) || put_long(&f->value, 0)) ||
        put_long(&f->value, source->commit_us / 1000))
        return err_set(err, ERR_LIMIT,
                       "The record about transaction %s is longer than %d bytes; turn the transaction topic off.",
                       source->gtid_text, VALUE_MAX);
    return send_feed(f, f->transactions, source->gtid_text, end ? UINT64_MAX : 0, status, err);
}

int transaction_feed_open(struct transaction_feed *f, const struct change_source *source, struct err *err)
{
    if (f->open || !f->o.transactions)
        return 0;
    if (open_transactions(f, err) || send_boundary(f, source, false, err))
        return err_prefix(err, "transaction topic");
    f->open = true;
    return 0;
}

static struct table_count *need_table(struct transaction_feed *f, const char *name)
{
    if (f->hint < f->n_tables && !strcmp(f->tables[f->hint].name, name))
        return &f->tables[f->hint];
    for (f->hint = 0; f->hint < f->n_tables; f->hint++)
        if (!strcmp(f->tables[f->hint].name, name))
            return &f->tables[f->hint];
    if (f->n_tables == TRANSACTION_TABLES_MAX)
        return need_table(f, "other");
    if (f->n_tables + 1 == TRANSACTION_TABLES_MAX)
        name = "other";
    if (f->n_tables == f->tables_size) {
        f->tables = xreallocarray(f->tables, f->tables_size + 1, sizeof(*f->tables));
        f->tables[f->tables_size++] = (struct table_count){NULL, 0};
    }
    f->tables[f->n_tables].rows = 0;
    if (!f->tables[f->n_tables].name ||
        strcmp(f->tables[f->n_tables].name, name) != 0) { /* most transactions are alike */
        free(f->tables[f->n_tables].name);
        f->tables[f->n_tables].name = xstrdup(name);
    }
    return &f->tables[f->n_tables++];
}

void transaction_feed_count(struct transaction_feed *f, const char *table, uint64_t rows)
{
    if (!f->o.transactions)
        return;
    f->rows += rows;
    need_table(f, table)->rows += rows;
}

int transaction_feed_commit(struct transaction_feed *f, const struct change_source *source, struct err *err)
{
    if (!f->open)
        return 0;
    f->open = false;
    if (send_boundary(f, source, true, err))
        return err_prefix(err, "transaction topic");
    return 0;
}

/* ---- the schema-change topic ---- */

static const char *kind_name(enum statement_kind kind)
{
    switch (kind) {
    case STATEMENT_CREATE_TABLE:
        return "CREATE_TABLE";
    case STATEMENT_ALTER_TABLE:
        return "ALTER_TABLE";
    case STATEMENT_DROP_TABLE:
        return "DROP_TABLE";
    case STATEMENT_RENAME_TABLE:
        return "RENAME_TABLE";
    case STATEMENT_TRUNCATE_TABLE:
        return "TRUNCATE_TABLE";
    case STATEMENT_DATABASE:
        return "DATABASE";
    case STATEMENT_OTHER_DDL:
    case STATEMENT_ADMIN:
    case STATEMENT_DML:
        break;
    }
    return "OTHER";
}

static int write_buf(const char *bytes, size_t n, void *arg)
{
    return buf_put(arg, bytes, n);
}

static int put_change(struct transaction_feed *f, const struct change_source *source, const struct statement *s,
                      const char *database, struct err *err)
{
    json_t *root = json_pack("{s:{s:s, s:I, s:s, s:s, s:I, s:I, s:I}, s:s, s:s, s:s, s:s%, s:I}", "source", "name",
                             source->server_name ? source->server_name : "", "server_id", (json_int_t)source->server_id,
                             "gtid", source->gtid_text, "file", source->file, "pos", (json_int_t)source->offset,
                             "thread", (json_int_t)source->thread_id, "ts_us", (json_int_t)source->commit_us,
                             "database", database, "table", s->table ? s->table : "", "kind", kind_name(s->kind), "ddl",
                             s->sql, s->sql_len, "ts_ms", (json_int_t)(clock_wall_us() / 1000));
    int rc = 0;

    buf_clear(&f->value);
    if (!root)
        return err_set(err, ERR_VALUE,
                       "The DDL statement at %s:%" PRIu64 " is not UTF-8; turn the schema-change topic off.",
                       source->file, source->offset);
    if (json_dump_callback(root, write_buf, &f->value, JSON_COMPACT | JSON_PRESERVE_ORDER))
        rc = err_set(err, ERR_LIMIT,
                     "The DDL statement at %s:%" PRIu64 " is longer than %d bytes; turn the schema-change topic off.",
                     source->file, source->offset, VALUE_MAX);
    json_decref(root);
    return rc;
}

int transaction_feed_statement(struct transaction_feed *f, const struct change_source *source,
                               const struct statement *s, struct err *err)
{
    const char *database = s->table_database && *s->table_database ? s->table_database : s->database ? s->database : "";

    if (!f->o.schema_changes || s->kind == STATEMENT_ADMIN || s->kind == STATEMENT_DML || table_filter_system(database))
        return 0;
    if (s->table && *s->table && !table_filter_takes(f->o.filter, database, s->table))
        return 0;
    if (!f->changes && topic_book_feed(f->o.topics, "pillion.schema-changes", &f->changes, err))
        return err_prefix(err, "schema-change topic");
    buf_clear(&f->key);
    if (buf_put_str(&f->key, database))
        return err_set(err, ERR_LIMIT, "A database name is longer than %zu bytes.", f->key.cap);
    if (put_change(f, source, s, database, err) ||
        send_feed(f, f->changes, source->gtid_text, f->statements++, kind_name(s->kind), err))
        return err_prefix(err, "schema-change topic");
    return 0;
}
