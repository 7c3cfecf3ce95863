/* server_error: an error of the server or of the client library, told as one sentence with the remedy.
 *
 * One table maps error numbers (and, for 1236, the words in the text) to err codes and remedies. Sources: MySQL "Server
 * Error Message Reference", "Client Error Message Reference"; MariaDB "MariaDB Error Code Reference"; texts of
 * sql/rpl_binlog_sender.cc and MariaDB's sql/sql_repl.cc. It knows no connection. Thread: any. Never holds a password:
 * the vendors' texts have none. */
#ifndef PILLION_MYSQL_SERVER_ERROR_H
#define PILLION_MYSQL_SERVER_ERROR_H

#include "base/err.h"

/* doing: what was being done, "log in to 127.0.0.1:3306 as cdc". Always returns -1. */
int server_error_set(struct err *err, unsigned number, const char *text, const char *doing);

#endif
