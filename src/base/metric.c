#include "base/metric.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum metric_type { COUNTER, GAUGE, HISTOGRAM };
enum { HASH_SIZE = 65536, BUCKETS = 18 };

/* Upper bounds in seconds: from a fast acknowledgement to a stall that a person would notice. */
static const double bounds[BUCKETS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};

struct metric_histogram {
    atomic_llong bucket[BUCKETS + 1]; /* not cumulative; the last one has no bound */
    atomic_llong sum_us;
};

struct metric {
    enum metric_id id;
    atomic_llong number; /* counters; observations of histograms */
    _Atomic double gauge;
    struct metric_histogram *histogram;
    struct metric *next_in_family;
    struct metric *next_in_hash;
    uint64_t hash;
    const char *values[METRIC_LABELS_MAX];
};

static const struct {
    enum metric_type type;
    const char *name;
    const char *labels;
    const char *help;
} families[METRICS] = {
#define METRIC(id, type, name, labels, help) [id] = {type, name, labels, help},
#include "base/metric.def"
#undef METRIC
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *table[HASH_SIZE];
static struct metric *first[METRICS];
static struct metric *last[METRICS];
static struct metric *other[METRICS];
static _Atomic(struct metric *) plain[METRICS];
static size_t series_count;

static size_t label_count(enum metric_id id)
{
    const char *s = families[id].labels;
    size_t n = *s ? 1 : 0;

    for (; *s; s++)
        n += *s == ' ';
    return n;
}

static uint64_t hash_of(enum metric_id id, const char *const values[], size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t)id;

    for (size_t i = 0; i < n; i++) {
        for (const char *s = values[i]; *s; s++)
            h = (h ^ (uint8_t)*s) * UINT64_C(1099511628211);
        h = (h ^ 0xff) * UINT64_C(1099511628211);
    }
    return h ^ h >> 32;
}

static bool same(const struct metric *m, enum metric_id id, const char *const values[], size_t n)
{
    if (m->id != id)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(m->values[i], values[i]) != 0)
            return false;
    return true;
}

static struct metric *make(enum metric_id id, const char *const values[], size_t n)
{
    struct metric *m = xcalloc(1, sizeof *m);

    m->id = id;
    if (families[id].type == HISTOGRAM)
        m->histogram = xcalloc(1, sizeof *m->histogram);
    for (size_t i = 0; i < n; i++)
        m->values[i] = xstrdup(values[i]);
    if (last[id])
        last[id]->next_in_family = m;
    else
        first[id] = m;
    last[id] = m;
    return m;
}

struct metric *metric_series(enum metric_id id, const char *const values[])
{
    static const char *const others[METRIC_LABELS_MAX] = {"other", "other", "other", "other"};
    size_t n = label_count(id);
    uint64_t h = hash_of(id, values, n);
    struct metric *m;

    pthread_mutex_lock(&lock);
    for (m = table[h % HASH_SIZE]; m; m = m->next_in_hash)
        if (m->hash == h && same(m, id, values, n))
            goto out;
    if (series_count >= METRIC_SERIES_MAX) {
        if (!other[id])
            other[id] = make(id, others, n);
        m = other[id];
        goto out;
    }
    m = make(id, values, n);
    m->hash = h;
    m->next_in_hash = table[h % HASH_SIZE];
    table[h % HASH_SIZE] = m;
    series_count++;
out:
    pthread_mutex_unlock(&lock);
    return m;
}

struct metric *metric_plain(enum metric_id id)
{
    static const char *const none[METRIC_LABELS_MAX] = {"", "", "", ""};
    struct metric *m = atomic_load_explicit(&plain[id], memory_order_acquire);

    if (!m) {
        m = metric_series(id, none);
        atomic_store_explicit(&plain[id], m, memory_order_release);
    }
    return m;
}

