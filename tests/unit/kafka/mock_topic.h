/* mock_topic: what the tests of kafka/ share: options for the cluster, a topic in it, a producer that fills it.
 *
 * The cluster is the mock one, or the one that PILLION_TEST_KAFKA names (integration/scenarios/kafka does so): then the
 * tests that push errors into the mock are left out, and names carry the process id, since others use that cluster too.
 */
#ifndef PILLION_TESTS_MOCK_TOPIC_H
#define PILLION_TESTS_MOCK_TOPIC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/admin_client.h"
#include "kafka/consumer.h"
#include "kafka/handle.h"
#include "kafka/mock.h"
#include "kafka/producer.h"

#define CLUSTER_OPTIONS                                                                                                \
    {                                                                                                                  \
        .brokers = cluster_brokers()                                                                                   \
    }

static inline bool cluster_is_mock(void)
{
    return !getenv("PILLION_TEST_KAFKA");
}

static inline const char *cluster_brokers(void)
{
    return cluster_is_mock() ? "mock://" : getenv("PILLION_TEST_KAFKA");
}

/* "t<pid>.<name>", in one of sixteen places. */
static inline const char *own(const char *name)
{
    static char texts[16][100];
    static int next;
    char *text = texts[next++ % 16];

    snprintf(text, sizeof(texts[0]), "t%ld.%s", (long)getpid(), name);
    return text;
}

#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s: %s", #call, (err).text);                                                                     \
    } while (0)

static inline void make_topic(const char *name, int partitions)
{
    struct kafka_options options = CLUSTER_OPTIONS;
    struct topic_spec spec = {.name = name, .partitions = partitions, .replication = -1, .retention_ms = 3600000};
    struct admin_client *admin;
    struct err err = ERR_INIT;
    int n;

    assert_ok(admin_client_new(&admin, &options, &err), err);
    assert_ok(admin_client_ensure_topic(admin, &spec, &n, &err), err);
    assert_int_equal(n, partitions);
    admin_client_free(admin);
}

static inline struct producer *open_producer(size_t queue_bytes, size_t queue_records, size_t record_max)
{
    struct producer_options o = {.kafka = CLUSTER_OPTIONS,
                                 .linger_ms = 1,
                                 .queue_bytes = queue_bytes,
                                 .queue_records = queue_records,
                                 .record_max = record_max};
    struct producer *p;
    struct err err = ERR_INIT;

    assert_ok(producer_new(&p, &o, &err), err);
    return p;
}

/* Takes acks until `want` came; the last error when a record failed. */
static inline int drain(struct producer *p, struct ack *acks, int want, struct err *err)
{
    int64_t end = clock_mono_us() + 20000000;
    int n = 0;

    while (n < want && clock_mono_us() < end) {
        int got = producer_poll_acks(p, acks + n, want - n, 100, err);

        if (got < 0)
            return -1;
        n += got;
    }
    return n;
}

/* n records "<from+i>" to a partition. */
static inline void fill(const char *topic, int32_t partition, int from, int n)
{
    struct producer *p = open_producer(0, 0, 0);
    struct producer_topic *t;
    struct ack *acks = xcalloc((size_t)n, sizeof(*acks));
    struct err err = ERR_INIT;
    char text[32];

    assert_ok(producer_topic_open(p, topic, &t, &err), err);
    for (int i = 0; i < n; i++) {
        int len = snprintf(text, sizeof(text), "%d", from + i);

        assert_ok(producer_send(p, t, partition, text, (size_t)len, text, (size_t)len, NULL, 0, (uint64_t)i, &err),
                  err);
    }
    assert_int_equal(drain(p, acks, n, &err), n);
    producer_free(p, 1000);
    free(acks);
}

#endif
