#include "binlog/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

/* How the text of a charset is read. */
enum reader { READ_BINARY, READ_UTF8, READ_ASCII, READ_TABLE, READ_ICONV, READ_UTF16BE, READ_UTF16LE, READ_UTF32BE };
/* How many bytes a character of a multi-byte charset has; bytes below 0x80 in first place are always ASCII. */
enum width { WIDTH_PAIR, WIDTH_SJIS, WIDTH_EUC_JP, WIDTH_GB18030 };

struct charset {
    const char *name;
    enum reader reader;
    enum width width;
    const char *iconv;
    const uint16_t *table;
};

#define CHARSET_8BIT(name, ...) static const uint16_t table_##name[256] = {__VA_ARGS__};
#include "binlog/charset_8bit.def"
#undef CHARSET_8BIT

static const uint16_t table_latin1[256]; /* see latin1_point */

enum charset_id {
    BIG5,
    LATIN2,
    DEC8,
    CP850,
    LATIN1,
    HP8,
    KOI8R,
    SWE7,
    ASCII,
    UJIS,
    SJIS,
    HEBREW,
    TIS620,
    EUCKR,
    KOI8U,
    GB2312,
    GREEK,
    CP1250,
    GBK,
    LATIN5,
    ARMSCII8,
    UTF8MB3,
    UCS2,
    CP866,
    KEYBCS2,
    MACCE,
    MACROMAN,
    CP852,
    LATIN7,
    UTF8MB4,
    CP1251,
    UTF16,
    UTF16LE,
    CP1256,
    CP1257,
    UTF32,
    BINARY,
    GEOSTD8,
    CP932,
    EUCJPMS,
    GB18030,
    CHARSETS
};

#define ONE_BYTE(id, text) [id] = {.name = #text, .reader = READ_TABLE, .table = table_##text}
#define BY_ICONV(id, text, w, converter) [id] = {.name = text, .reader = READ_ICONV, .width = w, .iconv = converter}

static const struct charset charsets[CHARSETS] = {
    ONE_BYTE(LATIN1, latin1),
    ONE_BYTE(LATIN2, latin2),
    ONE_BYTE(DEC8, dec8),
    ONE_BYTE(CP850, cp850),
    ONE_BYTE(HP8, hp8),
    ONE_BYTE(KOI8R, koi8r),
    ONE_BYTE(SWE7, swe7),
    ONE_BYTE(HEBREW, hebrew),
    ONE_BYTE(TIS620, tis620),
    ONE_BYTE(KOI8U, koi8u),
    ONE_BYTE(GREEK, greek),
    ONE_BYTE(CP1250, cp1250),
    ONE_BYTE(LATIN5, latin5),
    ONE_BYTE(ARMSCII8, armscii8),
    ONE_BYTE(CP866, cp866),
    ONE_BYTE(KEYBCS2, keybcs2),
    ONE_BYTE(MACCE, macce),
    ONE_BYTE(MACROMAN, macroman),
    ONE_BYTE(CP852, cp852),
    ONE_BYTE(LATIN7, latin7),
    ONE_BYTE(CP1251, cp1251),
    ONE_BYTE(CP1256, cp1256),
    ONE_BYTE(CP1257, cp1257),
    ONE_BYTE(GEOSTD8, geostd8),
    BY_ICONV(BIG5, "big5", WIDTH_PAIR, "BIG5"),
    BY_ICONV(EUCKR, "euckr", WIDTH_PAIR, "CP949"),
    BY_ICONV(GB2312, "gb2312", WIDTH_PAIR, "EUC-CN"),
    BY_ICONV(GBK, "gbk", WIDTH_PAIR, "CP936"),
    BY_ICONV(SJIS, "sjis", WIDTH_SJIS, "SHIFT_JIS"),
    BY_ICONV(CP932, "cp932", WIDTH_SJIS, "CP932"),
    BY_ICONV(UJIS, "ujis", WIDTH_EUC_JP, "EUC-JP"),
    BY_ICONV(EUCJPMS, "eucjpms", WIDTH_EUC_JP, "EUC-JP-MS"),
    BY_ICONV(GB18030, "gb18030", WIDTH_GB18030, "GB18030"),
    [ASCII] = {.name = "ascii", .reader = READ_ASCII},
    [UTF8MB3] = {.name = "utf8mb3", .reader = READ_UTF8},
    [UTF8MB4] = {.name = "utf8mb4", .reader = READ_UTF8},
    [UCS2] = {.name = "ucs2", .reader = READ_UTF16BE},
    [UTF16] = {.name = "utf16", .reader = READ_UTF16BE},
    [UTF16LE] = {.name = "utf16le", .reader = READ_UTF16LE},
    [UTF32] = {.name = "utf32", .reader = READ_UTF32BE},
    [BINARY] = {.name = "binary", .reader = READ_BINARY},
};

