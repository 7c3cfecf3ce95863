/* fake_server: a scripted MySQL server on loopback, honest or rogue, for tests of the connection.
 *
 * It speaks just enough protocol to let a client log in (caching_sha2_password, fast path) and to answer the statements
 * that connection_open sends; a script then decides what goes wrong. One client, one thread. What the client sent is
 * kept, so that a test can look for what must not be in it. */
#ifndef TESTS_MYSQL_FAKE_SERVER_H
#define TESTS_MYSQL_FAKE_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum fake_script {
    FAKE_HONEST,
    FAKE_TRUNCATED_HANDSHAKE, /* a few bytes, then the end */
    FAKE_HUGE_HANDSHAKE,      /* announces 16 MiB, sends little */
    FAKE_HTTP,                /* speaks another protocol */
    FAKE_REFUSES_HOST,        /* error 1130 instead of a handshake */
    FAKE_WRONG_PASSWORD,      /* error 1045 after the login */
    FAKE_WANTS_CLEARTEXT,     /* asks for the password in clear text */
    FAKE_LOCAL_INFILE,        /* answers a statement with a request for a file */
    FAKE_BAD_COLUMN_COUNT,    /* a result of 2^40 columns */
    FAKE_DUMP_EVENTS,         /* three events, then the end */
    FAKE_DUMP_ERROR,          /* error 1236 */
    FAKE_DUMP_SILENT,         /* nothing at all */
    FAKE_DUMP_GARBAGE,        /* a packet that is no event */
    FAKE_DUMP_OUT_OF_ORDER    /* a sequence number is left out */
};

struct fake_server {
    enum fake_script script;
    int listener;
    unsigned port;
    pthread_t thread;
    uint8_t heard[65536]; /* all bytes of all packets from the client */
    size_t heard_len;
    const char *error_text;
};

static inline void fake_put(int fd, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    while (n) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

static inline void fake_packet(int fd, uint8_t seq, const void *bytes, size_t n)
{
    uint8_t head[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), seq};

    fake_put(fd, head, sizeof head);
    fake_put(fd, bytes, n);
}

/* The client's next packet; false when it has gone. */
static inline bool fake_hear(struct fake_server *s, int fd, uint8_t *first, char *text, size_t text_size)
{
    uint8_t head[4], body[16384];
    size_t n;

    if (recv(fd, head, 4, MSG_WAITALL) != 4)
        return false;
    n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
    if (n > sizeof body || (n && recv(fd, body, n, MSG_WAITALL) != (ssize_t)n))
        return false;
    if (n <= sizeof s->heard - s->heard_len) {
        memcpy(s->heard + s->heard_len, body, n);
        s->heard_len += n;
    }
    *first = n ? body[0] : 0;
    snprintf(text, text_size, "%.*s", (int)(n ? n - 1 : 0), (const char *)body + 1);
    return true;
}

static inline void fake_ok(int fd, uint8_t seq)
{
    static const uint8_t ok[] = {0, 0, 0, 2, 0, 0, 0};

    fake_packet(fd, seq, ok, sizeof ok);
}

static inline void fake_error(int fd, uint8_t seq, unsigned number, const char *text)
{
    uint8_t b[600] = {0xff, (uint8_t)number, (uint8_t)(number >> 8), '#', 'H', 'Y', '0', '0', '0'};
    size_t n = strlen(text);

    memcpy(b + 9, text, n);
    fake_packet(fd, seq, b, 9 + n);
}

static inline void fake_handshake(int fd)
{
    /* protocol 41, secure connection, plugin auth, LOCAL FILES; no TLS */
    static const char greeting[] = "\x0a"
                                   "8.0.99-fake\0"
                                   "\x01\0\0\0"
                                   "abcdefgh\0"
                                   "\x89\xa2\x2d\x02\0\x38\0\x15"
                                   "\0\0\0\0\0\0\0\0\0\0"
                                   "ijklmnopqrst\0"
                                   "caching_sha2_password";

    fake_packet(fd, 0, greeting, sizeof greeting);
}

static inline uint8_t fake_string(uint8_t *to, const char *s)
{
    size_t n = strlen(s);

    to[0] = (uint8_t)n;
    memcpy(to + 1, s, n);
    return (uint8_t)(n + 1);
}

/* A result of two text columns. */
static inline void fake_rows(int fd, const char *const rows[][2], size_t n)
{
    static const uint8_t columns = 2, eof[] = {0xfe, 0, 0, 2, 0};
    static const char column[] = "\x03"
                                 "def\0\0\0\x01"
                                 "a\0\x0c\x2d\0\0\x01\0\0\xfd\0\0\0\0\0";
    uint8_t seq = 1, row[512];

    fake_packet(fd, seq++, &columns, 1);
    fake_packet(fd, seq++, column, sizeof column - 1);
    fake_packet(fd, seq++, column, sizeof column - 1);
    fake_packet(fd, seq++, eof, sizeof eof);
    for (size_t i = 0; i < n; i++) {
        size_t len = fake_string(row, rows[i][0]);

        len += fake_string(row + len, rows[i][1]);
        fake_packet(fd, seq++, row, len);
    }
    fake_packet(fd, seq, eof, sizeof eof);
}

