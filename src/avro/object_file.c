#define ZLIB_CONST /* next_in points at const bytes */
#include "avro/object_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "avro/varint.h"
#include "base/mem.h"

enum { ZSTD_LEVEL = 3, RAW_DEFLATE = -15 };

static const char magic[4] = {'O', 'b', 'j', 1};
static const char *const codec_names[] = {"null", "deflate", "zstandard"};

static int put_long(struct buf *out, int64_t v)
{
    uint8_t bytes[VARINT_ROOM];

    return buf_put(out, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static int put_bytes(struct buf *out, const void *bytes, size_t len)
{
    return put_long(out, (int64_t)len) < 0 || buf_put(out, bytes, len) < 0 ? -1 : 0;
}

static int put_entry(struct buf *out, const char *name, const void *value, size_t len)
{
    return put_bytes(out, name, strlen(name)) < 0 || put_bytes(out, value, len) < 0 ? -1 : 0;
}

/* 128 bits that differ for differing seeds; the marker guards against damage, not against an adversary. */
static void sync_of(uint8_t sync[OBJECT_SYNC], const uint8_t *seed, size_t len)
{
    for (uint64_t half = 0; half < 2; half++) {
        uint64_t h = UINT64_C(0xcbf29ce484222325) ^ half;

        for (size_t i = 0; i < len; i++)
            h = (h ^ seed[i]) * UINT64_C(0x100000001b3);
        h = (h ^ (h >> 30) ^ half) * UINT64_C(0xbf58476d1ce4e5b9);
        h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
        h ^= h >> 31;
        for (size_t i = 0; i < 8; i++)
            sync[8 * half + i] = (uint8_t)(h >> (8 * i));
    }
}

static int full(const struct buf *out, struct err *err)
{
    return err_set(err, ERR_LIMIT, "an object file would be longer than %zu bytes; write smaller objects.", out->cap);
}

int object_file_begin(struct object_file_writer *w, struct buf *out, const char *schema, enum object_codec codec,
                      const void *seed, size_t seed_len, const struct object_meta *meta, size_t n_meta, struct err *err)
{
    *w = (struct object_file_writer){.out = out, .codec = codec};
    buf_init(&w->packed, OBJECT_BLOCK_MAX);
    sync_of(w->sync, seed, seed_len);
    if (n_meta + 2 > OBJECT_META_MAX)
        return err_set(err, ERR_BUG, "an object file with %zu entries of metadata cannot be read back.", n_meta);
    if (buf_put(out, magic, sizeof magic) < 0 || put_long(out, (int64_t)n_meta + 2) < 0 ||
        put_entry(out, "avro.schema", schema, strlen(schema)) < 0 ||
        put_entry(out, "avro.codec", codec_names[codec], strlen(codec_names[codec])) < 0)
        return full(out, err);
    for (size_t i = 0; i < n_meta; i++)
        if (put_entry(out, meta[i].name, meta[i].value, meta[i].len) < 0)
            return full(out, err);
    if (put_long(out, 0) < 0 || buf_put(out, w->sync, sizeof w->sync) < 0)
        return full(out, err);
    return 0;
}

static int pack_deflate(struct buf *out, const uint8_t *bytes, size_t len, struct err *err)
{
    z_stream z = {0};
    uint8_t *at;
    int rc;

    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_DEFLATE, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(err, ERR_BUG, "zlib refuses its settings.");
    at = buf_room(out, deflateBound(&z, len));
    if (!at) {
        deflateEnd(&z);
        return full(out, err);
    }
    z.next_in = bytes;
    z.avail_in = (uInt)len;
    z.next_out = at;
    z.avail_out = (uInt)(out->size - out->len);
    rc = deflate(&z, Z_FINISH);
    buf_advance(out, z.total_out);
    deflateEnd(&z);
    return rc == Z_STREAM_END ? 0 : err_set(err, ERR_BUG, "zlib could not pack a block (%d).", rc);
}

static int pack_zstandard(struct buf *out, const uint8_t *bytes, size_t len, struct err *err)
{
    size_t bound = ZSTD_compressBound(len);
    uint8_t *at = buf_room(out, bound);
    size_t n;

    if (!at)
        return full(out, err);
    n = ZSTD_compress(at, bound, bytes, len, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        return err_set(err, ERR_BUG, "zstd could not pack a block: %s.", ZSTD_getErrorName(n));
    buf_advance(out, n);
    return 0;
}

int object_file_block(struct object_file_writer *w, const uint8_t *records, size_t len, uint64_t n_records,
                      struct err *err)
{
    if (n_records == 0)
        return 0;
    if (len > OBJECT_BLOCK_MAX / 2)
        return err_set(err, ERR_LIMIT, "a block of %zu bytes is too long for an object file; write smaller objects.",
                       len);
    buf_clear(&w->packed);
    if (w->codec != OBJECT_NULL) {
        if ((w->codec == OBJECT_DEFLATE ? pack_deflate : pack_zstandard)(&w->packed, records, len, err) < 0)
            return -1;
        records = w->packed.data;
        len = w->packed.len;
    }
    if (put_long(w->out, (int64_t)n_records) < 0 || put_bytes(w->out, records, len) < 0 ||
        buf_put(w->out, w->sync, sizeof w->sync) < 0)
        return full(w->out, err);
    return 0;
}

void object_file_release(struct object_file_writer *w)
{
    buf_release(&w->packed);
}

struct object_file_reader {
    struct cursor file;
    struct {
        const uint8_t *name;
        size_t name_len;
        const uint8_t *value;
        size_t len;
    } meta[OBJECT_META_MAX];
    size_t n_meta;
    enum object_codec codec;
    const uint8_t *sync;
    struct buf unpacked;
};

static int truncated(struct err *err)
{
    return err_set(err, ERR_TRUNCATED, "the object file ends before its last block does.");
}

static const uint8_t *take_bytes(struct cursor *c, size_t max, size_t *len, struct err *err)
{
    int64_t n = varint_read(c);

    if (n < 0 || (uint64_t)n > max) {
        err_set(err, ERR_LIMIT, "the object file has a part of %" PRId64 " bytes; Pillion takes 0 to %zu.", n, max);
        return NULL;
    }
    *len = (size_t)n;
    if (!cursor_bytes(c, *len)) {
        truncated(err);
        return NULL;
    }
    return c->p - *len;
}

static int read_meta(struct object_file_reader *r, struct err *err)
{
    for (;;) {
        int64_t n = varint_read(&r->file);

        if (n < 0 && n > -OBJECT_META_MAX - 1) {
            n = -n;
            (void)varint_read(&r->file);
        }
        if (r->file.failed)
            return truncated(err);
        if (n == 0)
            return 0;
        if (n < 0 || n > OBJECT_META_MAX - (int64_t)r->n_meta)
            return err_set(err, ERR_LIMIT, "the object file has more than %d entries of metadata.",
                           (int)OBJECT_META_MAX);
        for (; n > 0; n--, r->n_meta++) {
            r->meta[r->n_meta].name = take_bytes(&r->file, OBJECT_META_BYTES, &r->meta[r->n_meta].name_len, err);
            if (!r->meta[r->n_meta].name)
                return -1;
            r->meta[r->n_meta].value = take_bytes(&r->file, OBJECT_META_BYTES, &r->meta[r->n_meta].len, err);
            if (!r->meta[r->n_meta].value)
                return -1;
        }
    }
}

const void *object_file_meta(const struct object_file_reader *r, const char *name, size_t *len)
{
    for (size_t i = 0; i < r->n_meta; i++) {
        if (r->meta[i].name_len != strlen(name) || memcmp(r->meta[i].name, name, strlen(name)) != 0)
            continue;
        *len = r->meta[i].len;
        return r->meta[i].value;
    }
    *len = 0;
    return NULL;
}

static int find_codec(struct object_file_reader *r, struct err *err)
{
    size_t len;
    const char *name = object_file_meta(r, "avro.codec", &len);

    if (!name)
        return 0; /* the specification: null */
    for (size_t i = 0; i < sizeof codec_names / sizeof codec_names[0]; i++) {
        if (strlen(codec_names[i]) == len && memcmp(codec_names[i], name, len) == 0) {
            r->codec = (enum object_codec)i;
            return 0;
        }
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "the object file is packed by \"%.*s\"; Pillion knows null, deflate and zstandard.",
                   (int)(len > 32 ? 32 : len), name);
}

struct object_file_reader *object_file_open(const void *bytes, size_t len, struct err *err)
{
    struct object_file_reader *r = xcalloc(1, sizeof *r);
    const uint8_t *start;

    r->file = cursor_of(bytes, len);
    buf_init(&r->unpacked, OBJECT_BLOCK_MAX);
    start = cursor_bytes(&r->file, sizeof magic);
    if (!start || memcmp(start, magic, sizeof magic) != 0) {
        err_set(err, ERR_MALFORMED, "the file is no Avro object container file: it does not begin with \"Obj\" and 1.");
        goto failed;
    }
    if (read_meta(r, err) < 0 || find_codec(r, err) < 0)
        goto failed;
    r->sync = cursor_bytes(&r->file, OBJECT_SYNC);
    if (!r->sync) {
        truncated(err);
        goto failed;
    }
    return r;
failed:
    object_file_close(r);
    return NULL;
}

void object_file_close(struct object_file_reader *r)
{
    if (!r)
        return;
    buf_release(&r->unpacked);
    free(r);
}

static int unpack_deflate(struct buf *out, struct cursor packed, struct err *err)
{
    z_stream z = {.next_in = packed.p, .avail_in = (uInt)cursor_left(&packed)};
    int rc = Z_OK;

    if (inflateInit2(&z, RAW_DEFLATE) != Z_OK)
        return err_set(err, ERR_BUG, "zlib refuses its settings.");
    while (rc == Z_OK) {
        size_t before = z.total_out;
        uint8_t *at = buf_room(out, 64 << 10);

        if (!at) {
            inflateEnd(&z);
            return err_set(err, ERR_LIMIT, "a block of the object file is longer than %d bytes unpacked.",
                           (int)OBJECT_BLOCK_MAX);
        }
        z.next_out = at;
        z.avail_out = 64 << 10;
        rc = inflate(&z, Z_NO_FLUSH);
        buf_advance(out, z.total_out - before);
    }
    inflateEnd(&z);
    return rc == Z_STREAM_END && z.avail_in == 0
               ? 0
               : err_set(err, ERR_MALFORMED, "a block of the object file cannot be unpacked (deflate, %d).", rc);
}

static int unpack_zstandard(struct buf *out, struct cursor packed, struct err *err)
{
    ZSTD_DCtx *z = ZSTD_createDCtx();
    ZSTD_inBuffer in = {packed.p, cursor_left(&packed), 0};
    size_t left = 1;
    int rc = -1;

    while (in.pos < in.size || left != 0) {
        ZSTD_outBuffer to = {buf_room(out, 64 << 10), 64 << 10, 0};
        size_t consumed = in.pos;

        if (!to.dst) {
            err_set(err, ERR_LIMIT, "a block of the object file is longer than %d bytes unpacked.",
                    (int)OBJECT_BLOCK_MAX);
            goto out;
        }
        left = ZSTD_decompressStream(z, &to, &in);
        if (ZSTD_isError(left) || (left != 0 && in.pos == consumed && to.pos == 0)) {
            err_set(err, ERR_MALFORMED, "a block of the object file cannot be unpacked (zstandard).");
            goto out;
        }
        buf_advance(out, to.pos);
    }
    rc = 0;
out:
    ZSTD_freeDCtx(z);
    return rc;
}

int object_file_next(struct object_file_reader *r, struct cursor *records, uint64_t *n_records, struct err *err)
{
    const uint8_t *block, *sync;
    int64_t n;
    size_t len;

    if (cursor_done(&r->file))
        return r->file.failed ? truncated(err) : 0;
    n = varint_read(&r->file);
    if (r->file.failed)
        return truncated(err);
    if (n < 0)
        return err_set(err, ERR_MALFORMED, "a block of the object file has %" PRId64 " records.", n);
    block = take_bytes(&r->file, OBJECT_BLOCK_MAX, &len, err);
    if (!block)
        return -1;
    sync = cursor_bytes(&r->file, OBJECT_SYNC);
    if (!sync)
        return truncated(err);
    if (memcmp(sync, r->sync, OBJECT_SYNC) != 0)
        return err_set(err, ERR_MALFORMED,
                       "a block of the object file does not end with the file's marker; it is damaged.");
    *records = cursor_of(block, len);
    *n_records = (uint64_t)n;
    if (r->codec == OBJECT_NULL)
        return 1;
    buf_clear(&r->unpacked);
    if ((r->codec == OBJECT_DEFLATE ? unpack_deflate : unpack_zstandard)(&r->unpacked, *records, err) < 0)
        return -1;
    *records = cursor_of(r->unpacked.data, r->unpacked.len);
    return 1;
}