/* Collations 1 to 99: the two vendors agree. */
static const uint8_t first_collations[100] = {
    [1] = BIG5,     [2] = LATIN2,   [3] = DEC8,      [4] = CP850,    [5] = LATIN1,   [6] = HP8,      [7] = KOI8R,
    [8] = LATIN1,   [9] = LATIN2,   [10] = SWE7,     [11] = ASCII,   [12] = UJIS,    [13] = SJIS,    [14] = CP1251,
    [15] = LATIN1,  [16] = HEBREW,  [18] = TIS620,   [19] = EUCKR,   [20] = LATIN7,  [21] = LATIN2,  [22] = KOI8U,
    [23] = CP1251,  [24] = GB2312,  [25] = GREEK,    [26] = CP1250,  [27] = LATIN2,  [28] = GBK,     [29] = CP1257,
    [30] = LATIN5,  [31] = LATIN1,  [32] = ARMSCII8, [33] = UTF8MB3, [34] = CP1250,  [35] = UCS2,    [36] = CP866,
    [37] = KEYBCS2, [38] = MACCE,   [39] = MACROMAN, [40] = CP852,   [41] = LATIN7,  [42] = LATIN7,  [43] = MACCE,
    [44] = CP1250,  [45] = UTF8MB4, [46] = UTF8MB4,  [47] = LATIN1,  [48] = LATIN1,  [49] = LATIN1,  [50] = CP1251,
    [51] = CP1251,  [52] = CP1251,  [53] = MACROMAN, [54] = UTF16,   [55] = UTF16,   [56] = UTF16LE, [57] = CP1256,
    [58] = CP1257,  [59] = CP1257,  [60] = UTF32,    [61] = UTF32,   [62] = UTF16LE, [63] = BINARY,  [64] = ARMSCII8,
    [65] = ASCII,   [66] = CP1250,  [67] = CP1256,   [68] = CP866,   [69] = DEC8,    [70] = GREEK,   [71] = HEBREW,
    [72] = HP8,     [73] = KEYBCS2, [74] = KOI8R,    [75] = KOI8U,   [76] = UTF8MB3, [77] = LATIN2,  [78] = LATIN5,
    [79] = LATIN7,  [80] = CP850,   [81] = CP852,    [82] = SWE7,    [83] = UTF8MB3, [84] = BIG5,    [85] = EUCKR,
    [86] = GB2312,  [87] = GBK,     [88] = SJIS,     [89] = TIS620,  [90] = UCS2,    [91] = UJIS,    [92] = GEOSTD8,
    [93] = GEOSTD8, [94] = LATIN1,  [95] = CP932,    [96] = CP932,   [97] = EUCJPMS, [98] = EUCJPMS, [99] = CP1250,
};

/* The ranges above: mysql/strings/collations.h up to 323 and MariaDB's from 576 on. MariaDB's "nopad" twins are the
 * collation's number plus 1024, its UCA 14 collations begin at 2048 with 256 numbers a charset. */
