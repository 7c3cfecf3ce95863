#include "mysql/server_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BAD_SYNTAX = 1064, SET_TEXT_MAX = 64 << 20 };

static enum gtid_flavor flavor_of(const struct connection *c)
{
    const struct server_facts *f = connection_facts(c);

    if (f->flavor == SERVER_MARIADB)
        return GTID_MARIADB;
    return f->has_gtid ? GTID_MYSQL : GTID_FILE;
}

static int status_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct server_log *log = arg;

    (void)lengths;
    if (n < 2 || !v[0] || !v[1])
        return 1;
    snprintf(log->last_file, sizeof log->last_file, "%s", v[0]);
    log->last_offset = strtoull(v[1], NULL, 10);
    if (n >= 4 && ((v[2] && *v[2]) || (v[3] && *v[3])))
        snprintf(log->filters, sizeof log->filters, "%s%s%s%s", v[2] && *v[2] ? "binlog-do-db=" : "", v[2] ? v[2] : "",
                 v[3] && *v[3] ? " binlog-ignore-db=" : "", v[3] ? v[3] : "");
    return 1;
}

/* The newest place. Ask for the executed set before: a start by GTID set is then never late. */
static int read_status(struct server_log *log, struct connection *c, struct err *err)
{
    if (connection_query(c, "SHOW BINARY LOG STATUS", status_row, log, err)) {
        if (connection_last_error(c) != BAD_SYNTAX)
            return -1;
        if (err)
            err_clear(err);
        if (connection_query(c, "SHOW MASTER STATUS", status_row, log, err))
            return -1;
    }
    if (!log->last_file[0])
        return err_set(err, ERR_MYSQL_SETTING,
                       "The source server writes no binary log: set log_bin in its configuration (for a replica also "
                       "log_replica_updates) and restart it.");
    return 0;
}

struct set_read {
    struct gtid_set *set;
    enum gtid_flavor flavor;
    struct err err;
    int rc;
};

static int set_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct set_read *r = arg;

    if (!n || !v[0])
        return 1;
    if (lengths[0] > SET_TEXT_MAX)
        r->rc = err_set(&r->err, ERR_LIMIT, "The server's GTID set has %zu bytes of text, more than Pillion takes.",
                        lengths[0]);
    else
        r->rc = gtid_set_parse(r->set, v[0], r->flavor, &r->err);
    return 1;
}

static int read_set(struct connection *c, const char *sql, struct gtid_set *set, enum gtid_flavor flavor,
                    struct err *err)
{
    struct set_read r = {.set = set, .flavor = flavor, .err = ERR_INIT};

    if (connection_query(c, sql, set_row, &r, err))
        return -1;
    if (r.rc && err)
        *err = r.err;
    return r.rc;
}

static int read_executed(struct connection *c, enum gtid_flavor flavor, struct gtid_set *set, struct err *err)
{
    if (flavor == GTID_FILE)
        return 0;
    return read_set(c, flavor == GTID_MARIADB ? "SELECT @@GLOBAL.gtid_binlog_pos" : "SELECT @@GLOBAL.gtid_executed",
                    set, flavor, err);
}

struct find {
    const char *file;
    char first[POSITION_FILE];
    uint64_t size;
    bool found;
};

static int find_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct find *f = arg;

    (void)lengths;
    if (n < 2 || !v[0] || !v[1])
        return 0;
    if (!f->first[0])
        snprintf(f->first, sizeof f->first, "%s", v[0]);
    if (f->file && strcmp(f->file, v[0]) == 0) {
        f->found = true;
        f->size = strtoull(v[1], NULL, 10);
    }
    return 0;
}

int server_log_find(struct connection *c, const char *file, uint64_t *size, bool *found, struct err *err)
{
    struct find f = {.file = file};

    if (connection_query(c, "SHOW BINARY LOGS", find_row, &f, err))
        return -1;
    *size = f.size;
    *found = f.found;
    return 0;
}

/* A file name goes into one statement: only the characters that servers give to log files. */
static bool plain_name(const char *s)
{
    return *s && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@ ") == strlen(s);
}

int server_log_gtids_before(struct connection *c, const char *file, uint64_t offset, struct gtid_set *out,
                            struct err *err)
{
    char sql[POSITION_FILE + 64];

    gtid_set_clear(out);
    if (!plain_name(file))
        return err_set(err, ERR_POSITION_FOREIGN,
                       "The log file's name has characters that no log file has: check the position.");
    snprintf(sql, sizeof sql, "SELECT BINLOG_GTID_POS('%s', %llu)", file, (unsigned long long)offset);
    return read_set(c, sql, out, GTID_MARIADB, err);
}

int server_log_read(struct server_log *log, struct connection *c, struct err *err)
{
    struct find f = {.file = NULL};

    memset(log, 0, sizeof *log);
    log->flavor = flavor_of(c);
    log->executed = gtid_set_new();
    log->purged = gtid_set_new();
    if (read_executed(c, log->flavor, log->executed, err) || read_status(log, c, err) ||
        connection_query(c, "SHOW BINARY LOGS", find_row, &f, err))
        goto failed;
    snprintf(log->first_file, sizeof log->first_file, "%s", f.first[0] ? f.first : log->last_file);
    if (log->flavor == GTID_MYSQL) {
        if (read_set(c, "SELECT @@GLOBAL.gtid_purged", log->purged, GTID_MYSQL, err))
            goto failed;
    } else if (log->flavor == GTID_MARIADB && server_log_gtids_before(c, log->first_file, 4, log->purged, err)) {
        goto failed;
    }
    return 0;
failed:
    server_log_release(log);
    return -1;
}

void server_log_release(struct server_log *log)
{
    gtid_set_free(log->executed);
    gtid_set_free(log->purged);
    log->executed = log->purged = NULL;
}

int server_log_newest(struct connection *c, struct position *out, struct err *err)
{
    struct server_log log = {.last_file = ""};

    out->flavor = flavor_of(c);
    gtid_set_clear(out->gtids);
    if (read_executed(c, out->flavor, out->gtids, err) || read_status(&log, c, err))
        return -1;
    snprintf(out->server_uuid, sizeof out->server_uuid, "%s", connection_facts(c)->uuid);
    snprintf(out->file, sizeof out->file, "%s", log.last_file);
    out->offset = log.last_offset;
    out->commit_us = 0;
    return 0;
}
