/* test_admin_http: the page as a client sees it, over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/admin_http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/metric.h"

static atomic_bool is_healthy, is_ready;
static char reply[1 << 20];

static bool healthy(void *arg)
{
    (void)arg;
    return atomic_load(&is_healthy);
}

static bool ready(void *arg)
{
    (void)arg;
    return atomic_load(&is_ready);
}

static void status(void *arg, struct buf *out)
{
    buf_put_str(out, arg);
}

static char json[] = "{\"name\":\"<b>&\"}";

static struct admin_http *start(const char *listen_at, const char *token)
{
    struct admin_http_options options = {
        .listen = listen_at, .token = token, .healthy = healthy, .ready = ready, .status = status, .arg = json};
    struct admin_http *h = NULL;
    struct err err = ERR_INIT;

    if (admin_http_start(&h, &options, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(admin_http_port(h) > 0);
    return h;
}

static int connect_to(unsigned port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {20, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* Sends a request as it is; the whole answer is in reply. */
static int ask_raw(unsigned port, const char *request)
{
    int fd = connect_to(port), code = 0;
    size_t n = 0;
    ssize_t got;

    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    while (n < sizeof reply - 1 && (got = recv(fd, reply + n, sizeof reply - 1 - n, 0)) > 0)
        n += (size_t)got;
    close(fd);
    reply[n] = 0;
    sscanf(reply, "HTTP/1.1 %3d", &code);
    return code;
}

static int ask(struct admin_http *h, const char *method, const char *path, const char *headers)
{
    char request[2000];

    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%s\r\n", method, path,
             headers);
    return ask_raw(admin_http_port(h), request);
}

static const char *body(void)
{
    const char *end = strstr(reply, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static void pages_are_served(void **state)
{
    struct admin_http *h = start("127.0.0.1:0", NULL);

    (void)state;
    metric_add(metric_plain(M_CAPTURE_TXNS), 5);
    assert_int_equal(ask(h, "GET", "/metrics", ""), 200);
    assert_non_null(strstr(reply, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(body(), "\npillion_capture_transactions_total 5\n"));
    assert_int_equal(ask(h, "GET", "/status", ""), 200);
    assert_non_null(strstr(reply, "Content-Type: application/json"));
    assert_string_equal(body(), json);
    assert_int_equal(ask(h, "GET", "/", ""), 200);
    assert_non_null(strstr(reply, "Content-Type: text/html"));
    assert_non_null(strstr(body(), "{\"name\":\"&lt;b&gt;&amp;\"}"));
    assert_int_equal(ask(h, "GET", "/status?x=1", ""), 200);
    assert_int_equal(ask(h, "GET", "/nothing", ""), 404);
    assert_int_equal(ask(h, "GET", "/../status", ""), 404);
    admin_http_stop(h);
}

static void probes_follow_the_callbacks(void **state)
{
    struct admin_http *h = start("127.0.0.1:0", NULL);

    (void)state;
    for (int i = 0; i < 4; i++) {
        atomic_store(&is_healthy, i & 1);
        atomic_store(&is_ready, i & 2);
        assert_int_equal(ask(h, "GET", "/healthz", ""), i & 1 ? 200 : 503);
        assert_int_equal(ask(h, "GET", "/readyz", ""), i & 2 ? 200 : 503);
    }
    admin_http_stop(h);
}

static void only_reading(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "XYZ"};
    struct admin_http *h = start("127.0.0.1:0", NULL);

    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        assert_int_equal(ask(h, methods[i], "/status", "Content-Length: 0\r\n"), 405);
        assert_non_null(strstr(reply, "Allow: GET, HEAD"));
    }
    assert_int_equal(ask(h, "HEAD", "/status", ""), 200);
    assert_string_equal(body(), "");
    assert_non_null(strstr(reply, "Content-Length: 15\r\n"));
    admin_http_stop(h);
}

static void the_token_is_wanted(void **state)
{
    static const char *const bad[] = {"",
                                      "Authorization: Bearer\r\n",
                                      "Authorization: Bearer \r\n",
                                      "Authorization: Bearer s3cre\r\n",
                                      "Authorization: Bearer s3cret0\r\n",
                                      "Authorization: Bearer s3crets3cret\r\n",
                                      "Authorization: Bearer S3cret\r\n",
                                      "Authorization: Basic s3cret\r\n",
                                      "Authorization: s3cret\r\n",
                                      "X-Authorization: Bearer s3cret\r\n"};
    static const char *const paths[] = {"/", "/metrics", "/status", "/nothing"};
    struct admin_http *h = start("0.0.0.0:0", "s3cret");

    (void)state;
    atomic_store(&is_healthy, true);
    atomic_store(&is_ready, true);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t j = 0; j < sizeof paths / sizeof *paths; j++) {
            if (ask(h, "GET", paths[j], bad[i]) != 401)
                fail_msg("%s with <%s> was answered", paths[j], bad[i]);
            assert_non_null(strstr(reply, "WWW-Authenticate: Bearer"));
            assert_null(strstr(reply, "s3cret"));
        }
    }
    assert_int_equal(ask(h, "GET", "/status", "Authorization: Bearer s3cret\r\n"), 200);
    assert_int_equal(ask(h, "GET", "/status", "authorization: bearer s3cret\r\n"), 200);
    assert_int_equal(ask(h, "GET", "/healthz", ""), 200);
    assert_int_equal(ask(h, "GET", "/readyz", ""), 200);
    admin_http_stop(h);
}

