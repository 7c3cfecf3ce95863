#include "kafka/kafka_client.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "kafka/handle.h"
#include "kafka/mock.h"

/* Promises rest on these: C1 and C2 on the producer's, exactly-once-enough reading on the consumer's. */
static const char *const owned[] = {"acks",
                                    "request.required.acks",
                                    "enable.idempotence",
                                    "enable.gapless.guarantee",
                                    "message.timeout.ms",
                                    "delivery.timeout.ms",
                                    "max.in.flight",
                                    "transactional.id",
                                    "partitioner",
                                    "group.id",
                                    "group.instance.id",
                                    "enable.auto.commit",
                                    "enable.auto.offset.store",
                                    "auto.offset.reset",
                                    "isolation.level",
                                    "partition.assignment.strategy",
                                    "bootstrap.servers",
                                    "metadata.broker.list",
                                    "test.mock.num.brokers"};

bool kafka_is_mock(const struct kafka_options *o)
{
    return o->brokers && !strncmp(o->brokers, "mock://", 7);
}

static bool is_secret(const char *property)
{
    return strstr(property, "password") || strstr(property, "secret") || strstr(property, "pem") ||
           strstr(property, "oauthbearer.config");
}

int kafka_conf_set(rd_kafka_conf_t *conf, struct err *err, const char *name, const char *format, ...)
{
    char value[4096], text[512];
    va_list args;
    int n, rc = 0;

    va_start(args, format);
    n = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(value))
        rc = err_set(err, ERR_KAFKA_CONFIG, "The value of Kafka's property %s is longer than %zu bytes; shorten it.",
                     name, sizeof(value) - 1);
    else if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        rc = err_set(err, ERR_KAFKA_CONFIG,
                     "librdkafka %s does not accept the property %s: %s. Correct it or take it out.",
                     rd_kafka_version_str(), name, is_secret(name) ? "its value is not valid" : text);
    if (is_secret(name))
        explicit_bzero(value, sizeof(value));
    return rc;
}

static int set_security(rd_kafka_conf_t *conf, const struct kafka_options *o, struct err *err)
{
    const char *security = o->security && *o->security ? o->security : "plaintext";
    bool tls = !strcmp(security, "ssl") || !strcmp(security, "sasl_ssl");
    bool sasl = !strcmp(security, "sasl_plaintext") || !strcmp(security, "sasl_ssl");

    if (!tls && !sasl && strcmp(security, "plaintext"))
        return err_set(err, ERR_KAFKA_CONFIG,
                       "\"%s\" is no way to reach Kafka; use plaintext, ssl, sasl_plaintext or sasl_ssl.", security);
    if (kafka_conf_set(conf, err, "security.protocol", "%s", security))
        return -1;
    if (tls) {
        if (kafka_conf_set(conf, err, "ssl.endpoint.identification.algorithm", "https"))
            return -1;
        if (o->tls_ca && kafka_conf_set(conf, err, "ssl.ca.location", "%s", o->tls_ca))
            return -1;
        if (o->tls_cert && kafka_conf_set(conf, err, "ssl.certificate.location", "%s", o->tls_cert))
            return -1;
        if (o->tls_key && kafka_conf_set(conf, err, "ssl.key.location", "%s", o->tls_key))
            return -1;
    }
    if (sasl) {
        if (kafka_conf_set(conf, err, "sasl.mechanism", "%s", o->sasl_mechanism ? o->sasl_mechanism : "PLAIN"))
            return -1;
        if (o->sasl_username && kafka_conf_set(conf, err, "sasl.username", "%s", o->sasl_username))
            return -1;
        if (o->sasl_password && kafka_conf_set(conf, err, "sasl.password", "%s", o->sasl_password))
            return -1;
    }
    return 0;
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);

int kafka_conf_new(rd_kafka_conf_t **out, const struct kafka_options *o, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_mock_cluster_t *mock;

    *out = NULL;
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (kafka_is_mock(o)) {
        mock = kafka_mock_cluster(err);
        if (!mock || kafka_conf_set(conf, err, "bootstrap.servers", "%s", rd_kafka_mock_cluster_bootstraps(mock)))
            goto fail;
    } else {
        if (!o->brokers || !*o->brokers) {
            err_set(err, ERR_KAFKA_CONFIG,
                    "No Kafka broker is named; set kafka.brokers to host:port, or to mock:// for a try.");
            goto fail;
        }
        if (kafka_conf_set(conf, err, "bootstrap.servers", "%s", o->brokers) || set_security(conf, o, err))
            goto fail;
    }
    if (kafka_conf_set(conf, err, "client.id", "%s", o->client_id ? o->client_id : "pillion"))
        goto fail;
    /* A broker that comes back is found again within a second; lost connections that were idle are no news. */
    if (kafka_conf_set(conf, err, "reconnect.backoff.max.ms", "1000") ||
        kafka_conf_set(conf, err, "log.connection.close", "false") ||
        kafka_conf_set(conf, err, "socket.nagle.disable", "true"))
        goto fail;
    *out = conf;
    return 0;
fail:
    rd_kafka_conf_destroy(conf);
    return -1;
}

