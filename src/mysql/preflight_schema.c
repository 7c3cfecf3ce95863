/* preflight_schema: the part of preflight.h about tables: keys, and foreign keys whose actions the log leaves out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "binlog/charset.h"
#include "mysql/preflight_report.h"

#define NOT_SYSTEM "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"

static bool captured(const struct preflight_report *r, const char *database, const char *table)
{
    return database && table && r->tables->captured(r->tables->arg, database, table);
}

/* A captured table, kept because a statement cannot be sent while the rows of another one are read. */
struct table {
    char *database;
    char *name;
    bool has_key;
    bool versioned; /* MariaDB WITH SYSTEM VERSIONING */
};

struct table_list {
    struct preflight_report *report;
    struct table *tables;
    size_t n, size;
};

static int table_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct table_list *l = arg;

    (void)lengths;
    if (n < 3 || !captured(l->report, v[0], v[1]))
        return 0;
    if (l->n == l->size) {
        l->size = l->size ? 2 * l->size : 64;
        l->tables = xreallocarray(l->tables, l->size, sizeof *l->tables);
    }
    l->tables[l->n++] = (struct table){xstrdup(v[0]), xstrdup(v[1]), v[2] && strcmp(v[2], "0") != 0,
                                       n > 3 && v[3] && strcmp(v[3], "SYSTEM VERSIONED") == 0};
    return 0;
}

static void table_list_release(struct table_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->tables[i].database);
        free(l->tables[i].name);
    }
    free(l->tables);
}

static void check_keys(struct preflight_report *r, const struct table_list *l)
{
    char remedy[400];

    for (size_t i = 0; i < l->n; i++) {
        const struct table *t = &l->tables[i];

        if (t->versioned) {
            snprintf(remedy, sizeof remedy,
                     "leave %.100s.%.100s out by source.exclude_tables, or put its row end column into its contract's "
                     "key, so that silver has the history too",
                     t->database, t->name);
            preflight_report(r, FINDING_WARN, ERR_NONE, remedy,
                             "table %s.%s is system-versioned: its former rows are in the log as rows of their own, "
                             "with the end of their validity in the key",
                             t->database, t->name);
        }
        if (t->has_key)
            continue;
        snprintf(remedy, sizeof remedy, "add a primary key to %.100s.%.100s, or name its key columns in events.keys",
                 t->database, t->name);
        preflight_report(r, FINDING_WARN, ERR_NONE, remedy,
                         "table %s.%s has no primary key, so its changes have no key in Kafka", t->database, t->name);
    }
}

/* "CASCADE", "SET NULL" or "SET DEFAULT" after `clause` in a line of SHOW CREATE TABLE, or NULL. */
static const char *action(const char *line, const char *end, const char *clause)
{
    static const char *const actions[] = {"CASCADE", "SET NULL", "SET DEFAULT"};
    size_t len = strlen(clause);

    for (const char *p = line; p + len < end; p++) {
        if (strncmp(p, clause, len) != 0)
            continue;
        for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
            if (strncmp(p + len, actions[i], strlen(actions[i])) == 0)
                return actions[i];
    }
    return NULL;
}

struct definition {
    struct preflight_report *report;
    const struct table *table;
};

static int definition_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    static const char head[] = "  CONSTRAINT `";
    const struct definition *d = arg;
    const char *line = n >= 2 && v[1] ? v[1] : "";

    (void)lengths;
    while (*line) {
        const char *end = strchrnul(line, '\n');
        const char *name = line + sizeof head - 1, *deletes, *updates;

        if (strncmp(line, head, sizeof head - 1) == 0 && memmem(line, (size_t)(end - line), " FOREIGN KEY (", 14)) {
            deletes = action(line, end, " ON DELETE ");
            updates = action(line, end, " ON UPDATE ");
            if (deletes || updates)
                preflight_report(d->report, FINDING_ERROR, ERR_MYSQL_SETTING,
                                 "change the foreign key to RESTRICT or NO ACTION and let the application or a trigger "
                                 "change the child "
                                 "rows (both are logged), or use MySQL 9.6 or newer",
                                 "foreign key %.*s of %s.%s has%s%s%s%s: this server does not log the child rows that "
                                 "a cascade changes, so "
                                 "these changes would be lost",
                                 (int)strcspn(name, "`"), name, d->table->database, d->table->name,
                                 deletes ? " ON DELETE " : "", deletes ? deletes : "", updates ? " ON UPDATE " : "",
                                 updates ? updates : "");
        }
        line = *end ? end + 1 : end;
    }
    return 0;
}

