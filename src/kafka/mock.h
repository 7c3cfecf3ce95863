/* mock: the in-process cluster behind "mock://", and the ledger of what its partitions still owe to the groups of this
 * process.
 *
 * Private to kafka/, and to its tests, which push errors through kafka_mock_cluster. One cluster a process, started by
 * the first client, ended by kafka_mock_stop. Thread: any. Source: rd_kafka_mock.h. */
#ifndef PILLION_KAFKA_MOCK_H
#define PILLION_KAFKA_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/err.h"

/* The cluster, started when it is not there; NULL with the error. */
rd_kafka_mock_cluster_t *kafka_mock_cluster(struct err *err);
/* A record of so many bytes was acknowledged at that offset; offsets of a partition rise. */
void kafka_mock_produced(const char *topic, int32_t partition, int64_t offset, size_t bytes);
/* The mock's broker refuses commits while a group rebalances, where Kafka takes them; they are kept here instead, until
 * the next one that it takes (offset < 0: forget). kafka_mock_kept gives -1 when there is none. */
void kafka_mock_keep(const char *group, const char *topic, int32_t partition, int64_t offset);
int64_t kafka_mock_kept(const char *group, const char *topic, int32_t partition);
/* A group goes on at that offset. */
void kafka_mock_committed(const char *topic, int32_t partition, int64_t offset);

#endif
