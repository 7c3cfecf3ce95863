#include "binlog/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "binlog/charset.h"
#include "binlog/control_event.h"
#include "binlog/gtid_event.h"
#include "binlog/payload.h"
#include "binlog/query.h"
#include "binlog/table_cache.h"

enum { ITEMS = 4 };
static const uint64_t payload_max_default = 1ull << 40;

enum state {
    OUTSIDE,   /* between transactions */
    ANNOUNCED, /* a GTID event was seen */
    INSIDE     /* BEGIN was seen */
};

struct decoder {
    struct decoder_options options;
    struct position position;    /* after the newest complete transaction */
    struct change_source source; /* of the transaction that is read */
    char file[POSITION_FILE];
    uint64_t offset; /* where the newest event ends */

    /* from the format description */
    bool described, crc, mariadb;
    size_t id_width;

    /* the transaction */
    enum state state;
    bool standalone; /* MariaDB: one statement, no COMMIT */
    bool xa;
    uint64_t next_index;
    struct table_cache tables;
    struct buf query; /* of Rows_query or Annotate_rows */

    /* what decoder_next has yet to give */
    struct item items[ITEMS];
    size_t n_items, at_item;
    struct payload payload;
    struct buf unpacked; /* a compressed event of MariaDB */
    struct buf text;     /* a statement as UTF-8 */
    char database[QUERY_NAME];
    struct query_label label;

    /* the rows that were given last, to count them when the caller comes back */
    bool counting;
    struct item *given_at;
    struct rows given;
};

struct decoder *decoder_new(const struct decoder_options *options)
{
    struct decoder *d = xcalloc(1, sizeof *d);

    d->options = options ? *options : (struct decoder_options){.dml_statements_stop = true};
    if (!d->options.server_name)
        d->options.server_name = "";
    if (!d->options.payload_max)
        d->options.payload_max = payload_max_default;
    d->id_width = 6;
    d->source.server_name = d->options.server_name;
    position_init(&d->position);
    d->position.flavor = GTID_FILE;
    table_cache_init(&d->tables);
    d->tables.wanted = d->options.wanted;
    d->tables.wanted_arg = d->options.wanted_arg;
    payload_init(&d->payload);
    buf_init(&d->query, EVENT_BYTES_MAX);
    buf_init(&d->unpacked, EVENT_BYTES_MAX);
    buf_init(&d->text, EVENT_BYTES_MAX);
    return d;
}

void decoder_free(struct decoder *d)
{
    if (!d)
        return;
    position_release(&d->position);
    table_cache_release(&d->tables);
    payload_release(&d->payload);
    buf_release(&d->query);
    buf_release(&d->unpacked);
    buf_release(&d->text);
    free(d);
}

static void set_file(struct decoder *d, const char *file, uint64_t offset)
{
    if (strcmp(d->file, file)) {
        memset(d->file, 0, sizeof d->file);
        memcpy(d->file, file, strnlen(file, sizeof d->file - 1));
        memcpy(d->source.file, d->file, sizeof d->source.file);
    }
    d->offset = offset;
}

static void set_position_file(struct decoder *d)
{
    if (strcmp(d->position.file, d->file))
        memcpy(d->position.file, d->file, sizeof d->position.file);
    d->position.offset = d->offset;
}

void decoder_start_at(struct decoder *d, const struct position *at)
{
    position_copy(&d->position, at);
    if (d->position.flavor == GTID_NONE)
        d->position.flavor = GTID_FILE;
    set_file(d, at->file, at->offset);
    d->state = OUTSIDE;
    d->standalone = d->xa = d->counting = d->payload.active = false;
    d->n_items = d->at_item = 0;
    d->described = d->crc = false;
    table_cache_forget(&d->tables);
}

const struct position *decoder_position(const struct decoder *d)
{
    return &d->position;
}

bool decoder_in_transaction(const struct decoder *d)
{
    return d->state != OUTSIDE;
}

static struct item *push(struct decoder *d, enum item_kind kind, const struct event *e)
{
    struct item *item = &d->items[d->n_items++];

    item->kind = kind;
    item->event_time = e->timestamp;
    item->event_size = e->size;
    item->source = &d->source;
    item->table = NULL;
    return item;
}

