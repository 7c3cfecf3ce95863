#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_server.h"
#include "mysql/connection.h"

static const char *password = "s3cret-pass";

static struct connection_options options_for(const struct fake_server *s)
{
    return (struct connection_options){.host = "127.0.0.1",
                                       .port = s->port,
                                       .user = "cdc",
                                       .password = password,
                                       .tls = TLS_OFF,
                                       .connect_timeout_s = 2,
                                       .read_timeout_s = 2};
}

static bool heard(const struct fake_server *s, const char *what)
{
    return memmem(s->heard, s->heard_len, what, strlen(what)) != NULL;
}

static void open_fails(enum fake_script script, enum err_code code, const char *words)
{
    struct fake_server s;
    struct connection *c = NULL;
    struct err err = ERR_INIT;

    fake_start(&s, script);
    {
        struct connection_options o = options_for(&s);

        assert_int_equal(connection_open(&c, &o, &err), -1);
    }
    fake_stop(&s);
    assert_null(c);
    if (err.code != code)
        print_message("%s\n", err.text);
    assert_int_equal(err.code, code);
    if (!strcasestr(err.text, words))
        print_message("%s\n", err.text);
    assert_non_null(strcasestr(err.text, words));
    assert_null(strstr(err.text, password));
    assert_false(heard(&s, password));
}

static void logs_in_and_learns_the_facts(void **state)
{
    struct fake_server s;
    struct connection *c;
    struct err err = ERR_INIT;
    struct connection_options o;

    (void)state;
    fake_start(&s, FAKE_HONEST);
    o = options_for(&s);
    assert_int_equal(connection_open(&c, &o, &err), 0);
    assert_int_equal(connection_facts(c)->flavor, SERVER_MYSQL);
    assert_string_equal(connection_facts(c)->version, "8.0.99-fake");
    assert_string_equal(connection_facts(c)->uuid, "00000000-0000-0000-0000-000000000001");
    assert_true(connection_facts(c)->has_gtid);
    assert_false(connection_encrypted(c));
    connection_close(c);
    fake_stop(&s);
    assert_true(heard(&s, "time_zone = '+00:00'"));
    assert_false(heard(&s, password));
}

static void refuses_what_is_no_server(void **state)
{
    (void)state;
    open_fails(FAKE_TRUNCATED_HANDSHAKE, ERR_MYSQL_CONNECT, "check that a MySQL or MariaDB server answers");
    open_fails(FAKE_HUGE_HANDSHAKE, ERR_MYSQL_CONNECT, "check that a MySQL or MariaDB server answers");
    open_fails(FAKE_HTTP, ERR_MYSQL_CONNECT, "server answers");
    open_fails(FAKE_BAD_COLUMN_COUNT, ERR_MYSQL_CONNECT, "");
}

static void tells_why_the_login_failed(void **state)
{
    (void)state;
    open_fails(FAKE_REFUSES_HOST, ERR_MYSQL_AUTH, "CREATE USER");
    open_fails(FAKE_WRONG_PASSWORD, ERR_MYSQL_AUTH, "source.password");
}

static void never_sends_the_password_in_clear_text(void **state)
{
    (void)state;
    open_fails(FAKE_WANTS_CLEARTEXT, ERR_MYSQL_AUTH, "");
}

static void never_sends_a_file(void **state)
{
    struct fake_server s;
    struct connection *c = NULL;
    struct err err = ERR_INIT;
    struct connection_options o;

    (void)state;
    fake_start(&s, FAKE_LOCAL_INFILE);
    o = options_for(&s);
    assert_int_equal(connection_open(&c, &o, &err), -1);
    fake_stop(&s);
    assert_int_equal(err.code, ERR_MYSQL_CONNECT);
    assert_non_null(strstr(err.text, "file of this machine"));
    assert_false(heard(&s, "root:"));
}

static void insists_on_tls(void **state)
{
    struct fake_server s;
    struct connection *c = NULL;
    struct connection_options o;

    (void)state;
    for (int mode = TLS_REQUIRED; mode <= TLS_VERIFY_IDENTITY; mode++) {
        struct err err = ERR_INIT;

        fake_start(&s, FAKE_HONEST);
        o = options_for(&s);
        o.tls = (enum tls_mode)mode;
        assert_int_equal(connection_open(&c, &o, &err), -1);
        fake_stop(&s);
        assert_int_equal(err.code, ERR_MYSQL_AUTH);
        assert_false(heard(&s, password));
        if (mode >= TLS_VERIFY_CA)
            assert_int_equal(s.heard_len, 0); /* not even the user's name */
    }
}

static void prefers_tls_but_goes_on_without(void **state)
{
    struct fake_server s;
    struct connection *c = NULL;
    struct err err = ERR_INIT;
    struct connection_options o;

    (void)state;
    fake_start(&s, FAKE_HONEST);
    o = options_for(&s);
    o.tls = TLS_PREFERRED;
    assert_int_equal(connection_open(&c, &o, &err), 0);
    assert_false(connection_encrypted(c));
    connection_close(c);
    fake_stop(&s);
}

