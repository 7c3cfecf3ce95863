#include "binlog/gtid_event.h"

#include "binlog/event.h"

enum { COMMIT_TIME_BITS = 55 };

/* A number of 1 to 9 bytes: as many ones at the low end of the first byte as bytes follow. */
static uint64_t varlen(struct cursor *c)
{
    uint8_t first = cursor_u8(c);
    unsigned more = 0;
    uint64_t rest;

    while (more < 8 && first >> more & 1)
        more++;
    rest = cursor_le(c, more);
    if (more == 8)
        return rest;
    return (uint64_t)first >> (more + 1) | rest << (7 - more);
}

static int64_t varlen_signed(struct cursor *c)
{
    uint64_t v = varlen(c);

    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

enum field {
    FIELD_FLAGS,
    FIELD_UUID,
    FIELD_NUMBER,
    FIELD_TAG,
    FIELD_LAST_COMMITTED,
    FIELD_SEQUENCE,
    FIELD_IMMEDIATE_TIME,
    FIELD_ORIGINAL_TIME,
    FIELD_LENGTH,
    FIELD_IMMEDIATE_VERSION,
    FIELD_ORIGINAL_VERSION,
    FIELD_TICKET,
    FIELDS
};

static int parse_tagged(struct gtid_event *g, struct cursor c, struct err *err)
{
    const uint8_t *tag = NULL, *begin = c.p;
    uint64_t version = varlen(&c), size = varlen(&c), last_needed = varlen(&c), next = 0;
    uint8_t uuid[16] = {0};
    uint64_t tag_len = 0, immediate = 0, original = 0;
    int64_t number = 0;

    if (!cursor_ok(&c))
        return err_set(err, ERR_TRUNCATED, "A tagged GTID event ends inside its head");
    if (version != 1 || last_needed >= FIELDS)
        return err_set(err, ERR_UNSUPPORTED,
                       "A tagged GTID event has format %llu with fields up to %llu, which Pillion does not understand; "
                       "update Pillion",
                       (unsigned long long)version, (unsigned long long)last_needed);
    if (size > (uint64_t)(c.end - begin) || size < (uint64_t)(c.p - begin))
        return err_set(err, ERR_MALFORMED, "A tagged GTID event has a broken size");
    c.end = begin + size;
    while (!cursor_done(&c)) {
        uint64_t field = varlen(&c);

        if (field >= FIELDS)
            break; /* a newer field that may be ignored: last_needed says so */
        if (!cursor_ok(&c) || field < next)
            return err_set(err, ERR_MALFORMED, "A tagged GTID event has its fields out of order");
        next = field + 1;
        switch ((enum field)field) {
        case FIELD_UUID:
            for (int i = 0; i < 16; i++)
                uuid[i] = (uint8_t)varlen(&c);
            break;
        case FIELD_NUMBER:
            number = varlen_signed(&c);
            break;
        case FIELD_TAG:
            tag_len = varlen(&c);
            tag = tag_len <= 32 ? cursor_bytes(&c, (size_t)tag_len) : NULL;
            if (!tag)
                return err_set(err, ERR_MALFORMED, "A tagged GTID event has a broken tag");
            break;
        case FIELD_LAST_COMMITTED:
        case FIELD_SEQUENCE:
            (void)varlen_signed(&c);
            break;
        case FIELD_IMMEDIATE_TIME:
            immediate = varlen(&c);
            break;
        case FIELD_ORIGINAL_TIME:
            original = varlen(&c);
            break;
        case FIELD_FLAGS:
        case FIELD_LENGTH:
        case FIELD_IMMEDIATE_VERSION:
        case FIELD_ORIGINAL_VERSION:
        case FIELD_TICKET:
        case FIELDS:
            (void)varlen(&c);
            break;
        }
    }
    if (!cursor_ok(&c))
        return err_set(err, ERR_TRUNCATED, "A tagged GTID event ends inside its fields");
    if (!gtid_tag_valid(tag, (size_t)tag_len))
        return err_set(err, ERR_MALFORMED, "A tagged GTID event has a broken tag");
    if (number <= 0)
        return err_set(err, ERR_MALFORMED, "A tagged GTID event has the number %lld", (long long)number);
    gtid_make_mysql(&g->gtid, uuid, tag, (size_t)tag_len, (uint64_t)number);
    g->commit_us = (int64_t)((original ? original : immediate) & INT64_MAX);
    return 0;
}

static int parse_mysql(struct gtid_event *g, struct cursor c, bool anonymous, struct err *err)
{
    const uint8_t *uuid;
    uint64_t number, time;

    cursor_skip(&c, 1);
    uuid = cursor_bytes(&c, 16);
    number = cursor_u64le(&c);
    if (!cursor_ok(&c))
        return err_set(err, ERR_TRUNCATED, "A GTID event ends too early");
    if (!anonymous) {
        if (!number || number >= INT64_MAX)
            return err_set(err, ERR_MALFORMED, "A GTID event has the number %llu", (unsigned long long)number);
        gtid_make_mysql(&g->gtid, uuid, NULL, 0, number);
    }
    /* MySQL 5.6 ends here, 5.7 after the logical clock (type 2 and two numbers). */
    if (cursor_left(&c) < 17 + 7 || cursor_u8(&c) != 2)
        return 0;
    cursor_skip(&c, 16);
    time = cursor_le(&c, 7);
    if (time >> COMMIT_TIME_BITS) /* the time on the original server follows when it differs */
        time = cursor_le(&c, 7);
    if (!cursor_ok(&c))
        return err_set(err, ERR_TRUNCATED, "A GTID event ends inside its commit times");
    g->commit_us = (int64_t)(time & ((1ull << COMMIT_TIME_BITS) - 1));
    return 0;
}

static int parse_mariadb(struct gtid_event *g, struct cursor c, uint32_t server_id, struct err *err)
{
    uint64_t number = cursor_u64le(&c);
    uint32_t domain = cursor_u32le(&c);

    g->flags = cursor_u8(&c);
    if (!cursor_ok(&c))
        return err_set(err, ERR_TRUNCATED, "A GTID event ends too early");
    gtid_make_mariadb(&g->gtid, domain, server_id, number);
    return 0;
}

int gtid_event_parse(struct gtid_event *g, struct cursor body, uint8_t type, uint32_t server_id, struct err *err)
{
    g->gtid.flavor = GTID_NONE;
    g->commit_us = 0;
    g->flags = 0;
    g->thread_id = 0;
    if (type == EVENT_GTID_TAGGED)
        return parse_tagged(g, body, err);
    if (type == EVENT_MARIA_GTID)
        return parse_mariadb(g, body, server_id, err);
    return parse_mysql(g, body, type == EVENT_ANONYMOUS_GTID, err);
}
