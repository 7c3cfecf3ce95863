/* test_packet_reader: packets over a socket pair: cut anywhere, longer than 2^24, hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "mysql/packet_reader.h"

enum { MAX = 64 << 20 };

struct feed {
    int fd;
    const uint8_t *bytes;
    size_t len, chunk;
};

static void *feeding(void *arg)
{
    struct feed *f = arg;

    for (size_t at = 0; at < f->len;) {
        size_t n = f->len - at < f->chunk ? f->len - at : f->chunk;
        ssize_t done = send(f->fd, f->bytes + at, n, MSG_NOSIGNAL);

        if (done <= 0)
            break;
        at += (size_t)done;
    }
    shutdown(f->fd, SHUT_WR);
    return NULL;
}

/* Appends a packet in as many parts as its length needs; returns the new end. */
static size_t put_packet(uint8_t *to, uint8_t *seq, size_t len, uint8_t fill)
{
    size_t at = 0, part;

    do {
        part = len < 0xffffff ? len : 0xffffff;
        to[at] = (uint8_t)part;
        to[at + 1] = (uint8_t)(part >> 8);
        to[at + 2] = (uint8_t)(part >> 16);
        to[at + 3] = (*seq)++;
        memset(to + at + 4, fill, part);
        at += 4 + part;
        len -= part;
    } while (part == 0xffffff);
    return at;
}

static void all_of(const uint8_t *p, size_t len, uint8_t fill)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != fill)
            fail_msg("byte %zu of %zu is %u, not %u", i, len, p[i], fill);
}

static void reads_packets_cut_anywhere(void **state)
{
    static const size_t lens[] = {0, 1, 5, 40, 8192, 300000, 3, 0xffffff, 2 * 0xffffff + 7, 100, 0xfffffe, 9};
    static const size_t chunks[] = {1 << 20, 4093, 70000};
    size_t total = 0;
    uint8_t *bytes = xmalloc(100 << 20);
    uint8_t seq = 1;

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
        total += put_packet(bytes + total, &seq, lens[i], (uint8_t)(i + 1));
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) {
        struct packet_reader r;
        struct feed f = {.bytes = bytes, .len = total, .chunk = chunks[c]};
        struct err err = ERR_INIT;
        pthread_t t;
        int fds[2];

        socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
        f.fd = fds[1];
        pthread_create(&t, NULL, feeding, &f);
        packet_reader_init(&r, fds[0], 1, MAX);
        for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
            const uint8_t *p;
            size_t len;

            if (i % 2)
                packet_reader_ready(&r);
            if (packet_reader_next(&r, 5000, &p, &len, &err))
                fail_msg("packet %zu: %s", i, err.text);
            assert_int_equal(len, lens[i]);
            /* Asking for more must leave the packet where it is. */
            packet_reader_ready(&r);
            all_of(p, len, (uint8_t)(i + 1));
        }
        assert_true(r.size <= PACKET_READER_KEEP);
        assert_false(packet_reader_ready(&r));
        assert_int_equal(packet_reader_next(&r, 1000, &(const uint8_t *){NULL}, &(size_t){0}, &err), -1);
        assert_int_equal(err.code, ERR_MYSQL_CONNECT);
        assert_non_null(strstr(err.text, "closed"));
        packet_reader_release(&r);
        pthread_join(t, NULL);
        close(fds[0]);
        close(fds[1]);
    }
    free(bytes);
}

static int next_of(const void *bytes, size_t n, size_t max, bool keep_open, struct err *err)
{
    struct packet_reader r;
    const uint8_t *p;
    size_t len;
    int fds[2], rc;

    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    assert_int_equal(send(fds[1], bytes, n, 0), (ssize_t)n);
    if (!keep_open)
        shutdown(fds[1], SHUT_WR);
    packet_reader_init(&r, fds[0], 1, max);
    rc = packet_reader_next(&r, 100, &p, &len, err);
    packet_reader_release(&r);
    close(fds[0]);
    close(fds[1]);
    return rc;
}

static void refuses_hostile_packets(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(next_of("\xff\xff\xff\x01xxxx", 8, 1 << 20, true, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(next_of("\x01\0\0\x02x", 5, 1 << 20, true, &err), -1);
    assert_int_equal(err.code, ERR_MYSQL_CONNECT);
    assert_non_null(strstr(err.text, "out of order"));
    assert_int_equal(next_of("\x09\0\0\x01x", 5, 1 << 20, false, &err), -1);
    assert_non_null(strstr(err.text, "closed"));
    assert_int_equal(next_of("\x09\0\0\x01x", 5, 1 << 20, true, &err), -1);
    assert_non_null(strstr(err.text, "not even a heartbeat"));
    assert_int_equal(next_of("\x01\0\0\x01x", 5, 1 << 20, true, &err), 0);
}

static void ready_tells_whole_packets_only(void **state)
{
    struct packet_reader r;
    struct err err = ERR_INIT;
    const uint8_t *p;
    size_t len;
    int fds[2];

    (void)state;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    packet_reader_init(&r, fds[0], 1, MAX);
    assert_false(packet_reader_ready(&r));
    send(fds[1], "\x02\0\0\x01", 4, 0);
    assert_false(packet_reader_ready(&r));
    send(fds[1], "a", 1, 0);
    assert_false(packet_reader_ready(&r));
    send(fds[1], "b\x01\0\0\x02", 5, 0);
    assert_true(packet_reader_ready(&r));
    assert_int_equal(packet_reader_next(&r, 100, &p, &len, &err), 0);
    assert_false(packet_reader_ready(&r));
    send(fds[1], "c", 1, 0);
    assert_true(packet_reader_ready(&r));
    assert_memory_equal(p, "ab", 2);
    packet_reader_release(&r);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_packets_cut_anywhere),
        cmocka_unit_test(refuses_hostile_packets),
        cmocka_unit_test(ready_tells_whole_packets_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
