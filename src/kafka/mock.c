#include "kafka/mock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kafka/kafka_client.h"

/* librdkafka keeps 100,000 messages of a mock partition; the ledger need not remember more. */
enum { MOCK_BROKERS = 1, MOCK_KEPT = 100000 };

struct owed {
    int64_t offset;
    size_t bytes;
};

struct mock_partition {
    char *topic;
    int32_t partition;
    struct owed *owed; /* a ring of MOCK_KEPT at most */
    size_t size, first, count;
    size_t bytes;
};

struct mock_commit {
    char *group, *topic;
    int32_t partition;
    int64_t offset;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rd_kafka_t *host; /* carries the cluster; speaks to nobody itself */
static rd_kafka_mock_cluster_t *cluster;
static struct mock_partition *partitions;
static size_t n_partitions;
static struct mock_commit *commits;
static size_t n_commits;

static void silent(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

rd_kafka_mock_cluster_t *kafka_mock_cluster(struct err *err)
{
    char text[256];
    rd_kafka_conf_t *conf;
    rd_kafka_mock_cluster_t *found;

    pthread_mutex_lock(&lock);
    if (!cluster) {
        conf = rd_kafka_conf_new();
        rd_kafka_conf_set_log_cb(conf, silent);
        host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
        if (!host) {
            rd_kafka_conf_destroy(conf);
            err_set(err, ERR_KAFKA_CONFIG, "The mock cluster cannot be started (%s); set kafka.brokers to a real one.",
                    text);
        } else {
            cluster = rd_kafka_mock_cluster_new(host, MOCK_BROKERS);
            if (!cluster)
                err_set(err, ERR_KAFKA_CONFIG,
                        "The mock cluster cannot listen on loopback; set kafka.brokers to a real one.");
        }
        if (host && !cluster) {
            rd_kafka_destroy(host);
            host = NULL;
        }
    }
    found = cluster;
    pthread_mutex_unlock(&lock);
    return found;
}

static struct mock_partition *find(const char *topic, int32_t partition, bool make)
{
    struct mock_partition *p;

    for (size_t i = 0; i < n_partitions; i++)
        if (partitions[i].partition == partition && !strcmp(partitions[i].topic, topic))
            return &partitions[i];
    if (!make)
        return NULL;
    partitions = xreallocarray(partitions, n_partitions + 1, sizeof(*partitions));
    p = &partitions[n_partitions++];
    *p = (struct mock_partition){.topic = xstrdup(topic), .partition = partition};
    return p;
}

static void drop_first(struct mock_partition *p)
{
    p->bytes -= p->owed[p->first].bytes;
    p->first = (p->first + 1) % p->size;
    p->count--;
}

static void grow(struct mock_partition *p)
{
    size_t size = p->size ? p->size * 2 : 256;
    struct owed *owed;

    if (size > MOCK_KEPT)
        size = MOCK_KEPT;
    owed = xreallocarray(NULL, size, sizeof(*owed));
    for (size_t i = 0; i < p->count; i++)
        owed[i] = p->owed[(p->first + i) % p->size];
    free(p->owed);
    p->owed = owed;
    p->size = size;
    p->first = 0;
}

void kafka_mock_produced(const char *topic, int32_t partition, int64_t offset, size_t bytes)
{
    struct mock_partition *p;

    pthread_mutex_lock(&lock);
    p = find(topic, partition, true);
    if (p->count == MOCK_KEPT)
        drop_first(p);
    else if (p->count == p->size)
        grow(p);
    p->owed[(p->first + p->count++) % p->size] = (struct owed){offset, bytes};
    p->bytes += bytes;
    pthread_mutex_unlock(&lock);
}

void kafka_mock_committed(const char *topic, int32_t partition, int64_t offset)
{
    struct mock_partition *p;

    pthread_mutex_lock(&lock);
    p = find(topic, partition, false);
    while (p && p->count && p->owed[p->first].offset < offset)
        drop_first(p);
    pthread_mutex_unlock(&lock);
}

static struct mock_commit *find_commit(const char *group, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < n_commits; i++)
        if (commits[i].partition == partition && !strcmp(commits[i].topic, topic) && !strcmp(commits[i].group, group))
            return &commits[i];
    return NULL;
}

void kafka_mock_keep(const char *group, const char *topic, int32_t partition, int64_t offset)
{
    struct mock_commit *found;

    pthread_mutex_lock(&lock);
    found = find_commit(group, topic, partition);
    if (found) {
        found->offset = offset;
    } else if (offset >= 0) {
        commits = xreallocarray(commits, n_commits + 1, sizeof(*commits));
        commits[n_commits++] = (struct mock_commit){xstrdup(group), xstrdup(topic), partition, offset};
    }
    pthread_mutex_unlock(&lock);
}

int64_t kafka_mock_kept(const char *group, const char *topic, int32_t partition)
{
    const struct mock_commit *found;
    int64_t offset;

    pthread_mutex_lock(&lock);
    found = find_commit(group, topic, partition);
    offset = found ? found->offset : -1;
    pthread_mutex_unlock(&lock);
    return offset;
}

size_t kafka_mock_backlog(const char *topic)
{
    size_t most = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_partitions; i++)
        if (partitions[i].bytes > most && !strcmp(partitions[i].topic, topic))
            most = partitions[i].bytes;
    pthread_mutex_unlock(&lock);
    return most;
}

void kafka_mock_stop(void)
{
    pthread_mutex_lock(&lock);
    if (cluster)
        rd_kafka_mock_cluster_destroy(cluster);
    if (host)
        rd_kafka_destroy(host);
    cluster = NULL;
    host = NULL;
    for (size_t i = 0; i < n_partitions; i++) {
        free(partitions[i].topic);
        free(partitions[i].owed);
    }
    for (size_t i = 0; i < n_commits; i++) {
        free(commits[i].group);
        free(commits[i].topic);
    }
    free(commits);
    commits = NULL;
    n_commits = 0;
    free(partitions);
    partitions = NULL;
    n_partitions = 0;
    pthread_mutex_unlock(&lock);
}
