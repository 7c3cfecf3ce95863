/* replica_identity: what Pillion calls itself to a source server: server id, uuid, label; and whether another replica
 * has them.
 *
 * Servers end the older of two streams with the same uuid (MySQL) or server id (MariaDB), so both are derived from the
 * capture's name: a capture that comes back after a crash replaces its own dead stream, and never another's. Thread:
 * the connection's owner. */
#ifndef PILLION_MYSQL_REPLICA_IDENTITY_H
#define PILLION_MYSQL_REPLICA_IDENTITY_H

#include <stdint.h>

#include "mysql/connection.h"

struct replica_identity {
    uint32_t server_id;
    char uuid[37];
    char label[61]; /* shown as host in SHOW REPLICAS */
};

/* server_id 0: derived. */
void replica_identity_make(struct replica_identity *id, const char *capture_name, uint32_t server_id);
/* ERR_MYSQL_SERVER_ID when the server or another of its replicas uses the id; *visible false when the user may not see
 * replicas. */
int replica_identity_check(const struct replica_identity *id, struct connection *c, bool *visible, struct err *err);

#endif