void metric_add(struct metric *m, int64_t n)
{
    double old;

    if (families[m->id].type != GAUGE) {
        atomic_fetch_add_explicit(&m->number, n, memory_order_relaxed);
        return;
    }
    old = atomic_load_explicit(&m->gauge, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&m->gauge, &old, old + (double)n, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

void metric_set(struct metric *m, double v)
{
    if (families[m->id].type == GAUGE)
        atomic_store_explicit(&m->gauge, v, memory_order_relaxed);
    else
        atomic_store_explicit(&m->number, (long long)v, memory_order_relaxed);
}

void metric_observe(struct metric *m, double seconds)
{
    size_t i = 0;

    if (!m->histogram || !isfinite(seconds))
        return;
    if (seconds < 0) /* a wall clock that was set back */
        seconds = 0;
    while (i < BUCKETS && seconds > bounds[i])
        i++;
    atomic_fetch_add_explicit(&m->histogram->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->histogram->sum_us, (long long)(seconds * 1e6), memory_order_relaxed);
    atomic_fetch_add_explicit(&m->number, 1, memory_order_relaxed);
}

double metric_value(const struct metric *m)
{
    if (families[m->id].type == GAUGE)
        return atomic_load_explicit(&m->gauge, memory_order_relaxed);
    return (double)atomic_load_explicit(&m->number, memory_order_relaxed);
}

double metric_sum(enum metric_id id)
{
    double sum = 0;

    pthread_mutex_lock(&lock);
    for (struct metric *m = first[id]; m; m = m->next_in_family)
        sum += metric_value(m);
    pthread_mutex_unlock(&lock);
    return sum;
}

static void put_escaped(struct buf *out, const char *s, bool quotes)
{
    for (; *s; s++) {
        if (*s == '\\')
            buf_put_str(out, "\\\\");
        else if (*s == '\n')
            buf_put_str(out, "\\n");
        else if (*s == '"' && quotes)
            buf_put_str(out, "\\\"");
        else
            buf_put_u8(out, (uint8_t)*s);
    }
}

/* {a="x",b="y"} with le="..." last when it is given; nothing when there is no label. */
static void put_labels(struct buf *out, const struct metric *m, const char *le)
{
    const char *name = families[m->id].labels;
    size_t n = label_count(m->id);

    if (n == 0 && !le)
        return;
    buf_put_u8(out, '{');
    for (size_t i = 0; i < n; i++) {
        size_t len = strcspn(name, " ");

        if (i > 0)
            buf_put_u8(out, ',');
        buf_put(out, name, len);
        buf_put_str(out, "=\"");
        put_escaped(out, m->values[i], true);
        buf_put_u8(out, '"');
        name += len + (name[len] == ' ');
    }
    if (le)
        buf_putf(out, "%sle=\"%s\"", n ? "," : "", le);
    buf_put_u8(out, '}');
}

static void put_double(struct buf *out, double v)
{
    if (isnan(v))
        buf_put_str(out, "NaN\n");
    else if (isinf(v))
        buf_put_str(out, v > 0 ? "+Inf\n" : "-Inf\n");
    else
        buf_putf(out, "%.15g\n", v);
}

static void put_histogram(struct buf *out, const struct metric *m)
{
    const char *name = families[m->id].name;
    long long total = 0;
    char le[32];

    for (size_t i = 0; i <= BUCKETS; i++) {
        struct buf text;

        total += atomic_load_explicit(&m->histogram->bucket[i], memory_order_relaxed);
        buf_init(&text, sizeof le);
        if (i == BUCKETS)
            buf_put_str(&text, "+Inf");
        else
            buf_putf(&text, "%g", bounds[i]);
        buf_putf(out, "%s_bucket", name);
        put_labels(out, m, buf_cstr(&text));
        buf_putf(out, " %lld\n", total);
        buf_release(&text);
    }
    buf_putf(out, "%s_sum", name);
    put_labels(out, m, NULL);
    buf_put_u8(out, ' ');
    put_double(out, (double)atomic_load_explicit(&m->histogram->sum_us, memory_order_relaxed) / 1e6);
    /* The sum of the buckets, not m->number: a reader must find _count equal to the +Inf bucket. */
    buf_putf(out, "%s_count", name);
    put_labels(out, m, NULL);
    buf_putf(out, " %lld\n", total);
}

int metric_render(struct buf *out)
{
    static const char *const type_names[] = {"counter", "gauge", "histogram"};

    pthread_mutex_lock(&lock);
    for (int id = 0; id < METRICS; id++) {
        if (!first[id])
            continue;
        buf_putf(out, "# HELP %s ", families[id].name);
        put_escaped(out, families[id].help, false);
        buf_putf(out, "\n# TYPE %s %s\n", families[id].name, type_names[families[id].type]);
        for (const struct metric *m = first[id]; m; m = m->next_in_family) {
            if (m->histogram) {
                put_histogram(out, m);
                continue;
            }
            buf_put_str(out, families[id].name);
            put_labels(out, m, NULL);
            buf_put_u8(out, ' ');
            if (families[id].type == COUNTER)
                buf_putf(out, "%lld\n", (long long)atomic_load_explicit(&m->number, memory_order_relaxed));
            else
                put_double(out, metric_value(m));
        }
    }
    pthread_mutex_unlock(&lock);
    return out->overflow ? -1 : 0;
}

void metric_each(void (*fn)(void *arg, enum metric_id id, const char *const values[], double v), void *arg)
{
    pthread_mutex_lock(&lock);
    for (int id = 0; id < METRICS; id++)
        for (const struct metric *m = first[id]; m; m = m->next_in_family)
            fn(arg, (enum metric_id)id, m->values, metric_value(m));
    pthread_mutex_unlock(&lock);
}

const char *metric_name(enum metric_id id)
{
    return families[id].name;
}
