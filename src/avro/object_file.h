/* object_file: Avro object container files, for records that the caller has already encoded.
 *
 * Writer: object_file_begin writes the header (magic "Obj" 1, metadata with avro.schema and avro.codec, sync marker)
 * into a buffer of the caller, object_file_block adds one block of records. The sync marker comes from a seed that the
 * caller gives (an object's name, say), not from chance, so that equal content gives equal bytes and a write can be
 * tried again. Reader: object_file_open on bytes in memory, then object_file_next block by block; every block's marker
 * is checked, and the number of records is the writer's word, for the caller to check. Files of other writers are read
 * too, as far as the codecs go: null, deflate (raw, RFC 1951), zstandard. Avro-c has no zstandard; Java, Python and
 * Spark read all three. Limits: OBJECT_BLOCK_MAX bytes of a block unpacked, OBJECT_META_MAX entries, OBJECT_META_BYTES
 * each. Source: Avro 1.11 specification "Object Container Files". Errors: ERR_MALFORMED, ERR_TRUNCATED, ERR_LIMIT,
 * ERR_UNSUPPORTED (codec), ERR_BUG. Ownership: the writer borrows `out`; the reader borrows the file's bytes, and a
 * block is valid until the next call. Thread: one owner. */
#ifndef PILLION_AVRO_OBJECT_FILE_H
#define PILLION_AVRO_OBJECT_FILE_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

enum { OBJECT_SYNC = 16, OBJECT_BLOCK_MAX = 512 << 20, OBJECT_META_MAX = 64, OBJECT_META_BYTES = 16 << 20 };

enum object_codec { OBJECT_NULL, OBJECT_DEFLATE, OBJECT_ZSTANDARD };

/* An entry of the metadata beside Avro's own; names beginning with "avro." are Avro's. */
struct object_meta {
    const char *name;
    const void *value;
    size_t len;
};

struct object_file_writer {
    struct buf *out;
    enum object_codec codec;
    uint8_t sync[OBJECT_SYNC];
    struct buf packed;
};

int object_file_begin(struct object_file_writer *w, struct buf *out, const char *schema, enum object_codec codec,
                      const void *seed, size_t seed_len, const struct object_meta *meta, size_t n_meta,
                      struct err *err);
/* records: n_records encoded records, one after the other. Nothing is written for n_records 0. */
int object_file_block(struct object_file_writer *w, const uint8_t *records, size_t len, uint64_t n_records,
                      struct err *err);
void object_file_release(struct object_file_writer *w);

struct object_file_reader;

struct object_file_reader *object_file_open(const void *bytes, size_t len, struct err *err);
void object_file_close(struct object_file_reader *r);
/* A metadata value, not NUL-ended; NULL when there is none of that name. */
const void *object_file_meta(const struct object_file_reader *r, const char *name, size_t *len);
/* 1 and a block; 0 at the end; -1. */
int object_file_next(struct object_file_reader *r, struct cursor *records, uint64_t *n_records, struct err *err);

#endif
