/* admin_client: makes topics that do not exist, and asks for what does. Thread: any, one call at a time. */
#ifndef PILLION_KAFKA_ADMIN_CLIENT_H
#define PILLION_KAFKA_ADMIN_CLIENT_H

#include "kafka/kafka_client.h"

struct topic_spec {
    const char *name;
    int partitions;
    int replication;      /* -1: the broker's default */
    int64_t retention_ms; /* -1: for ever; 0: the broker's default */
    bool compacted;
};

struct admin_client;

int admin_client_new(struct admin_client **out, const struct kafka_options *options, struct err *err);
void admin_client_free(struct admin_client *a);
/* Makes it unless it is there; *partitions is its real number then. */
int admin_client_ensure_topic(struct admin_client *a, const struct topic_spec *spec, int *partitions, struct err *err);
/* 0 partitions: no such topic. */
int admin_client_partitions(struct admin_client *a, const char *topic, int *partitions, struct err *err);
/* Names of all topics that begin with prefix, sorted; free with admin_client_free_names. */
int admin_client_topics(struct admin_client *a, const char *prefix, char ***names, size_t *n, struct err *err);
void admin_client_free_names(char **names, size_t n);
/* Broker version facts for `check`: reachable, number of brokers, the SCRAM trap. */
int admin_client_describe(struct admin_client *a, char *out, size_t size, struct err *err);

#endif