int kafka_conf_set_raw(rd_kafka_conf_t *conf, const struct kafka_options *o, struct err *err)
{
    for (size_t i = 0; i < o->n_properties; i++) {
        for (size_t k = 0; k < sizeof(owned) / sizeof(owned[0]); k++)
            if (!strcmp(o->properties[i].name, owned[k]))
                return err_set(
                    err, ERR_KAFKA_CONFIG,
                    "kafka.properties may not set %s, because a promise rests on Pillion's own value; take it out.",
                    owned[k]);
        if (kafka_conf_set(conf, err, o->properties[i].name, "%s", o->properties[i].value))
            return -1;
    }
    return 0;
}

/* ---- troubles ---- */

void kafka_handle_trouble(struct kafka_handle *h, rd_kafka_resp_err_t code, const char *text)
{
    pthread_mutex_lock(&h->lock);
    /* A refusal of credentials says more than the lost connection that follows it. */
    if (h->trouble == RD_KAFKA_RESP_ERR_NO_ERROR || kafka_error_code(code) != ERR_KAFKA ||
        kafka_error_code(h->trouble) == ERR_KAFKA) {
        h->trouble = code;
        /* "... (after 3ms in state CONNECT, 1 identical error(s) suppressed)" helps nobody in a sentence. */
        const char *tail = strstr(text, " (after ");

        snprintf(h->trouble_text, sizeof(h->trouble_text), "%.*s", tail ? (int)(tail - text) : (int)strlen(text), text);
    }
    pthread_mutex_unlock(&h->lock);
}

/* librdkafka's own lines: never errors at our level, because only tops log errors. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct kafka_handle *h = rd_kafka_opaque(rk);
    enum log_level at = level <= 4 ? LOG_LEVEL_WARN : level <= 6 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    const char *body = strncmp(text, "[thrd:", 6) ? NULL : strstr(text, "]: ");

    body = body ? body + 3 : text;
    if (!strcmp(facility, "CONFWARN") || !strcmp(facility, "AUTOCREATE") || (h && atomic_load(&h->closing)))
        at = LOG_LEVEL_DEBUG;
    else if (!strcmp(facility, "GETPID") && at == LOG_LEVEL_WARN) /* a broker that has just started is asked again */
        at = LOG_LEVEL_INFO;
    if (h && !atomic_load(&h->closing) && (!strcmp(facility, "FAIL") || !strcmp(facility, "ERROR"))) {
        rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TRANSPORT;

        if (strstr(body, "SASL") && (strstr(body, "uthentication") || strstr(body, "mechanism")))
            code = RD_KAFKA_RESP_ERR__AUTHENTICATION;
        else if (strstr(body, "SSL handshake failed") || strstr(body, "certificate"))
            code = RD_KAFKA_RESP_ERR__SSL;
        else if (strstr(body, "Failed to resolve"))
            code = RD_KAFKA_RESP_ERR__RESOLVE;
        kafka_handle_trouble(h, code, body);
    }
    log_write(at, "kafka", "%s: %s", facility, body);
}

void kafka_handle_note(struct kafka_handle *h, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    char text[KAFKA_TROUBLE_TEXT];

    if (rd_kafka_event_error_is_fatal(event)) {
        rd_kafka_resp_err_t cause = rd_kafka_fatal_error(h->rk, text, sizeof(text));

        kafka_handle_trouble(h, cause ? cause : RD_KAFKA_RESP_ERR__FATAL, text);
        return;
    }
    kafka_handle_trouble(h, code, rd_kafka_event_error_string(event));
}

bool kafka_handle_refused(struct kafka_handle *h)
{
    bool refused;

    pthread_mutex_lock(&h->lock);
    refused = h->trouble && kafka_error_code(h->trouble) != ERR_KAFKA;
    pthread_mutex_unlock(&h->lock);
    return refused;
}