/* -- transactions -- */

static void begin(struct decoder *d, const struct event *e, const struct gtid_event *g)
{
    d->source.server_id = e->server_id;
    d->source.gtid = g->gtid;
    if (g->gtid.flavor == GTID_NONE)
        gtid_make_file(&d->source.gtid, d->file, d->source.offset);
    gtid_format(&d->source.gtid, d->source.gtid_text);
    d->source.thread_id = g->thread_id;
    d->source.commit_us = g->commit_us ? g->commit_us : (int64_t)e->timestamp * 1000000;
    d->source.query = NULL;
    d->next_index = 0;
    d->standalone = d->xa = false;
    d->state = ANNOUNCED;
    table_cache_begin(&d->tables);
    push(d, ITEM_BEGIN, e);
}

/* A server without GTIDs: BEGIN or a statement opens the transaction. */
static void begin_unnamed(struct decoder *d, const struct event *e)
{
    static const struct gtid_event none = {.gtid = {.flavor = GTID_NONE}};

    begin(d, e, &none);
}

static int commit(struct decoder *d, const struct event *e, struct err *err)
{
    if (d->source.gtid.flavor != GTID_FILE) {
        if (gtid_set_add(d->position.gtids, &d->source.gtid, err))
            return -1;
        d->position.flavor = d->source.gtid.flavor;
    }
    set_position_file(d);
    d->position.commit_us = d->source.commit_us;
    d->state = OUTSIDE;
    d->source.query = NULL;
    push(d, ITEM_COMMIT, e);
    return 0;
}

static int on_gtid(struct decoder *d, const struct event *e, struct err *err)
{
    struct gtid_event g;

    if (d->state != OUTSIDE)
        return err_set(err, ERR_MALFORMED, "The transaction %s has no end; read the log from another replica",
                       d->source.gtid_text);
    if (gtid_event_parse(&g, e->body, e->type, e->server_id, err))
        return -1;
    if ((g.flags & GTID_PREPARED_XA) && !d->options.xa_at_prepare)
        return err_set(
            err, ERR_UNSUPPORTED,
            "The XA transaction %s-%llu is logged before it is known whether it will be committed; Pillion publishes "
            "such transactions only where it is told to do so when they are prepared",
            g.gtid.source, (unsigned long long)g.gtid.number);
    begin(d, e, &g);
    if (e->type == EVENT_MARIA_GTID) {
        d->standalone = g.flags & GTID_STANDALONE;
        d->xa = g.flags & GTID_PREPARED_XA;
        d->state = INSIDE; /* it stands for BEGIN */
    }
    return 0;
}

/* -- statements -- */

static int statement(struct decoder *d, const struct event *e, const struct query *q, struct err *err)
{
    const struct charset *cs = charset_of_collation(q->collation);
    struct item *item;
    struct err ignored = ERR_INIT;

    if (q->database_len >= sizeof d->database)
        return err_set(err, ERR_MALFORMED, "A statement's event has a database name of %zu bytes", q->database_len);
    memcpy(d->database, q->database, q->database_len);
    d->database[q->database_len] = '\0';
    /* The text is for people; where its bytes contradict its charset they are read as latin1, which knows every byte.
     */
    buf_clear(&d->text);
    if (!cs || charset_is_binary(cs) || charset_to_utf8(cs, q->sql, q->sql_len, &d->text, &ignored)) {
        buf_clear(&d->text);
        cs = charset_of_collation(utf8_valid(q->sql, q->sql_len) == q->sql_len ? 45 : 8);
        if (charset_to_utf8(cs, q->sql, q->sql_len, &d->text, err))
            return -1;
    }
    query_label(&d->label, d->text.data, d->text.len);
    if (d->label.kind == STATEMENT_DML && d->options.dml_statements_stop)
        return err_set(err, ERR_UNSUPPORTED,
                       "Rows were changed by a statement that is logged as text (%.60s ...), so their values are not "
                       "in the log; run "
                       "SET GLOBAL binlog_format = ROW, let the sessions reconnect, and backfill the tables concerned",
                       buf_cstr(&d->text));
    item = push(d, ITEM_STATEMENT, e);
    item->statement = (struct statement){.kind = d->label.kind,
                                         .database = d->database,
                                         .sql = buf_cstr(&d->text),
                                         .sql_len = d->text.len,
                                         .table_database = d->label.database,
                                         .table = d->label.table};
    if (*d->label.table && !*d->label.database)
        item->statement.table_database = d->database;
    return 0;
}

