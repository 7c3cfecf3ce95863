#include "kafka/admin_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "kafka/handle.h"
#include "kafka/mock.h"

enum { REQUEST_MS = 10000, METADATA_MS = 2000 };

struct admin_client {
    struct kafka_handle handle;
    bool scram;
};

int admin_client_new(struct admin_client **out, const struct kafka_options *options, struct err *err)
{
    struct admin_client *a;
    rd_kafka_conf_t *conf;

    *out = NULL;
    if (kafka_conf_new(&conf, options, err))
        return -1;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_CREATETOPICS_RESULT);
    if (kafka_conf_set_raw(conf, options, err)) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    a = xcalloc(1, sizeof(*a));
    if (kafka_handle_init(&a->handle, RD_KAFKA_PRODUCER, conf, options, err)) {
        free(a);
        return -1;
    }
    a->scram = options->sasl_mechanism && strstr(options->sasl_mechanism, "SCRAM");
    *out = a;
    return 0;
}

void admin_client_free(struct admin_client *a)
{
    if (!a)
        return;
    kafka_handle_release(&a->handle);
    free(a);
}

/* The next event of a kind; errors on the way are kept as the reason. */
static rd_kafka_event_t *await(struct admin_client *a, rd_kafka_event_type_t type, int timeout_ms)
{
    int64_t end = clock_mono_us() + timeout_ms * INT64_C(1000);
    rd_kafka_event_t *event;

    do {
        event = rd_kafka_queue_poll(a->handle.queue, 100);
        if (!event)
            continue;
        if (rd_kafka_event_type(event) == type)
            return event;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
            kafka_handle_note(&a->handle, event);
        rd_kafka_event_destroy(event);
    } while (clock_mono_us() < end && !stop_requested());
    return NULL;
}

/* Metadata of all topics, with patience for a cluster that is starting. */
static int metadata(struct admin_client *a, bool topics, const struct rd_kafka_metadata **md, struct err *err)
{
    int64_t end = clock_mono_us() + REQUEST_MS * INT64_C(1000);
    rd_kafka_resp_err_t code;

    for (;;) {
        code = rd_kafka_metadata(a->handle.rk, topics, NULL, md, METADATA_MS);
        if (!code)
            return 0;
        if (kafka_error_code(code) != ERR_KAFKA || kafka_handle_refused(&a->handle) || clock_mono_us() > end)
            break;
        if (stop_requested())
            return err_set(err, ERR_STOPPED, "Stopped while waiting for Kafka.");
    }
    return kafka_handle_failed(&a->handle, code, NULL, err, "Kafka does not answer");
}

