#include "mysql/start_plan.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { SET_MAX = 64 << 20, SHORT_SET = 150 };

/* The set's text, cut in the middle of nowhere but marked so: errors are for people. */
static const char *short_set(const struct gtid_set *s, char out[SHORT_SET])
{
    struct buf b;
    const char *text;

    buf_init(&b, SET_MAX);
    gtid_set_format(s, &b);
    text = buf_cstr(&b);
    if (b.len < SHORT_SET)
        snprintf(out, SHORT_SET, "%s", b.len ? text : "(empty)");
    else
        snprintf(out, SHORT_SET, "%.*s...", SHORT_SET - 4, text);
    buf_release(&b);
    return out;
}

/* A transaction is sent to replicas a moment before the server counts it as executed, so one look may come too early.
 */
static int wait_for_executed(struct connection *c, struct server_log *log, const struct gtid_set *want, struct err *err)
{
    int64_t deadline = clock_mono_us() + 3000000;

    while (!gtid_set_contains_set(log->executed, want) && clock_mono_us() < deadline) {
        struct server_log again;

        clock_sleep_ms(100);
        if (server_log_read(&again, c, err))
            return -1;
        server_log_release(log);
        *log = again;
    }
    return 0;
}

static int check_gtids(struct connection *c, struct server_log *log, const struct gtid_set *have, struct err *err)
{
    char a[SHORT_SET], b[SHORT_SET];

    if (wait_for_executed(c, log, have, err))
        return -1;
    if (!gtid_set_contains_set(log->executed, have))
        return err_set(err, ERR_POSITION_FOREIGN,
                       "The position does not belong to this server: it holds GTIDs %s and the server has executed %s, "
                       "so %llu transactions that "
                       "were read before are not there; point Pillion at the server that has them, or set a new "
                       "position and backfill.",
                       short_set(have, a), short_set(log->executed, b),
                       (unsigned long long)gtid_set_minus_count(have, log->executed));
    if (!gtid_set_contains_set(have, log->purged))
        return err_set(err, ERR_POSITION_PURGED,
                       "The server has purged logs that are needed to go on: the position holds GTIDs %s, and "
                       "everything up to %s is purged, "
                       "which leaves %llu transactions unread; point Pillion at a server that still has them, or start "
                       "from the earliest log and "
                       "backfill, and keep logs for longer (binlog_expire_logs_seconds).",
                       short_set(have, a), short_set(log->purged, b),
                       (unsigned long long)gtid_set_minus_count(log->purged, have));
    return 0;
}

/* "mysql-bin.000012" is 12; 0 without a number. */
static unsigned long long file_number(const char *file)
{
    const char *dot = strrchr(file, '.');
    unsigned long long n = 0;

    for (const char *p = dot ? dot + 1 : ""; *p >= '0' && *p <= '9'; p++)
        n = n * 10 + (unsigned)(*p - '0');
    return n;
}

static int check_file(struct connection *c, const struct server_log *log, const struct position *p, struct err *err)
{
    uint64_t size = 0;
    bool found = false;

    if (server_log_find(c, p->file, &size, &found, err))
        return -1;
    if (!found && file_number(p->file) && file_number(p->file) < file_number(log->first_file))
        return err_set(err, ERR_POSITION_PURGED,
                       "The log file %s is purged: the server's first one is %s; start from the earliest log and "
                       "backfill, and keep logs for longer "
                       "(binlog_expire_logs_seconds).",
                       p->file, log->first_file);
    if (!found)
        return err_set(err, ERR_POSITION_FOREIGN,
                       "The server has no log file %s (it has %s to %s): the position belongs to another server, or "
                       "the logs were reset; point "
                       "Pillion at the right server, or set a new position and backfill.",
                       p->file, log->first_file, log->last_file);
    if (p->offset < 4 || p->offset > size)
        return err_set(err, ERR_POSITION_FOREIGN,
                       "The position %s:%llu lies outside of the file, which has %llu bytes: the server lost or reset "
                       "its logs, or the position is "
                       "wrong; set a new position and backfill.",
                       p->file, (unsigned long long)p->offset, (unsigned long long)size);
    if (p->server_uuid[0] && connection_facts(c)->uuid[0] && strcmp(p->server_uuid, connection_facts(c)->uuid) != 0)
        return err_set(err, ERR_POSITION_FOREIGN,
                       "The position %s:%llu was taken on the server %s, and this is %s: file positions mean nothing "
                       "on another server; start by "
                       "GTID set, or set a new position and backfill.",
                       p->file, (unsigned long long)p->offset, p->server_uuid, connection_facts(c)->uuid);
    return 0;
}

