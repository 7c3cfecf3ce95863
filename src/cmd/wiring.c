#include "cmd/wiring.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

/* A mock partition keeps 5 MiB (DESIGN section 8): little may be on its way there, and the merger, whose commits let
 * capture go on, commits at the ends of bronze objects, so these must be small. */
enum { MOCK_QUEUE_RECORDS = 2000, MOCK_QUEUE_BYTES = 1 << 20, MOCK_OBJECT_BYTES = 1 << 20, MOCK_OBJECT_MS = 300 };

static int map_properties(struct wiring *w)
{
    const struct option_map *m = &w->options.kafka_properties;

    w->properties = xcalloc(m->n, sizeof *w->properties);
    for (size_t i = 0; i < m->n; i++)
        w->properties[i] = (struct kafka_property){m->names[i], m->values[i]};
    return 0;
}

/* "a, b" to its names; they are kept in key_columns. */
static size_t split_columns(struct wiring *w, char *list)
{
    size_t n = 0;
    char *save = NULL;

    for (char *name = strtok_r(list, ", ", &save); name; name = strtok_r(NULL, ", ", &save), n++) {
        w->key_columns = xreallocarray(w->key_columns, w->n_key_columns + 1, sizeof(char *));
        w->key_columns[w->n_key_columns++] = xstrdup(name);
    }
    return n;
}

static int map_keys(struct wiring *w, struct err *err)
{
    const struct option_map *m = &w->options.events_keys;
    size_t at = 0;

    w->keys = xcalloc(m->n, sizeof *w->keys);
    for (size_t i = 0; i < m->n; i++) {
        char *copy = xstrdup(m->values[i]);

        w->keys[i].table = m->names[i];
        w->keys[i].n_columns = split_columns(w, copy);
        free(copy);
        if (!w->keys[i].n_columns)
            return err_set(err, ERR_CONFIG, "events.keys names no column for table %s; give its key columns.",
                           m->names[i]);
    }
    for (size_t i = 0; i < m->n; i++) {
        w->keys[i].columns = (const char *const *)(w->key_columns + at);
        at += w->keys[i].n_columns;
    }
    return 0;
}

int wiring_init(struct wiring *w, int *argc, char **argv, struct err *err)
{
    *w = (struct wiring){0};
    options_init(&w->options);
    if (options_load(&w->options, argc, argv, err) < 0)
        return -1;
    log_setup((enum log_level)w->options.log_level, (enum log_format)w->options.log_format);
    fault_setup(NULL);
    w->checkpoint_topic = xasprintf("%s.pillion.checkpoint", w->options.topics_prefix);
    map_properties(w);
    return map_keys(w, err);
}

void wiring_release(struct wiring *w)
{
    free(w->properties);
    free(w->keys);
    for (size_t i = 0; i < w->n_key_columns; i++)
        free(w->key_columns[i]);
    free(w->key_columns);
    free(w->checkpoint_topic);
    options_release(&w->options);
}

static unsigned seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

struct connection_options wiring_connection(const struct wiring *w)
{
    const struct options *o = &w->options;

    return (struct connection_options){
        .host = o->source_socket ? NULL : o->source_host,
        .port = (unsigned)o->source_port,
        .socket = o->source_socket,
        .user = o->source_user,
        .password = o->source_password.value,
        .tls = (enum tls_mode)o->source_tls_mode,
        .tls_ca = o->source_tls_ca,
        .tls_cert = o->source_tls_cert,
        .tls_key = o->source_tls_key,
        .connect_timeout_s = seconds(o->source_connect_timeout),
        .read_timeout_s = seconds(o->source_read_timeout),
    };
}

struct kafka_options wiring_kafka(const struct wiring *w)
{
    const struct options *o = &w->options;

    return (struct kafka_options){
        .brokers = o->kafka_brokers,
        .security = o->kafka_security,
        .sasl_mechanism = o->kafka_sasl_mechanism,
        .sasl_username = o->kafka_sasl_username,
        .sasl_password = o->kafka_sasl_password.value,
        .tls_ca = o->kafka_tls_ca,
        .tls_cert = o->kafka_tls_cert,
        .tls_key = o->kafka_tls_key,
        .client_id = o->name,
        .properties = w->properties,
        .n_properties = o->kafka_properties.n,
    };
}

struct registry_options wiring_registry(const struct wiring *w)
{
    const struct options *o = &w->options;

    return (struct registry_options){
        .url = o->registry_url,
        .username = o->registry_username,
        .password = o->registry_password.value,
        .tls_ca = o->registry_tls_ca,
        .timeout_ms = (int)o->registry_timeout,
        .retries = (int)o->registry_retries,
        .compatibility = o->registry_compatibility,
    };
}

struct document_store_options wiring_documents(const struct wiring *w)
{
    const struct options *o = &w->options;

