#include "admin/admin_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

enum {
    CONNECTIONS_MAX = 32,
    CONNECTION_SECONDS = 15,
    CONNECTION_BYTES = 32768, /* of request line and headers */
    STATUS_MAX = 1 << 20,
    METRICS_MAX = 64 << 20,
    PAGE_MAX = 8 << 20
};

struct admin_http {
    struct MHD_Daemon *daemon;
    bool (*healthy)(void *arg);
    bool (*ready)(void *arg);
    void (*status)(void *arg, struct buf *out);
    void *arg;
    char *token;
    unsigned port;
};

/* The time depends on the length of what was given, never on how much of it is right. */
static bool same_secret(const char *given, const char *token)
{
    size_t n = strlen(given), m = strlen(token);
    unsigned diff = n != m;

    for (size_t i = 0; i < n; i++)
        diff |= (unsigned)(unsigned char)given[i] ^ (unsigned)(unsigned char)token[m ? i % m : 0];
    return diff == 0;
}

static bool is_allowed(const struct admin_http *h, struct MHD_Connection *c)
{
    const char *given;

    if (!h->token)
        return true;
    given = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    return given && strncasecmp(given, "Bearer ", 7) == 0 && same_secret(given + 7, h->token);
}

/* Without a token a web page of somebody else must not read this one by a name of its own that leads to 127.0.0.1 (DNS
 * rebinding): so the Host is an address, or localhost. */