static void a_foreign_host_is_refused(void **state)
{
    static const struct {
        const char *host;
        int code;
    } rows[] = {
        {"127.0.0.1:8088", 200}, {"localhost", 200}, {"LOCALHOST:1", 200},        {"[::1]:8088", 200},
        {"10.0.0.7:80", 200},    {"evil.org", 403},  {"localhost.evil.org", 403}, {"127.0.0.1.evil.org:8088", 403}};
    struct admin_http *h = start("127.0.0.1:0", NULL);
    char request[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(request, sizeof request, "GET /status HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                 rows[i].host);
        if (ask_raw(admin_http_port(h), request) != rows[i].code)
            fail_msg("%s: %.40s", rows[i].host, reply);
    }
    admin_http_stop(h);
}

static void bad_addresses_are_refused(void **state)
{
    static const struct {
        const char *listen, *token, *told;
    } rows[] = {
        {"0.0.0.0:0", NULL, "can be reached from other machines"},
        {"[::]:0", NULL, "can be reached from other machines"},
        {"nothing", NULL, "is not ADDRESS:PORT"},
        {":1", NULL, "is not ADDRESS:PORT"},
        {"127.0.0.1:x", NULL, "cannot be used"},
        {"127.0.0.1:0", "", "admin.token is empty"},
        {"192.0.2.1:0", "t", "cannot be used"}, /* of documentation: no machine has it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct admin_http_options options = {.listen = rows[i].listen,
                                             .token = rows[i].token,
                                             .healthy = healthy,
                                             .ready = ready,
                                             .status = status,
                                             .arg = json};
        struct admin_http *h;
        struct err err = ERR_INIT;

        assert_int_equal(admin_http_start(&h, &options, &err), -1);
        assert_null(h);
        assert_int_equal(err.code, ERR_CONFIG);
        if (!strstr(err.text, rows[i].told))
            fail_msg("%s: %s", rows[i].listen, err.text);
    }
    admin_http_stop(NULL);
}

static void a_port_in_use_is_told(void **state)
{
    struct admin_http *h = start("127.0.0.1:0", NULL), *second;
    struct admin_http_options options = {.healthy = healthy, .ready = ready, .status = status, .arg = json};
    struct err err = ERR_INIT;
    char at[64];

    (void)state;
    snprintf(at, sizeof at, "127.0.0.1:%u", admin_http_port(h));
    options.listen = at;
    assert_int_equal(admin_http_start(&second, &options, &err), -1);
    assert_non_null(strstr(err.text, "Address already in use; give another port"));
    admin_http_stop(h);
    admin_http_stop(start(at, NULL)); /* free again at once */
}

static void garbage_does_no_harm(void **state)
{
    static const char *const requests[] = {"\r\n\r\n",
                                           "GET\r\n\r\n",
                                           "GET / HTTP/9.9\r\n\r\n",
                                           "\x16\x03\x01\x02\n\n",
                                           "GET / HTTP/1.1\r\n\r\n" /* no Host */,
                                           "GET /%00%ff HTTP/1.0\r\n\r\n"};
    struct admin_http *h = start("127.0.0.1:0", NULL);
    static char longer[100000];
    int idle[40];

    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int fd = connect_to(admin_http_port(h));
        assert_true(send(fd, requests[i], strlen(requests[i]), MSG_NOSIGNAL) > 0);
        close(fd);
    }
    memset(longer, 'a', sizeof longer - 1);
    memcpy(longer, "GET /", 5);
    assert_true(ask_raw(admin_http_port(h), longer) != 200);
    /* More idle connections than are allowed: they are closed, and do not keep others away for good. */
    for (int i = 0; i < 40; i++)
        idle[i] = connect_to(admin_http_port(h));
    for (int i = 0; i < 40; i++)
        close(idle[i]);
    assert_int_equal(ask(h, "GET", "/status", ""), 200);
    admin_http_stop(h);
}

static void *ask_often(void *arg)
{
    unsigned port = *(unsigned *)arg;

    for (int i = 0; i < 50; i++) {
        static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
        char bytes[4096];
        int fd = connect_to(port);

        if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
            return arg;
        while (recv(fd, bytes, sizeof bytes, 0) > 0)
            ;
        close(fd);
    }
    return NULL;
}

static void stop_while_being_asked(void **state)
{
    struct admin_http *h = start("127.0.0.1:0", NULL);
    unsigned port = admin_http_port(h);
    pthread_t threads[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &port), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    admin_http_stop(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_served),
        cmocka_unit_test(probes_follow_the_callbacks),
        cmocka_unit_test(only_reading),
        cmocka_unit_test(the_token_is_wanted),
        cmocka_unit_test(a_foreign_host_is_refused),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(a_port_in_use_is_told),
        cmocka_unit_test(garbage_does_no_harm),
        cmocka_unit_test(stop_while_being_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
