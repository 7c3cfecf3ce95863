/* preflight_settings: the part of preflight.h about the server's variables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mysql/preflight_report.h"

/* Global variables of interest; "" when the server has no such variable. */
enum variable {
    LOG_BIN,
    BINLOG_FORMAT,
    ROW_IMAGE,
    ROW_METADATA,
    VALUE_OPTIONS,
    GTID_MODE,
    EXPIRE_SECONDS,
    EXPIRE_DAYS,
    AUTO_PURGE,
    TOTAL_SIZE,
    REPLICA_UPDATES,
    SLAVE_UPDATES,
    VARIABLES
};
static const char *const names[VARIABLES] = {"log_bin",
                                             "binlog_format",
                                             "binlog_row_image",
                                             "binlog_row_metadata",
                                             "binlog_row_value_options",
                                             "gtid_mode",
                                             "binlog_expire_logs_seconds",
                                             "expire_logs_days",
                                             "binlog_expire_logs_auto_purge",
                                             "max_binlog_total_size",
                                             "log_replica_updates",
                                             "log_slave_updates"};

struct variables {
    char value[VARIABLES][64];
    bool known[VARIABLES];
};

static int variable_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct variables *all = arg;

    (void)lengths;
    for (size_t i = 0; n >= 2 && v[0] && i < VARIABLES; i++)
        if (strcmp(v[0], names[i]) == 0) {
            all->known[i] = true;
            snprintf(all->value[i], sizeof all->value[i], "%s", v[1] ? v[1] : "");
        }
    return 0;
}

static bool on(const struct variables *v, enum variable which)
{
    return strcasecmp(v->value[which], "ON") == 0 || strcmp(v->value[which], "1") == 0;
}

/* A variable that must have one value, which a statement can give it. */
static void must_be(struct preflight_report *r, const struct variables *v, enum variable which, const char *want,
                    const char *why)
{
    char remedy[256];

    if (strcasecmp(v->value[which], want) == 0) {
        preflight_report(r, FINDING_OK, ERR_NONE, "", "%s = %s", names[which], *want ? want : "''");
        return;
    }
    snprintf(remedy, sizeof remedy,
             "run SET GLOBAL %s = %s%s%s; and put it into the server's configuration; sessions that are open keep the "
             "old value",
             names[which], *want ? "" : "'", want, *want ? "" : "'");
    preflight_report(r, FINDING_ERROR, ERR_MYSQL_SETTING, remedy, "%s is %s, so %s", names[which],
                     v->value[which][0] ? v->value[which] : "''", why);
}

static void check_retention(struct preflight_report *r, const struct variables *v)
{
    double seconds = v->known[EXPIRE_SECONDS] ? strtod(v->value[EXPIRE_SECONDS], NULL) : 0;

    if (seconds == 0 && v->known[EXPIRE_DAYS])
        seconds = strtod(v->value[EXPIRE_DAYS], NULL) * 86400;
    if (v->known[AUTO_PURGE] && !on(v, AUTO_PURGE))
        seconds = 0;
    if (seconds > 0 && seconds < 86400)
        preflight_report(r, FINDING_WARN, ERR_NONE,
                         "run SET GLOBAL binlog_expire_logs_seconds = 604800; or make sure that Pillion never stands "
                         "still for so long",
                         "logs are kept for %.1f hours only", seconds / 3600);
    else if (seconds > 0)
        preflight_report(r, FINDING_OK, ERR_NONE, "", "logs are kept for %.1f days", seconds / 86400);
    else
        preflight_report(r, FINDING_OK, ERR_NONE, "", "logs are kept until somebody purges them");
    if (v->known[TOTAL_SIZE] && strtod(v->value[TOTAL_SIZE], NULL) > 0)
        preflight_report(r, FINDING_WARN, ERR_NONE, "make sure that this is more than a day of changes",
                         "the server purges logs beyond max_binlog_total_size = %s bytes", v->value[TOTAL_SIZE]);
}

static int hours_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    (void)lengths;
    *(double *)arg = n && v[0] ? strtod(v[0], NULL) : -1;
    return 1;
}

/* Amazon's servers purge by a setting of their own; others have no such table, which is no error. */
static void check_managed_retention(struct preflight_report *r)
{
    struct err ignored = ERR_INIT;
    double hours = 0;

    if (connection_query(r->connection,
                         "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'", hours_row,
                         &hours, &ignored))
        return;
    if (hours < 24 && hours != 0)
        preflight_report(r, FINDING_WARN, ERR_NONE,
                         "run CALL mysql.rds_set_configuration('binlog retention hours', 168);",
                         "the managed server keeps logs for %s", hours < 0 ? "no defined time" : "less than a day");
}

int preflight_settings(struct preflight_report *r, struct err *err)
{
    struct variables v;
    char sql[600];
    size_t n;

    memset(&v, 0, sizeof v);
    n = (size_t)snprintf(sql, sizeof sql, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('-'");
    for (size_t i = 0; i < VARIABLES; i++)
        n += (size_t)snprintf(sql + n, sizeof sql - n, ", '%s'", names[i]);
    snprintf(sql + n, sizeof sql - n, ")");
    if (connection_query(r->connection, sql, variable_row, &v, err))
        return -1;

    if (!on(&v, LOG_BIN))
        preflight_report(
            r, FINDING_ERROR, ERR_MYSQL_SETTING,
            "set log_bin in the server's configuration (for a replica also log_replica_updates) and restart it",
            "the server writes no binary log (log_bin is %s)", v.value[LOG_BIN]);
    if (v.known[BINLOG_FORMAT])
        must_be(r, &v, BINLOG_FORMAT, "ROW", "statements are logged instead of the rows that they changed");
    must_be(r, &v, ROW_IMAGE, "FULL", "rows are logged with some of their columns only");
    if (v.known[ROW_METADATA])
        must_be(r, &v, ROW_METADATA, "FULL", "events do not tell names, keys and character sets of the columns");
    else
        preflight_report(r, FINDING_ERROR, ERR_MYSQL_SETTING, "capture MySQL 8.0 or newer, or MariaDB 10.5 or newer",
                         "the server is too old: it has no binlog_row_metadata");
    if (v.known[VALUE_OPTIONS])
        must_be(r, &v, VALUE_OPTIONS, "", "updates of JSON columns are logged in part");
    if (v.known[GTID_MODE] && strcmp(v.value[GTID_MODE], "ON") != 0)
        preflight_report(r, FINDING_WARN, ERR_NONE,
                         "turn GTIDs on: enforce_gtid_consistency=ON, then gtid_mode step by step to ON",
                         "gtid_mode is %s, so capture cannot follow a failover to another server", v.value[GTID_MODE]);
    check_retention(r, &v);
    check_managed_retention(r);
    if ((v.known[REPLICA_UPDATES] && !on(&v, REPLICA_UPDATES)) || (v.known[SLAVE_UPDATES] && !on(&v, SLAVE_UPDATES)))
        preflight_report(r, FINDING_WARN, ERR_NONE,
                         "set log_replica_updates (log_slave_updates) and restart the server, if it is a replica",
                         "changes that this server takes over from another one are not in its log");
    return 0;
}
