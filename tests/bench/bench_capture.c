/* bench_capture: capture from a real server to a real broker: rows a second, CPU a row, peak memory, first event,
 * latency.
 *
 * Usage: bench_capture [mariadb|mysql] [THOUSAND_ROWS] [LATENCY_SECONDS] [BIG_TRANSACTION_THOUSANDS]
 * The servers come from the environment that integration/servers.sh writes (MARIADB_PORT or MYSQL_PORT,
 * KAFKA_BOOTSTRAP, REGISTRY_URL); bench_capture.sh starts private ones. It makes its own history of inserts, updates
 * and deletes of a 12-column table, then runs capture over it, then writes 200 transactions of five rows a second and
 * reads the topic as a consumer does. One line of result each; what is printed is measured here. CPU is that of this
 * process while capture runs over the history: nothing else runs in it then. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "avro/varint.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/stop.h"
#include "capture/capture.h"
#include "kafka/consumer.h"

enum { RATE = 200, ROWS_A_TXN = 5, STATEMENT_ROWS = 100, SAMPLES_MAX = 200000, LINGER_MS = 2 /* the default */ };

static char prefix[64];
static const char *server;

static _Noreturn void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_capture: %s: %s\n", what, err->text);
    exit(1);
}

static const char *need(const char *name)
{
    const char *v = getenv(name);

    if (!v || !*v) {
        fprintf(stderr, "bench_capture: %s is not set; run it by tests/bench/bench_capture.sh\n", name);
        exit(2);
    }
    return v;
}

static struct connection_options account(const char *user)
{
    static char port[32];

    snprintf(port, sizeof(port), "%s_PORT", !strcmp(server, "mysql") ? "MYSQL" : "MARIADB");
    return (struct connection_options){.host = "127.0.0.1",
                                       .port = (unsigned)atoi(need(port)),
                                       .user = user,
                                       .password = "",
                                       .tls = TLS_PREFERRED,
                                       .connect_timeout_s = 10,
                                       .read_timeout_s = 900};
}

static struct connection *session(void)
{
    struct connection_options o = account("root");
    struct connection *c;
    struct err err = ERR_INIT;

    if (connection_open(&c, &o, &err))
        die("connecting", &err);
    return c;
}

static void sql(struct connection *c, const char *text)
{
    struct err err = ERR_INIT;

    if (connection_query(c, text, NULL, NULL, &err))
        die(text, &err);
}

/* ---- the history ---- */

static void put_row(struct buf *b, uint64_t id)
{
    (void)buf_putf(b,
                   "(%" PRIu64 ",%" PRIu64 ",%" PRIu64
                   ",%u,'Bahnhofstrasse %u','Airport, Terminal %u',%u.%03u,%u.%02u,'CHF',"
                   "'2026-11-21 10:%02u:%02u.123456','2026-11-21 11:%02u:00',NULL)",
                   id, id % 100000 + 1, id % 5000 + 1, (unsigned)(id % 5 + 1), (unsigned)(id % 97), (unsigned)(id % 3),
                   (unsigned)(id % 60), (unsigned)(id % 1000), (unsigned)(id % 200), (unsigned)(id % 100),
                   (unsigned)(id % 60), (unsigned)(id / 60 % 60), (unsigned)(id % 60));
}

static void insert(struct connection *c, struct buf *b, uint64_t first, unsigned n)
{
    buf_clear(b);
    (void)buf_put_str(b, "INSERT INTO bench_capture.rides VALUES ");
    for (unsigned i = 0; i < n; i++) {
        if (i)
            (void)buf_put_u8(b, ',');
        put_row(b, first + i);
    }
    sql(c, buf_cstr(b));
}

