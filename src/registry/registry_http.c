/* registry_http: the Confluent-compatible REST API over libcurl. One easy handle, kept for its connection.
 * Source: Confluent Schema Registry API reference; Apicurio's ccompat v7 answers the same with other defaults (no
 * level, no /mode), so nothing here rests on a default. */
#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "registry/backend.h"

enum { FIRST_DELAY_MS = 100, LONGEST_DELAY_MS = 3000, REASON_MAX = 400, HOPS_MAX = 4 };

#define CONTENT_TYPE "application/vnd.schemaregistry.v1+json"

struct http {
    CURL *curl;
    struct curl_slist *headers;
    char *base; /* without a final slash */
    char *username, *password, *tls_ca;
    char *compatibility;
    int timeout_ms, retries;
    struct buf answer;
    long status;
    int64_t begun; /* the request under way */
    char problem[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take(char *bytes, size_t size, size_t n, void *arg)
{
    struct http *h = arg;

    return buf_put(&h->answer, bytes, size * n) ? 0 : n;
}

static void http_close(void *context)
{
    struct http *h = context;

    if (h->curl)
        curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->headers);
    buf_release(&h->answer);
    free(h->compatibility);
    free(h->tls_ca);
    free(h->username);
    xfree_secret(h->password);
    free(h->base);
    free(h);
}

static int check_url(const char *url, struct err *err)
{
    const char *host = strstr(url, "://");
    size_t scheme = host ? (size_t)(host - url) : 0;
    size_t authority;

    if (!host || !((scheme == 4 && !strncmp(url, "http", 4)) || (scheme == 5 && !strncmp(url, "https", 5))))
        return err_set(err, ERR_REGISTRY_CONFIG,
                       "registry.url must begin with http://, https:// or file://; correct it.");
    host += 3;
    authority = strcspn(host, "/?#");
    if (memchr(host, '@', authority))
        return err_set(err, ERR_REGISTRY_CONFIG,
                       "registry.url holds credentials, which end in logs and process lists; take them out and set "
                       "registry.username "
                       "and registry.password.");
    if (!authority || strpbrk(url, "?# \t\r\n"))
        return err_set(err, ERR_REGISTRY_CONFIG,
                       "registry.url must be a host with an optional port and path; correct it.");
    return 0;
}

int registry_http_open(void **context, const struct registry_options *options, struct err *err)
{
    struct http *h;
    size_t n;

    if (check_url(options->url, err))
        return -1;
    pthread_once(&curl_once, curl_start);
    h = xcalloc(1, sizeof(*h));
    h->base = xstrdup(options->url);
    for (n = strlen(h->base); n && h->base[n - 1] == '/'; n--)
        h->base[n - 1] = 0;
    h->username = options->username ? xstrdup(options->username) : NULL;
    h->password = options->password ? xstrdup(options->password) : NULL;
    h->tls_ca = options->tls_ca ? xstrdup(options->tls_ca) : NULL;
    h->compatibility = options->compatibility && *options->compatibility ? xstrdup(options->compatibility) : NULL;
    for (char *c = h->compatibility; c && *c; c++) /* BACKWARD, FULL_TRANSITIVE: it goes into a JSON text */
        if (!(*c >= 'A' && *c <= 'Z') && *c != '_') {
            http_close(h);
            return err_set(
                err, ERR_REGISTRY_CONFIG,
                "registry.compatibility must be one of NONE, BACKWARD, FORWARD, FULL or these with _TRANSITIVE.");
        }
    h->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : 10000;
    h->retries = options->retries >= 0 ? options->retries : 0;
    buf_init(&h->answer, REGISTRY_TEXT_MAX + 65536);
    h->curl = curl_easy_init();
    h->headers = curl_slist_append(NULL, "Content-Type: " CONTENT_TYPE);
    h->headers = curl_slist_append(h->headers, "Accept: " CONTENT_TYPE ", application/json");
    h->headers = curl_slist_append(h->headers, "Expect:");
    if (!h->curl || !h->headers) {
        http_close(h);
        return err_set(err, ERR_REGISTRY_CONFIG, "libcurl cannot start.");
    }
    *context = h;
    return 0;
}

/* ---- one exchange ---- */

/* curl asks at least once a second. A request under way may be answered in a moment; a slow one must not hold up a
 * stop. */
static int give_up(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct http *h = arg;

    (void)a, (void)b, (void)c, (void)d;
    return stop_requested() && clock_mono_us() - h->begun > 1000000;
}

static void prepare(struct http *h, const char *method, const char *url, const char *body)
{
    CURL *c = h->curl;

    curl_easy_reset(c);
    buf_clear(&h->answer);
    h->problem[0] = 0;
    h->status = 0;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->problem);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "pillion/" PILLION_VERSION);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)h->timeout_ms);
    h->begun = clock_mono_us();
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, give_up);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    if (h->tls_ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, h->tls_ca);
    if (h->username || h->password) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, h->username ? h->username : "");
        curl_easy_setopt(c, CURLOPT_PASSWORD, h->password ? h->password : "");
    }
    if (body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
}

