/* test_server_error: numbers and texts of both vendors to codes and remedies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "mysql/server_error.h"

static void maps_what_servers_say(void **state)
{
    static const struct {
        unsigned number;
        const char *text;
        enum err_code code;
        const char *remedy;
    } cases[] = {
        {1045, "Access denied for user 'cdc'@'10.0.0.9' (using password: YES)", ERR_MYSQL_AUTH, "source.password"},
        {1227, "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation",
         ERR_MYSQL_GRANT, "GRANT REPLICATION SLAVE ON *.*"},
        {1227,
         "Access denied; you need (at least one of) the SUPER, REPLICATION CLIENT privilege(s) for this operation",
         ERR_MYSQL_GRANT, "GRANT REPLICATION CLIENT ON *.*"},
        {1227, "Access denied; you need (at least one of) the BINLOG MONITOR privilege(s) for this operation",
         ERR_MYSQL_GRANT, "GRANT BINLOG MONITOR ON *.*"},
        {1236, "Could not find first log file name in binary log index file", ERR_POSITION_PURGED, "backfill"},
        {1236,
         "Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old and "
         "required "
         "binlog files have been purged.",
         ERR_POSITION_PURGED, "backfill"},
        {1236,
         "Slave has more GTIDs than the master has, using the master's SERVER_UUID. This may indicate that the end of "
         "the binary log "
         "was truncated",
         ERR_POSITION_FOREIGN, "backfill"},
        {1236, "Error: connecting slave requested to start from GTID 0-1-99, which is not in the master's binlog",
         ERR_POSITION_FOREIGN, "backfill"},
        {1236, "A slave with the same server_uuid/server_id as this slave has connected to the master",
         ERR_MYSQL_SERVER_ID, "source.server_id"},
        {1236, "Client requested source to start replication from position > file size", ERR_MYSQL_QUERY, "error log"},
        {1236, "Client requested master to start replication from impossible position", ERR_POSITION_FOREIGN,
         "backfill"},
        {1236, "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file ./b.000001, position 194.",
         ERR_MYSQL_SETTING, "file and offset"},
        {1236, "Binary log is not open", ERR_MYSQL_SETTING, "log_bin"},
        {2005, "Unknown server host 'nowhere' (-2)", ERR_MYSQL_CONNECT, "source.host"},
        {2003, "Can't connect to MySQL server on '10.0.0.1:3306' (111)", ERR_MYSQL_CONNECT, "source.port"},
        {2026, "TLS/SSL error: SSL is required, but the server does not support it", ERR_MYSQL_AUTH, "source.tls.mode"},
        {2026, "TLS/SSL error: self-signed certificate in certificate chain", ERR_MYSQL_AUTH, "source.tls.ca"},
        {2061,
         "Authentication plugin 'caching_sha2_password' reported error: Authentication requires secure connection.",
         ERR_MYSQL_AUTH, "source.tls.mode"},
        {3159, "Connections using insecure transport are prohibited while --require_secure_transport=ON.",
         ERR_MYSQL_AUTH, "source.tls.mode"},
        {1040, "Too many connections", ERR_MYSQL_CONNECT, "max_connections"},
        {2013, "Lost connection to server at 'reading initial communication packet'", ERR_MYSQL_CONNECT, "answers"},
        {9999, "Something new", ERR_MYSQL_QUERY, "error reference"},
        {2999, "Something new", ERR_MYSQL_CONNECT, "error reference"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;

        assert_int_equal(server_error_set(&err, cases[i].number, cases[i].text, "do it"), -1);
        if (err.code != cases[i].code || !strstr(err.text, cases[i].remedy))
            fail_msg("case %zu: %s: %s", i, err_code_name(err.code), err.text);
        assert_non_null(strstr(err.text, "Could not do it: "));
        assert_int_equal(err.text[strlen(err.text) - 1], '.');
    }
}

static void makes_hostile_text_plain(void **state)
{
    struct err err = ERR_INIT;
    char text[3000];

    (void)state;
    server_error_set(&err, 1105, "\x1b[2Jred\nline\xff", "do it");
    assert_non_null(strstr(err.text, "?[2Jred?line?"));
    server_error_set(&err, 1105, "Z\xc3\xbcrich", "do it");
    assert_non_null(strstr(err.text, "Z\xc3\xbcrich"));
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    server_error_set(&err, 1045, text, "do it");
    assert_non_null(strstr(err.text, "source.password"));
    server_error_set(&err, 1105, NULL, "do it");
    assert_non_null(strstr(err.text, "no reason"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_what_servers_say),
        cmocka_unit_test(makes_hostile_text_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
