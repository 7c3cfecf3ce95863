#include "mysql/gtid_scan.h"

#include "binlog/event.h"
#include "binlog/gtid_event.h"

/* The format description's last byte before its own checksum says whether the file's events carry one. */
static bool has_checksums(const uint8_t *event, size_t len)
{
    return len > EVENT_HEADER + EVENT_CHECKSUM + 1 && event[len - EVENT_CHECKSUM - 1] == 1;
}

/* May a transaction, or nothing at all, begin with this event? */
static bool opens(uint8_t type)
{
    switch (type) {
    case EVENT_GTID:
    case EVENT_GTID_TAGGED:
    case EVENT_ANONYMOUS_GTID:
    case EVENT_MARIA_GTID:
    case EVENT_ROTATE:
    case EVENT_STOP:
    case EVENT_FORMAT_DESCRIPTION:
    case EVENT_PREVIOUS_GTIDS:
    case EVENT_GTID_LIST:
    case EVENT_BINLOG_CHECKPOINT:
    case EVENT_START_ENCRYPTION:
    case EVENT_INCIDENT:
        return true;
    default:
        return false;
    }
}

static int not_between(const char *file, uint64_t offset, struct err *err)
{
    return err_set(err, ERR_POSITION_FOREIGN,
                   "The position %s:%llu is not between two transactions; choose the offset of a GTID event, as SHOW "
                   "BINLOG EVENTS lists them.",
                   file, (unsigned long long)offset);
}

static int add(struct gtid_set *out, const struct event *e, struct err *err)
{
    struct gtid_event g;

    switch (e->type) {
    case EVENT_PREVIOUS_GTIDS:
        return gtid_set_decode(out, e->body, err);
    case EVENT_GTID:
    case EVENT_GTID_TAGGED:
        if (gtid_event_parse(&g, e->body, e->type, e->server_id, err))
            return -1;
        return g.gtid.flavor == GTID_NONE ? 0 : gtid_set_add(out, &g.gtid, err);
    default:
        return 0;
    }
}

int gtid_scan(struct connection *stream, const char *file, uint64_t offset, struct gtid_set *out, struct err *err)
{
    const uint8_t *bytes;
    bool crc = false, in_file = false;
    size_t len;
    int rc;

    if (out)
        gtid_set_clear(out);
    while ((rc = connection_fetch(stream, &bytes, &len, err)) == 1) {
        struct event e;

        if (event_parse(&e, bytes, len, false, err))
            return -1;
        /* Events without a place are made for this connection: heartbeats, the first ROTATE. */
        if (e.end_pos == 0 || (e.flags & EVENT_FLAG_ARTIFICIAL) || e.type == EVENT_HEARTBEAT ||
            e.type == EVENT_HEARTBEAT_V2)
            continue;
        if (in_file && e.end_pos - e.size >= offset && e.type != EVENT_PREVIOUS_GTIDS) {
            if (e.end_pos - e.size != offset || !opens(e.type))
                return offset == 4 ? 0 : not_between(file, offset, err);
            return 0;
        }
        in_file = true;
        if (e.type == EVENT_FORMAT_DESCRIPTION) {
            crc = has_checksums(bytes, len);
            continue;
        }
        if (event_parse(&e, bytes, len, crc, err) || (out && add(out, &e, err)))
            return -1;
        if (e.type == EVENT_ROTATE)
            return e.end_pos == offset ? 0 : not_between(file, offset, err);
        if (e.end_pos > offset && e.type != EVENT_PREVIOUS_GTIDS)
            return not_between(file, offset, err);
    }
    return rc; /* the end of the newest file: its size was checked to be at least the offset */
}