int kafka_handle_init(struct kafka_handle *h, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                      const struct kafka_options *o, struct err *err)
{
    char text[512];

    h->mock = kafka_is_mock(o);
    h->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    h->trouble_text[0] = 0;
    h->queue = NULL;
    atomic_init(&h->closing, false);
    pthread_mutex_init(&h->lock, NULL);
    rd_kafka_conf_set_opaque(conf, h);
    h->rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (!h->rk) {
        rd_kafka_conf_destroy(conf);
        pthread_mutex_destroy(&h->lock);
        return err_set(err, ERR_KAFKA_CONFIG,
                       "librdkafka %s cannot start with these settings: %s. Correct the kafka section.",
                       rd_kafka_version_str(), text);
    }
    h->queue = rd_kafka_queue_get_main(h->rk);
    return 0;
}

void kafka_handle_release(struct kafka_handle *h)
{
    if (!h->rk)
        return;
    atomic_store(&h->closing, true);
    if (h->queue)
        rd_kafka_queue_destroy(h->queue);
    rd_kafka_destroy(h->rk);
    pthread_mutex_destroy(&h->lock);
    h->rk = NULL;
    h->queue = NULL;
}

/* ---- words ---- */

enum err_code kafka_error_code(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
        return ERR_KAFKA_CONFIG;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        return ERR_KAFKA_FATAL;
    default:
        return ERR_KAFKA;
    }
}

const char *kafka_error_remedy(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        return " Check kafka.sasl.username, kafka.sasl.password and kafka.sasl.mechanism.";
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
        return " Choose a SASL mechanism that the broker offers.";
    case RD_KAFKA_RESP_ERR__SSL:
        return " Check the CA file, the broker's certificate and its host name.";
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return " Check the host names in kafka.brokers.";
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return " Check that the broker runs, that kafka.brokers names it, and that its advertised address can be "
               "reached from "
               "here.";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return " Grant this user Describe, Read, Write and Create on the topic.";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return " Grant this user Read on the consumer group.";
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return " Grant this user IdempotentWrite (brokers before 2.8) and Create on the cluster.";
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return " Create the topic, or let Pillion create it.";
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return " Raise max.message.bytes of the topic (and message.max.bytes of the broker), then start again.";
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return " Bring back the missing brokers, or lower the topic's min.insync.replicas.";
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        return " Lower the replication factor to the number of brokers.";
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR__FENCED:
        return " Another process works under the same name: stop one of them.";
    default:
        return "";
    }
}

/* A fatal error names its cause in words only. */
static const char *fatal_remedy(rd_kafka_resp_err_t fatal, const char *cause)
{
    static const rd_kafka_resp_err_t causes[] = {
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED};

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
        if (strstr(cause, rd_kafka_err2str(causes[i])))
            return kafka_error_remedy(causes[i]);
    return kafka_error_remedy(fatal);
}

int kafka_handle_failed(struct kafka_handle *h, rd_kafka_resp_err_t code, const char *detail, struct err *err,
                        const char *format, ...)
{
    char what[256], trouble[KAFKA_TROUBLE_TEXT], cause[512];
    rd_kafka_resp_err_t seen;
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(h->rk, cause, sizeof(cause));
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (fatal)
        return err_set(err, ERR_KAFKA_FATAL, "%s: %s.%s", what, cause, fatal_remedy(fatal, cause));
    pthread_mutex_lock(&h->lock);
    seen = h->trouble;
    memcpy(trouble, h->trouble_text, sizeof(trouble));
    pthread_mutex_unlock(&h->lock);
    /* A call that only waited in vain does not know why; what the connections told does. */
    if (seen && (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                 code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__WAIT_COORD ||
                 code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE || code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)) {
        if (strstr(trouble, "SCRAM") && rd_kafka_version() < 0x02060100)
            return err_set(
                err, ERR_KAFKA_CONFIG,
                "%s: %s. librdkafka %s cannot use SCRAM with Kafka 4 (mended in 2.6.1): use a newer librdkafka or "
                "PLAIN over TLS; with an older Kafka, check kafka.sasl.username and kafka.sasl.password.",
                what, trouble, rd_kafka_version_str());
        return err_set(err, kafka_error_code(seen), "%s: %s.%s", what, trouble, kafka_error_remedy(seen));
    }
    return err_set(err, kafka_error_code(code), "%s: %s.%s", what, detail ? detail : rd_kafka_err2str(code),
                   kafka_error_remedy(code));
}
