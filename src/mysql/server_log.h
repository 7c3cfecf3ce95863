/* server_log: what a source server still has of its binlog, and what it has executed.
 *
 * Probes statements instead of comparing versions (SHOW BINARY LOG STATUS is MySQL 8.2+, SHOW MASTER STATUS is
 * everybody else). Thread: the connection's owner. Ownership: owns its sets. Errors: as connection.h; ERR_MYSQL_SETTING
 * without log_bin. */
#ifndef PILLION_MYSQL_SERVER_LOG_H
#define PILLION_MYSQL_SERVER_LOG_H

#include <stdint.h>

#include "model/position.h"
#include "mysql/connection.h"

struct server_log {
    char first_file[POSITION_FILE];
    char last_file[POSITION_FILE];
    uint64_t last_offset;
    char filters[256];         /* binlog-do-db and binlog-ignore-db of the server, "" for none */
    enum gtid_flavor flavor;   /* GTID_FILE when the server has no GTIDs */
    struct gtid_set *executed; /* MySQL gtid_executed, MariaDB gtid_binlog_pos */
    struct gtid_set *purged;   /* before first_file: MySQL gtid_purged, MariaDB the list at its head */
};

int server_log_read(struct server_log *log, struct connection *c, struct err *err);
void server_log_release(struct server_log *log);
/* Only `executed`, last_file and last_offset, into a position. */
int server_log_newest(struct connection *c, struct position *out, struct err *err);
/* MariaDB: the newest GTID of each domain before a place. */
int server_log_gtids_before(struct connection *c, const char *file, uint64_t offset, struct gtid_set *out,
                            struct err *err);
/* Size of a log file; 0 and *found false when the server has no such file.  */
int server_log_find(struct connection *c, const char *file, uint64_t *size, bool *found, struct err *err);

#endif
