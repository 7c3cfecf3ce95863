#include "mysql/connection.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "binlog/event.h"
#include "mysql/client_library.h"
#include "mysql/packet_reader.h"
#include "mysql/server_error.h"

enum { TLS_ERROR = 2026, LOST = 2013, ACCESS_DENIED = 1045 };

struct connection {
    MYSQL *mysql;
    struct server_facts facts;
    char place[320]; /* "127.0.0.1:3306 as cdc": for errors */
    bool encrypted;

    bool dumping;
    struct client_stream *stream;
    struct packet_reader reader; /* used when not encrypted */
    unsigned first_ms, silence_ms;
    bool fetched;

    atomic_bool interrupted;
    pthread_mutex_t lock; /* guards fd against being closed under connection_interrupt */
    int fd;               /* -1 until connected */
};

static const char *const tls_names[] = {"off", "preferred", "required", "verify-ca", "verify-identity"};

int tls_mode_parse(enum tls_mode *mode, const char *word)
{
    for (size_t i = 0; i < sizeof tls_names / sizeof tls_names[0]; i++)
        if (strcmp(word, tls_names[i]) == 0) {
            *mode = (enum tls_mode)i;
            return 0;
        }
    return -1;
}

const char *tls_mode_name(enum tls_mode mode)
{
    return tls_names[mode];
}

enum tls_mode tls_mode_default(const char *host)
{
    bool here =
        !host || !*host || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;

    return here ? TLS_PREFERRED : TLS_VERIFY_IDENTITY;
}

static int stopped(const struct connection *c, struct err *err)
{
    if (!atomic_load(&c->interrupted))
        return 0;
    return err_set(err, ERR_STOPPED, "Reading from the source server was asked to stop.");
}

/* What an error means once the login is done is not what it means before. */
static int tell(const struct connection *c, unsigned number, const char *text, const char *doing, struct err *err)
{
    char what[700];

    snprintf(what, sizeof what, "%s %s", doing, c->place);
    /* The connection broke; TLS was set up well enough. */
    if (c->fd >= 0 && number == TLS_ERROR)
        number = LOST;
    /* Both vendors refuse replication with the words for a wrong password. */
    if (c->fd >= 0 && number == ACCESS_DENIED)
        return err_set(err, ERR_MYSQL_GRANT,
                       "Could not %s: the user lacks the privilege to read the binlog (error %u); run GRANT "
                       "REPLICATION SLAVE ON *.* TO that user.",
                       what, number);
    return server_error_set(err, number, text, what);
}

static int failed(struct connection *c, const char *doing, struct err *err)
{
    if (stopped(c, err))
        return -1;
    return tell(c, mysql_errno(c->mysql), mysql_error(c->mysql), doing, err);
}

static void library_init_once(void)
{
    mysql_library_init(0, NULL, NULL);
}

