/* connection: one session with the source server: login, TLS, plain queries, and the binlog stream.
 *
 * mysql/ is the only folder with <mysql.h>; what differs between Oracle's libmysqlclient and MariaDB's Connector/C
 * stays in client_library.c. The session sets names utf8mb4, time_zone '+00:00', never LOCAL INFILE, never cleartext
 * passwords without verified TLS. Thread: one owner; connection_interrupt may be called from another thread to end a
 * blocking read. Errors: ERR_MYSQL_CONNECT, _AUTH, _GRANT, _QUERY, _SERVER_ID, ERR_POSITION_PURGED, each with the
 * remedy; never a password. */
#ifndef PILLION_MYSQL_CONNECTION_H
#define PILLION_MYSQL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum tls_mode { TLS_OFF, TLS_PREFERRED, TLS_REQUIRED, TLS_VERIFY_CA, TLS_VERIFY_IDENTITY };

struct connection_options {
    const char *host; /* NULL or "": socket */
    unsigned port;
    const char *socket;
    const char *user;
    const char *password;
    enum tls_mode tls;
    const char *tls_ca, *tls_cert, *tls_key;
    unsigned connect_timeout_s, read_timeout_s;
};

enum server_flavor { SERVER_MYSQL, SERVER_MARIADB };

struct server_facts {
    enum server_flavor flavor;
    char version[128];
    char uuid[37]; /* "" on MariaDB */
    uint32_t server_id;
    bool has_gtid; /* MySQL: gtid_mode is ON; MariaDB: always */
};

struct connection;

int connection_open(struct connection **out, const struct connection_options *options, struct err *err);
void connection_close(struct connection *c);
const struct server_facts *connection_facts(const struct connection *c);
void connection_interrupt(struct connection *c);

/* Runs a statement; for each row calls fn with n columns (NULL for SQL NULL). fn may be NULL. fn returns 0 to go on.
 * Rows are not collected: they are read while fn runs, so fn must not use the connection. */
typedef int row_fn(void *arg, size_t n, const char *const values[], const size_t lengths[]);
int connection_query(struct connection *c, const char *sql, row_fn *fn, void *arg, struct err *err);
/* The first column of the first row, or "" when there is none. */
int connection_scalar(struct connection *c, const char *sql, char *out, size_t size, struct err *err);

/* The number of the newest error, of the server or of the client library. */
unsigned connection_last_error(const struct connection *c);

/* "off", "preferred", "required", "verify-ca", "verify-identity"; -1 for another word. */
int tls_mode_parse(enum tls_mode *mode, const char *word);
const char *tls_mode_name(enum tls_mode mode);
/* What holds when nothing is configured: verify-identity, for a socket or this machine's loopback preferred. */
enum tls_mode tls_mode_default(const char *host);

/* The binlog stream. After connection_dump the session serves nothing but connection_fetch. */
struct dump_request {
    uint32_t server_id;
    const char *file; /* "" with GTIDs */
    uint64_t offset;
    bool by_gtid;            /* MySQL: gtid_set; MariaDB: @slave_connect_state was set before */
    const uint8_t *gtid_set; /* MySQL's binary form */
    size_t gtid_set_len;
    bool annotate;       /* MariaDB: send Annotate_rows events, too */
    bool until_now;      /* end at the newest event instead of waiting */
    const char *label;   /* shown as host in SHOW REPLICAS */
    unsigned first_ms;   /* how long the first event may take: the server looks for the place */
    unsigned silence_ms; /* afterwards: a connection silent for so long is dead */
};
int connection_dump(struct connection *c, const struct dump_request *request, struct err *err);
/* 1 and an event, 0 at the end (until_now), -1. The bytes are valid until the next fetch. */
int connection_fetch(struct connection *c, const uint8_t **event, size_t *len, struct err *err);
bool connection_pending(struct connection *c);
bool connection_encrypted(const struct connection *c);

#endif
