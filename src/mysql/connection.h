/* connection: one session with the source server: login, TLS, plain queries, and the binlog stream.
 *
 * mysql/ is the only folder with <mysql.h>; what differs between Oracle's libmysqlclient and MariaDB's Connector/C stays in
 * client_library.c. The session sets names utf8mb4, time_zone '+00:00', never LOCAL INFILE, never cleartext passwords without
 * verified TLS. Thread: one owner; connection_interrupt may be called from another thread to end a blocking read.
 * Errors: ERR_MYSQL_CONNECT, _AUTH, _GRANT, _QUERY, _SERVER_ID, ERR_POSITION_PURGED, each with the remedy; never a password. */
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
    bool has_gtid; /* MySQL: gtid_mode ON or ON_PERMISSIVE; MariaDB: always */
};

struct connection;

int connection_open(struct connection **out, const struct connection_options *options, struct err *err);
void connection_close(struct connection *c);
const struct server_facts *connection_facts(const struct connection *c);
void connection_interrupt(struct connection *c);

/* Runs a statement; for each row calls fn with n columns (NULL for SQL NULL). fn may be NULL. fn returns 0 to go on. */
typedef int row_fn(void *arg, size_t n, const char *const values[], const size_t lengths[]);
int connection_query(struct connection *c, const char *sql, row_fn *fn, void *arg, struct err *err);
/* The first column of the first row, or "" when there is none. */
int connection_scalar(struct connection *c, const char *sql, char *out, size_t size, struct err *err);

#endif
