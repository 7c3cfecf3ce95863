/* preflight: can this server be captured by this user? Each finding is one line with a remedy.
 *
 * Probes features, does not compare version numbers (8.4 has SHOW BINARY LOG STATUS, others SHOW MASTER STATUS).
 * Checks: log_bin, binlog_format=ROW, binlog_row_image, binlog_row_metadata=FULL, binlog_row_value_options (partial
 * JSON), gtid settings, retention
 * (< 24 h warns), grants, the server id in use (SHOW REPLICAS / SHOW SLAVE HOSTS), foreign keys with CASCADE or SET
 * NULL that the server does not log, tables without a key, server character sets. Thread: the connection's owner. */
#ifndef PILLION_MYSQL_PREFLIGHT_H
#define PILLION_MYSQL_PREFLIGHT_H

#include "base/err.h"
#include "mysql/connection.h"

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_ERROR };
typedef void finding_fn(void *arg, enum finding_level level, const char *what, const char *remedy);

struct preflight_tables { /* called for each base table with rows in the binlog's reach; true: captured */
    bool (*captured)(void *arg, const char *database, const char *table);
    void *arg;
};

/* Reports all findings; returns the number of errors (0: can start), -1 when the server could not be asked. With fn
 * NULL the first error is put into err with its remedy and code (ERR_MYSQL_SETTING, ERR_MYSQL_GRANT ...). */
int preflight_run(struct connection *c, const struct preflight_tables *tables, uint32_t server_id, finding_fn *fn,
                  void *arg, struct err *err);

#endif
