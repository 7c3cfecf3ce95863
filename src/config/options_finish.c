/* options_finish: what depends on several options: derived defaults, and the checks of what must fit together. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/options.h"
#include "config/options_value.h"

/* Sets the error with the place where the option was given. */
#define fail_at(o, member, err, ...) fail_with(o, OPTION_ID_##member, err_set(err, ERR_CONFIG, __VA_ARGS__), err)

static int fail_with(const struct options *o, int id, int rc, struct err *err)
{
    char place[512];

    options_place(o, id, place, sizeof place);
    err_prefix(err, "%s", place);
    return rc;
}

static bool is_loopback_name(const char *host, size_t len)
{
    return (len == 9 && strncasecmp(host, "localhost", 9) == 0) || (len >= 4 && strncmp(host, "127.", 4) == 0) ||
           (len == 3 && strncmp(host, "::1", 3) == 0) || (len == 5 && strncmp(host, "[::1]", 5) == 0);
}

/* Every broker of "a:9092,b:9092" is on this machine, or inside this process. */
static bool brokers_are_local(const char *brokers)
{
    if (strncmp(brokers, "mock://", 7) == 0)
        return true;
    for (;;) {
        size_t len = strcspn(brokers, ","), host;
        const char *start = brokers, *scheme = strstr(brokers, "://");

        if (scheme && scheme < brokers + len)
            start = scheme + 3;
        host = *start == '[' ? strcspn(start, "]") + 1 : strcspn(start, ":,");
        if (!is_loopback_name(start, host))
            return false;
        if (!brokers[len])
            return true;
        brokers += len + 1;
    }
}

/* What Kafka allows in the name of a topic or group. */
static bool is_plain_name(const char *s)
{
    size_t len = strlen(s);

    if (len == 0 || len > 100 || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* Two captures of one server need different ids; the same capture needs the same one again. */
static int64_t server_id_of(const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return 1000000000 + (int64_t)(h % 1000000000u);
}

static int in_data_dir(const struct options *o, const char *scheme, const char *leaf, char **out, struct err *err)
{
    char *cwd;

    if (!o->data_dir)
        return fail_at(o, data_dir, err, "is needed: the embedded stand-ins live there.");
    if (o->data_dir[0] == '/') {
        *out = xasprintf("%s%s/%s", scheme, o->data_dir, leaf);
        return 0;
    }
    cwd = getcwd(NULL, 0);
    if (!cwd)
        return fail_at(o, data_dir, err, "cannot be used: the working folder is gone; give an absolute path.");
    *out = xasprintf("%s%s/%s/%s", scheme, cwd, o->data_dir, leaf);
    free(cwd);
    return 0;
}

/* librdkafka fetches OpenID Connect tokens itself; it is told by properties. */
static int derive_oauth(struct options *o, struct err *err)
{
    const struct option_map *given = &o->kafka_properties;
    const struct {
        const char *name, *value;
    } pairs[] = {{"sasl.oauthbearer.method", "oidc"},
                 {"sasl.oauthbearer.token.endpoint.url", o->kafka_sasl_oauth_token_url},
                 {"sasl.oauthbearer.client.id", o->kafka_sasl_oauth_client_id},
                 {"sasl.oauthbearer.client.secret", o->kafka_sasl_oauth_client_secret.value},
                 {"sasl.oauthbearer.scope", o->kafka_sasl_oauth_scope}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!pairs[i].value)
            continue;
        for (size_t j = 0; j < given->n; j++)
            if (strcmp(given->names[j], pairs[i].name) == 0)
                return fail_at(o, kafka_properties, err, "%s comes from kafka.sasl.oauth; leave it out.",
                               pairs[i].name);
        if (options_value_add_pair(o, OPTION_ID_kafka_properties, pairs[i].name, pairs[i].value, strlen(pairs[i].value),
                                   err) < 0)
            return fail_with(o, OPTION_ID_kafka_sasl_mechanism, -1, err);
    }
    return 0;
}

static int derive(struct options *o, struct err *err)
{
    if (!o->topics_prefix)
        o->topics_prefix = xstrdup(o->name);
    if (!o->merge_group)
        o->merge_group = xasprintf("%s-merge", o->name);
    if (o->source_server_id == 0)
        o->source_server_id = server_id_of(o->name);
    if (o->source_tls_mode == OPTIONS_TLS_AUTO)
        o->source_tls_mode = o->source_socket || is_loopback_name(o->source_host, strlen(o->source_host))
                                 ? OPTIONS_TLS_PREFERRED
                                 : OPTIONS_TLS_VERIFY_IDENTITY;
    if (!o->kafka_brokers)
        return fail_at(o, kafka_brokers, err, "is empty; give host:port, or mock://.");
    if (strcmp(o->kafka_security, "auto") == 0) {
        const char *security = brokers_are_local(o->kafka_brokers) ? "plaintext" : "ssl";
        char *chosen = xasprintf("%s%s", o->kafka_sasl_mechanism ? "sasl_" : "", security);
        free(o->kafka_security);
        o->kafka_security = chosen;
    }
    if (!o->registry_url && in_data_dir(o, "file://", "registry", &o->registry_url, err) < 0)
        return -1;
    if (!o->documents_url && in_data_dir(o, "sqlite://", "documents.sqlite", &o->documents_url, err) < 0)
        return -1;
    if (!o->objects_url && in_data_dir(o, "file://", "objects", &o->objects_url, err) < 0)
        return -1;
    return 0;
}

static bool starts_with(const char *s, const char *start)
{
    return strncmp(s, start, strlen(start)) == 0;
}

/* The scheme is one of the given, and no password is in the address: URLs are shown in errors and status pages. */
static int check_url(const struct options *o, int id, const char *url, const char *const schemes[], struct err *err)
{
    const char *rest = NULL, *at, *colon;
    size_t authority;

    if (!url)
        return 0;
    for (size_t i = 0; schemes[i]; i++)
        if (starts_with(url, schemes[i]))
            rest = url + strlen(schemes[i]);
    if (!rest) {
        char all[128] = "";
        for (size_t i = 0; schemes[i]; i++)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " or " : "", schemes[i]);
        return fail_with(o, id, err_set(err, ERR_CONFIG, "must begin with %s.", all), err);
    }
    authority = strcspn(rest, "/?");
    at = memrchr(rest, '@', authority);
    colon = at ? memchr(rest, ':', (size_t)(at - rest)) : NULL;
    if (colon)
        return fail_with(
            o, id, err_set(err, ERR_CONFIG, "holds a password; give it by the key for passwords, or by its _file."),
            err);
    if (starts_with(url, "file://") || starts_with(url, "sqlite://")) {
        if (*rest != '/' || !rest[1])
            return fail_with(o, id, err_set(err, ERR_CONFIG, "needs an absolute path: three slashes and more."), err);
    } else if (authority == 0)
        return fail_with(o, id, err_set(err, ERR_CONFIG, "names no %s.", starts_with(url, "s3://") ? "bucket" : "host"),
                         err);
    return 0;
}

