/* json_diff: json_apply_diffs of json.h: the diffs of a partial update, applied to the text of the document. The text
 * is in the server's own spelling (json_to_text made it), so a change is a splice: find the place, put the new piece
 * between what is left and right of it. */
#include <stdio.h>
#include <string.h>

#include "binlog/charset.h"
#include "binlog/json.h"

enum operation { DIFF_REPLACE = 0, DIFF_INSERT = 1, DIFF_REMOVE = 2 };

enum { PATH_LEGS_MAX = 100 };

struct span {
    const char *p;
    const char *end;
};

static int bad_path(struct err *err, struct span path)
{
    return err_set(err, ERR_MALFORMED, "A partial JSON update has the path %.*s, which the document does not have",
                   (int)(path.end - path.p > 200 ? 200 : path.end - path.p), path.p);
}

/* The end of the value at p. The text is well-formed, as json_to_text wrote it; the end is checked all the same. */
static const char *skip_value(const char *p, const char *end)
{
    unsigned depth = 0;

    for (; p < end; p++) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++)
                if (*p == '\\')
                    p++;
            if (p >= end)
                return end;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (!depth)
                return p;
            depth--;
        } else if (*p == ',' && !depth) {
            return p;
        }
    }
    return end;
}

/* The bytes that a JSON string stands for; text is what lies between its quotes. */
static int unescape(struct span text, struct buf *out)
{
    for (const char *p = text.p; p < text.end; p++) {
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *at;

        if (*p != '\\' || p + 1 == text.end) {
            if (buf_put_u8(out, (uint8_t)*p))
                return -1;
            continue;
        }
        p++;
        at = strchr(from, *p);
        if (*p == 'u' && text.end - p > 4) {
            unsigned v = 0;

            for (int i = 1; i <= 4; i++)
                v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
            if (v > 0x7f || buf_put_u8(out, (uint8_t)v)) /* the server escapes control characters alone */
                return -1;
            p += 4;
        } else if (buf_put_u8(out, (uint8_t)(at && *at ? to[at - from] : *p))) {
            return -1;
        }
    }
    return 0;
}

/* Binary documents keep their members by length of the key, then by its bytes. */
static int compare_keys(const struct buf *a, const struct buf *b)
{
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a->len ? memcmp(a->data, b->data, a->len) : 0;
}

struct leg {
    bool is_key;
    struct span key; /* between its quotes, or bare */
    uint64_t index;
};

/* The next leg of a path, [n] or .key or ."key"; 0 at the end. */
static int next_leg(struct span *path, struct leg *leg)
{
    const char *p = path->p;

    if (p == path->end)
        return 0;
    if (*p == '[') {
        leg->is_key = false;
        leg->index = 0;
        for (p++; p < path->end && *p >= '0' && *p <= '9'; p++) {
            if (leg->index > UINT32_MAX)
                return -1;
            leg->index = leg->index * 10 + (uint64_t)(*p - '0');
        }
        if (p == path->end || *p != ']' || p[-1] == '[')
            return -1;
        path->p = p + 1;
        return 1;
    }
    if (*p != '.' || p + 1 == path->end)
        return -1;
    leg->is_key = true;
    if (*++p == '"') {
        leg->key.p = ++p;
        while (p < path->end && *p != '"')
            p += *p == '\\' ? 2 : 1;
        if (p >= path->end)
            return -1;
        leg->key.end = p;
        path->p = p + 1;
        return 1;
    }
    leg->key.p = p;
    while (p < path->end && *p != '.' && *p != '[')
        p++;
    leg->key.end = p;
    path->p = p;
    return leg->key.p < p ? 1 : -1;
}

/* Where a leg leads in a container. */
struct place {
    bool found;
    struct span whole; /* the element: key and value, or the value */
    struct span value;
    const char *insert; /* where a new element would begin */
    bool is_first, is_last;
};

static int find_place(struct span container, const struct leg *leg, struct place *place, struct buf keys[2])
{
    const char *p = container.p + 1;
    uint64_t n = 0;

    if (container.p == container.end || *container.p != (leg->is_key ? '{' : '['))
        return -1;
    memset(place, 0, sizeof *place);
    buf_clear(&keys[0]);
    if (leg->is_key && unescape(leg->key, &keys[0]))
        return -1;
    while (p < container.end - 1) {
        const char *begin = p;
        int order = -1;

        if (leg->is_key) {
            struct span key;

            if (*p != '"')
                return -1;
            key.p = ++p;
            while (p < container.end && *p != '"')
                p += *p == '\\' ? 2 : 1;
            if (p + 3 > container.end)
                return -1;
            key.end = p;
            p += 3; /* quote, colon, space */
            buf_clear(&keys[1]);
            if (unescape(key, &keys[1]))
                return -1;
            order = compare_keys(&keys[1], &keys[0]);
        } else {
            order = n < leg->index ? -1 : n > leg->index;
        }
        place->value.p = p;
        p = skip_value(p, container.end - 1);
        if (!order) {
            place->found = true;
            place->value.end = p;
            place->whole = (struct span){begin, p};
            place->insert = begin;
            place->is_first = !n;
            place->is_last = p == container.end - 1;
            return 0;
        }
        if (order > 0 && leg->is_key) {
            place->insert = begin;
            place->is_first = !n;
            return 0;
        }
        n++;
        if (p < container.end - 1)
            p += 2; /* comma, space */
    }
    place->insert = container.end - 1;
    place->is_first = !n;
    place->is_last = true;
    return 0;
}

