/* lease: one live capture per name.
 *
 * Two locks: a lock of this host that the kernel frees when the process dies (an abstract Unix socket), so a restart
 * after kill -9 does not wait; and membership in the consumer group `<prefix>.pillion.capture.<name>` on the
 * one-partition checkpoint topic, held by the member that has the partition, with group.instance.id from host and name,
 * so that the same host takes over at once and another host waits for the session timeout. lease_lost tells, within a
 * heartbeat, that another has it. A static member does not leave: after a clean end too, another host waits for the
 * session timeout (10 s), and the same host does not. A new group is made by the broker after its
 * group.initial.rebalance.delay.ms (3 s unless it is set lower). A mock cluster has one process, so there the lock of
 * the host is all. Thread: own thread inside; calls from any. Errors: ERR_LEASE names the holder as far as known. */
#ifndef PILLION_KAFKA_LEASE_H
#define PILLION_KAFKA_LEASE_H

#include "kafka/kafka_client.h"

struct lease;

/* Waits up to wait_ms for the lease (0: one try of the local lock and one group join). */
int lease_acquire(struct lease **out, const struct kafka_options *options, const char *group, const char *topic,
                  const char *name, int wait_ms, struct err *err);
bool lease_lost(struct lease *l, struct err *err);
void lease_release(struct lease *l);

#endif
