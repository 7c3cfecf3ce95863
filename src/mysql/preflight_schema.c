#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/charset.h"
#include "mysql/preflight_report.h"

#define NOT_SYSTEM "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"

static bool captured(const struct preflight_report *r, const char *database, const char *table)
{
    return database && table && r->tables->captured(r->tables->arg, database, table);
}

static int keyless_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct preflight_report *r = arg;
    char remedy[400];

    (void)lengths;
    if (n < 2 || !captured(r, v[0], v[1]))
        return 0;
    snprintf(remedy, sizeof remedy, "add a primary key to %.100s.%.100s, or name key columns in its contract", v[0],
             v[1]);
    preflight_report(r, FINDING_WARN, ERR_NONE, remedy,
                     "table %s.%s has no primary key, so its changes have no key in Kafka", v[0], v[1]);
    return 0;
}

static int cascade_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct preflight_report *r = arg;

    (void)lengths;
    if (n < 6 || !captured(r, v[0], v[1]))
        return 0;
    preflight_report(
        r, FINDING_ERROR, ERR_MYSQL_SETTING,
        "change the foreign key to RESTRICT or NO ACTION and let the application or a trigger change the child rows "
        "(both are "
        "logged), or use MySQL 9.6 or newer",
        "foreign key %s of %s.%s to %s has ON UPDATE %s, ON DELETE %s: this server does not log the child rows that "
        "a cascade changes, so they would be lost",
        v[2] ? v[2] : "", v[0], v[1], v[3] ? v[3] : "", v[4] ? v[4] : "", v[5] ? v[5] : "");
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
    bool logged;
    int before = r->errors;

    if (!r->tables || !r->tables->captured)
        return 0;
    if (cascades_are_logged(r, &logged, err))
        return -1;
    if (!logged &&
        connection_query(
            r->connection,
            "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, UPDATE_RULE, "
            "DELETE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UPDATE_RULE IN ('CASCADE', 'SET "
            "NULL', 'SET DEFAULT') OR DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')",
            cascade_row, r, err))
        return -1;
    if (connection_query(r->connection,
                         "SELECT t.TABLE_SCHEMA, t.TABLE_NAME FROM information_schema.TABLES t LEFT JOIN "
                         "information_schema.TABLE_CONSTRAINTS k ON k.TABLE_SCHEMA = t.TABLE_SCHEMA AND k.TABLE_NAME = "
                         "t.TABLE_NAME AND "
                         "k.CONSTRAINT_TYPE = 'PRIMARY KEY' WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') "
                         "AND k.TABLE_NAME IS "
                         "NULL AND t.TABLE_SCHEMA " NOT_SYSTEM,
                         keyless_row, r, err) ||
        connection_query(
            r->connection,
            "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.CHARACTER_SET_NAME, k.id FROM "
            "information_schema.COLUMNS c "
            "JOIN (SELECT CHARACTER_SET_NAME AS name, MIN(ID) AS id FROM information_schema.COLLATIONS WHERE ID IS NOT "
            "NULL GROUP BY CHARACTER_SET_NAME) k ON k.name = c.CHARACTER_SET_NAME WHERE c.CHARACTER_SET_NAME NOT IN "
            "('utf8', 'utf8mb3', 'utf8mb4', 'ascii', 'latin1') AND c.TABLE_SCHEMA " NOT_SYSTEM,
            charset_row, r, err))
        return -1;
    if (r->errors == before)
        preflight_report(r, FINDING_OK, ERR_NONE, "", "tables: nothing that the log would leave out");
    return 0;
}
