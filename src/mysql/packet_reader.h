/* packet_reader: MySQL protocol packets from a socket, in large reads and without copies.
 *
 * The client libraries read a packet by two small reads and copy it; a binlog stream is millions of packets, so once
 * the dump command is sent and the connection is not encrypted, this reads the socket instead. It knows packets (3
 * bytes length, 1 byte sequence number, continuation after 2^24-1 bytes: MySQL internals "MySQL Packets") and nothing
 * of what is in them. Ownership: borrows the socket, owns its buffer; a packet is valid until the next
 * packet_reader_next. Limits: EVENT_BYTES_MAX a packet; the buffer shrinks again after a large one. Thread: one owner;
 * another thread may shutdown(2) the socket to end a wait. Errors: ERR_MYSQL_CONNECT (closed, silent too long, bytes
 * lost), ERR_LIMIT. */
#ifndef PILLION_MYSQL_PACKET_READER_H
#define PILLION_MYSQL_PACKET_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { PACKET_READER_BUFFER = 256 << 10, PACKET_READER_KEEP = 4 << 20 /* a larger buffer is given back */ };

struct packet_reader {
    int fd;
    uint8_t sequence; /* expected in the next header */
    uint8_t *data;
    size_t size;
    size_t start, end; /* bytes read and not yet taken */
    size_t packet_max;
    uint64_t bytes; /* read so far */
};

/* sequence: of the first packet, 1 after a command. */
void packet_reader_init(struct packet_reader *r, int fd, uint8_t sequence, size_t packet_max);
void packet_reader_release(struct packet_reader *r);
/* Waits for one packet, at most timeout_ms without a byte from the server. */
int packet_reader_next(struct packet_reader *r, int timeout_ms, const uint8_t **packet, size_t *len, struct err *err);
/* A whole packet is here; reads what the socket has, never waits, and leaves the current packet where it is. */
bool packet_reader_ready(struct packet_reader *r);

#endif