static int plan_gtids(struct start_plan *plan, const struct gtid_set *set, enum gtid_flavor flavor, struct err *err)
{
    plan->by_gtid = true;
    plan->file[0] = 0;
    plan->offset = 4;
    buf_init(&plan->gtid_set, SET_MAX);
    if (flavor == GTID_MYSQL ? gtid_set_encode(set, &plan->gtid_set) : gtid_set_format(set, &plan->gtid_set))
        return err_set(err, ERR_LIMIT, "The position's GTID set is larger than %d bytes.", SET_MAX);
    return 0;
}

static void plan_file(struct start_plan *plan, const char *file, uint64_t offset)
{
    plan->by_gtid = false;
    snprintf(plan->file, sizeof plan->file, "%s", file);
    plan->offset = offset;
}

static int from_position(struct start_plan *plan, struct connection *c, const struct start_point *start,
                         struct server_log *log, struct position *at, struct err *err)
{
    const struct position *p = start->position;
    /* A log that was begun with GTIDs turned on names them in its head after they were turned off; the transactions
     * that follow have none, so the place in the file is the one to go by. */
    bool have_gtids = p && p->flavor != GTID_FILE && p->gtids && !gtid_set_empty(p->gtids);
    bool by_file =
        p && p->file[0] &&
        (start->kind == START_FILE || (start->kind == START_POSITION && (!have_gtids || log->flavor == GTID_FILE)));

    if (!p || (!by_file && !have_gtids && start->kind != START_GTID))
        return err_set(
            err, ERR_CONFIG,
            "The position to start from is empty: name a GTID set, a file with its offset, earliest or latest.");
    if (by_file) {
        if (check_file(c, log, p, err))
            return -1;
        position_copy(at, p);
        plan_file(plan, p->file, p->offset);
        plan->find_gtids = log->flavor != GTID_FILE && !have_gtids;
        return 0;
    }
    if (log->flavor == GTID_FILE)
        return err_set(err, ERR_MYSQL_SETTING,
                       "The position is a GTID set and the server has GTIDs turned off: set gtid_mode=ON there, or "
                       "start by file and offset.");
    if (p->flavor != GTID_NONE && p->flavor != log->flavor)
        return err_set(err, ERR_POSITION_FOREIGN,
                       "The position's GTIDs are of the other vendor (%s) than this server: point Pillion at the right "
                       "server, or set a new position "
                       "and backfill.",
                       p->flavor == GTID_MARIADB ? "MariaDB" : "MySQL");
    if (check_gtids(c, log, p->gtids, err))
        return -1;
    position_copy(at, p);
    /* Another server's file names and offsets mean nothing here. */
    if (strcmp(p->server_uuid, connection_facts(c)->uuid) != 0) {
        at->file[0] = 0;
        at->offset = 0;
    }
    return plan_gtids(plan, p->gtids, log->flavor, err);
}

int start_plan_make(struct start_plan *plan, struct connection *c, const struct start_point *start, struct position *at,
                    struct err *err)
{
    struct server_log log;
    int rc = -1;

    memset(plan, 0, sizeof *plan);
    if (server_log_read(&log, c, err))
        return -1;
    switch (start->kind) {
    case START_EARLIEST:
        plan_file(plan, log.first_file, 4);
        gtid_set_clear(at->gtids);
        if (log.flavor != GTID_FILE && gtid_set_union(at->gtids, log.purged, err))
            goto out;
        snprintf(at->file, sizeof at->file, "%s", log.first_file);
        at->offset = 4;
        rc = 0;
        break;
    case START_LATEST:
        gtid_set_clear(at->gtids);
        if (log.flavor != GTID_FILE && gtid_set_union(at->gtids, log.executed, err))
            goto out;
        snprintf(at->file, sizeof at->file, "%s", log.last_file);
        at->offset = log.last_offset;
        if (log.flavor != GTID_FILE && !gtid_set_empty(log.executed)) {
            rc = plan_gtids(plan, log.executed, log.flavor, err);
        } else {
            plan_file(plan, log.last_file, log.last_offset);
            rc = 0;
        }
        break;
    case START_POSITION:
    case START_GTID:
    case START_FILE:
        rc = from_position(plan, c, start, &log, at, err);
        break;
    }
    at->flavor = log.flavor;
    snprintf(at->server_uuid, sizeof at->server_uuid, "%s", connection_facts(c)->uuid);
out:
    server_log_release(&log);
    return rc;
}

void start_plan_release(struct start_plan *plan)
{
    buf_release(&plan->gtid_set);
}