static uint64_t make_history(struct connection *c, uint64_t rows, uint64_t big)
{
    uint64_t inserts = rows * 7 / 10, singles = rows / 20, updates = rows / 5,
             deletes = rows - inserts - singles - updates;
    uint64_t id = 1, n = 0;
    struct buf b;

    buf_init(&b, 1 << 20);
    sql(c, "SET GLOBAL innodb_flush_log_at_trx_commit=2");
    sql(c, "SET GLOBAL sync_binlog=0");
    sql(c, "DROP DATABASE IF EXISTS bench_capture");
    sql(c, "CREATE DATABASE bench_capture");
    sql(c, "CREATE TABLE bench_capture.rides (id BIGINT UNSIGNED PRIMARY KEY, client_id BIGINT UNSIGNED NOT NULL, "
           "driver_id "
           "BIGINT UNSIGNED, status ENUM('requested','accepted','started','finished','cancelled') NOT NULL, pickup "
           "VARCHAR(120) NOT "
           "NULL, dropoff VARCHAR(120), distance_km DECIMAL(8,3), fare DECIMAL(10,2), currency CHAR(3) NOT NULL, "
           "requested_at "
           "TIMESTAMP(6) NOT NULL, finished_at DATETIME, note TEXT)");
    for (; n < inserts; n += STATEMENT_ROWS, id += STATEMENT_ROWS)
        insert(c, &b, id, STATEMENT_ROWS);
    for (uint64_t i = 0; i < singles; i++, id++) {
        if (i % 100 == 0)
            sql(c, "BEGIN");
        insert(c, &b, id, 1);
        if (i % 100 == 99)
            sql(c, "COMMIT");
    }
    sql(c, "COMMIT");
    for (uint64_t i = 0; i < updates; i += 50) {
        buf_clear(&b);
        (void)buf_putf(&b, "UPDATE bench_capture.rides SET fare = fare + 1 WHERE id BETWEEN %" PRIu64 " AND %" PRIu64,
                       i + 1, i + 50);
        sql(c, buf_cstr(&b));
    }
    for (uint64_t i = 0; i < deletes; i += 50) {
        buf_clear(&b);
        (void)buf_putf(&b, "DELETE FROM bench_capture.rides WHERE id BETWEEN %" PRIu64 " AND %" PRIu64, i + 1, i + 50);
        sql(c, buf_cstr(&b));
    }
    if (big) { /* one statement, one transaction, far larger than any buffer */
        sql(c, "CREATE TABLE bench_capture.digits (d INT PRIMARY KEY)");
        sql(c, "INSERT INTO bench_capture.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)");
        buf_clear(&b);
        (void)buf_putf(
            &b,
            "INSERT INTO bench_capture.rides SELECT 2000000000 + n, n, NULL, 1, 'Bahnhofstrasse 21', 'Airport', 1.5, "
            "12.30, 'CHF', NOW(6), NULL, NULL FROM (SELECT a.d + 10*b.d + 100*c.d + 1000*e.d + 10000*f.d + "
            "100000*g.d + 1000000*h.d AS n FROM bench_capture.digits a, bench_capture.digits b, bench_capture.digits "
            "c, bench_capture.digits e, bench_capture.digits f, bench_capture.digits g, bench_capture.digits h) x "
            "WHERE n < %" PRIu64,
            big);
        sql(c, buf_cstr(&b));
    }
    buf_release(&b);
    return inserts + singles + updates + deletes + big;
}

/* ---- capture ---- */

static void options(struct capture_options *o, bool until)
{
    static const char *const include[] = {"bench_capture\\.rides"};

    memset(o, 0, sizeof(*o));
    o->name = "bench";
    o->prefix = prefix;
    o->source.connection = account("root");
    o->source.heartbeat_ms = 1000;
    o->start = until ? "earliest" : "latest";
    o->include = include;
    o->n_include = 1;
    o->producer.kafka.brokers = need("KAFKA_BOOTSTRAP");
    o->producer.linger_ms = getenv("BENCH_LINGER_MS") ? atoi(getenv("BENCH_LINGER_MS")) : LINGER_MS;
    o->producer.compression = getenv("BENCH_COMPRESSION");
    o->producer.queue_bytes = getenv("BENCH_QUEUE_MB") ? (size_t)atoi(getenv("BENCH_QUEUE_MB")) << 20 : 16u << 20;
    o->registry.url = need("REGISTRY_URL");
    o->registry.timeout_ms = 10000;
    o->tombstones = TOMBSTONES_ON;
    o->partitions = 3;
    o->replication = 1;
    o->retention_ms = -1;
    o->until_caught_up = until;
}