static bool is_host_allowed(const struct admin_http *h, struct MHD_Connection *c)
{
    const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
    char name[64];
    unsigned char address[16];
    size_t len;

    if (h->token || !host)
        return true;
    if (*host == '[') {
        host++;
        len = strcspn(host, "]");
    } else
        len = strcspn(host, ":");
    if (len >= sizeof name)
        return false;
    memcpy(name, host, len);
    name[len] = 0;
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, address) == 1 ||
           inet_pton(AF_INET6, name, address) == 1;
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, const void *bytes,
                              size_t len)
{
    /* The copy is MHD's: it sends after the callback has returned. */
    union {
        const void *in;
        void *out;
    } body = {.in = bytes};
    struct MHD_Response *r = MHD_create_response_from_buffer(len, body.out, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result rc;

    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    if (status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"pillion\"");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, "Allow", "GET, HEAD");
    rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, const char *text)
{
    return answer(c, status, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result answer_buf(struct MHD_Connection *c, const char *type, struct buf *b)
{
    enum MHD_Result rc;

    if (b->overflow)
        rc = answer_text(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "The answer is larger than its limit.\n");
    else
        rc = answer(c, MHD_HTTP_OK, type, b->data ? (const void *)b->data : "", b->len);
    buf_release(b);
    return rc;
}

static void put_html(struct buf *out, const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        switch (text->data[i]) {
        case '<':
            buf_put_str(out, "&lt;");
            break;
        case '>':
            buf_put_str(out, "&gt;");
            break;
        case '&':
            buf_put_str(out, "&amp;");
            break;
        default:
            buf_put_u8(out, text->data[i]);
        }
    }
}

static enum MHD_Result answer_page(struct admin_http *h, struct MHD_Connection *c)
{
    struct buf page, status;

    buf_init(&status, STATUS_MAX);
    buf_init(&page, PAGE_MAX);
    h->status(h->arg, &status);
    buf_put_str(&page, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Pillion</title>\n"
                       "<meta http-equiv=\"refresh\" content=\"5\">\n"
                       "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}"
                       "pre{background:#f4f4f2;padding:1rem;overflow:auto;white-space:pre-wrap}"
                       ".no{color:#b00}</style></head><body>\n");
    buf_putf(
        &page,
        "<h1>Pillion %s</h1>\n<p>%s, %s. <a href=\"/metrics\">metrics</a> <a href=\"/status\">status</a></p>\n<pre>",
        PILLION_VERSION, h->healthy(h->arg) ? "healthy" : "<b class=\"no\">not healthy</b>",
        h->ready(h->arg) ? "ready" : "<b class=\"no\">not ready</b>");
    put_html(&page, &status);
    buf_put_str(&page, "</pre>\n</body></html>\n");
    buf_release(&status);
    return answer_buf(c, "text/html; charset=utf-8", &page);
}

static enum MHD_Result answer_probe(struct MHD_Connection *c, bool good)
{
    return answer_text(c, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, good ? "ok\n" : "not now\n");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_len, void **state)
{
    static int headers_seen;
    struct admin_http *h = arg;
    struct buf out;

    (void)version;
    (void)upload;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.\n");
    if (!*state) {
        *state = &headers_seen; /* answer at the second call, when a body, if there is one, has come */
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0; /* read and forgotten */
        return MHD_YES;
    }
    if (!is_host_allowed(h, c))
        return answer_text(c, MHD_HTTP_FORBIDDEN, "Ask by address or as localhost, or set admin.token.\n");
    /* What probes ask is open: they carry no token, and learn no more than yes or no. */
    if (strcmp(url, "/healthz") == 0)
        return answer_probe(c, h->healthy(h->arg));
    if (strcmp(url, "/readyz") == 0)
        return answer_probe(c, h->ready(h->arg));
    if (!is_allowed(h, c))
        return answer_text(c, MHD_HTTP_UNAUTHORIZED, "Send Authorization: Bearer with the token of admin.token.\n");
    if (strcmp(url, "/metrics") == 0) {
        buf_init(&out, METRICS_MAX);
        metric_render(&out);
        return answer_buf(c, "text/plain; version=0.0.4; charset=utf-8", &out);
    }
    if (strcmp(url, "/status") == 0) {
        buf_init(&out, STATUS_MAX);
        h->status(h->arg, &out);
        return answer_buf(c, "application/json", &out);
    }
    if (strcmp(url, "/") == 0)
        return answer_page(h, c);
    return answer_text(c, MHD_HTTP_NOT_FOUND, "There are /, /metrics, /status, /healthz and /readyz.\n");
}

/* libmicrohttpd's own words are about clients that went away and the like. */
static void on_log(void *arg, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *format, va_list args)
{
    char text[300];

    (void)arg;
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = 0;
    log_debug("admin", "%s", text);
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    if (a->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
    return false;
}

/* ADDRESS:PORT into a list of addresses, of which the first is used. */
static int look_up(const char *listen_at, struct addrinfo **out, struct err *err)
{
    const char *colon = strrchr(listen_at, ':');
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    size_t len = colon ? (size_t)(colon - listen_at) : 0;
    char host[256];
    int rc;

    if (!colon || len == 0 || len >= sizeof host)
        return err_set(err, ERR_CONFIG, "admin.listen \"%.100s\" is not ADDRESS:PORT, such as 127.0.0.1:8088.",
                       listen_at);
    if (*listen_at == '[' && colon[-1] == ']') {
        listen_at++;
        len -= 2;
    }
    memcpy(host, listen_at, len);
    host[len] = 0;
    rc = getaddrinfo(host, colon + 1, &hints, out);
    if (rc != 0)
        return err_set(err, ERR_CONFIG, "admin.listen: the address %.100s with port %.20s cannot be used: %s.", host,
                       colon + 1, gai_strerror(rc));
    return 0;
}

static int open_socket(const struct admin_http_options *options, struct err *err)
{
    struct addrinfo *address = NULL;
    int fd = -1, one = 1;

    if (look_up(options->listen, &address, err) < 0)
        return -1;
    if (!options->token && !is_loopback(address->ai_addr)) {
        err_set(err, ERR_CONFIG,
                "admin.listen %s can be reached from other machines; give admin.token_file or PILLION_ADMIN_TOKEN, or "
                "listen on "
                "127.0.0.1.",
                options->listen);
        goto out;
    }
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set(err, ERR_CONFIG, "admin.listen %s: no socket can be opened: %s.", options->listen, strerror(errno));
        goto out;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, CONNECTIONS_MAX) < 0) {
        err_set(err, ERR_CONFIG,
                "admin.listen %s cannot be used: %s; give another port, port 0 for a free one, or off.",
                options->listen, strerror(errno));
        close(fd);
        fd = -1;
    }
out:
    freeaddrinfo(address);
    return fd;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;

    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return 0;
    if (a.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&a)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)&a)->sin_port);
}

int admin_http_start(struct admin_http **out, const struct admin_http_options *options, struct err *err)
{
    struct admin_http *h;
    int fd;

    *out = NULL;
    if (options->token && !*options->token)
        return err_set(err, ERR_CONFIG, "admin.token is empty; give one, or none.");
    fd = open_socket(options, err);
    if (fd < 0)
        return -1;
    h = xcalloc(1, sizeof *h);
    h->healthy = options->healthy;
    h->ready = options->ready;
    h->status = options->status;
    h->arg = options->arg;
    h->token = options->token ? xstrdup(options->token) : NULL;
    h->port = port_of(fd);
    /* The logger comes first: options behind it may speak already. */
    h->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                                 on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)CONNECTION_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!h->daemon) {
        close(fd);
        admin_http_stop(h);
        return err_set(err, ERR_CONFIG, "admin.listen %s: the HTTP server cannot be started.", options->listen);
    }
    *out = h;
    return 0;
}

unsigned admin_http_port(const struct admin_http *h)
{
    return h->port;
}

void admin_http_stop(struct admin_http *h)
{
    if (!h)
        return;
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    xfree_secret(h->token);
    free(h);
}