/* scheme://host:port of a URL, in full, and without the credentials that curl may have put into it. NULL: no URL. */
static char *origin_of(CURLU *u)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;

    if (!curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
        !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
        origin = xasprintf("%s://%s:%s", scheme, host, port);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return origin;
}

/* Where the answer points, when that is the same scheme, host and port; NULL with the error otherwise. */
static char *same_host_target(struct http *h, struct err *err)
{
    CURLU *from = curl_url(), *to = curl_url();
    char *location = NULL, *ours = NULL, *theirs = NULL, *whole = NULL, *target = NULL;

    curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &location);
    if (!from || !to || curl_url_set(from, CURLUPART_URL, h->base, 0))
        goto out;
    ours = origin_of(from);
    if (location && !curl_url_set(to, CURLUPART_URL, location, 0))
        theirs = origin_of(to);
    if (!ours || !theirs || strcasecmp(ours, theirs))
        goto out;
    curl_url_set(to, CURLUPART_USER, NULL, 0);
    curl_url_set(to, CURLUPART_PASSWORD, NULL, 0);
    if (!curl_url_get(to, CURLUPART_URL, &whole, 0))
        target = xstrdup(whole);
out:
    if (!target)
        err_set(err, ERR_REGISTRY_CONFIG,
                "The schema registry at %s redirects to %s, which is not followed; set registry.url to the address "
                "that is meant.",
                h->base, theirs ? theirs : "nowhere");
    curl_free(whole);
    free(ours);
    free(theirs);
    curl_url_cleanup(from);
    curl_url_cleanup(to);
    return target;
}

static bool passing_curl(CURLcode rc)
{
    return rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT || rc == CURLE_OPERATION_TIMEDOUT ||
           rc == CURLE_GOT_NOTHING || rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR || rc == CURLE_PARTIAL_FILE ||
           rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_HTTP2 || rc == CURLE_HTTP2_STREAM ||
           rc == CURLE_COULDNT_RESOLVE_PROXY;
}

static int curl_failed(struct http *h, CURLcode rc, struct err *err)
{
    const char *why = h->problem[0] ? h->problem : curl_easy_strerror(rc);

    if (h->answer.overflow)
        return err_set(err, ERR_REGISTRY_CONFIG,
                       "The answer from %s is longer than %d bytes, so this is no schema registry; check registry.url.",
                       h->base, REGISTRY_TEXT_MAX);
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        return err_set(err, ERR_STOPPED, "Stopped while the schema registry at %s was slow to answer.", h->base);
    if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_SSL_CERTPROBLEM)
        return err_set(
            err, ERR_REGISTRY_CONFIG,
            "The schema registry at %s is not trusted: %s. Set registry.tls.ca to the CA that signed its certificate.",
            h->base, why);
    if (passing_curl(rc))
        return err_set(err, ERR_REGISTRY,
                       "The schema registry at %s cannot be reached: %s. Check that it runs and registry.url.", h->base,
                       why);
    return err_set(err, ERR_REGISTRY_CONFIG, "The schema registry at %s cannot be used: %s. Check registry.url.",
                   h->base, why);
}

/* The registry's own words: {"error_code": 42201, "message": "..."}; else the beginning of the answer, made printable.
 */
static void reason_of(struct http *h, char *out, size_t size)
{
    json_t *root = json_loadb((const char *)h->answer.data, h->answer.len, 0, NULL);
    const char *message = json_string_value(json_object_get(root, "message"));
    size_t n = 0;

    if (!message && h->answer.len)
        message = buf_cstr(&h->answer);
    for (; message && *message && n + 1 < size && n < REASON_MAX; message++)
        out[n++] = (unsigned char)*message < ' ' ? ' ' : *message;
    while (n && (out[n - 1] == ' ' || out[n - 1] == '.'))
        n--;
    out[n] = 0;
    json_decref(root);
}

