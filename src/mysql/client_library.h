/* client_library: the one file that knows the difference between Oracle's libmysqlclient and MariaDB's Connector/C.
 *
 * What differs: the names of TLS options and what they do when the server has no TLS, the fetch of a server's RSA key,
 * which authentication plugins may run, and how the binlog dump is asked for (mysql_binlog_open against the raw
 * command). Sources: MySQL "C API Binary Log Function Reference", "Replication Protocol" (COM_BINLOG_DUMP,
 * COM_BINLOG_DUMP_GTID, COM_REGISTER_SLAVE); Connector/C 3.3 mysql.h, ma_pvio.h. Thread: as its MYSQL. */
#ifndef PILLION_MYSQL_CLIENT_LIBRARY_H
#define PILLION_MYSQL_CLIENT_LIBRARY_H

#include <mysql.h>

#include "mysql/connection.h"

struct client_stream; /* what the library keeps for a dump */

/* TLS, authentication plugins, no LOCAL INFILE; before mysql_real_connect. encrypt: for TLS_PREFERRED, whether to try
 * TLS. */
int client_library_secure(MYSQL *m, const struct connection_options *o, bool encrypt, struct err *err);
/* TLS_PREFERRED needs two tries, with TLS and without. */
bool client_library_falls_back(void);
int client_library_socket(MYSQL *m);
/* Registers as a replica (for SHOW REPLICAS) where the library allows, and sends the dump command. Errors are in m. */
int client_library_dump(MYSQL *m, const struct dump_request *r, bool encrypted, struct client_stream **out);
void client_library_dump_free(MYSQL *m, struct client_stream *s);
/* The next packet through the library: 1, 0 at the end, -1. The first byte of a packet is 0. */
int client_library_packet(MYSQL *m, struct client_stream *s, const uint8_t **packet, size_t *len);
/* A whole packet lies in the library's buffer; false when that cannot be known. */
bool client_library_packet_ready(MYSQL *m);

#endif
