#include "binlog/query.h"

#include <string.h>
#include <strings.h>
#include <zlib.h>

/* Codes of the status variables before and up to the character set: Query_event::Query_event_post_header. */
enum status {
    STATUS_FLAGS2 = 0,
    STATUS_SQL_MODE = 1,
    STATUS_CATALOG = 2,
    STATUS_AUTO_INCREMENT = 3,
    STATUS_CHARSET = 4,
    STATUS_TIME_ZONE = 5,
    STATUS_CATALOG_NZ = 6
};

/* The variables come in the order of their codes as far as is known here; what comes after the character set is of no
 * use. */
static uint16_t find_charset(struct cursor c)
{
    while (cursor_ok(&c) && !cursor_done(&c)) {
        switch (cursor_u8(&c)) {
        case STATUS_FLAGS2:
            cursor_skip(&c, 4);
            break;
        case STATUS_SQL_MODE:
            cursor_skip(&c, 8);
            break;
        case STATUS_CATALOG:
            cursor_skip(&c, cursor_u8(&c) + 1u);
            break;
        case STATUS_AUTO_INCREMENT:
            cursor_skip(&c, 4);
            break;
        case STATUS_CHARSET:
            return cursor_u16le(&c);
        case STATUS_TIME_ZONE:
        case STATUS_CATALOG_NZ:
            cursor_skip(&c, cursor_u8(&c));
            break;
        default:
            return 0;
        }
    }
    return 0;
}

int query_parse(struct query *q, struct cursor c, bool load, struct err *err)
{
    struct cursor status;
    size_t database_len, status_len;

    q->thread_id = cursor_u32le(&c);
    cursor_skip(&c, 4); /* seconds it took */
    database_len = cursor_u8(&c);
    q->error_code = cursor_u16le(&c);
    status_len = cursor_u16le(&c);
    if (load)
        cursor_skip(&c, 13); /* file id, place of the file name, handling of duplicates */
    status = cursor_sub(&c, status_len);
    q->collation = find_charset(status);
    q->database = cursor_bytes(&c, database_len);
    q->database_len = database_len;
    cursor_skip(&c, 1);
    if (!cursor_ok(&c))
        return err_set(err, ERR_TRUNCATED, "A statement's event ends inside its head");
    q->sql = c.p;
    q->sql_len = cursor_left(&c);
    return 0;
}

int query_uncompress(struct cursor packed, struct buf *out, struct err *err)
{
    uint8_t head = cursor_u8(&packed);
    uint64_t size = cursor_be(&packed, head & 7);
    uint8_t *to;
    uLongf got;

    if (!cursor_ok(&packed) || !(head & 0x80) || !(head & 7) || (head & 7) > 4)
        return err_set(err, ERR_MALFORMED, "A compressed event has a broken head");
    if (head & 0x70)
        return err_set(err, ERR_UNSUPPORTED, "An event is compressed by the unknown method %u; update Pillion",
                       head >> 4 & 7);
    to = size <= out->cap ? buf_room(out, (size_t)size) : NULL;
    if (!to)
        return err_set(err, ERR_LIMIT, "A compressed event has %llu bytes unpacked, above the limit of %zu",
                       (unsigned long long)size, out->cap);
    got = (uLongf)size;
    if (uncompress(to, &got, packed.p, (uLong)cursor_left(&packed)) != Z_OK || got != size)
        return err_set(err, ERR_MALFORMED, "A compressed event cannot be unpacked");
    buf_advance(out, (size_t)size);
    return 0;
}

/* -- words of SQL -- */

struct word {
    const uint8_t *p;
    size_t len;
    bool quoted; /* by back quotes or double quotes */
};

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
           c >= 0x80;
}

/* Past white space and comments; what stands in a version comment (slash star bang) is read as if it stood outside. */
static void skip_blanks(struct cursor *c)
{
    while (!cursor_done(c)) {
        size_t left = cursor_left(c);

        if (is_space(*c->p)) {
            c->p++;
        } else if (*c->p == '#' || (left >= 3 && c->p[0] == '-' && c->p[1] == '-' && is_space(c->p[2]))) {
            while (!cursor_done(c) && *c->p != '\n')
                c->p++;
        } else if (left >= 2 && c->p[0] == '/' && c->p[1] == '*') {
            bool version = (left >= 3 && c->p[2] == '!') || (left >= 4 && c->p[2] == 'M' && c->p[3] == '!');

            c->p += 2;
            if (version) {
                while (!cursor_done(c) && (*c->p == '!' || *c->p == 'M' || (*c->p >= '0' && *c->p <= '9')))
                    c->p++;
                continue;
            }
            while (cursor_left(c) >= 2 && !(c->p[0] == '*' && c->p[1] == '/'))
                c->p++;
            c->p += cursor_left(c) >= 2 ? 2 : cursor_left(c);
        } else if (left >= 2 && c->p[0] == '*' && c->p[1] == '/') { /* the end of a version comment */
            c->p += 2;
        } else {
            return;
        }
    }
}