static int on_query(struct decoder *d, const struct event *e, struct err *err)
{
    struct query q;
    enum query_role role;

    if (query_parse(&q, e->body, e->type == EVENT_EXECUTE_LOAD_QUERY, err))
        return -1;
    if (e->type == EVENT_QUERY_COMPRESSED) {
        buf_clear(&d->unpacked);
        if (query_uncompress(cursor_of(q.sql, q.sql_len), &d->unpacked, err))
            return -1;
        q.sql = d->unpacked.data;
        q.sql_len = d->unpacked.len;
    }
    role = query_role(q.sql, q.sql_len);
    if (d->state == OUTSIDE)
        begin_unnamed(d, e);
    d->source.thread_id = q.thread_id;
    switch (role) {
    case QUERY_BEGIN:
        d->state = INSIDE;
        return 0;
    case QUERY_COMMIT:
        return commit(d, e, err);
    case QUERY_ROLLBACK:
    case QUERY_ROLLBACK_TO:
        /* The server logs these only after changes that cannot be rolled back. Which of the rows before it hold, only
         * the server knows. */
        if (d->next_index)
            return err_set(
                err, ERR_UNSUPPORTED,
                "The transaction %s changes rows and is then rolled back in part, as it mixes tables with and without "
                "transactions; convert the tables to InnoDB, backfill them, and go on after this transaction",
                d->source.gtid_text);
        return role == QUERY_ROLLBACK ? commit(d, e, err) : 0;
    case QUERY_SAVEPOINT:
    case QUERY_XA_END:
        return 0;
    case QUERY_XA_START:
        if (!d->options.xa_at_prepare)
            return err_set(err, ERR_UNSUPPORTED,
                           "The XA transaction %s is logged before it is known whether it will be committed; Pillion "
                           "publishes such "
                           "transactions only where it is told to do so when they are prepared",
                           d->source.gtid_text);
        d->xa = true;
        d->state = INSIDE;
        return 0;
    case QUERY_XA_COMMIT: /* its rows came when it was prepared */
        return commit(d, e, err);
    case QUERY_XA_ROLLBACK:
        if (d->options.xa_at_prepare)
            return err_set(err, ERR_UNSUPPORTED,
                           "%s rolls back an XA transaction whose rows were published when it was prepared; backfill "
                           "its tables, and "
                           "go on after this transaction",
                           d->source.gtid_text);
        return commit(d, e, err);
    case QUERY_STATEMENT:
        break;
    }
    if (statement(d, e, &q, err))
        return -1;
    return d->state == ANNOUNCED || d->standalone ? commit(d, e, err) : 0;
}

static int on_end(struct decoder *d, const struct event *e, struct err *err)
{
    if (d->state != INSIDE)
        return err_set(err, ERR_MALFORMED, "A %s ends a transaction that has not begun; start between two transactions",
                       event_type_name(e->type));
    return commit(d, e, err);
}

/* -- rows -- */

static int on_table_map(struct decoder *d, const struct event *e, struct err *err)
{
    const struct table_map *t;
    bool first;

    if (d->state != INSIDE)
        return err_set(err, ERR_MALFORMED, "A table map stands outside a transaction; start between two transactions");
    t = table_cache_put(&d->tables, e->body, d->id_width, d->mariadb, &first, err);
    if (!t)
        return -1;
    if (first)
        push(d, ITEM_TABLE, e)->table = t;
    return 0;
}

static uint8_t plain_type(uint8_t type)
{
    switch (type) {
    case EVENT_WRITE_ROWS_COMPRESSED_V1:
        return EVENT_WRITE_ROWS_V1;
    case EVENT_UPDATE_ROWS_COMPRESSED_V1:
        return EVENT_UPDATE_ROWS_V1;
    case EVENT_DELETE_ROWS_COMPRESSED_V1:
        return EVENT_DELETE_ROWS_V1;
    case EVENT_WRITE_ROWS_COMPRESSED:
        return EVENT_WRITE_ROWS;
    case EVENT_UPDATE_ROWS_COMPRESSED:
        return EVENT_UPDATE_ROWS;
    case EVENT_DELETE_ROWS_COMPRESSED:
        return EVENT_DELETE_ROWS;
    default:
        return type;
    }
}