static const struct {
    uint16_t first, last;
    uint8_t id;
} ranges[] = {
    {101, 127, UTF16},   {128, 159, UCS2},    {160, 191, UTF32},     {192, 223, UTF8MB3},   {224, 247, UTF8MB4},
    {248, 250, GB18030}, {255, 323, UTF8MB4}, {576, 607, UTF8MB3},   {608, 639, UTF8MB4},   {640, 671, UCS2},
    {672, 703, UTF16},   {736, 767, UTF32},   {2048, 2303, UTF8MB3}, {2304, 2559, UTF8MB4}, {2560, 2815, UCS2},
    {2816, 3071, UTF16}, {3072, 3327, UTF32},
};

const struct charset *charset_of_collation(uint16_t collation)
{
    if (collation > 1024 && collation < 2048)
        collation = (uint16_t)(collation - 1024);
    if (collation < 100)
        return collation && collation != 17 ? &charsets[first_collations[collation]] : NULL;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (collation >= ranges[i].first && collation <= ranges[i].last)
            return &charsets[ranges[i].id];
    return NULL;
}

const char *charset_name(const struct charset *cs)
{
    return cs->name;
}

bool charset_is_binary(const struct charset *cs)
{
    return cs->reader == READ_BINARY;
}

bool charset_is_utf8(const struct charset *cs)
{
    return cs->reader == READ_UTF8;
}

static size_t ascii_prefix(const uint8_t *s, size_t len)
{
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        uint64_t word;

        memcpy(&word, s + i, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < len && s[i] < 0x80)
        i++;
    return i;
}