/* Sends one request as often as it takes; afterwards status and answer hold what came. Status 2xx, 4xx only. */
static int exchange(struct http *h, const char *method, const char *path, const char *body, struct err *err)
{
    char *url = xasprintf("%s%s", h->base, path), *to;
    int delay = FIRST_DELAY_MS, tries = 0, hops = 0, rc = -1;
    char reason[REASON_MAX];

    for (;;) {
        CURLcode code;
        bool again;

        prepare(h, method, url, body);
        code = curl_easy_perform(h->curl);
        curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &h->status);
        if (!code && h->status >= 300 && h->status < 400) {
            if (++hops > HOPS_MAX) {
                err_set(err, ERR_REGISTRY_CONFIG,
                        "The schema registry at %s redirects in a circle; check registry.url.", h->base);
                break;
            }
            to = same_host_target(h, err);
            if (!to)
                break;
            free(url);
            url = to;
            continue;
        }
        if (code) {
            curl_failed(h, code, err);
            again = passing_curl(code) && !h->answer.overflow;
        } else if (h->status >= 500 || h->status == 429 || h->status == 408) {
            reason_of(h, reason, sizeof(reason));
            err_set(err, ERR_REGISTRY, "The schema registry at %s answers %ld: %s. Look at its log.", h->base,
                    h->status, reason[0] ? reason : "no reason given");
            again = true;
        } else {
            rc = 0;
            break;
        }
        if (!again || tries++ >= h->retries)
            break;
        log_debug("registry", "%s again in %d ms", err ? err->text : "", delay);
        if (stop_wait_ms(delay))
            break;
        delay = delay * 2 > LONGEST_DELAY_MS ? LONGEST_DELAY_MS : delay * 2;
    }
    free(url);
    return rc;
}

/* What is neither asked for nor passing. */
static int refused(struct http *h, const char *what, struct err *err)
{
    char reason[REASON_MAX];

    reason_of(h, reason, sizeof(reason));
    if (h->status == 401 || h->status == 403)
        return err_set(
            err, ERR_REGISTRY_CONFIG,
            "The schema registry at %s refuses these credentials (%ld): %s. Check registry.username, registry.password "
            "and the user's rights.",
            h->base, h->status, reason[0] ? reason : "no reason given");
    if (h->status == 409 || h->status == 422)
        return err_set(err, ERR_REGISTRY_REJECTED, "The schema registry refuses %s (%ld): %s. %s", what, h->status,
                       reason[0] ? reason : "no reason given",
                       h->status == 409
                           ? "Undo the table's change, or change the subject's compatibility level."
                           : "Give the registry a schema that it takes, or look at its rules for the subject.");
    return err_set(err, ERR_REGISTRY_CONFIG,
                   "The schema registry at %s answers %ld to %s: %s. Check registry.url and its path.", h->base,
                   h->status, what, reason[0] ? reason : "no reason given");
}

static json_t *parsed(struct http *h, struct err *err)
{
    json_error_t bad;
    json_t *root = json_loadb((const char *)h->answer.data, h->answer.len, JSON_REJECT_DUPLICATES, &bad);

    if (!json_is_object(root)) {
        err_set(err, ERR_REGISTRY_CONFIG,
                "The answer from %s is not what a schema registry says; check registry.url and its path.", h->base);
        json_decref(root);
        return NULL;
    }
    return root;
}

static char *subject_path(struct http *h, const char *format, const char *subject)
{
    char *escaped = curl_easy_escape(h->curl, subject, 0);
    char *path = xasprintf(format, escaped ? escaped : "");

    curl_free(escaped);
    return path;
}

static char *schema_body(const char *schema)
{
    json_t *root = json_pack("{s:s}", "schema", schema);
    char *body = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    return body;
}

/* ---- the calls ---- */

static int set_level(struct http *h, const char *subject, struct err *err)
{
    char *path = subject_path(h, "/config/%s", subject);
    char *body = xasprintf("{\"compatibility\":\"%s\"}", h->compatibility);
    int rc;

    rc = exchange(h, "PUT", path, body, err);
    if (!rc && h->status != 200)
        rc = refused(h, "the compatibility level", err);
    free(body);
    free(path);
    return rc;
}

static int subject_is_new(struct http *h, const char *subject, bool *is_new, struct err *err)
{
    char *path = subject_path(h, "/subjects/%s/versions", subject);
    int rc = exchange(h, "GET", path, NULL, err);

    free(path);
    if (rc)
        return -1;
    if (h->status != 200 && h->status != 404)
        return refused(h, "the list of versions", err);
    *is_new = h->status == 404;
    return 0;
}