static int on_rows(struct decoder *d, const struct event *e, struct err *err)
{
    struct cursor c = e->body;
    uint64_t id = cursor_le(&c, d->id_width);
    const struct table_map *t = table_cache_get(&d->tables, id);
    uint8_t type = plain_type(e->type);
    struct item *item;

    if (d->state != INSIDE)
        return err_set(err, ERR_MALFORMED, "Rows stand outside a transaction; start between two transactions");
    if (!t && (id == 0xffffff || id == 0xffffffffffff)) /* the server's way to say: end of statement, no rows */
        return 0;
    if (!t)
        return err_set(err, cursor_ok(&c) ? ERR_MALFORMED : ERR_TRUNCATED,
                       "Rows of the table id %llu come without a table map; start between two transactions",
                       (unsigned long long)id);
    if (t->opaque)
        return 0;
    item = push(d, ITEM_ROWS, e);
    item->table = t;
    item->first_index = d->next_index;
    if (rows_begin(&item->rows, c, type, t, err))
        return -1;
    if (type != e->type) { /* MariaDB packs what comes after the bitmaps */
        buf_clear(&d->unpacked);
        if (query_uncompress(item->rows.data, &d->unpacked, err))
            return -1;
        item->rows.data = cursor_of(d->unpacked.data, d->unpacked.len);
    }
    return 0;
}

static int walk(struct rows rows, uint64_t *n, struct err *err)
{
    struct row_image image;

    *n = 0;
    while (rows_left(&rows)) {
        const uint8_t *images[2] = {rows.before_present, rows.after_present};
        const uint8_t *at = rows.data.p;

        for (int i = 0; i < 2; i++)
            if (images[i] &&
                (row_image_begin(&image, &rows, images[i], err) || row_image_skip(&image, rows.table, err)))
                return -1;
        if (rows.data.p == at)
            return err_set(err, ERR_MALFORMED, "A rows event of %s has rows without bytes", rows.table->schema->table);
        rows.row++;
        ++*n;
    }
    return 0;
}

/* How many rows the item had: the caller's own walk tells, when it went to the end. */
static int count_rows(struct decoder *d, const struct item *item, struct err *err)
{
    uint64_t n;

    d->counting = false;
    if (item && item == d->given_at && item->kind == ITEM_ROWS && item->rows.data.end == d->given.data.end &&
        item->rows.data.p == d->given.data.end && item->rows.row) {
        n = item->rows.row;
#ifdef PILLION_SANITIZED
        uint64_t walked;

        if (walk(d->given, &walked, err))
            return -1;
        if (walked != n)
            return err_set(err, ERR_BUG, "%llu rows were walked, but there were %llu", (unsigned long long)n,
                           (unsigned long long)walked);
#endif
    } else if (walk(d->given, &n, err)) {
        return -1;
    }
    d->next_index += n;
    return 0;
}

/* -- the stream itself -- */

static int on_description(struct decoder *d, const struct event *e, const uint8_t *bytes, size_t len, struct err *err)
{
    struct description description;

    if (d->state != OUTSIDE)
        return err_set(
            err, ERR_MALFORMED,
            "A new log begins inside the transaction %s, so the server crashed while it wrote it; read the log from "
            "another replica",
            d->source.gtid_text);
    if (description_parse(&description, e->body, err))
        return -1;
    if (description.crc && !event_checksum_ok(bytes, len))
        return err_set(err, ERR_CHECKSUM, "The checksum of the format description does not match its bytes");
    d->crc = description.crc;
    d->mariadb = description.mariadb;
    d->id_width = description.id_width;
    d->described = true;
    return 0;
}

