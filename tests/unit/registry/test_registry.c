/* test_registry: the REST client against a small server that answers what a test tells it, and the folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "registry/registry.h"

#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        if ((call) != 0)                                                                                               \
            fail_msg("%s: %s", #call, (err).text);                                                                     \
    } while (0)

/* ---- the scripted server: one answer a request, in order; what was asked is kept ---- */

enum { ANSWERS = 16, ASKED = 8192 };

struct answer {
    int status;
    const char *extra; /* header lines */
    const char *body;
    int delay_ms;
    size_t padding; /* spaces after the body */
};

struct server {
    int fd;
    int port;
    pthread_t thread;
    const struct answer *script;
    size_t n;
    size_t served;
    char asked[ANSWERS][ASKED];
};

static void put(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n) {
        ssize_t put_now = send(fd, p, n, MSG_NOSIGNAL);

        if (put_now <= 0)
            return;
        p += put_now;
        n -= (size_t)put_now;
    }
}

static size_t get_request(int fd, char *out, size_t size)
{
    size_t n = 0;

    while (n + 1 < size) {
        ssize_t got = recv(fd, out + n, size - 1 - n, 0);
        const char *end, *length;

        if (got <= 0)
            break;
        n += (size_t)got;
        out[n] = 0;
        end = strstr(out, "\r\n\r\n");
        if (!end)
            continue;
        length = strcasestr(out, "content-length:");
        if (!length || n >= (size_t)(end + 4 - out) + strtoul(length + 15, NULL, 10))
            break;
    }
    out[n] = 0;
    return n;
}

