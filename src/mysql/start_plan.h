/* start_plan: from "start there" to the dump command, or to the sentence why that server cannot start there.
 *
 * It checks promise C6 before the server is asked to stream: the position's GTIDs must be among the executed ones, and
 * none of the missing ones may be purged. Thread: the connection's owner. Ownership: owns the encoded set. Errors:
 * ERR_POSITION_FOREIGN, ERR_POSITION_PURGED (both name sets, cut to a readable length), ERR_CONFIG, and those of
 * connection.h. */
#ifndef PILLION_MYSQL_START_PLAN_H
#define PILLION_MYSQL_START_PLAN_H

#include "base/buf.h"
#include "mysql/event_source.h"
#include "mysql/server_log.h"

struct start_plan {
    bool by_gtid;
    char file[POSITION_FILE]; /* "" by GTID */
    uint64_t offset;
    struct buf gtid_set; /* MySQL: binary; MariaDB: text for @slave_connect_state */
    bool find_gtids;     /* by file, and the GTID set before the place is not known yet */
};

/* *at: where the stream begins; initialised by the caller. */
int start_plan_make(struct start_plan *plan, struct connection *c, const struct start_point *start, struct position *at,
                    struct err *err);
void start_plan_release(struct start_plan *plan);

#endif