int admin_client_partitions(struct admin_client *a, const char *topic, int *partitions, struct err *err)
{
    const struct rd_kafka_metadata *md;

    *partitions = 0;
    /* All topics: asking for one by name would create it where the broker creates topics by itself. */
    if (metadata(a, true, &md, err))
        return -1;
    for (int i = 0; i < md->topic_cnt; i++)
        if (!strcmp(md->topics[i].topic, topic))
            *partitions = md->topics[i].partition_cnt;
    rd_kafka_metadata_destroy(md);
    return 0;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

int admin_client_topics(struct admin_client *a, const char *prefix, char ***names, size_t *n, struct err *err)
{
    const struct rd_kafka_metadata *md;
    char **list;

    *names = NULL;
    *n = 0;
    if (metadata(a, true, &md, err))
        return -1;
    list = xcalloc((size_t)md->topic_cnt, sizeof(*list));
    for (int i = 0; i < md->topic_cnt; i++)
        if (!strncmp(md->topics[i].topic, prefix, strlen(prefix)))
            list[(*n)++] = xstrdup(md->topics[i].topic);
    rd_kafka_metadata_destroy(md);
    qsort(list, *n, sizeof(*list), by_name);
    *names = list;
    return 0;
}

void admin_client_free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* ---- making topics ---- */

static int create_in_mock(const struct topic_spec *spec, struct err *err)
{
    rd_kafka_mock_cluster_t *mock = kafka_mock_cluster(err);
    rd_kafka_resp_err_t code;

    if (!mock)
        return -1;
    code = rd_kafka_mock_topic_create(mock, spec->name, spec->partitions, 1);
    if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return err_set(err, ERR_KAFKA_CONFIG, "The mock cluster cannot make topic %s: %s.", spec->name,
                       rd_kafka_err2str(code));
    return 0;
}

static rd_kafka_NewTopic_t *new_topic(const struct topic_spec *spec, struct err *err)
{
    char text[256], number[32];
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(spec->name, spec->partitions, spec->replication, text, sizeof(text));

    if (!t) {
        err_set(err, ERR_KAFKA_CONFIG, "Topic %s cannot be made: %s. Correct its name, partitions or replication.",
                spec->name, text);
        return NULL;
    }
    if (spec->compacted)
        rd_kafka_NewTopic_set_config(t, "cleanup.policy", "compact");
    if (spec->retention_ms) {
        snprintf(number, sizeof(number), "%lld", (long long)spec->retention_ms);
        rd_kafka_NewTopic_set_config(t, "retention.ms", number);
    }
    return t;
}

static int create(struct admin_client *a, const struct topic_spec *spec, struct err *err)
{
    rd_kafka_NewTopic_t *topic = new_topic(spec, err);
    rd_kafka_AdminOptions_t *options;
    const rd_kafka_topic_result_t *const *results = NULL;
    rd_kafka_event_t *event;
    rd_kafka_resp_err_t code;
    size_t n = 0;
    int rc = 0;

    if (!topic)
        return -1;
    options = rd_kafka_AdminOptions_new(a->handle.rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, NULL, 0);
    rd_kafka_AdminOptions_set_operation_timeout(options, REQUEST_MS, NULL, 0);
    rd_kafka_CreateTopics(a->handle.rk, &topic, 1, options, a->handle.queue);
    event = await(a, RD_KAFKA_EVENT_CREATETOPICS_RESULT, REQUEST_MS + 5000);
    if (!event) {
        rc = kafka_handle_failed(&a->handle, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err, "Topic %s cannot be made",
                                 spec->name);
        goto out;
    }
    code = rd_kafka_event_error(event);
    if (code) {
        rc = kafka_handle_failed(&a->handle, code, rd_kafka_event_error_string(event), err, "Topic %s cannot be made",
                                 spec->name);
        goto out;
    }
    results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    code = n == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
    if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        rc = kafka_handle_failed(&a->handle, code, n == 1 ? rd_kafka_topic_result_error_string(results[0]) : NULL, err,
                                 "Topic %s cannot be made", spec->name);
out:
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
    return rc;
}

int admin_client_ensure_topic(struct admin_client *a, const struct topic_spec *spec, int *partitions, struct err *err)
{
    int64_t end = clock_mono_us() + REQUEST_MS * INT64_C(1000);

    if (admin_client_partitions(a, spec->name, partitions, err))
        return -1;
    if (*partitions)
        return 0;
    if (a->handle.mock ? create_in_mock(spec, err) : create(a, spec, err))
        return -1;
    /* Made is not yet known everywhere. */
    while (!*partitions) {
        if (admin_client_partitions(a, spec->name, partitions, err))
            return -1;
        if (*partitions)
            break;
        if (clock_mono_us() > end)
            return err_set(err, ERR_KAFKA, "Topic %s was made, but the broker does not list it after %d s; try again.",
                           spec->name, REQUEST_MS / 1000);
        if (stop_wait_ms(50))
            return err_set(err, ERR_STOPPED, "Stopped while making topic %s.", spec->name);
    }
    return 0;
}

int admin_client_describe(struct admin_client *a, char *out, size_t size, struct err *err)
{
    const struct rd_kafka_metadata *md;
    char *cluster;

    if (metadata(a, true, &md, err))
        return -1;
    cluster = rd_kafka_clusterid(a->handle.rk, METADATA_MS);
    snprintf(out, size, "%d broker%s, %d topics, cluster %s, librdkafka %s%s", md->broker_cnt,
             md->broker_cnt == 1 ? "" : "s", md->topic_cnt, cluster ? cluster : "without id", rd_kafka_version_str(),
             a->scram && rd_kafka_version() < 0x02060100
                 ? " (its SCRAM works with Kafka 3 only; Kafka 4 needs librdkafka 2.6.1 or PLAIN over TLS)"
                 : "");
    if (cluster)
        rd_kafka_mem_free(a->handle.rk, cluster);
    rd_kafka_metadata_destroy(md);
    return 0;
}
