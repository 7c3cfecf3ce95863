/* kafka_client: the options shared by producer, consumer and admin, and the one mock cluster of this process.
 *
 * brokers "mock://" starts librdkafka's in-process cluster once per process (rd_kafka_mock.h); every client of the
 * process then uses it. Known trap: a mock partition keeps the newest 5 MiB or 100,000 messages only (DESIGN section
 * 8), so capture asks kafka_mock_backlog and waits. kafka/ treats keys and values as opaque payloads: no Avro, no
 * MySQL. Errors: ERR_KAFKA (passing), ERR_KAFKA_CONFIG (credentials, unknown properties: names the property),
 * ERR_KAFKA_FATAL. Known pair: librdkafka before 2.6.1 cannot SCRAM to Kafka 4 (its error text says so). */
#ifndef PILLION_KAFKA_KAFKA_CLIENT_H
#define PILLION_KAFKA_KAFKA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct kafka_property {
    const char *name, *value;
};

struct kafka_options {
    const char *brokers;  /* host:port list or mock:// */
    const char *security; /* plaintext, ssl, sasl_plaintext, sasl_ssl; NULL: plaintext */
    const char *sasl_mechanism, *sasl_username, *sasl_password;
    const char *tls_ca, *tls_cert, *tls_key;
    const char *client_id;
    /* raw librdkafka properties, applied last; those that a promise rests on (acks, idempotence, ...) are refused */
    const struct kafka_property *properties;
    size_t n_properties;
};

bool kafka_is_mock(const struct kafka_options *o);
/* The most bytes that one partition of the topic holds between what a group of this process has committed and what
 * producers of this process had acknowledged. A topic that no group reads only grows: ask for topics that a merger of
 * this process reads. */
size_t kafka_mock_backlog(const char *topic);
void kafka_mock_stop(void); /* at the process's end, after every client was freed */

#endif
