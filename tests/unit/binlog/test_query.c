/* What a statement is, and which table it names first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "binlog/query.h"

static void labels(void **state)
{
    static const struct {
        const char *sql;
        enum statement_kind kind;
        const char *database, *table;
    } cases[] = {
        {"CREATE TABLE t (a INT)", STATEMENT_CREATE_TABLE, "", "t"},
        {"create /* x */ table if not exists `my``db`.`a b` (a int)", STATEMENT_CREATE_TABLE, "my`db", "a b"},
        {"CREATE OR REPLACE TABLE d.t LIKE x", STATEMENT_CREATE_TABLE, "d", "t"},
        {"CREATE TEMPORARY TABLE t (a INT)", STATEMENT_OTHER_DDL, "", ""},
        {"DROP TABLE IF EXISTS \"t\", u", STATEMENT_DROP_TABLE, "", "t"},
        {"-- why\nALTER ONLINE TABLE d . t ADD x INT", STATEMENT_ALTER_TABLE, "d", "t"},
        {"# why\nRENAME TABLE a TO b", STATEMENT_RENAME_TABLE, "", "a"},
        {"TRUNCATE t", STATEMENT_TRUNCATE_TABLE, "", "t"},
        {"truncate table `d`.`t`", STATEMENT_TRUNCATE_TABLE, "d", "t"},
        {"/*!40000 DROP DATABASE d*/", STATEMENT_DATABASE, "", ""},
        {"CREATE SCHEMA d", STATEMENT_DATABASE, "", ""},
        {"CREATE USER x", STATEMENT_ADMIN, "", ""},
        {"GRANT ALL ON *.* TO x", STATEMENT_ADMIN, "", ""},
        {"FLUSH TABLES", STATEMENT_ADMIN, "", ""},
        {"CREATE UNIQUE INDEX i ON t (a)", STATEMENT_OTHER_DDL, "", ""},
        {"CREATE DEFINER=`a`@`b` TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1", STATEMENT_OTHER_DDL, "", ""},
        {"DROP VIEW v", STATEMENT_OTHER_DDL, "", ""},
        {"INSERT INTO t VALUES (1)", STATEMENT_DML, "", ""},
        {"/* c */ (update t set a = 1)", STATEMENT_DML, "", ""},
        {"WITH x AS (SELECT 1) DELETE FROM t", STATEMENT_DML, "", ""},
        {"LOAD DATA INFILE 'x' INTO TABLE t", STATEMENT_DML, "", ""},
        {"CREATE TABLE d.t (a INT) SELECT 1 AS a", STATEMENT_DML, "d", "t"},
        {"CREATE OR REPLACE TABLE t AS WITH x AS (SELECT 1) SELECT * FROM x", STATEMENT_DML, "", "t"},
        {"CREATE TABLE t TABLE u", STATEMENT_DML, "", "t"},
        {"CREATE TABLE t (a INT) VALUES (1)", STATEMENT_DML, "", "t"},
        {"CREATE TABLE t (a INT COMMENT 'it''s \\' SELECT', `select` INT)", STATEMENT_CREATE_TABLE, "", "t"},
        {"CREATE TABLE t (a INT) PARTITION BY LIST (a) (PARTITION p VALUES IN (1), PARTITION q VALUES LESS THAN (2))",
         STATEMENT_CREATE_TABLE, "", "t"},
        {"CREATE TABLE t (a INT) START TRANSACTION", STATEMENT_CREATE_TABLE, "", "t"},
        {"CREATE TEMPORARY TABLE t SELECT 1", STATEMENT_OTHER_DDL, "", ""},
        {"SET STATEMENT max_statement_time = 1, x = ' FOR ' FOR INSERT INTO t VALUES (1)", STATEMENT_DML, "", ""},
        {"SET STATEMENT lock_wait_timeout = 1 FOR ALTER TABLE t ADD x INT", STATEMENT_ALTER_TABLE, "", "t"},
        {"SET PASSWORD FOR x = 'y'", STATEMENT_ADMIN, "", ""},
        {"ANALYZE UPDATE t SET a = 1", STATEMENT_DML, "", ""},
        {"ANALYZE FORMAT=JSON DELETE FROM t", STATEMENT_DML, "", ""},
        {"ANALYZE LOCAL TABLE t", STATEMENT_ADMIN, "", ""},
        {"SET STATEMENT", STATEMENT_ADMIN, "", ""},
        {"", STATEMENT_OTHER_DDL, "", ""},
        {"/* never closed", STATEMENT_OTHER_DDL, "", ""},
        {"DROP TABLE `never closed", STATEMENT_DROP_TABLE, "", "never closed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct query_label label;

        query_label(&label, (const uint8_t *)cases[i].sql, strlen(cases[i].sql));
        if (label.kind != cases[i].kind || strcmp(label.database, cases[i].database) ||
            strcmp(label.table, cases[i].table))
            fail_msg("%s: kind %d, table %s.%s", cases[i].sql, label.kind, label.database, label.table);
    }
}

static void roles(void **state)
{
    static const struct {
        const char *sql;
        enum query_role role;
    } cases[] = {
        {"BEGIN", QUERY_BEGIN},
        {"begin work", QUERY_BEGIN},
        {"START TRANSACTION", QUERY_BEGIN},
        {"BEGIN NOT ATOMIC SELECT 1; END", QUERY_STATEMENT},
        {"COMMIT", QUERY_COMMIT},
        {"COMMIT /* generated */", QUERY_COMMIT},
        {"ROLLBACK", QUERY_ROLLBACK},
        {"ROLLBACK TO `s`", QUERY_ROLLBACK_TO},
        {"ROLLBACK WORK TO SAVEPOINT s", QUERY_ROLLBACK_TO},
        {"SAVEPOINT `s`", QUERY_SAVEPOINT},
        {"RELEASE SAVEPOINT s", QUERY_SAVEPOINT},
        {"XA START X'61',X'',1", QUERY_XA_START},
        {"XA END X'61',X'',1", QUERY_XA_END},
        {"XA COMMIT X'61',X'',1", QUERY_XA_COMMIT},
        {"XA ROLLBACK X'61',X'',1", QUERY_XA_ROLLBACK},
        {"ALTER TABLE begin ADD x INT", QUERY_STATEMENT},
        {"", QUERY_STATEMENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (query_role((const uint8_t *)cases[i].sql, strlen(cases[i].sql)) != cases[i].role)
            fail_msg("%s", cases[i].sql);
}

static void longest_name(void **state)
{
    struct query_label label;
    char sql[2000] = "TRUNCATE ";

    (void)state;
    memset(sql + 9, 'x', 1500);
    query_label(&label, (const uint8_t *)sql, strlen(sql));
    assert_int_equal(strlen(label.table), QUERY_NAME - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels), cmocka_unit_test(roles),
                                       cmocka_unit_test(longest_name)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
