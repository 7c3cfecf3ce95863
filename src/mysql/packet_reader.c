#include "mysql/packet_reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

enum { HEADER = 4, FULL_PACKET = (1 << 24) - 1 };

void packet_reader_init(struct packet_reader *r, int fd, uint8_t sequence, size_t packet_max)
{
    *r = (struct packet_reader){.fd = fd, .sequence = sequence, .packet_max = packet_max};
    r->size = PACKET_READER_BUFFER;
    r->data = xmalloc(r->size);
}

void packet_reader_release(struct packet_reader *r)
{
    free(r->data);
    *r = (struct packet_reader){.fd = -1};
}

static size_t length_at(const uint8_t *p)
{
    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
}

/* Reads into the free end of the buffer. 1: some bytes; 0: none now; -1: error. */
static int fill(struct packet_reader *r, struct err *err)
{
    size_t room = r->size - r->end;
    ssize_t n;

    /* Not more, or a buffer that grew for one large packet would be filled with small ones and never be given back. */
    if (room > PACKET_READER_BUFFER)
        room = PACKET_READER_BUFFER;
    do
        n = recv(r->fd, r->data + r->end, room, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        r->end += (size_t)n;
        r->bytes += (uint64_t)n;
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n == 0)
        return err_set(err, ERR_MYSQL_CONNECT,
                       "The source server closed the binlog stream; its error log says why, and "
                       "Pillion connects again by itself.");
    return err_set(err, ERR_MYSQL_CONNECT, "The binlog stream broke off (%s); Pillion connects again by itself.",
                   strerror(errno));
}

static int wait_readable(const struct packet_reader *r, int timeout_ms, struct err *err)
{
    int64_t deadline = clock_mono_us() + (int64_t)timeout_ms * 1000;

    for (;;) {
        struct pollfd p = {.fd = r->fd, .events = POLLIN, .revents = 0};
        int64_t left = deadline - clock_mono_us();
        int n = poll(&p, 1, left > 0 ? (int)((left + 999) / 1000) : 0);

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_MYSQL_CONNECT,
                           "Waiting for the source server failed (%s); Pillion connects again by itself.",
                           strerror(errno));
        if (clock_mono_us() >= deadline)
            return err_set(
                err, ERR_MYSQL_CONNECT,
                "The source server sent nothing, not even a heartbeat, for %d ms; the connection is taken for dead and "
                "opened again: check the network and firewalls between the two if this repeats.",
                timeout_ms);
    }
}

/* Makes room for `want` bytes from r->start on; moves what is there to the front. */
static void make_room(struct packet_reader *r, size_t want)
{
    size_t have = r->end - r->start;
    size_t size = r->size;

    if (r->start) {
        memmove(r->data, r->data + r->start, have);
        r->start = 0;
        r->end = have;
    }
    while (size < want)
        size *= 2;
    if (size > r->size) {
        r->data = xrealloc(r->data, size);
        r->size = size;
    }
}

static void give_back(struct packet_reader *r)
{
    make_room(r, 0);
    r->data = xrealloc(r->data, 2 * PACKET_READER_BUFFER);
    r->size = 2 * PACKET_READER_BUFFER;
}

/* Until `want` bytes lie at r->start. */
static int need(struct packet_reader *r, size_t want, int timeout_ms, struct err *err)
{
    while (r->end - r->start < want) {
        int n;

        if (r->size - r->start < want || r->end == r->size)
            make_room(r, want);
        n = fill(r, err);
        if (n < 0)
            return -1;
        if (n == 0 && wait_readable(r, timeout_ms, err))
            return -1;
    }
    return 0;
}

static int check_sequence(struct packet_reader *r, uint8_t got, struct err *err)
{
    if (got != r->sequence)
        return err_set(
            err, ERR_MYSQL_CONNECT,
            "The binlog stream is out of order (packet %u, expected %u); Pillion connects again and reads from its "
            "position.",
            got, r->sequence);
    r->sequence++;
    return 0;
}

int packet_reader_next(struct packet_reader *r, int timeout_ms, const uint8_t **packet, size_t *len, struct err *err)
{
    size_t part, total;

    if (r->start == r->end)
        r->start = r->end = 0;
    if (r->size > PACKET_READER_KEEP && r->end - r->start <= PACKET_READER_BUFFER)
        give_back(r);
    if (need(r, HEADER, timeout_ms, err))
        return -1;
    part = length_at(r->data + r->start);
    if (part > r->packet_max)
        goto too_large;
    if (check_sequence(r, r->data[r->start + 3], err) || need(r, HEADER + part, timeout_ms, err))
        return -1;
    total = part;
    /* A packet of the full length goes on in the next one: take that one's header out of the middle. */
    while (part == FULL_PACKET) {
        uint8_t *header;

        if (need(r, HEADER + total + HEADER, timeout_ms, err))
            return -1;
        header = r->data + r->start + HEADER + total;
        part = length_at(header);
        if (total + part > r->packet_max)
            goto too_large;
        if (check_sequence(r, header[3], err))
            return -1;
        if (need(r, HEADER + total + HEADER + part, timeout_ms, err))
            return -1;
        header = r->data + r->start + HEADER + total;
        memmove(header, header + HEADER, r->end - (size_t)(header + HEADER - r->data));
        r->end -= HEADER;
        total += part;
    }
    *packet = r->data + r->start + HEADER;
    *len = total;
    r->start += HEADER + total;
    return 0;
too_large:
    return err_set(err, ERR_LIMIT,
                   "The source server announces a packet of more than %zu bytes, which no binlog event has; check that "
                   "the address is a MySQL or MariaDB server.",
                   r->packet_max);
}

bool packet_reader_ready(struct packet_reader *r)
{
    size_t have = r->end - r->start;

    if (have < HEADER || have - HEADER < length_at(r->data + r->start)) {
        /* The current packet lies before r->start and must stay, so only the free end is used. */
        if (r->end == r->size || fill(r, NULL) <= 0)
            return false;
        have = r->end - r->start;
    }
    return have >= HEADER && have - HEADER >= length_at(r->data + r->start) &&
           length_at(r->data + r->start) != FULL_PACKET;
}