static void put_quoted(struct buf *b, const char *name)
{
    buf_put_u8(b, '`');
    for (; *name; name++) {
        if (*name == '`')
            buf_put_u8(b, '`');
        buf_put_u8(b, (uint8_t)*name);
    }
    buf_put_u8(b, '`');
}

/* By SHOW CREATE TABLE and not from REFERENTIAL_CONSTRAINTS: MariaDB hides those from users who may only read. */
static int check_cascades(struct preflight_report *r, const struct table_list *l, struct err *err)
{
    struct err ignored = ERR_INIT;
    struct buf sql;

    buf_init(&sql, 4096);
    for (size_t i = 0; i < l->n; i++) {
        struct definition d = {r, &l->tables[i]};

        buf_clear(&sql);
        buf_put_str(&sql, "SHOW CREATE TABLE ");
        put_quoted(&sql, d.table->database);
        buf_put_u8(&sql, '.');
        put_quoted(&sql, d.table->name);
        if (connection_query(r->connection, buf_cstr(&sql), definition_row, &d, &ignored)) {
            if (ignored.code == ERR_MYSQL_CONNECT || ignored.code == ERR_STOPPED) {
                buf_release(&sql);
                if (err)
                    *err = ignored;
                return -1;
            }
            preflight_report(r, FINDING_WARN, ERR_NONE,
                             "grant SELECT on the table to the user, or check that it has no CASCADE or SET NULL",
                             "the foreign keys of %s.%s cannot be seen", d.table->database, d.table->name);
        }
    }
    buf_release(&sql);
    return 0;
}

static int charset_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct preflight_report *r = arg;

    (void)lengths;
    if (n < 5 || !captured(r, v[0], v[1]) || !v[4] || charset_of_collation((uint16_t)strtoul(v[4], NULL, 10)))
        return 0;
    preflight_report(r, FINDING_ERROR, ERR_MYSQL_SETTING,
                     "convert the column: ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4",
                     "column %s of %s.%s has the character set %s, which Pillion cannot turn into UTF-8",
                     v[2] ? v[2] : "", v[0], v[1], v[3] ? v[3] : "");
    return 0;
}

static int value_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    (void)lengths;
    snprintf(arg, 64, "%s", n >= 2 && v[1] ? v[1] : "");
    return 1;
}

/* From 9.6 on MySQL's SQL layer carries out cascades and logs the rows, unless this variable gives the work back to
 * InnoDB. */
static int cascades_are_logged(struct preflight_report *r, bool *logged, struct err *err)
{
    char value[64] = "";

    if (connection_query(r->connection, "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'", value_row, value,
                         err))
        return -1;
    *logged = strcmp(value, "OFF") == 0 || strcmp(value, "0") == 0;
    return 0;
}

int preflight_schema(struct preflight_report *r, struct err *err)
{
    struct table_list list = {.report = r};
    int rc = -1, before = r->errors;
    bool logged;

    if (!r->tables || !r->tables->captured)
        return 0;
    if (cascades_are_logged(r, &logged, err) ||
        connection_query(r->connection,
                         "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, (SELECT COUNT(*) FROM information_schema.COLUMNS c "
                         "WHERE c.TABLE_SCHEMA = "
                         "t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND c.COLUMN_KEY = 'PRI'), t.TABLE_TYPE FROM "
                         "information_schema.TABLES t WHERE "
                         "t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND t.TABLE_SCHEMA " NOT_SYSTEM,
                         table_row, &list, err))
        goto out;
    check_keys(r, &list);
    if (!logged && check_cascades(r, &list, err))
        goto out;
    if (connection_query(
            r->connection,
            "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.CHARACTER_SET_NAME, k.id FROM "
            "information_schema.COLUMNS c "
            "JOIN (SELECT CHARACTER_SET_NAME AS name, MIN(ID) AS id FROM information_schema.COLLATIONS WHERE ID IS NOT "
            "NULL GROUP BY CHARACTER_SET_NAME) k ON k.name = c.CHARACTER_SET_NAME WHERE c.CHARACTER_SET_NAME NOT IN "
            "('utf8', 'utf8mb3', 'utf8mb4', 'ascii', 'latin1') AND c.TABLE_SCHEMA " NOT_SYSTEM,
            charset_row, r, err))
        goto out;
    if (r->errors == before)
        preflight_report(r, FINDING_OK, ERR_NONE, "", "%zu tables: nothing that the log would leave out", list.n);
    rc = 0;
out:
    table_list_release(&list);
    return rc;
}