    return (struct document_store_options){
        .url = o->documents_url,
        .database = o->documents_database,
        .username = o->documents_username,
        .password = o->documents_password.value,
        .tls_ca = o->documents_tls_ca,
        .tls_cert = o->documents_tls_cert,
    };
}

struct object_store_options wiring_objects(const struct wiring *w)
{
    const struct options *o = &w->options;

    return (struct object_store_options){
        .url = o->objects_url,
        .endpoint = o->objects_endpoint,
        .region = o->objects_region,
        .access_key = o->objects_access_key,
        .secret_key = o->objects_secret_key.value,
        .session_token = o->objects_session_token.value,
        .tls_ca = o->objects_tls_ca,
        .timeout_ms = (int)o->objects_timeout,
    };
}

struct capture_options wiring_capture(const struct wiring *w)
{
    const struct options *o = &w->options;
    struct kafka_options kafka = wiring_kafka(w);
    bool mock = kafka_is_mock(&kafka);

    return (struct capture_options){
        .name = o->name,
        .prefix = o->topics_prefix,
        .source = {.connection = wiring_connection(w),
                   .server_id = (uint32_t)o->source_server_id,
                   .heartbeat_ms = (unsigned)o->source_heartbeat,
                   .capture_name = o->name},
        .start = o->source_start,
        .include = (const char *const *)o->source_tables.items,
        .n_include = o->source_tables.n,
        .exclude = (const char *const *)o->source_exclude_tables.items,
        .n_exclude = o->source_exclude_tables.n,
        .producer = {.kafka = kafka,
                     .linger_ms = (int)o->kafka_linger,
                     .queue_bytes = mock ? MOCK_QUEUE_BYTES : (size_t)o->kafka_queue_bytes,
                     .queue_records = mock ? MOCK_QUEUE_RECORDS : (size_t)o->kafka_queue_records,
                     .compression = mock ? "none" : o->kafka_compression,
                     .record_max = (size_t)o->events_max_record_bytes},
        .registry = wiring_registry(w),
        .profile = (enum avro_profile)o->events_profile,
        .tombstones = o->events_tombstones ? TOMBSTONES_ON : TOMBSTONES_OFF,
        .bigint_unsigned = (enum unsigned_mode)o->events_bigint_unsigned,
        .zero_dates = (enum zero_date_mode)o->events_zero_dates,
        .record_max = (size_t)o->events_max_record_bytes,
        .transaction_topic = o->topics_transactions,
        .schema_change_topic = o->topics_schema_changes,
        .partitions = (int)o->topics_partitions,
        .replication = (int)o->topics_replication,
        .retention_ms = o->topics_retention,
        .checkpoint_interval_ms = (int)o->checkpoint_interval,
        .keys = w->keys,
        .n_keys = o->events_keys.n,
        .max_transactions = (size_t)o->checkpoint_max_transactions,
    };
}

struct merger_options wiring_merger(const struct wiring *w, const struct contract_set *contracts)
{
    const struct options *o = &w->options;
    struct kafka_options kafka = wiring_kafka(w);
    bool mock = kafka_is_mock(&kafka);

    return (struct merger_options){
        .kafka = kafka,
        .group = o->merge_group,
        .prefix = o->topics_prefix,
        .topics = (const char *const *)o->merge_topics.items,
        .n_topics = o->merge_topics.n,
        .registry = wiring_registry(w),
        .documents = wiring_documents(w),
        .objects = wiring_objects(w),
        .bronze = (enum bronze_target)o->bronze_to,
        .object_bytes =
            mock && o->bronze_object_bytes > MOCK_OBJECT_BYTES ? MOCK_OBJECT_BYTES : (size_t)o->bronze_object_bytes,
        .object_records = (size_t)o->bronze_object_records,
        .object_interval_ms =
            mock && o->bronze_object_interval > MOCK_OBJECT_MS ? MOCK_OBJECT_MS : (int)o->bronze_object_interval,
        .batch_records = (size_t)o->merge_batch_records,
        .batch_bytes = (size_t)o->merge_batch_bytes,
        .batch_wait_ms = (int)o->merge_batch_wait,
        .sweep_interval_ms = (int)o->merge_sweep_interval,
        .known_max = (size_t)o->merge_known_max,
        .quarantine = (enum quarantine_policy)o->merge_quarantine,
        .session_timeout_ms = (int)o->merge_session_timeout,
        .partitions = (int)o->topics_partitions,
        .replication = (int)o->topics_replication,
        .retention_ms = o->topics_retention,
        .fresh_topics = mock,
        .contracts = contracts,
    };
}

static void log_finding(void *arg, const struct contract_finding *f)
{
    (void)arg;
    if (f->is_error)
        log_error("contract", "%s:%d:%d: %s", f->file, f->line, f->column, f->text);
    else
        log_warn("contract", "%s:%d:%d: %s", f->file, f->line, f->column, f->text);
}

int wiring_contracts(const struct wiring *w, struct contract_set **out, struct err *err)
{
    return contract_set_load(out, w->options.contracts, log_finding, NULL, err);
}