static int put_piece(struct buf *out, const char *from, const char *to)
{
    return buf_put(out, from, (size_t)(to - from));
}

/* The name of a new member, escaped as json_to_text does it. */
static int put_key(struct buf *out, const struct leg *leg, const struct buf *key)
{
    if (!leg->is_key)
        return 0;
    if (buf_put_u8(out, '"'))
        return -1;
    for (size_t i = 0; i < key->len; i++) {
        uint8_t c = key->data[i];
        static const char letters[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

        if (c == '"' || c == '\\'              ? buf_putf(out, "\\%c", c)
            : c >= 0x20                        ? buf_put_u8(out, c)
            : c < sizeof letters && letters[c] ? buf_putf(out, "\\%c", letters[c])
                                               : buf_putf(out, "\\u%04x", c))
            return -1;
    }
    return buf_put_str(out, "\": ");
}

static int apply_one(struct span text, enum operation op, struct span path, const struct buf *value, struct buf *out,
                     struct buf keys[2], struct err *err)
{
    struct span at = text, rest = path;
    struct place place;
    struct leg leg;
    int more;

    if (rest.p < rest.end && *rest.p == '$')
        rest.p++;
    for (unsigned legs = 0;; legs++) {
        more = next_leg(&rest, &leg);
        if (more < 0 || legs > PATH_LEGS_MAX)
            return bad_path(err, path);
        if (!more) { /* the path of the whole document */
            if (legs || op != DIFF_REPLACE)
                return bad_path(err, path);
            return buf_put(out, value->data, value->len) ? err_set(err, ERR_LIMIT, "A JSON document is too long") : 0;
        }
        if (find_place(at, &leg, &place, keys))
            return bad_path(err, path);
        if (rest.p == rest.end)
            break;
        if (!place.found)
            return bad_path(err, path);
        at = place.value;
    }
    if (!place.found && op != DIFF_INSERT)
        return bad_path(err, path);
    if (place.found && op == DIFF_INSERT && leg.is_key)
        return bad_path(err, path);
    switch (op) {
    case DIFF_REPLACE:
        more = put_piece(out, text.p, place.value.p) || buf_put(out, value->data, value->len) ||
               put_piece(out, place.value.end, text.end);
        break;
    case DIFF_REMOVE:
        more = put_piece(out, text.p, place.whole.p - (place.is_last && !place.is_first ? 2 : 0)) ||
               put_piece(out, place.whole.end + (place.is_last ? 0 : 2), text.end);
        break;
    case DIFF_INSERT:
    default:
        /* At the end a comma goes before the new element, else after it. */
        more = put_piece(out, text.p, place.insert) ||
               (!place.found && place.is_last && !place.is_first && buf_put_str(out, ", ")) ||
               put_key(out, &leg, &keys[0]) || buf_put(out, value->data, value->len) ||
               ((place.found || !place.is_last) && buf_put_str(out, ", ")) || put_piece(out, place.insert, text.end);
        break;
    }
    return more ? err_set(err, ERR_LIMIT, "A JSON document is longer as text than the limit of %zu bytes", out->cap)
                : 0;
}

int json_apply_diffs(const char *before, size_t len, struct cursor diffs, struct buf *out, struct err *err)
{
    struct buf texts[2], value, keys[2];
    size_t now = 0;
    int rc = -1;

    buf_init(&value, out->cap);
    for (int i = 0; i < 2; i++) {
        buf_init(&texts[i], out->cap);
        buf_init(&keys[i], 1 << 16);
    }
    if (buf_put(&texts[now], before, len)) {
        err_set(err, ERR_LIMIT, "A JSON document is longer as text than the limit of %zu bytes", out->cap);
        goto done;
    }
    while (!cursor_done(&diffs)) {
        uint8_t op = cursor_u8(&diffs);
        struct cursor path = cursor_sub(&diffs, (size_t)cursor_lenenc(&diffs));
        struct span text = {(const char *)texts[now].data, (const char *)texts[now].data + texts[now].len};

        buf_clear(&value);
        if (op > DIFF_REMOVE) {
            err_set(err, ERR_UNSUPPORTED,
                    "A partial JSON update has the unknown operation %u; run SET PERSIST binlog_row_value_options = ''",
                    op);
            goto done;
        }
        if (op != DIFF_REMOVE) {
            struct cursor bytes = cursor_sub(&diffs, (size_t)cursor_lenenc(&diffs));

            if (cursor_ok(&diffs) && json_to_text(bytes, &value, err))
                goto done;
        }
        if (!cursor_ok(&diffs) || !texts[now].len) {
            err_set(err, ERR_TRUNCATED, "A partial JSON update ends too early");
            goto done;
        }
        buf_clear(&texts[!now]);
        if (apply_one(text, (enum operation)op, (struct span){(const char *)path.p, (const char *)path.end}, &value,
                      &texts[!now], keys, err))
            goto done;
        now = !now;
    }
    if (buf_put(out, texts[now].data, texts[now].len))
        err_set(err, ERR_LIMIT, "A JSON document is longer as text than the limit of %zu bytes", out->cap);
    else
        rc = 0;
done:
    for (int i = 0; i < 2; i++) {
        buf_release(&texts[i]);
        buf_release(&keys[i]);
    }
    buf_release(&value);
    return rc;
}