static void *serve(void *arg)
{
    struct server *s = arg;
    char head[1024];
    char spaces[4096];

    memset(spaces, ' ', sizeof(spaces));
    while (s->served < s->n) {
        const struct answer *a = &s->script[s->served];
        int fd = accept(s->fd, NULL, NULL);

        if (fd < 0)
            break;
        if (!get_request(fd, s->asked[s->served], ASKED)) {
            close(fd);
            continue;
        }
        s->served++;
        if (a->delay_ms)
            clock_sleep_ms(a->delay_ms);
        snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", a->status,
                 strlen(a->body) + a->padding, a->extra ? a->extra : "");
        put(fd, head, strlen(head));
        put(fd, a->body, strlen(a->body));
        for (size_t left = a->padding; left; left -= left < sizeof(spaces) ? left : sizeof(spaces))
            put(fd, spaces, left < sizeof(spaces) ? left : sizeof(spaces));
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

static void start(struct server *s, const struct answer *script, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    memset(s, 0, sizeof(*s));
    assert_true(n <= ANSWERS);
    s->script = script;
    s->n = n;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    getsockname(s->fd, (struct sockaddr *)(void *)&a, &len);
    s->port = ntohs(a.sin_port);
    pthread_create(&s->thread, NULL, serve, s);
}

/* Ends the server; every answer must have been asked for. */
static void finish(struct server *s)
{
    size_t served;

    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    served = s->served;
    assert_int_equal(served, s->n);
}

static struct registry *open_http(const struct server *s, const char *path, const char *level)
{
    struct registry_options o = {
        .username = "anna", .password = "s3cret", .timeout_ms = 2000, .retries = 3, .compatibility = level};
    struct registry *r;
    struct err err = ERR_INIT;
    char url[100];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", s->port, path);
    o.url = url;
    assert_ok(registry_open(&r, &o, &err), err);
    return r;
}

#define START(s, ...)                                                                                                  \
    const struct answer script[] = {__VA_ARGS__};                                                                      \
    struct server s;                                                                                                   \
    start(&s, script, sizeof(script) / sizeof(script[0]))

/* ---- REST ---- */

static void an_id_is_registered_and_remembered(void **state)
{
    START(s, {200, NULL, "{\"id\":41}", 0, 0});
    struct registry *r = open_http(&s, "/apis/ccompat/v7/", NULL);
    struct err err = ERR_INIT;
    const char *text;
    uint32_t id = 0;

    (void)state;
    assert_ok(registry_register(r, "shop.rides/x-value", "{\"type\":\"long\"}", &id, &err), err);
    assert_int_equal(id, 41);
    id = 0;
    assert_ok(registry_register(r, "shop.rides/x-value", "{\"type\":\"long\"}", &id, &err), err);
    assert_int_equal(id, 41);
    assert_ok(registry_schema(r, 41, &text, &err), err);
    assert_string_equal(text, "{\"type\":\"long\"}");
    finish(&s);
    assert_non_null(strstr(s.asked[0], "POST /apis/ccompat/v7/subjects/shop.rides%2Fx-value/versions HTTP/1.1\r\n"));
    assert_non_null(strstr(s.asked[0], "Authorization: Basic YW5uYTpzM2NyZXQ="));
    assert_non_null(strstr(s.asked[0], "application/vnd.schemaregistry.v1+json"));
    assert_non_null(strstr(s.asked[0], "{\"schema\":\"{\\\"type\\\":\\\"long\\\"}\"}"));
    registry_close(r);
}

static void a_schema_is_fetched_once(void **state)
{
    START(s, {200, NULL, "{\"schema\":\"\\\"string\\\"\"}", 0, 0},
          {404, NULL, "{\"error_code\":40403,\"message\":\"no\"}", 0, 0},
          {200, NULL, "{\"schema\":\"syntax = 3\",\"schemaType\":\"PROTOBUF\"}", 0, 0});
    struct registry *r = open_http(&s, "", NULL);
    struct err err = ERR_INIT;
    const char *text, *again;

    (void)state;
    assert_ok(registry_schema(r, 7, &text, &err), err);
    assert_string_equal(text, "\"string\"");
    assert_ok(registry_schema(r, 7, &again, &err), err);
    assert_ptr_equal(text, again);
    assert_int_equal(registry_schema(r, 8, &text, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_REJECTED);
    assert_non_null(strstr(err.text, "8"));
    assert_int_equal(registry_schema(r, 9, &text, &err), -1);
    assert_int_equal(err.code, ERR_SCHEMA);
    finish(&s);
    assert_non_null(strstr(s.asked[0], "GET /schemas/ids/7 HTTP/1.1\r\n"));
    registry_close(r);
}

static void a_refusal_gives_the_reason(void **state)
{
    START(s, {409, NULL, "{\"error_code\":409,\"message\":\"reader field x is missing a default\"}", 0, 0},
          {422, NULL, "{\"error_code\":42201,\"message\":\"Invalid schema\\nhere\"}", 0, 0});
    struct registry *r = open_http(&s, "", NULL);
    struct err err = ERR_INIT;
    uint32_t id;

    (void)state;
    assert_int_equal(registry_register(r, "a-value", "1", &id, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_REJECTED);
    assert_non_null(strstr(err.text, "reader field x is missing a default"));
    assert_non_null(strstr(err.text, "a-value"));
    assert_int_equal(registry_register(r, "a-value", "2", &id, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_REJECTED);
    assert_non_null(strstr(err.text, "Invalid schema here"));
    finish(&s);
    registry_close(r);
}

static void passing_trouble_is_tried_again(void **state)
{
    START(s, {500, NULL, "{\"error_code\":50001,\"message\":\"store\"}", 0, 0}, {429, NULL, "", 0, 0},
          {503, NULL, "<html>", 0, 0}, {200, NULL, "{\"id\":5}", 0, 0},
          {500, NULL, "{\"message\":\"store is away\"}", 0, 0}, {500, NULL, "", 0, 0}, {500, NULL, "", 0, 0},
          {500, NULL, "{\"message\":\"store is away\"}", 0, 0});
    struct registry *r = open_http(&s, "", NULL);
    struct err err = ERR_INIT;
    uint32_t id = 0;

    (void)state;
    assert_ok(registry_register(r, "a", "1", &id, &err), err);
    assert_int_equal(id, 5);
    assert_int_equal(registry_register(r, "a", "2", &id, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY);
    assert_non_null(strstr(err.text, "store is away"));
    finish(&s);
    registry_close(r);
}

static void wrong_credentials_are_told_without_them(void **state)
{
    START(s, {401, NULL, "{\"message\":\"who are you\"}", 0, 0});
    struct registry *r = open_http(&s, "", NULL);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(registry_ping(r, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_CONFIG);
    assert_non_null(strstr(err.text, "registry.username"));
    assert_null(strstr(err.text, "s3cret"));
    finish(&s);
    registry_close(r);
}

static void redirects_stay_at_home(void **state)
{
    struct server other;
    const struct answer never[] = {{200, NULL, "[]", 0, 0}};
    char away[200], home[200];
    struct answer script[3] = {{307, NULL, "", 0, 0}, {200, NULL, "[]", 0, 0}, {302, NULL, "", 0, 0}};
    struct server s;
    struct registry *r;
    struct err err = ERR_INIT;

    (void)state;
    start(&other, never, 1);
    start(&s, script, 3);
    snprintf(home, sizeof(home), "Location: /moved/subjects\r\n");
    snprintf(away, sizeof(away), "Location: http://127.0.0.1:%d/subjects\r\n", other.port);
    script[0].extra = home;
    script[2].extra = away;
    r = open_http(&s, "", NULL);
    assert_ok(registry_ping(r, &err), err);
    assert_int_equal(registry_ping(r, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_CONFIG);
    assert_non_null(strstr(err.text, "redirects"));
    assert_null(strstr(err.text, "s3cret"));
    finish(&s);
    assert_non_null(strstr(s.asked[1], "GET /moved/subjects "));
    shutdown(other.fd, SHUT_RDWR);
    pthread_join(other.thread, NULL);
    close(other.fd);
    assert_int_equal(other.served, 0); /* the credentials went nowhere else */
    registry_close(r);
}

static void nonsense_is_no_registry(void **state)
{
    START(s, {200, NULL, "<html>hello</html>", 0, 0}, {200, NULL, "{\"id\":0}", 0, 0}, {200, NULL, "{\"id\":-3}", 0, 0},
          {200, NULL, "{\"id\":4294967297}", 0, 0}, {200, NULL, "{\"id\":\"7\"}", 0, 0}, {200, NULL, "[1,2", 0, 0},
          {200, NULL, "{\"id\":6,", 0, 6 << 20}, {200, NULL, "{\"schema\":7}", 0, 0}, {200, NULL, "{\"x\":1}", 0, 0});
    struct registry *r = open_http(&s, "", NULL);
    struct err err = ERR_INIT;
    const char *text;
    uint32_t id = 99;

    (void)state;
    for (int i = 0; i < 7; i++) {
        err_clear(&err);
        assert_int_equal(registry_register(r, "a", "1", &id, &err), -1);
        assert_int_equal(err.code, ERR_REGISTRY_CONFIG);
    }
    assert_non_null(strstr(err.text, "longer than"));
    assert_int_equal(id, 99);
    assert_int_equal(registry_schema(r, 3, &text, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_CONFIG);
    assert_int_equal(registry_ping(r, &err), -1);
    finish(&s);
    registry_close(r);
}

static void a_stop_does_not_wait_for_a_slow_registry(void **state)
{
    START(s, {200, NULL, "[]", 4500, 0});
    struct registry_options o = {.timeout_ms = 20000, .retries = 3};
    struct registry *r;
    struct err err = ERR_INIT;
    int64_t begun = clock_mono_us();
    char url[100];

    (void)state;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", s.port);
    o.url = url;
    assert_ok(registry_open(&r, &o, &err), err);
    stop_request();
    assert_int_equal(registry_ping(r, &err), -1);
    stop_reset();
    assert_int_equal(err.code, ERR_STOPPED);
    assert_in_range(clock_mono_us() - begun, 0, 4000000);
    finish(&s);
    registry_close(r);
}

static void a_slow_registry_is_not_waited_for(void **state)
{
    START(s, {200, NULL, "[]", 1500, 0});
    struct registry_options o = {.timeout_ms = 200, .retries = 0};
    struct registry *r;
    struct err err = ERR_INIT;
    char url[100];

    (void)state;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", s.port);
    o.url = url;
    assert_ok(registry_open(&r, &o, &err), err);
    assert_int_equal(registry_ping(r, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY);
    finish(&s);
    o.url = "http://127.0.0.1:1";
    registry_close(r);
    assert_ok(registry_open(&r, &o, &err), err);
    assert_int_equal(registry_ping(r, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY);
    assert_non_null(strstr(err.text, "cannot be reached"));
    registry_close(r);
}

static void a_level_is_set_on_new_subjects_only(void **state)
{
    START(s, {404, NULL, "{\"error_code\":40401}", 0, 0}, {200, NULL, "{\"id\":1}", 0, 0},
          {200, NULL, "{\"compatibility\":\"BACKWARD\"}", 0, 0}, {200, NULL, "[1]", 0, 0},
          {200, NULL, "{\"id\":2}", 0, 0});
    struct registry *r = open_http(&s, "", "BACKWARD");
    struct err err = ERR_INIT;
    uint32_t id;

    (void)state;
    assert_ok(registry_register(r, "a", "1", &id, &err), err);
    assert_ok(registry_register(r, "a", "2", &id, &err), err);
    assert_int_equal(id, 2);
    finish(&s);
    assert_non_null(strstr(s.asked[2], "PUT /config/a HTTP/1.1\r\n"));
    assert_non_null(strstr(s.asked[2], "{\"compatibility\":\"BACKWARD\"}"));
    registry_close(r);
}

static void compatibility_is_answered(void **state)
{
    START(s, {404, NULL, "{\"error_code\":40401}", 0, 0}, {200, NULL, "{\"is_compatible\":true}", 0, 0},
          {200, NULL, "{\"is_compatible\":false,\"messages\":[\"type changed\"]}", 0, 0},
          {200, NULL, "{\"is_compatible\":false}", 0, 0}, {422, NULL, "{\"message\":\"not Avro\"}", 0, 0},
          {200, NULL, "{}", 0, 0});
    struct registry *r = open_http(&s, "", NULL);
    struct err err = ERR_INIT;
    char reason[100];
    bool ok;

    (void)state;
    assert_ok(registry_compatible(r, "a", "1", &ok, reason, sizeof(reason), &err), err);
    assert_true(ok);
    assert_ok(registry_compatible(r, "a", "1", &ok, reason, sizeof(reason), &err), err);
    assert_true(ok);
    assert_ok(registry_compatible(r, "a", "1", &ok, reason, sizeof(reason), &err), err);
    assert_false(ok);
    assert_string_equal(reason, "type changed");
    assert_ok(registry_compatible(r, "a", "1", &ok, reason, sizeof(reason), &err), err);
    assert_false(ok);
    assert_ok(registry_compatible(r, "a", "1", &ok, reason, sizeof(reason), &err), err);
    assert_false(ok);
    assert_string_equal(reason, "not Avro");
    assert_int_equal(registry_compatible(r, "a", "1", &ok, reason, sizeof(reason), &err), -1);
    finish(&s);
    registry_close(r);
}

static void bad_addresses_are_refused(void **state)
{
    static const char *const bad[] = {
        "http://anna:s3cret@host:8081", "ftp://host", "host:8081", "http://", "", "http://host/?a=b",
        "file://relative/path"};
    struct registry *r;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct registry_options o = {.url = bad[i]};
        struct err err = ERR_INIT;

        assert_int_equal(registry_open(&r, &o, &err), -1);
        assert_int_equal(err.code, ERR_REGISTRY_CONFIG);
        assert_null(strstr(err.text, "s3cret"));
        if (!i)
            assert_non_null(strstr(err.text, "registry.password"));
    }
}

/* ---- a real one, which PILLION_TEST_REGISTRY names (integration/scenarios/kafka) ---- */

static void a_real_registry_agrees(void **state)
{
    static const char *const one =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}";
    static const char *const two =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"},{\"name\":"
        "\"b\",\"type\":[\"null\",\"string\"],\"default\":null}]}";
    static const char *const bad =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}";
    struct registry_options o = {
        .url = getenv("PILLION_TEST_REGISTRY"), .timeout_ms = 10000, .retries = 3, .compatibility = "BACKWARD"};
    struct registry *r, *fresh;
    struct err err = ERR_INIT;
    uint32_t first, second, other;
    char subject[100], another[100], reason[300];
    const char *text;
    bool ok;

    (void)state;
    snprintf(subject, sizeof(subject), "t%ld.shop.rides-value", (long)getpid());
    snprintf(another, sizeof(another), "t%ld.shop.other-value", (long)getpid());
    assert_ok(registry_open(&r, &o, &err), err);
    assert_ok(registry_ping(r, &err), err);
    assert_ok(registry_compatible(r, subject, one, &ok, reason, sizeof(reason), &err), err);
    assert_true(ok);
    assert_ok(registry_register(r, subject, one, &first, &err), err);
    assert_ok(registry_register(r, another, one, &other, &err), err);
    assert_int_equal(first, other);
    assert_ok(registry_compatible(r, subject, two, &ok, reason, sizeof(reason), &err), err);
    assert_true(ok);
    assert_ok(registry_register(r, subject, two, &second, &err), err);
    assert_int_not_equal(first, second);
    assert_ok(registry_compatible(r, subject, bad, &ok, reason, sizeof(reason), &err), err);
    assert_false(ok);
    print_message("compatibility: %s\n", reason);
    assert_int_equal(registry_register(r, subject, bad, &other, &err), -1);
    print_message("refusal: %s\n", err.text);
    assert_int_equal(err.code, ERR_REGISTRY_REJECTED);
    assert_int_equal(registry_register(r, subject, "{\"type\":\"no such\"}", &other, &err), -1);
    print_message("refusal: %s\n", err.text);
    assert_int_equal(err.code, ERR_REGISTRY_REJECTED);
    assert_ok(registry_open(&fresh, &o, &err), err);
    assert_ok(registry_schema(fresh, second, &text, &err), err);
    assert_non_null(strstr(text, "\"default\""));
    assert_ok(registry_register(fresh, subject, two, &other, &err), err);
    assert_int_equal(other, second);
    assert_int_equal(registry_schema(fresh, 2000000000, &text, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_REJECTED);
    registry_close(fresh);
    registry_close(r);
}

/* ---- the folder ---- */

static char folder[200];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/pillion-registry-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (!pid) {
        execlp("rm", "rm", "-rf", folder, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return status;
}

static struct registry *open_folder(void)
{
    struct registry_options o = {0};
    struct registry *r;
    struct err err = ERR_INIT;
    char url[300];

    snprintf(url, sizeof(url), "file://%s/deep/er/", folder);
    o.url = url;
    assert_ok(registry_open(&r, &o, &err), err);
    return r;
}

static void a_folder_keeps_ids(void **state)
{
    struct registry *r = open_folder();
    struct err err = ERR_INIT;
    const char *text;
    uint32_t a, b, c;
    char path[400];
    struct stat st;

    (void)state;
    assert_ok(registry_ping(r, &err), err);
    assert_ok(registry_register(r, "t-key", "\"long\"", &a, &err), err);
    assert_ok(registry_register(r, "t/../value", "\"string\"", &b, &err), err);
    assert_ok(registry_register(r, "u-key", "\"long\"", &c, &err), err);
    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    assert_int_equal(c, 1);
    registry_close(r);
    r = open_folder();
    assert_ok(registry_schema(r, 2, &text, &err), err);
    assert_string_equal(text, "\"string\"");
    assert_ok(registry_register(r, "t/../value", "\"string\"", &c, &err), err);
    assert_int_equal(c, 2);
    assert_int_equal(registry_schema(r, 3, &text, &err), -1);
    assert_int_equal(err.code, ERR_REGISTRY_REJECTED);
    registry_close(r);
    snprintf(path, sizeof(path), "%s/deep/er/subjects/t%%2F..%%2Fvalue/1", folder);
    assert_int_equal(stat(path, &st), 0);
    snprintf(path, sizeof(path), "%s/deep/er/subjects/t%%2F..%%2Fvalue/2", folder);
    assert_int_equal(stat(path, &st), -1);
}

/* Four processes register the same twenty schemas at once: every text has one id, and everybody agrees on it. */
static void processes_share_a_folder(void **state)
{
    pid_t pids[4];
    int ends[4][2];
    uint32_t ids[4][20];

    (void)state;
    for (int k = 0; k < 4; k++) {
        assert_int_equal(pipe(ends[k]), 0);
        pids[k] = fork();
        if (!pids[k]) {
            struct registry *r = open_folder();

            for (int i = 0; i < 20; i++) {
                char text[40];

                snprintf(text, sizeof(text), "\"schema %d\"", i);
                if (registry_register(r, "same", text, &ids[k][i], NULL))
                    _exit(1);
            }
            registry_close(r);
            _exit(write(ends[k][1], ids[k], sizeof(ids[k])) == (ssize_t)sizeof(ids[k]) ? 0 : 1);
        }
    }
    for (int k = 0; k < 4; k++) {
        int status;

        assert_int_equal(read(ends[k][0], ids[k], sizeof(ids[k])), sizeof(ids[k]));
        waitpid(pids[k], &status, 0);
        assert_int_equal(status, 0);
        close(ends[k][0]);
        close(ends[k][1]);
        assert_memory_equal(ids[k], ids[0], sizeof(ids[0]));
    }
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(ids[0][i], ids[0][k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_registered_and_remembered),
        cmocka_unit_test(a_schema_is_fetched_once),
        cmocka_unit_test(a_refusal_gives_the_reason),
        cmocka_unit_test(passing_trouble_is_tried_again),
        cmocka_unit_test(wrong_credentials_are_told_without_them),
        cmocka_unit_test(redirects_stay_at_home),
        cmocka_unit_test(nonsense_is_no_registry),
        cmocka_unit_test(a_stop_does_not_wait_for_a_slow_registry),
        cmocka_unit_test(a_slow_registry_is_not_waited_for),
        cmocka_unit_test(a_level_is_set_on_new_subjects_only),
        cmocka_unit_test(compatibility_is_answered),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test_setup_teardown(a_folder_keeps_ids, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(processes_share_a_folder, make_folder, remove_folder),
    };
    const struct CMUnitTest real[] = {
        cmocka_unit_test(a_real_registry_agrees),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);

    if (getenv("PILLION_TEST_REGISTRY"))
        rc |= cmocka_run_group_tests(real, NULL, NULL);
    return rc;
}