static int on_rotate(struct decoder *d, const struct event *e, struct err *err)
{
    char name[POSITION_FILE];
    uint64_t offset;

    if (rotate_parse(e->body, name, sizeof name, &offset, err))
        return -1;
    if (d->state != OUTSIDE)
        return err_set(err, ERR_MALFORMED, "The log ends inside the transaction %s", d->source.gtid_text);
    if (!(e->flags & EVENT_FLAG_ARTIFICIAL) || strcmp(name, d->file)) {
        set_file(d, name, offset);
        set_position_file(d);
        push(d, ITEM_ROTATE, e);
    } else {
        d->offset = offset;
    }
    return 0;
}

static int on_gtid_list(struct decoder *d, const struct event *e, struct err *err)
{
    if (!gtid_set_empty(d->position.gtids))
        return 0;
    if (e->type == EVENT_PREVIOUS_GTIDS)
        return gtid_set_decode(d->position.gtids, e->body, err);
    d->position.flavor = GTID_MARIADB;
    return gtid_list_parse(e->body, d->position.gtids, err);
}

static int on_query_text(struct decoder *d, const struct event *e, struct err *err)
{
    struct cursor c = e->body;

    if (e->type == EVENT_ROWS_QUERY)
        cursor_skip(&c, 1); /* a length that is too short to be of use */
    buf_clear(&d->query);
    if (buf_put(&d->query, c.p, cursor_left(&c)))
        return err_set(err, ERR_LIMIT, "The text of a statement is longer than %zu bytes", d->query.cap);
    d->source.query = buf_cstr(&d->query);
    return 0;
}

static int process(struct decoder *d, const struct event *e, struct err *err)
{
    switch (e->type) {
    case EVENT_TABLE_MAP:
        return on_table_map(d, e, err);
    case EVENT_WRITE_ROWS:
    case EVENT_UPDATE_ROWS:
    case EVENT_DELETE_ROWS:
    case EVENT_WRITE_ROWS_V1:
    case EVENT_UPDATE_ROWS_V1:
    case EVENT_DELETE_ROWS_V1:
    case EVENT_PARTIAL_UPDATE_ROWS:
    case EVENT_WRITE_ROWS_COMPRESSED_V1:
    case EVENT_UPDATE_ROWS_COMPRESSED_V1:
    case EVENT_DELETE_ROWS_COMPRESSED_V1:
    case EVENT_WRITE_ROWS_COMPRESSED:
    case EVENT_UPDATE_ROWS_COMPRESSED:
    case EVENT_DELETE_ROWS_COMPRESSED:
        return on_rows(d, e, err);
    case EVENT_GTID:
    case EVENT_GTID_TAGGED:
    case EVENT_ANONYMOUS_GTID:
    case EVENT_MARIA_GTID:
        return on_gtid(d, e, err);
    case EVENT_QUERY:
    case EVENT_QUERY_COMPRESSED:
    case EVENT_EXECUTE_LOAD_QUERY:
        return on_query(d, e, err);
    case EVENT_XID:
    case EVENT_XA_PREPARE:
        return on_end(d, e, err);
    case EVENT_ROWS_QUERY:
    case EVENT_ANNOTATE_ROWS:
        return on_query_text(d, e, err);
    case EVENT_ROTATE:
        return on_rotate(d, e, err);
    case EVENT_PREVIOUS_GTIDS:
    case EVENT_GTID_LIST:
        return on_gtid_list(d, e, err);
    case EVENT_HEARTBEAT:
    case EVENT_HEARTBEAT_V2:
        push(d, ITEM_HEARTBEAT, e);
        return 0;
    case EVENT_TRANSACTION_PAYLOAD:
        if (d->state == OUTSIDE)
            begin_unnamed(d, e);
        return payload_begin(&d->payload, e->body, d->options.payload_max, err);
    case EVENT_INCIDENT:
        return incident_stop(e->body, err);
    case EVENT_STOP:   /* the server was shut down */
    case EVENT_INTVAR: /* values for the statement that follows, which decides */
    case EVENT_RAND:
    case EVENT_USER_VAR:
    case EVENT_BEGIN_LOAD_QUERY: /* the file of an EXECUTE_LOAD_QUERY_EVENT */
    case EVENT_APPEND_BLOCK:
    case EVENT_DELETE_FILE:
    case EVENT_TRANSACTION_CONTEXT: /* group replication's own */
    case EVENT_VIEW_CHANGE:
    case EVENT_BINLOG_CHECKPOINT: /* MariaDB's own recovery */
    case EVENT_START_ENCRYPTION:  /* the server has decrypted what it sends; files: see file.c */
    case EVENT_IGNORABLE:
        return 0;
    default:
        if (e->flags & EVENT_FLAG_IGNORABLE)
            return 0;
        return err_set(
            err, ERR_UNSUPPORTED,
            "An event of the type %u (%s) is not understood, and may hold changes; update Pillion, or set the position "
            "behind it",
            e->type, event_type_name(e->type));
    }
}