static bool next_word(struct cursor *c, struct word *w)
{
    skip_blanks(c);
    if (cursor_done(c))
        return false;
    w->p = c->p;
    w->quoted = *c->p == '`' || *c->p == '"';
    if (w->quoted) {
        uint8_t quote = *c->p++;

        w->p = c->p;
        while (!cursor_done(c) && (*c->p != quote || (cursor_left(c) > 1 && c->p[1] == quote)))
            c->p += *c->p == quote ? 2 : 1;
        w->len = (size_t)(c->p - w->p);
        if (!cursor_done(c))
            c->p++;
        return true;
    }
    if (!is_word(*c->p)) {
        c->p++;
        w->len = 1;
        return true;
    }
    while (!cursor_done(c) && is_word(*c->p))
        c->p++;
    w->len = (size_t)(c->p - w->p);
    return true;
}

static bool word_is(const struct word *w, const char *text)
{
    return !w->quoted && w->len == strlen(text) && !strncasecmp((const char *)w->p, text, w->len);
}

static bool accept(struct cursor *c, const char *text)
{
    struct cursor at = *c;
    struct word w;

    if (!next_word(&at, &w) || !word_is(&w, text))
        return false;
    *c = at;
    return true;
}

static void copy_name(char out[QUERY_NAME], const struct word *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->len && n < QUERY_NAME - 1; i++) {
        out[n++] = (char)w->p[i];
        if (w->quoted && i + 1 < w->len && w->p[i] == w->p[-1] && w->p[i + 1] == w->p[i])
            i++; /* a doubled quote */
    }
    out[n] = '\0';
}

/* [database.]table */
static void read_table(struct cursor *c, struct query_label *out)
{
    struct word w;

    if (!next_word(c, &w) || (!w.quoted && !is_word(*w.p)))
        return;
    copy_name(out->table, &w);
    if (accept(c, ".") && next_word(c, &w)) {
        memcpy(out->database, out->table, sizeof out->database);
        copy_name(out->table, &w);
    }
}

enum query_role query_role(const uint8_t *sql, size_t len)
{
    struct cursor c = cursor_of(sql, len);
    struct word w;

    if (len == 5 && !memcmp(sql, "BEGIN", 5))
        return QUERY_BEGIN;
    if (len == 6 && !memcmp(sql, "COMMIT", 6))
        return QUERY_COMMIT;
    if (!next_word(&c, &w))
        return QUERY_STATEMENT;
    if (word_is(&w, "BEGIN")) {
        skip_blanks(&c);
        return cursor_done(&c) || accept(&c, "WORK") ? QUERY_BEGIN : QUERY_STATEMENT; /* BEGIN NOT ATOMIC: a block */
    }
    if (word_is(&w, "START"))
        return accept(&c, "TRANSACTION") ? QUERY_BEGIN : QUERY_STATEMENT;
    if (word_is(&w, "COMMIT"))
        return accept(&c, "ALTER") ? QUERY_STATEMENT : QUERY_COMMIT;
    if (word_is(&w, "ROLLBACK")) {
        if (accept(&c, "ALTER"))
            return QUERY_STATEMENT;
        (void)accept(&c, "WORK");
        return accept(&c, "TO") ? QUERY_ROLLBACK_TO : QUERY_ROLLBACK;
    }
    if (word_is(&w, "SAVEPOINT") || (word_is(&w, "RELEASE") && accept(&c, "SAVEPOINT")))
        return QUERY_SAVEPOINT;
    if (word_is(&w, "XA") && next_word(&c, &w)) {
        if (word_is(&w, "START") || word_is(&w, "BEGIN"))
            return QUERY_XA_START;
        if (word_is(&w, "END"))
            return QUERY_XA_END;
        if (word_is(&w, "COMMIT"))
            return QUERY_XA_COMMIT;
        if (word_is(&w, "ROLLBACK"))
            return QUERY_XA_ROLLBACK;
    }
    return QUERY_STATEMENT;
}

static bool in_list(const struct word *w, const char *const list[])
{
    for (; *list; list++)
        if (word_is(w, *list))
            return true;
    return false;
}

/* Past a text in single quotes whose first quote was read. */
static void skip_text(struct cursor *c)
{
    for (; !cursor_done(c); c->p++) {
        if (*c->p == '\\' && cursor_left(c) > 1)
            c->p++;
        else if (*c->p == '\'') /* a doubled one begins the next text */
            break;
    }
    if (!cursor_done(c))
        c->p++;
}

/* The rest of a CREATE TABLE: does it fill the table, too? Under binlog_format=ROW the server logs the columns and the
 * rows instead. */