static inline void fake_dump(struct fake_server *s, int fd)
{
    static const uint8_t eof[] = {0xfe, 0, 0, 2, 0}, garbage[] = {7, 7, 7};
    uint8_t event[1 + 19] = {0};

    event[1 + 4] = 27; /* a heartbeat */
    event[1 + 9] = 19;
    switch (s->script) {
    case FAKE_DUMP_EVENTS:
        fake_packet(fd, 1, event, sizeof event);
        fake_packet(fd, 2, event, sizeof event);
        fake_packet(fd, 3, event, sizeof event);
        fake_packet(fd, 4, eof, sizeof eof);
        break;
    case FAKE_DUMP_ERROR:
        fake_error(fd, 1, 1236, s->error_text);
        break;
    case FAKE_DUMP_GARBAGE:
        fake_packet(fd, 1, garbage, sizeof garbage);
        break;
    case FAKE_DUMP_OUT_OF_ORDER:
        fake_packet(fd, 1, event, sizeof event);
        fake_packet(fd, 3, event, sizeof event);
        break;
    default:
        break;
    }
}

static inline void fake_serve(struct fake_server *s, int fd)
{
    static const char *const facts[][2] = {{"version", "8.0.99-fake"},
                                           {"server_id", "1"},
                                           {"gtid_mode", "ON"},
                                           {"server_uuid", "00000000-0000-0000-0000-000000000001"}};
    static const char infile[] = "\xfb/etc/passwd", clear[] = "\xfemysql_clear_password";
    static const uint8_t fast[] = {1, 3}, columns[] = {0xfe, 0, 0, 0, 0, 0, 1, 0, 0};
    uint8_t first;
    char text[4096];

    switch (s->script) {
    case FAKE_TRUNCATED_HANDSHAKE:
        fake_put(fd,
                 "\x50\0\0\0\x0a"
                 "8.0",
                 8);
        return;
    case FAKE_HUGE_HANDSHAKE:
        fake_put(fd,
                 "\xff\xff\xff\0\x0a"
                 "8.0",
                 8);
        return;
    case FAKE_HTTP:
        fake_put(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        return;
    case FAKE_REFUSES_HOST:
        fake_error(fd, 0, 1130, "Host '127.0.0.1' is not allowed to connect to this MySQL server");
        return;
    default:
        break;
    }
    fake_handshake(fd);
    if (!fake_hear(s, fd, &first, text, sizeof text))
        return;
    if (s->script == FAKE_WRONG_PASSWORD) {
        fake_error(fd, 2, 1045, "Access denied for user 'cdc'@'127.0.0.1' (using password: YES)");
        return;
    }
    if (s->script == FAKE_WANTS_CLEARTEXT) {
        fake_packet(fd, 2, clear, sizeof clear);
        fake_hear(s, fd, &first, text, sizeof text);
        fake_ok(fd, 4);
        return;
    }
    fake_packet(fd, 2, fast, sizeof fast);
    fake_ok(fd, 3);
    while (fake_hear(s, fd, &first, text, sizeof text)) {
        if (first == 3 && s->script == FAKE_LOCAL_INFILE) {
            fake_packet(fd, 1, infile, sizeof infile - 1);
            if (fake_hear(s, fd, &first, text, sizeof text))
                fake_ok(fd, 3);
            fake_hear(s, fd, &first, text, sizeof text);
            return;
        }
        if (first == 3 && s->script == FAKE_BAD_COLUMN_COUNT) {
            fake_packet(fd, 1, columns, sizeof columns);
            return;
        }
        if (first == 3 && strstr(text, "SHOW GLOBAL VARIABLES")) {
            fake_rows(fd, facts, 4);
        } else if (first == 18 || first == 30) {
            fake_dump(s, fd);
            if (s->script == FAKE_DUMP_ERROR)
                return;
        } else if (first == 1) {
            return;
        } else {
            fake_ok(fd, 1);
        }
    }
}

static inline void *fake_run(void *arg)
{
    struct fake_server *s = arg;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        fake_serve(s, fd);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

static inline void fake_start(struct fake_server *s, enum fake_script script)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;

    memset(s, 0, sizeof *s);
    s->script = script;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(s->listener, (struct sockaddr *)&a, sizeof a);
    listen(s->listener, 4);
    getsockname(s->listener, (struct sockaddr *)&a, &len);
    s->port = ntohs(a.sin_port);
    pthread_create(&s->thread, NULL, fake_run, s);
}

static inline void fake_stop(struct fake_server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
}

#endif