/* Where the event ends in its file: the header has 32 bits of it, files have more. */
static uint64_t end_of(const struct decoder *d, const struct event *e)
{
    uint64_t end = (d->offset & ~(uint64_t)UINT32_MAX) | e->end_pos;

    if (end < d->offset && d->offset - end > UINT32_MAX / 2)
        end += 1ull << 32;
    return end;
}

int decoder_feed(struct decoder *d, const uint8_t *bytes, size_t len, struct err *err)
{
    uint8_t type = len > 4 ? bytes[4] : 0;
    uint64_t start = d->offset;
    struct event e;
    bool crc = d->crc;

    if (d->at_item < d->n_items || d->counting || d->payload.active)
        return err_set(err, ERR_BUG, "decoder_feed was called before decoder_next gave ITEM_NONE");
    d->n_items = d->at_item = 0;
    if (type == EVENT_FORMAT_DESCRIPTION)
        crc = false; /* it says itself */
    else if (type == EVENT_ROTATE && len > 18 && ((bytes[17] & EVENT_FLAG_ARTIFICIAL) || !d->described))
        crc = event_checksum_ok(bytes, len); /* made for this connection, before the log's format is known */
    else if (!d->described)
        return err_set(err, ERR_MALFORMED, "%s: the log does not begin with a format description", d->file);
    if (event_parse(&e, bytes, len, crc, err))
        return err_prefix(err, "%s, offset %llu", d->file, (unsigned long long)start);
    if (e.end_pos && !(e.flags & EVENT_FLAG_ARTIFICIAL) && e.type != EVENT_HEARTBEAT && e.type != EVENT_HEARTBEAT_V2) {
        d->offset = end_of(d, &e);
        start = d->offset > e.size ? d->offset - e.size : 0;
    }
    d->source.offset = start;
    if (type == EVENT_FORMAT_DESCRIPTION ? on_description(d, &e, bytes, len, err) : process(d, &e, err)) {
        d->n_items = 0;
        return err_prefix(err, "%s, offset %llu", *d->file ? d->file : "binlog", (unsigned long long)start);
    }
    return 0;
}

static int next_of_payload(struct decoder *d, struct err *err)
{
    const uint8_t *bytes;
    size_t len;
    struct event e;

    d->n_items = d->at_item = 0;
    if (payload_next(&d->payload, &bytes, &len, err))
        return -1;
    if (!bytes)
        return 0;
    if (event_parse(&e, bytes, len, false, err))
        return -1;
    if (e.type == EVENT_TRANSACTION_PAYLOAD || e.type == EVENT_FORMAT_DESCRIPTION || e.type == EVENT_ROTATE)
        return err_set(err, ERR_MALFORMED, "A compressed transaction holds a %s", event_type_name(e.type));
    return process(d, &e, err);
}

int decoder_next(struct decoder *d, struct item *item, struct err *err)
{
    if (d->counting && count_rows(d, item, err))
        goto failed;
    while (d->at_item == d->n_items) {
        if (!d->payload.active) {
            item->kind = ITEM_NONE;
            return 0;
        }
        if (next_of_payload(d, err))
            goto failed;
    }
    *item = d->items[d->at_item++];
    if (item->kind == ITEM_ROWS) {
        item->first_index = d->next_index;
        d->counting = true;
        d->given_at = item;
        d->given = item->rows;
    }
    return 0;
failed:
    d->n_items = d->at_item = 0;
    d->payload.active = d->counting = false;
    item->kind = ITEM_NONE;
    return err_prefix(err, "%s, offset %llu", *d->file ? d->file : "binlog", (unsigned long long)d->source.offset);
}