static bool fills_table(struct cursor c)
{
    struct word w;

    while (next_word(&c, &w)) {
        if (!w.quoted && *w.p == '\'')
            skip_text(&c);
        else if (word_is(&w, "SELECT") || word_is(&w, "TABLE") ||
                 (word_is(&w, "VALUES") && !accept(&c, "LESS") && !accept(&c, "IN"))) /* those are partitions */
            return true;
    }
    return false;
}

/* MariaDB: SET STATEMENT variable = value, ... FOR statement. Stops before the statement. */
static bool set_for(struct cursor *c)
{
    struct word w;

    while (next_word(c, &w)) {
        if (!w.quoted && *w.p == '\'')
            skip_text(c);
        else if (word_is(&w, "FOR"))
            return true;
    }
    return false;
}

/* After CREATE, ALTER or DROP. */
static enum statement_kind label_object(struct cursor *c, const struct word *verb, struct query_label *out)
{
    static const char *const admin[] = {"USER",     "ROLE",    "SERVER",   "TABLESPACE",
                                        "RESOURCE", "LOGFILE", "INSTANCE", NULL};
    bool temporary = false;
    struct word w;

    while (next_word(c, &w)) {
        if (word_is(&w, "TEMPORARY"))
            temporary = true;
        if (word_is(&w, "DATABASE") || word_is(&w, "SCHEMA"))
            return STATEMENT_DATABASE;
        if (in_list(&w, admin))
            return STATEMENT_ADMIN;
        if (word_is(&w, "TABLE") || word_is(&w, "TABLES")) {
            if (temporary) /* seen by its session alone */
                return STATEMENT_OTHER_DDL;
            if (accept(c, "IF")) {
                (void)accept(c, "NOT");
                (void)accept(c, "EXISTS");
            }
            read_table(c, out);
            if (word_is(verb, "CREATE") && fills_table(*c))
                return STATEMENT_DML;
            return word_is(verb, "CREATE")  ? STATEMENT_CREATE_TABLE
                   : word_is(verb, "ALTER") ? STATEMENT_ALTER_TABLE
                                            : STATEMENT_DROP_TABLE;
        }
        if (!word_is(&w, "OR") && !word_is(&w, "REPLACE") && !word_is(&w, "TEMPORARY") && !word_is(&w, "ONLINE") &&
            !word_is(&w, "OFFLINE") && !word_is(&w, "IGNORE") && !word_is(&w, "EXTERNAL"))
            break; /* INDEX, VIEW, TRIGGER, PROCEDURE, FUNCTION, EVENT, SEQUENCE, DEFINER = ... */
    }
    return STATEMENT_OTHER_DDL;
}

void query_label(struct query_label *out, const uint8_t *sql, size_t len)
{
    static const char *const dml[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CALL",
                                      "WITH",   "DO",     "SELECT", "IMPORT",  NULL};
    static const char *const admin[] = {"GRANT",   "REVOKE",    "SET",   "FLUSH", "ANALYZE", "OPTIMIZE", "REPAIR",
                                        "INSTALL", "UNINSTALL", "RESET", "PURGE", "CACHE",   "CHECK",    NULL};
    struct cursor c = cursor_of(sql, len);
    struct word w;

    out->kind = STATEMENT_OTHER_DDL;
    *out->database = *out->table = '\0';
    do
        if (!next_word(&c, &w))
            return;
    while (word_is(&w, "(") || (word_is(&w, "SET") && accept(&c, "STATEMENT") && set_for(&c)));
    if (word_is(&w, "ANALYZE") && !accept(&c, "TABLE") && !accept(&c, "TABLES") && !accept(&c, "LOCAL") &&
        !accept(&c, "NO_WRITE_TO_BINLOG")) /* MariaDB: runs the statement that follows */
        out->kind = STATEMENT_DML;
    else if (in_list(&w, dml)) {
        out->kind = STATEMENT_DML;
    } else if (in_list(&w, admin)) {
        out->kind = STATEMENT_ADMIN;
    } else if (word_is(&w, "CREATE") || word_is(&w, "ALTER") || word_is(&w, "DROP")) {
        out->kind = label_object(&c, &w, out);
    } else if (word_is(&w, "TRUNCATE")) {
        (void)accept(&c, "TABLE");
        read_table(&c, out);
        out->kind = STATEMENT_TRUNCATE_TABLE;
    } else if (word_is(&w, "RENAME")) {
        if (accept(&c, "USER")) {
            out->kind = STATEMENT_ADMIN;
        } else if (accept(&c, "TABLE") || accept(&c, "TABLES")) {
            if (accept(&c, "IF"))
                (void)accept(&c, "EXISTS");
            read_table(&c, out);
            out->kind = STATEMENT_RENAME_TABLE;
        }
    }
}
