/* bench_produce: what handing a record to Kafka costs this process, apart from everything else that capture does.
 *
 *   bench_produce BROKERS RECORDS [BYTES [TOPICS [PARTITIONS [LINGER_MS [NAME=VALUE...]]]]]
 *
 * NAME is queue_bytes, compression, rate, burst, or a property of librdkafka.
 *
 * Makes topics bench.produce.<n>, sends RECORDS records of BYTES bytes (default 150, with an 8-byte key) round about,
 * as fast as the queue takes them, with the default durability. Prints records a second, CPU microseconds a record
 * (user and system of all threads), the peak of memory. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kafka/admin_client.h"
#include "kafka/producer.h"

struct bench {
    struct producer *p;
    uint64_t records;
    atomic_uint_fast64_t acked;
    int64_t *sent_us; /* when each was sent, then how long it took; NULL: not asked for */
    struct err err;
};

static void *acks_thread(void *arg)
{
    struct bench *b = arg;
    struct ack acks[4096];

    while (atomic_load(&b->acked) < b->records) {
        int n = producer_poll_acks(b->p, acks, 4096, 100, &b->err);

        if (n < 0)
            break;
        for (int i = 0; b->sent_us && i < n; i++)
            b->sent_us[acks[i].tag] = clock_mono_us() - b->sent_us[acks[i].tag];
        atomic_fetch_add(&b->acked, (uint64_t)n);
    }
    return NULL;
}

static int by_time(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return a < b ? -1 : a > b;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "bench_produce: %s\n", err->text);
    return 3;
}

int main(int argc, char **argv)
{
    struct kafka_property properties[16];
    struct producer_options o = {.kafka = {.brokers = argc > 1 ? argv[1] : NULL, .properties = properties},
                                 .linger_ms = argc > 6 ? atoi(argv[6]) : 2};
    uint64_t rate = 0, burst = 1;
    uint64_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    size_t bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 150;
    int topics = argc > 4 ? atoi(argv[4]) : 1, partitions = argc > 5 ? atoi(argv[5]) : 1;
    struct producer_topic **t;
    struct admin_client *admin;
    struct bench b = {.records = records, .err = ERR_INIT};
    struct err err = ERR_INIT;
    struct rusage before, after;
    int64_t begin, cpu;
    pthread_t thread;
    char *value;

    if (!records || !bytes || topics < 1 || partitions < 1) {
        fprintf(stderr,
                "usage: bench_produce BROKERS RECORDS [BYTES [TOPICS [PARTITIONS [LINGER_MS [NAME=VALUE...]]]]]\n");
        return 2;
    }
    for (int i = 7; i < argc && o.kafka.n_properties < 16; i++) {
        char *equals = strchr(argv[i], '=');

        if (!equals)
            return 2;
        *equals = 0;
        if (!strcmp(argv[i], "queue_bytes"))
            o.queue_bytes = strtoul(equals + 1, NULL, 10);
        else if (!strcmp(argv[i], "rate"))
            rate = strtoull(equals + 1, NULL, 10);
        else if (!strcmp(argv[i], "burst"))
            burst = strtoull(equals + 1, NULL, 10);
        else if (!strcmp(argv[i], "compression"))
            o.compression = equals + 1;
        else
            properties[o.kafka.n_properties++] = (struct kafka_property){argv[i], equals + 1};
    }
    if (admin_client_new(&admin, &o.kafka, &err) || producer_new(&b.p, &o, &err))
        return fail(&err);
    t = xcalloc((size_t)topics, sizeof(*t));
    for (int i = 0; i < topics; i++) {
        char name[64];
        struct topic_spec spec = {.name = name, .partitions = partitions, .replication = -1};
        int n;

        snprintf(name, sizeof(name), "bench.produce.%d.%d", partitions, i);
        if (admin_client_ensure_topic(admin, &spec, &n, &err) || producer_topic_open(b.p, name, &t[i], &err))
            return fail(&err);
    }
    admin_client_free(admin);
    value = xmalloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        value[i] = (char)(i * 7);
    if (rate)
        b.sent_us = xcalloc(records, sizeof(*b.sent_us));
    pthread_create(&thread, NULL, acks_thread, &b);
    getrusage(RUSAGE_SELF, &before);
    begin = clock_mono_us();
    cpu = clock_cpu_us();
    for (uint64_t i = 0; i < records; i++) {
        struct producer_topic *to = t[i % (uint64_t)topics];

        if (rate) {
            int64_t due = begin + (int64_t)(i / burst * 1000000 / rate), now = clock_mono_us();

            if (due > now)
                usleep((useconds_t)(due - now));
            b.sent_us[i] = clock_mono_us();
        }
        memcpy(value, &i, bytes < sizeof(i) ? bytes : sizeof(i));
        if (producer_send(b.p, to, producer_partition(to, &i, sizeof(i)), &i, sizeof(i), value, bytes, NULL, 0, i,
                          &err))
            return fail(&err);
    }
    pthread_join(thread, NULL);
    cpu = clock_cpu_us() - cpu;
    begin = clock_mono_us() - begin;
    getrusage(RUSAGE_SELF, &after);
    if (atomic_load(&b.acked) < records)
        return fail(&b.err);
    printf("%.0f records/s, %.3f us CPU per record (%.3f user, %.3f system), peak %ld MiB, %ld context switches per "
           "1000\n",
           (double)records * 1e6 / (double)begin, (double)cpu / (double)records,
           ((double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1e6 +
            (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec)) /
               (double)records,
           ((double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e6 +
            (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec)) /
               (double)records,
           after.ru_maxrss / 1024,
           (after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw) * 1000 / (long)records);
    if (rate) {
        qsort(b.sent_us, records, sizeof(*b.sent_us), by_time);
        printf("sent to acknowledged: p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f; %.1f %% of a core\n",
               (double)b.sent_us[records / 2] / 1000, (double)b.sent_us[records * 9 / 10] / 1000,
               (double)b.sent_us[records * 99 / 100] / 1000, (double)b.sent_us[records * 999 / 1000] / 1000,
               (double)cpu * 100 / (double)begin);
    }
    free(b.sent_us);
    producer_free(b.p, 1000);
    free(t);
    free(value);
    return 0;
}