static int http_register(void *context, const char *subject, const char *schema, uint32_t *id, struct err *err)
{
    struct http *h = context;
    char *path = NULL, *body = NULL;
    json_t *root = NULL;
    json_int_t n;
    bool is_new = false;
    int rc = -1;

    /* A level is set only when it is asked for: it is a decision of whoever runs the registry. */
    if (h->compatibility && subject_is_new(h, subject, &is_new, err))
        return -1;
    path = subject_path(h, "/subjects/%s/versions", subject);
    body = schema_body(schema);
    if (!body) {
        err_set(err, ERR_SCHEMA, "The schema of subject %s is not UTF-8.", subject);
        goto out;
    }
    if (exchange(h, "POST", path, body, err))
        goto out;
    if (h->status != 200 && h->status != 201) {
        char what[REGISTRY_SUBJECT_MAX + 40];

        snprintf(what, sizeof(what), "the schema of subject %s", subject);
        refused(h, what, err);
        goto out;
    }
    root = parsed(h, err);
    if (!root)
        goto out;
    n = json_integer_value(json_object_get(root, "id"));
    if (n < 1 || n > INT32_MAX) {
        err_set(err, ERR_REGISTRY_CONFIG,
                "The answer from %s holds no usable schema id; check registry.url and its path.", h->base);
        goto out;
    }
    *id = (uint32_t)n;
    /* Afterwards, since Apicurio has levels for subjects that exist only; a first version is compatible with anything.
     */
    rc = is_new ? set_level(h, subject, err) : 0;
out:
    json_decref(root);
    free(body);
    free(path);
    return rc;
}

static int http_schema(void *context, uint32_t id, char **schema, struct err *err)
{
    struct http *h = context;
    char path[64];
    const char *text, *type;
    json_t *root;
    int rc = -1;

    snprintf(path, sizeof(path), "/schemas/ids/%lu", (unsigned long)id);
    if (exchange(h, "GET", path, NULL, err))
        return -1;
    if (h->status == 404)
        return err_set(err, ERR_REGISTRY_REJECTED,
                       "The schema registry at %s does not know schema id %lu; check that the records were written "
                       "with this registry.",
                       h->base, (unsigned long)id);
    if (h->status != 200)
        return refused(h, "a schema id", err);
    root = parsed(h, err);
    if (!root)
        return -1;
    text = json_string_value(json_object_get(root, "schema"));
    type = json_string_value(json_object_get(root, "schemaType"));
    if (type && strcmp(type, "AVRO"))
        err_set(err, ERR_SCHEMA, "Schema id %lu is of type %.32s; only AVRO is read.", (unsigned long)id, type);
    else if (json_array_size(json_object_get(root, "references")))
        err_set(err, ERR_SCHEMA, "Schema id %lu refers to other subjects; only schemas that stand alone are read.",
                (unsigned long)id);
    else if (!text)
        err_set(err, ERR_REGISTRY_CONFIG, "The answer from %s holds no schema; check registry.url and its path.",
                h->base);
    else {
        *schema = xstrdup(text);
        rc = 0;
    }
    json_decref(root);
    return rc;
}

static void first_message(const json_t *root, char *reason, size_t size)
{
    const json_t *messages = json_object_get(root, "messages");
    const char *text = json_string_value(json_array_get(messages, 0));

    snprintf(reason, size, "%s", text ? text : "the registry gives no reason");
}

static int http_compatible(void *context, const char *subject, const char *schema, bool *ok, char *reason, size_t size,
                           struct err *err)
{
    struct http *h = context;
    char *path = subject_path(h, "/compatibility/subjects/%s/versions/latest?verbose=true", subject);
    char *body = schema_body(schema);
    json_t *root;
    const json_t *answer;
    int rc = body ? exchange(h, "POST", path, body, err)
                  : err_set(err, ERR_SCHEMA, "The schema of subject %s is not UTF-8.", subject);

    free(body);
    free(path);
    if (rc)
        return -1;
    if (h->status == 404) /* nothing there to break */
        return 0;
    if (h->status == 422 || h->status == 409) {
        *ok = false;
        reason_of(h, reason, size);
        return 0;
    }
    if (h->status != 200)
        return refused(h, "the question of compatibility", err);
    root = parsed(h, err);
    if (!root)
        return -1;
    answer = json_object_get(root, "is_compatible");
    if (!json_is_boolean(answer)) {
        err_set(err, ERR_REGISTRY_CONFIG,
                "The answer from %s does not say whether the schema is compatible; check registry.url.", h->base);
        rc = -1;
    } else if (!json_is_true(answer)) {
        *ok = false;
        first_message(root, reason, size);
    }
    json_decref(root);
    return rc;
}

static int http_ping(void *context, struct err *err)
{
    struct http *h = context;
    json_t *root;
    bool list;

    if (exchange(h, "GET", "/subjects", NULL, err))
        return -1;
    if (h->status != 200)
        return refused(h, "the list of subjects", err);
    root = json_loadb((const char *)h->answer.data, h->answer.len, 0, NULL);
    list = json_is_array(root);
    json_decref(root);
    if (!list)
        return err_set(err, ERR_REGISTRY_CONFIG,
                       "The answer from %s is not what a schema registry says; check registry.url and its path.",
                       h->base);
    return 0;
}

const struct registry_backend registry_http = {http_close, http_register, http_schema, http_compatible, http_ping};