/* Length of the well-formed sequence at s (Unicode 15, table 3-7), or 0. */
static size_t utf8_sequence(const uint8_t *s, size_t left)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t n;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        n = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        n = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (left < n || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t utf8_valid(const uint8_t *s, size_t len)
{
    size_t i = 0;

    if (!len)
        return 0;
    for (;;) {
        size_t n;

        i += ascii_prefix(s + i, len - i);
        if (i == len)
            return len;
        n = utf8_sequence(s + i, len - i);
        if (!n)
            return i;
        i += n;
    }
}

static size_t put_utf8(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (uint8_t)(0xc0 | c >> 6);
        to[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (uint8_t)(0xe0 | c >> 12);
        to[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        to[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | c >> 18);
    to[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    to[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    to[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

static int bad_text(const struct charset *cs, const uint8_t *s, size_t at, struct err *err)
{
    return err_set(
        err, ERR_VALUE,
        "Byte %zu (0x%02x) is no text of the charset %s; correct the row on the source, or make the column binary", at,
        s[at], cs->name);
}

static int full(const struct buf *out, struct err *err)
{
    return err_set(err, ERR_LIMIT, "A text is longer as UTF-8 than the limit of %zu bytes", out->cap);
}

/* MySQL's latin1 is Windows' cp1252 with its five holes mapped to themselves. */
static uint32_t latin1_point(uint8_t b)
{
    static const uint16_t points[32] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                        0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                        0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                        0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

    return b >= 0x80 && b < 0xa0 ? points[b - 0x80] : b;
}

static int from_table(const struct charset *cs, const uint8_t *s, size_t len, struct buf *out, struct err *err)
{
    uint8_t *to = len <= SIZE_MAX / 3 ? buf_room(out, len * 3) : NULL;
    size_t n = 0;

    if (!to && len)
        return full(out, err);
    for (size_t i = 0; i < len; i++) {
        uint32_t point = cs->table == table_latin1 ? latin1_point(s[i]) : cs->table[s[i]];

        if (point == 0xffff)
            return bad_text(cs, s, i, err);
        n += put_utf8(to + n, point);
    }
    buf_advance(out, n);
    return 0;
}

static int from_utf16(const struct charset *cs, const uint8_t *s, size_t len, struct buf *out, struct err *err)
{
    unsigned high = cs->reader == READ_UTF16LE;

    for (size_t i = 0; i < len; i += 2) {
        uint32_t c, low;
        uint8_t *to = buf_room(out, 4);

        if (!to)
            return full(out, err);
        if (len - i < 2)
            return bad_text(cs, s, i, err);
        c = (uint32_t)s[i + high] << 8 | s[i + 1 - high];
        if (c >= 0xdc00 && c <= 0xdfff)
            return bad_text(cs, s, i, err);
        if (c >= 0xd800 && c <= 0xdbff) {
            if (len - i < 4)
                return bad_text(cs, s, i, err);
            low = (uint32_t)s[i + 2 + high] << 8 | s[i + 3 - high];
            if (low < 0xdc00 || low > 0xdfff)
                return bad_text(cs, s, i, err);
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        }
        buf_advance(out, put_utf8(to, c));
    }
    return 0;
}

static int from_utf32(const struct charset *cs, const uint8_t *s, size_t len, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < len; i += 4) {
        uint8_t *to = buf_room(out, 4);
        uint32_t c;

        if (!to)
            return full(out, err);
        if (len - i < 4)
            return bad_text(cs, s, i, err);
        c = (uint32_t)s[i] << 24 | (uint32_t)s[i + 1] << 16 | (uint32_t)s[i + 2] << 8 | s[i + 3];
        if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return bad_text(cs, s, i, err);
        buf_advance(out, put_utf8(to, c));
    }
    return 0;
}

static size_t character_width(enum width width, const uint8_t *s, size_t left)
{
    switch (width) {
    case WIDTH_SJIS:
        return s[0] >= 0xa1 && s[0] <= 0xdf ? 1 : 2;
    case WIDTH_EUC_JP:
        return s[0] == 0x8f ? 3 : 2;
    case WIDTH_GB18030:
        return left > 1 && s[1] >= 0x30 && s[1] <= 0x39 ? 4 : 2;
    case WIDTH_PAIR:
        break;
    }
    return 2;
}

/* Where MySQL's tables differ from the C library's (measured on MariaDB 10.11, all pairs): `count` codes from `code` on
 * are the points from `point` on. Codes that MySQL shows as U+FFFD are left to the C library, which knows them. */
static const struct exception {
    uint8_t id;
    uint16_t code, point, count;
} exceptions[] = {
    {SJIS, 0x815f, 0x5c, 1},    {UJIS, 0xa1c0, 0x5c, 1},    {UJIS, 0xf5a1, 0xe000, 94}, {UJIS, 0xf6a1, 0xe05e, 94},
    {UJIS, 0xf7a1, 0xe0bc, 94}, {UJIS, 0xf8a1, 0xe11a, 94}, {UJIS, 0xf9a1, 0xe178, 94}, {UJIS, 0xfaa1, 0xe1d6, 94},
    {UJIS, 0xfba1, 0xe234, 94}, {UJIS, 0xfca1, 0xe292, 94}, {UJIS, 0xfda1, 0xe2f0, 94}, {UJIS, 0xfea1, 0xe34e, 94},
    {BIG5, 0xa145, 0x2022, 1},  {BIG5, 0xa14e, 0xff64, 1},  {BIG5, 0xa1c2, 0x203e, 1},  {BIG5, 0xa1e3, 0x223c, 1},
    {BIG5, 0xa1f2, 0x2641, 1},  {BIG5, 0xa1f3, 0x2609, 1},  {BIG5, 0xa241, 0xff0f, 1},  {BIG5, 0xa242, 0xff3c, 1},
    {BIG5, 0xa244, 0xa5, 1},    {BIG5, 0xa246, 0xa2, 2},    {BIG5, 0xc6a1, 0x30fe, 1},  {BIG5, 0xc6a2, 0x309d, 2},
    {BIG5, 0xc6a4, 0x3005, 1},  {BIG5, 0xc6a5, 0x3041, 83}, {BIG5, 0xc6f8, 0x30a1, 7},  {BIG5, 0xc740, 0x30a8, 63},
    {BIG5, 0xc7a1, 0x30e7, 16}, {BIG5, 0xc7b1, 0x414, 2},   {BIG5, 0xc7b3, 0x401, 1},   {BIG5, 0xc7b4, 0x416, 7},
    {BIG5, 0xc7bb, 0x423, 19},  {BIG5, 0xc7ce, 0x451, 1},   {BIG5, 0xc7cf, 0x436, 26},  {BIG5, 0xc7e9, 0x2460, 10},
    {BIG5, 0xc7f3, 0x2474, 10},
};

static uint32_t find_exception(const struct charset *cs, const uint8_t *s)
{
    uint16_t code = (uint16_t)(s[0] << 8 | s[1]);

    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++)
        if (cs == &charsets[exceptions[i].id] && code >= exceptions[i].code &&
            code - exceptions[i].code < exceptions[i].count)
            return (uint32_t)exceptions[i].point + (uint32_t)(code - exceptions[i].code);
    return 0;
}

/* Runs of ASCII are copied, runs of other characters converted: converters differ about what a backslash is in SJIS,
 * the server says ASCII. */
static int from_iconv(const struct charset *cs, const uint8_t *s, size_t len, struct buf *out, struct err *err)
{
    iconv_t converter = (iconv_t)-1;
    int rc = -1;

    for (size_t i = 0; i < len;) {
        size_t run = ascii_prefix(s + i, len - i), begin, room;
        char *in, *to;
        size_t in_left, out_left;
        uint32_t exception = 0;

        if (buf_put(out, s + i, run)) {
            full(out, err);
            goto done;
        }
        i += run;
        begin = i;
        while (i < len && s[i] >= 0x80) {
            size_t n = character_width(cs->width, s + i, len - i);

            if (n > len - i) {
                bad_text(cs, s, i, err);
                goto done;
            }
            exception = n == 2 ? find_exception(cs, s + i) : 0;
            if (exception)
                break;
            i += n;
        }
        if (i == begin)
            goto exception;
        if (converter == (iconv_t)-1) {
            converter = iconv_open("UTF-8", cs->iconv);
            if (converter == (iconv_t)-1) {
                err_set(err, ERR_UNSUPPORTED,
                        "This system's C library cannot convert the charset %s (iconv has no %s); install its "
                        "conversion modules",
                        cs->name, cs->iconv);
                goto done;
            }
        }
        room = (i - begin) * 3 + 8;
        to = (char *)buf_room(out, room);
        if (!to) {
            full(out, err);
            goto done;
        }
        memcpy(&in, &(const uint8_t *){s + begin}, sizeof in); /* iconv's type lacks a const */
        in_left = i - begin;
        out_left = room;
        if (iconv(converter, &in, &in_left, &to, &out_left) == (size_t)-1 || in_left) {
            bad_text(cs, s, i - in_left, err);
            goto done;
        }
        buf_advance(out, room - out_left);
    exception:
        if (exception) {
            uint8_t *point = buf_room(out, 4);

            if (!point) {
                full(out, err);
                goto done;
            }
            buf_advance(out, put_utf8(point, exception));
            i += 2;
        }
    }
    rc = 0;
done:
    if (converter != (iconv_t)-1)
        iconv_close(converter);
    return rc;
}

int charset_to_utf8(const struct charset *cs, const uint8_t *s, size_t len, struct buf *out, struct err *err)
{
    size_t valid;

    switch (cs->reader) {
    case READ_UTF8:
        valid = utf8_valid(s, len);
        break;
    case READ_ASCII:
        valid = ascii_prefix(s, len);
        break;
    case READ_TABLE:
        return from_table(cs, s, len, out, err);
    case READ_ICONV:
        return from_iconv(cs, s, len, out, err);
    case READ_UTF16BE:
    case READ_UTF16LE:
        return from_utf16(cs, s, len, out, err);
    case READ_UTF32BE:
        return from_utf32(cs, s, len, out, err);
    case READ_BINARY:
    default:
        valid = len;
        break;
    }
    if (valid != len)
        return bad_text(cs, s, valid, err);
    return buf_put(out, s, len) ? full(out, err) : 0;
}
