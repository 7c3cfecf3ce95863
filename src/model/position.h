/* position: a place in one server's stream of transactions from which reading can go on: always between transactions.
 *
 * It belongs to a server (uuid; MariaDB has none, so its server_id and the domain ids in the GTID set stand for it).
 * The GTID set holds all transactions before the place; file and offset name the same place in that server's own logs
 * and mean nothing on another server. Ownership: owns its set. Thread: one owner. */
#ifndef PILLION_MODEL_POSITION_H
#define PILLION_MODEL_POSITION_H

#include <stdint.h>

#include "model/gtid.h"

enum { POSITION_FILE = 512, POSITION_UUID = 37 };

struct position {
    enum gtid_flavor flavor; /* GTID_FILE when the server has no GTIDs */
    char server_uuid[POSITION_UUID];
    char file[POSITION_FILE];
    uint64_t offset;
    struct gtid_set *gtids;
    int64_t
        commit_us; /* when the newest transaction before the place was committed, wall clock of the server; 0 unknown */
};

void position_init(struct position *p);
void position_release(struct position *p);
void position_copy(struct position *to, const struct position *from); /* `to` must be initialised */

#endif