static void set_timeouts(MYSQL *m, const struct connection_options *o)
{
    unsigned connect_s = o->connect_timeout_s ? o->connect_timeout_s : 10;
    unsigned read_s = o->read_timeout_s ? o->read_timeout_s : 60;

    mysql_options(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(m, MYSQL_OPT_READ_TIMEOUT, &read_s);
    mysql_options(m, MYSQL_OPT_WRITE_TIMEOUT, &read_s);
}

/* One try to log in. */
static int log_in(struct connection *c, const struct connection_options *o, bool encrypt, struct err *err)
{
    bool tcp = o->host && *o->host;
    unsigned protocol = tcp ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;

    c->mysql = mysql_init(NULL);
    if (!c->mysql)
        abort();
    if (client_library_secure(c->mysql, o, encrypt, err))
        return -1;
    set_timeouts(c->mysql, o);
    /* Else both libraries take "localhost" for "the socket". */
    mysql_options(c->mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(c->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options4(c->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "pillion");
    if (!mysql_real_connect(c->mysql, tcp ? o->host : NULL, o->user, o->password, NULL, tcp ? o->port : 0,
                            tcp || !o->socket || !*o->socket ? NULL : o->socket, 0))
        return failed(c, "log in to", err);
    return 0;
}

static int fact_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct server_facts *f = arg;

    (void)lengths;
    if (n < 2 || !v[0] || !v[1])
        return 0;
    if (strcmp(v[0], "version") == 0)
        snprintf(f->version, sizeof f->version, "%s", v[1]);
    else if (strcmp(v[0], "server_uuid") == 0)
        snprintf(f->uuid, sizeof f->uuid, "%s", v[1]);
    else if (strcmp(v[0], "server_id") == 0)
        f->server_id = (uint32_t)strtoul(v[1], NULL, 10);
    else if (strcmp(v[0], "gtid_mode") == 0)
        f->has_gtid = f->has_gtid || strcmp(v[1], "ON") == 0; /* in other modes no dump by GTID set is served */
    else if (strcmp(v[0], "gtid_binlog_pos") == 0) {
        f->flavor = SERVER_MARIADB;
        f->has_gtid = true;
    }
    return 0;
}

static int set_up_session(struct connection *c, struct err *err)
{
    if (connection_query(c, "SET SESSION time_zone = '+00:00'", NULL, NULL, err) ||
        connection_query(
            c,
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'server_uuid', 'server_id', 'gtid_mode', "
            "'gtid_binlog_pos')",
            fact_row, &c->facts, err))
        return -1;
    if (c->facts.flavor == SERVER_MARIADB)
        c->facts.uuid[0] = 0; /* newer ones have a variable of that name that no GTID uses */
    if (!c->facts.version[0])
        return err_set(err, ERR_MYSQL_QUERY,
                       "The server at %s does not tell its version: only MySQL 8.0 or newer and MariaDB 10.5 or "
                       "newer can be captured, not a proxy of another kind.",
                       c->place);
    return 0;
}

int connection_open(struct connection **out, const struct connection_options *o, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct connection *c = xcalloc(1, sizeof *c);
    bool tcp = o->host && *o->host;
    bool encrypt = tcp; /* TLS_PREFERRED: a socket file needs none */
    int rc = -1;

    pthread_once(&once, library_init_once);
    *out = NULL;
    c->fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    if (tcp)
        snprintf(c->place, sizeof c->place, "%s:%u as %s", o->host, o->port, o->user ? o->user : "");
    else
        snprintf(c->place, sizeof c->place, "%s as %s", o->socket && *o->socket ? o->socket : "the default socket",
                 o->user ? o->user : "");
    if (log_in(c, o, encrypt, err)) {
        if (o->tls != TLS_PREFERRED || !encrypt || !client_library_falls_back() || mysql_errno(c->mysql) != TLS_ERROR)
            goto out;
        /* Preferred means: without TLS rather than not at all. */
        mysql_close(c->mysql);
        if (log_in(c, o, false, err))
            goto out;
    }
    c->encrypted = mysql_get_ssl_cipher(c->mysql) != NULL;
    if (o->tls >= TLS_REQUIRED && !c->encrypted) {
        err_set(err, ERR_MYSQL_AUTH,
                "The connection to %s is not encrypted although source.tls.mode is %s: give the server a "
                "certificate, or set source.tls.mode to off where the network is trusted.",
                c->place, tls_mode_name(o->tls));
        goto out;
    }
    c->fd = client_library_socket(c->mysql);
    if (set_up_session(c, err))
        goto out;
    *out = c;
    c = NULL;
    rc = 0;
out:
    connection_close(c);
    return rc;
}

void connection_close(struct connection *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    /* A session in the middle of a stream would make the library wait for the server's answer to its farewell. */
    if (c->dumping && c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
    c->fd = -1;
    if (c->mysql) {
        client_library_dump_free(c->mysql, c->stream);
        mysql_close(c->mysql);
    }
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_destroy(&c->lock);
    packet_reader_release(&c->reader);
    free(c);
}

const struct server_facts *connection_facts(const struct connection *c)
{
    return &c->facts;
}

unsigned connection_last_error(const struct connection *c)
{
    return mysql_errno(c->mysql);
}

bool connection_encrypted(const struct connection *c)
{
    return c->encrypted;
}

void connection_interrupt(struct connection *c)
{
    atomic_store(&c->interrupted, true);
    pthread_mutex_lock(&c->lock);
    if (c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&c->lock);
}

int connection_query(struct connection *c, const char *sql, row_fn *fn, void *arg, struct err *err)
{
    MYSQL_RES *result = NULL;
    size_t *lengths = NULL;
    MYSQL_ROW row;
    unsigned n;
    char doing[160];
    int rc = -1;

    /* The statement's head tells which one it was; values in it do not belong into an error. */
    snprintf(doing, sizeof doing, "run \"%.60s%s\" on", sql, strlen(sql) > 60 ? "..." : "");
    if (stopped(c, err))
        return -1;
    if (c->dumping)
        return err_set(err, ERR_BUG, "A statement was sent on the session that streams the binlog; please report it.");
    if (mysql_real_query(c->mysql, sql, (unsigned long)strlen(sql)))
        return failed(c, doing, err);
    result = mysql_use_result(c->mysql);
    if (!result) {
        if (mysql_field_count(c->mysql) == 0)
            return 0;
        return failed(c, doing, err);
    }
    n = mysql_num_fields(result);
    lengths = xcalloc(n ? n : 1, sizeof *lengths);
    while ((row = mysql_fetch_row(result))) {
        const unsigned long *raw = mysql_fetch_lengths(result);

        for (unsigned i = 0; i < n; i++)
            lengths[i] = raw[i];
        if (fn && fn(arg, n, (const char *const *)row, lengths)) {
            rc = 0;
            goto out;
        }
    }
    if (mysql_errno(c->mysql)) {
        failed(c, doing, err);
        goto out;
    }
    rc = 0;
out:
    free(lengths);
    mysql_free_result(result);
    return rc;
}

struct scalar {
    char *out;
    size_t size;
    bool seen, cut;
};

static int scalar_row(void *arg, size_t n, const char *const values[], const size_t lengths[])
{
    struct scalar *s = arg;

    if (n && values[0]) {
        s->cut = lengths[0] >= s->size;
        snprintf(s->out, s->size, "%s", values[0]);
    }
    return 1;
}

int connection_scalar(struct connection *c, const char *sql, char *out, size_t size, struct err *err)
{
    struct scalar s = {.out = out, .size = size};

    out[0] = 0;
    if (connection_query(c, sql, scalar_row, &s, err))
        return -1;
    if (s.cut)
        return err_set(err, ERR_LIMIT, "The answer of %s to \"%.60s\" is longer than %zu bytes.", c->place, sql,
                       size - 1);
    return 0;
}

int connection_dump(struct connection *c, const struct dump_request *r, struct err *err)
{
    if (stopped(c, err))
        return -1;
    if (client_library_dump(c->mysql, r, c->encrypted, &c->stream))
        return failed(c, "start the binlog stream of", err);
    c->dumping = true;
    c->first_ms = r->first_ms;
    c->silence_ms = r->silence_ms;
    if (!c->encrypted)
        packet_reader_init(&c->reader, c->fd, 1, EVENT_BYTES_MAX);
    return 0;
}

/* An error packet: 0xff, number, "#" and five letters of SQLSTATE, text. */
static int server_said(struct connection *c, const uint8_t *packet, size_t len, struct err *err)
{
    struct cursor cur = cursor_of(packet, len);
    unsigned number;
    char text[512];

    cursor_skip(&cur, 1);
    number = cursor_u16le(&cur);
    if (cursor_left(&cur) >= 6 && cur.p[0] == '#')
        cursor_skip(&cur, 6);
    snprintf(text, sizeof text, "%.*s", (int)(cursor_left(&cur) < sizeof text ? cursor_left(&cur) : sizeof text - 1),
             (const char *)cur.p);
    return tell(c, number, text, "read the binlog stream of", err);
}

int connection_fetch(struct connection *c, const uint8_t **event, size_t *len, struct err *err)
{
    const uint8_t *packet;
    size_t n;

    if (atomic_load_explicit(&c->interrupted, memory_order_relaxed))
        return stopped(c, err);
    if (c->encrypted) {
        int rc = client_library_packet(c->mysql, c->stream, &packet, &n);

        if (rc < 0)
            return failed(c, "read the binlog stream of", err);
        if (rc == 0)
            return 0;
    } else {
        unsigned ms = c->fetched ? c->silence_ms : c->first_ms;

        if (packet_reader_next(&c->reader, (int)ms, &packet, &n, err)) {
            stopped(c, err);
            return -1;
        }
        if (n && packet[0] == 0xff)
            return server_said(c, packet, n, err);
        if (n && packet[0] == 0xfe && n < 9)
            return 0;
    }
    c->fetched = true;
    if (n < 1 + EVENT_HEADER || packet[0] != 0)
        return err_set(err, ERR_MALFORMED,
                       "The binlog stream of %s holds a packet of %zu bytes that begins with 0x%02x and is no event; "
                       "check that the address is a MySQL or MariaDB server.",
                       c->place, n, n ? packet[0] : 0);
    *event = packet + 1;
    *len = n - 1;
    return 1;
}

bool connection_pending(struct connection *c)
{
    if (!c->dumping)
        return false;
    return c->encrypted ? client_library_packet_ready(c->mysql) : packet_reader_ready(&c->reader);
}