struct run {
    struct capture *capture;
    struct err err;
    int rc;
    atomic_bool over;
};

static void *run_capture(void *arg)
{
    struct run *r = arg;

    r->rc = capture_run(r->capture, &r->err);
    r->over = true;
    return NULL;
}

static void start(struct run *r, pthread_t *thread, const struct capture_options *o)
{
    memset(r, 0, sizeof(*r));
    if (capture_new(&r->capture, o, &r->err))
        die("capture", &r->err);
    pthread_create(thread, NULL, run_capture, r);
}

static long peak_kib(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void throughput(void)
{
    struct capture_options o;
    struct capture_status status;
    struct run r;
    pthread_t thread;
    int64_t began = clock_mono_us(), cpu = clock_cpu_us(), first = 0, streaming = 0, ended;
    double busy = 0;
    uint64_t looks = 0, rows;

    options(&o, true);
    start(&r, &thread, &o);
    while (!r.over) {
        capture_status_get(r.capture, &status);
        if (!streaming && status.state == CAPTURE_STREAM)
            streaming = clock_mono_us();
        if (!first && status.events)
            first = clock_mono_us();
        busy += (double)status.in_flight;
        looks++;
        usleep(first ? 20000 : 1000);
    }
    ended = clock_mono_us();
    cpu = clock_cpu_us() - cpu;
    pthread_join(thread, NULL);
    if (r.rc)
        die("capture", &r.err);
    capture_free(r.capture);
    rows = (uint64_t)metric_sum(M_CAPTURE_EVENTS);
    printf("throughput: %" PRIu64 " rows in %.2f s, %.0f rows/s, %.3f us CPU/row, first event %.3f s, peak %.1f MiB\n",
           rows, (double)(ended - began) / 1e6, (double)rows / ((double)(ended - began) / 1e6),
           (double)cpu / (double)rows, (double)(first - began) / 1e6, (double)peak_kib() / 1024);
    printf("limit: this process used %.2f cores (streaming began after %.3f s); records in flight on average %.0f\n",
           (double)cpu / (double)(ended - began), (double)(streaming - began) / 1e6,
           busy / (double)(looks ? looks : 1));
}

/* ---- latency ---- */

static int64_t committed_at[SAMPLES_MAX]; /* by transaction */
static double latency_ms[SAMPLES_MAX];

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

enum { FIRST_ID = 1000000000 };

struct reading {
    size_t expected, got;
    atomic_bool ready, stop;
};

static void *read_topic(void *arg)
{
    struct reading *r = arg;
    struct consumer_options o = {.kafka = {.brokers = need("KAFKA_BOOTSTRAP")}};
    struct topic_partition parts[3];
    struct consumer *c;
    struct err err = ERR_INIT;
    char topic[128];

    snprintf(topic, sizeof(topic), "%s.bench_capture.rides", prefix);
    if (consumer_new(&c, &o, &err))
        die("consumer", &err);
    for (int i = 0; i < 3; i++) {
        int64_t low, high;

        if (consumer_watermarks(c, topic, i, &low, &high, &err))
            die("watermarks", &err);
        parts[i] = (struct topic_partition){topic, i, high};
    }
    if (consumer_assign(c, parts, 3, &err))
        die("assign", &err);
    r->ready = true;
    while (!r->stop && r->got < r->expected) {
        struct record_batch *batch = NULL;
        enum consumer_notice notice;
        int64_t now;

        if (consumer_poll_batch(c, &batch, 100, 50, &notice, &err))
            die("poll", &err);
        now = clock_mono_us();
        for (size_t i = 0; i < record_batch_count(batch); i++) {
            const struct record *record = record_batch_at(batch, i);
            struct cursor key = cursor_of(record->key, record->key_len);
            int64_t id;

            cursor_skip(&key, 5);
            id = varint_read(&key) - FIRST_ID;
            if (!cursor_ok(&key) || id < 0 || id / ROWS_A_TXN >= SAMPLES_MAX || !committed_at[id / ROWS_A_TXN])
                continue;
            latency_ms[r->got++] = (double)(now - committed_at[id / ROWS_A_TXN]) / 1000;
        }
        record_batch_free(batch);
    }
    consumer_free(c);
    return NULL;
}

static void latency(int seconds)
{
    size_t transactions = (size_t)seconds * RATE;
    struct reading reading = {.expected = transactions * ROWS_A_TXN};
    struct capture_options o;
    struct capture_status status;
    struct connection *c = session();
    struct run r;
    pthread_t thread, reader;
    struct buf b;
    int64_t began, cpu;

    if (reading.expected > SAMPLES_MAX)
        reading.expected = SAMPLES_MAX;
    buf_init(&b, 1 << 16);
    options(&o, false);
    start(&r, &thread, &o);
    do {
        usleep(1000);
        capture_status_get(r.capture, &status);
    } while (status.state != CAPTURE_STREAM && !r.over);
    pthread_create(&reader, NULL, read_topic, &reading);
    while (!reading.ready)
        usleep(1000);
    usleep(500000);
    began = clock_mono_us();
    cpu = clock_cpu_us();
    for (size_t i = 0; i < transactions && i * ROWS_A_TXN < SAMPLES_MAX; i++) {
        int64_t due = began + (int64_t)i * 1000000 / RATE, now = clock_mono_us();

        if (due > now)
            usleep((useconds_t)(due - now));
        committed_at[i] = clock_mono_us();
        insert(c, &b, FIRST_ID + i * ROWS_A_TXN, ROWS_A_TXN);
    }
    for (int i = 0; i < 500 && reading.got < reading.expected; i++)
        usleep(10000);
    cpu = clock_cpu_us() - cpu;
    reading.stop = true;
    pthread_join(reader, NULL);
    stop_request();
    pthread_join(thread, NULL);
    stop_reset();
    if (r.rc)
        die("capture", &r.err);
    capture_free(r.capture);
    qsort(latency_ms, reading.got, sizeof(*latency_ms), by_value);
    if (reading.got < reading.expected) {
        fprintf(stderr, "bench_capture: only %zu of %zu rows came\n", reading.got, reading.expected);
        exit(1);
    }
    printf("latency: commit sent -> read from Kafka, %d transactions of %d rows a second for %d s: p50 %.2f, p90 %.2f, "
           "p99 %.2f, "
           "p99.9 %.2f, max %.2f ms\n",
           RATE, ROWS_A_TXN, seconds, latency_ms[reading.got / 2], latency_ms[reading.got * 9 / 10],
           latency_ms[reading.got * 99 / 100], latency_ms[reading.got * 999 / 1000], latency_ms[reading.got - 1]);
    printf("latency: this process, writer and reader included, used %.1f %% of a core\n",
           100 * (double)cpu / (double)(clock_mono_us() - began));
    connection_close(c);
    buf_release(&b);
}

int main(int argc, char **argv)
{
    uint64_t rows, big;
    struct connection *c;
    int seconds;
    int64_t began = clock_mono_us();

    server = argc > 1 ? argv[1] : "mariadb";
    rows = (argc > 2 ? strtoull(argv[2], NULL, 10) : 2000) * 1000;
    seconds = argc > 3 ? atoi(argv[3]) : 20;
    big = (argc > 4 ? strtoull(argv[4], NULL, 10) : 0) * 1000;
    snprintf(prefix, sizeof(prefix), "bench%d", (int)getpid());
    log_setup(getenv("BENCH_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    stop_on_signals();
    c = session();
    rows = make_history(c, rows, big);
    connection_close(c);
    printf("history: %" PRIu64 " row changes on %s, made in %.1f s\n", rows, server,
           (double)(clock_mono_us() - began) / 1e6);
    fflush(stdout);
    throughput();
    fflush(stdout);
    if (seconds)
        latency(seconds);
    return 0;
}