static int check_urls(const struct options *o, struct err *err)
{
    static const char *const registry[] = {"http://", "https://", "file://", NULL};
    static const char *const documents[] = {"mongodb://", "mongodb+srv://", "sqlite://", NULL};
    static const char *const objects[] = {"s3://", "file://", NULL};
    static const char *const http[] = {"http://", "https://", NULL};

    if (check_url(o, OPTION_ID_registry_url, o->registry_url, registry, err) < 0 ||
        check_url(o, OPTION_ID_documents_url, o->documents_url, documents, err) < 0 ||
        check_url(o, OPTION_ID_objects_url, o->objects_url, objects, err) < 0 ||
        check_url(o, OPTION_ID_objects_endpoint, o->objects_endpoint, http, err) < 0 ||
        check_url(o, OPTION_ID_kafka_sasl_oauth_token_url, o->kafka_sasl_oauth_token_url, http, err) < 0)
        return -1;
    if (o->registry_password.value && !o->registry_username)
        return fail_at(o, registry_password, err, "is given without registry.username.");
    if (o->registry_password.value && starts_with(o->registry_url, "http://")) {
        const char *host = o->registry_url + 7;
        if (!is_loopback_name(host, *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/")))
            return fail_at(o, registry_url, err,
                           "would carry the password over the network unprotected; use https://.");
    }
    if (o->documents_password.value && !o->documents_username)
        return fail_at(o, documents_password, err, "is given without documents.username.");
    if (!o->objects_access_key != !o->objects_secret_key.value)
        return fail_at(o, objects_access_key, err, "must be given together with objects.secret_key.");
    return 0;
}

static int check_kafka(const struct options *o, struct err *err)
{
    const char *mechanism = o->kafka_sasl_mechanism;

    if (mechanism && !starts_with(o->kafka_security, "sasl_"))
        return fail_at(o, kafka_security, err,
                       "must be sasl_ssl or sasl_plaintext, since kafka.sasl.mechanism is set.");
    if (!mechanism && starts_with(o->kafka_security, "sasl_"))
        return fail_at(o, kafka_security, err, "needs kafka.sasl.mechanism.");
    if (mechanism && strcmp(mechanism, "OAUTHBEARER") == 0) {
        if (!o->kafka_sasl_oauth_token_url || !o->kafka_sasl_oauth_client_id ||
            !o->kafka_sasl_oauth_client_secret.value)
            return fail_at(o, kafka_sasl_mechanism, err,
                           "OAUTHBEARER needs kafka.sasl.oauth.token_url, client_id and client_secret.");
    } else if (mechanism && (!o->kafka_sasl_username || !o->kafka_sasl_password.value))
        return fail_at(o, kafka_sasl_mechanism, err, "%s needs kafka.sasl.username and kafka.sasl.password.",
                       mechanism);
    if (!o->kafka_tls_cert != !o->kafka_tls_key)
        return fail_at(o, kafka_tls_cert, err, "must be given together with kafka.tls.key.");
    if (o->events_max_record_bytes > o->kafka_queue_bytes)
        return fail_at(o, events_max_record_bytes, err,
                       "is above kafka.queue_bytes; such a record could never be sent.");
    return 0;
}

static int check_start(const struct options *o, struct err *err)
{
    const char *start = o->source_start, *offset;

    if (strcmp(start, "earliest") == 0 || strcmp(start, "latest") == 0)
        return 0;
    if (starts_with(start, "gtid:") && start[5])
        return 0;
    offset = strrchr(start, ':');
    if (starts_with(start, "file:") && offset > start + 5 && offset[1] && strlen(offset + 1) <= 19 &&
        strspn(offset + 1, "0123456789") == strlen(offset + 1))
        return 0;
    return fail_at(o, source_start, err, "must be earliest, latest, gtid:SET, or file:NAME:OFFSET.");
}

static int check_patterns(const struct options *o, int id, const struct option_list *list, struct err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        regex_t re;
        char why[200];
        int rc = regcomp(&re, list->items[i], REG_EXTENDED | REG_NOSUB);

        if (rc == 0) {
            regfree(&re);
            continue;
        }
        regerror(rc, &re, why, sizeof why);
        return fail_with(
            o, id, err_set(err, ERR_CONFIG, "\"%.200s\" is no regular expression: %s.", list->items[i], why), err);
    }
    return 0;
}

static int check_source(const struct options *o, struct err *err)
{
    if (!o->source_host && !o->source_socket)
        return fail_at(o, source_host, err, "or source.socket is needed.");
    if (!o->source_user)
        return fail_at(o, source_user, err, "is needed.");
    if (!o->source_tls_cert != !o->source_tls_key)
        return fail_at(o, source_tls_cert, err, "must be given together with source.tls.key.");
    if (o->source_read_timeout < 2 * o->source_heartbeat)
        return fail_at(o, source_read_timeout, err,
                       "must be at least twice source.heartbeat, or an idle server is taken for dead.");
    if (check_start(o, err) < 0 || check_patterns(o, OPTION_ID_source_tables, &o->source_tables, err) < 0 ||
        check_patterns(o, OPTION_ID_source_exclude_tables, &o->source_exclude_tables, err) < 0)
        return -1;
    for (size_t i = 0; i < o->events_keys.n; i++) {
        const char *name = o->events_keys.names[i], *dot = strchr(name, '.');
        if (!dot || dot == name || !dot[1] || !o->events_keys.values[i][0])
            return fail_at(o, events_keys, err, "\"%.100s\" must be database.table with its key columns.", name);
    }
    return 0;
}

static int check_admin(const struct options *o, struct err *err)
{
    const char *listen = o->admin_listen, *colon;
    char *end;
    long port;

    if (!listen || strcmp(listen, "off") == 0)
        return 0;
    colon = strrchr(listen, ':');
    port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : -1;
    if (port < 0 || port > 65535 || *end || colon == listen)
        return fail_at(o, admin_listen, err, "\"%.100s\" is not ADDRESS:PORT, such as 127.0.0.1:8088 or [::1]:8088.",
                       listen);
    if (!is_loopback_name(listen, (size_t)(colon - listen)) && !o->admin_token.value)
        return fail_at(o, admin_listen, err,
                       "can be reached from other machines; give admin.token_file or PILLION_ADMIN_TOKEN.");
    return 0;
}

int options_finish(struct options *o, struct err *err)
{
    if (options_read_secrets(o, err) < 0)
        return -1;
    if (!o->name || !is_plain_name(o->name))
        return fail_at(o, name, err, "must be 1 to 100 letters, digits, dots, dashes or underscores.");
    if (check_source(o, err) < 0 || derive(o, err) < 0)
        return -1;
    if (!is_plain_name(o->topics_prefix))
        return fail_at(o, topics_prefix, err, "must be 1 to 100 letters, digits, dots, dashes or underscores.");
    if (check_kafka(o, err) < 0 || check_urls(o, err) < 0)
        return -1;
    if (o->kafka_sasl_mechanism && strcmp(o->kafka_sasl_mechanism, "OAUTHBEARER") == 0 && derive_oauth(o, err) < 0)
        return -1;
    return check_admin(o, err);
}
