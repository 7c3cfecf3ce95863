/* gtid_scan: which GTIDs come before a place that is named by file and offset.
 *
 * A start by file and offset on a server with GTIDs needs the set before the place, else the position that capture
 * stores would lack it. The file is read from its beginning to the place, headers and GTID events only; the same walk
 * proves that the place lies between two transactions. MariaDB computes the set itself (BINLOG_GTID_POS). Thread: the
 * connection's owner. Errors: ERR_POSITION_FOREIGN when the place is not between two transactions, and those of
 * connection.h. */
#ifndef PILLION_MYSQL_GTID_SCAN_H
#define PILLION_MYSQL_GTID_SCAN_H

#include "model/position.h"
#include "mysql/connection.h"

/* stream: a session that dumps the file from offset 4 on, until now. out: filled; NULL only checks the place. */
int gtid_scan(struct connection *stream, const char *file, uint64_t offset, struct gtid_set *out, struct err *err);

#endif