static void tells_unknown_hosts_and_closed_ports(void **state)
{
    struct fake_server s;
    struct connection *c;
    struct err err = ERR_INIT;
    struct connection_options o;

    (void)state;
    fake_start(&s, FAKE_HONEST);
    fake_stop(&s);
    o = options_for(&s);
    assert_int_equal(connection_open(&c, &o, &err), -1);
    assert_int_equal(err.code, ERR_MYSQL_CONNECT);
    assert_non_null(strstr(err.text, "source.port"));
    o.host = "no-such-host.invalid";
    assert_int_equal(connection_open(&c, &o, &err), -1);
    assert_int_equal(err.code, ERR_MYSQL_CONNECT);
    assert_non_null(strstr(err.text, "source.host"));
    o.host = NULL;
    o.socket = "/nonexistent/mysql.sock";
    assert_int_equal(connection_open(&c, &o, &err), -1);
    assert_int_equal(err.code, ERR_MYSQL_CONNECT);
    assert_non_null(strstr(err.text, "/nonexistent/mysql.sock"));
    o.host = "127.0.0.1";
    o.tls = TLS_VERIFY_CA;
    o.tls_ca = "/nonexistent/ca.pem";
    assert_int_equal(connection_open(&c, &o, &err), -1);
    assert_int_equal(err.code, ERR_MYSQL_AUTH);
    assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
}

static struct connection *dumping(struct fake_server *s, enum fake_script script, const char *text)
{
    struct dump_request r = {
        .server_id = 7, .file = "", .offset = 4, .label = "test", .first_ms = 400, .silence_ms = 300};
    struct connection *c;
    struct err err = ERR_INIT;
    struct connection_options o;

    fake_start(s, script);
    s->error_text = text;
    o = options_for(s);
    assert_int_equal(connection_open(&c, &o, &err), 0);
    assert_int_equal(connection_dump(c, &r, &err), 0);
    return c;
}

static void reads_events_to_the_end(void **state)
{
    struct fake_server s;
    struct connection *c = dumping(&s, FAKE_DUMP_EVENTS, "");
    struct err err = ERR_INIT;
    const uint8_t *event;
    size_t len;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(connection_fetch(c, &event, &len, &err), 1);
        assert_int_equal(len, 19);
        assert_int_equal(event[4], 27);
    }
    assert_int_equal(connection_fetch(c, &event, &len, &err), 0);
    assert_int_equal(connection_query(c, "SELECT 1", NULL, NULL, &err), -1);
    assert_int_equal(err.code, ERR_BUG);
    connection_close(c);
    fake_stop(&s);
}

static void dump_fails(enum fake_script script, const char *text, int good, enum err_code code, const char *words)
{
    struct fake_server s;
    struct connection *c = dumping(&s, script, text);
    struct err err = ERR_INIT;
    const uint8_t *event;
    size_t len;

    while (good--)
        assert_int_equal(connection_fetch(c, &event, &len, &err), 1);
    assert_int_equal(connection_fetch(c, &event, &len, &err), -1);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.text, words));
    connection_close(c);
    fake_stop(&s);
}

static void tells_why_the_stream_ended(void **state)
{
    (void)state;
    dump_fails(FAKE_DUMP_ERROR, "Cannot replicate because the source purged required binary logs.", 0,
               ERR_POSITION_PURGED, "purged");
    dump_fails(FAKE_DUMP_ERROR,
               "A replica with the same server_uuid/server_id as this replica has connected to the source", 0,
               ERR_MYSQL_SERVER_ID, "source.server_id");
    dump_fails(FAKE_DUMP_SILENT, "", 0, ERR_MYSQL_CONNECT, "not even a heartbeat");
    dump_fails(FAKE_DUMP_GARBAGE, "", 0, ERR_MALFORMED, "no event");
    dump_fails(FAKE_DUMP_OUT_OF_ORDER, "", 1, ERR_MYSQL_CONNECT, "out of order");
}

static void *interrupt_soon(void *arg)
{
    clock_sleep_ms(100);
    connection_interrupt(arg);
    return NULL;
}

static void an_interrupt_ends_the_wait(void **state)
{
    struct fake_server s;
    struct connection *c = dumping(&s, FAKE_DUMP_SILENT, "");
    struct err err = ERR_INIT;
    const uint8_t *event;
    size_t len;
    pthread_t t;
    int64_t begin = clock_mono_us();

    (void)state;
    pthread_create(&t, NULL, interrupt_soon, c);
    assert_int_equal(connection_fetch(c, &event, &len, &err), -1);
    assert_int_equal(err.code, ERR_STOPPED);
    assert_true(clock_mono_us() - begin < 390000);
    pthread_join(t, NULL);
    connection_close(c);
    fake_stop(&s);
}

static void tls_modes_have_names(void **state)
{
    enum tls_mode mode;

    (void)state;
    for (int i = TLS_OFF; i <= TLS_VERIFY_IDENTITY; i++) {
        assert_int_equal(tls_mode_parse(&mode, tls_mode_name((enum tls_mode)i)), 0);
        assert_int_equal(mode, i);
    }
    assert_int_equal(tls_mode_parse(&mode, "on"), -1);
    assert_int_equal(tls_mode_default("db.example.com"), TLS_VERIFY_IDENTITY);
    assert_int_equal(tls_mode_default("10.0.0.1"), TLS_VERIFY_IDENTITY);
    assert_int_equal(tls_mode_default("127.0.0.1"), TLS_PREFERRED);
    assert_int_equal(tls_mode_default("localhost"), TLS_PREFERRED);
    assert_int_equal(tls_mode_default(NULL), TLS_PREFERRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_in_and_learns_the_facts),
        cmocka_unit_test(refuses_what_is_no_server),
        cmocka_unit_test(tells_why_the_login_failed),
        cmocka_unit_test(never_sends_the_password_in_clear_text),
        cmocka_unit_test(never_sends_a_file),
        cmocka_unit_test(insists_on_tls),
        cmocka_unit_test(prefers_tls_but_goes_on_without),
        cmocka_unit_test(tells_unknown_hosts_and_closed_ports),
        cmocka_unit_test(reads_events_to_the_end),
        cmocka_unit_test(tells_why_the_stream_ended),
        cmocka_unit_test(an_interrupt_ends_the_wait),
        cmocka_unit_test(tls_modes_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
