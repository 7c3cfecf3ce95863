/* preflight_grants: the part of preflight.h about the privileges of the user. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mysql/preflight_report.h"

struct grants {
    bool replication_slave, replication_client, select_all, select_some;
};

/* "SELECT, REPLICATION SLAVE" up to `end` holds the privilege. */
static bool lists(const char *list, const char *end, const char *privilege)
{
    size_t len = strlen(privilege);

    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma ? comma : end;

        while (list < stop && *list == ' ')
            list++;
        while (stop > list && stop[-1] == ' ')
            stop--;
        if ((size_t)(stop - list) == len && strncasecmp(list, privilege, len) == 0)
            return true;
        list = comma ? comma + 1 : end;
    }
    return false;
}

/* A row is "GRANT <list> ON <where> TO <whom> ..."; a role or a proxy has no ON *.*. It is never shown: MariaDB's holds
 * a hash. */
static int grant_row(void *arg, size_t n, const char *const v[], const size_t lengths[])
{
    struct grants *g = arg;
    const char *list, *end;
    bool all;

    (void)lengths;
    if (!n || !v[0] || strncmp(v[0], "GRANT ", 6) != 0)
        return 0;
    list = v[0] + 6;
    end = strstr(list, " ON ");
    if (!end)
        return 0;
    all = lists(list, end, "ALL PRIVILEGES") || lists(list, end, "ALL");
    if (all || lists(list, end, "SELECT"))
        g->select_some = true;
    if (strncmp(end, " ON *.* ", 8) != 0)
        return 0;
    g->replication_slave |= all || lists(list, end, "REPLICATION SLAVE");
    g->replication_client |= all || lists(list, end, "REPLICATION CLIENT") || lists(list, end, "BINLOG MONITOR") ||
                             lists(list, end, "SUPER");
    g->select_all |= all || lists(list, end, "SELECT");
    return 0;
}

/* 'cdc'@'%' from cdc@% */
static void quote_user(struct preflight_report *r, const char *user)
{
    const char *at = strrchr(user, '@');

    snprintf(r->user, sizeof r->user, "'%.*s'@'%s'", (int)(at ? at - user : (long)strlen(user)), user,
             at ? at + 1 : "%");
}

static void need(struct preflight_report *r, bool have, const char *privilege, const char *for_what)
{
    char remedy[400];

    if (have)
        return;
    snprintf(remedy, sizeof remedy, "run GRANT %s ON *.* TO %s;", privilege, r->user);
    preflight_report(r, FINDING_ERROR, ERR_MYSQL_GRANT, remedy, "the user lacks %s, which is needed to %s", privilege,
                     for_what);
}

int preflight_grants(struct preflight_report *r, struct err *err)
{
    bool mariadb = connection_facts(r->connection)->flavor == SERVER_MARIADB;
    struct err ignored = ERR_INIT;
    struct grants g = {.select_all = false};
    char text[1000], sql[1100];

    if (connection_scalar(r->connection, "SELECT CURRENT_USER()", text, sizeof text, err))
        return -1;
    quote_user(r, text);
    if (connection_query(r->connection, "SHOW GRANTS", grant_row, &g, err))
        return -1;
    /* MySQL tells what active roles give only when asked with their names, which come quoted. */
    if (!mariadb && connection_scalar(r->connection, "SELECT CURRENT_ROLE()", text, sizeof text, &ignored) == 0 &&
        text[0] == '`') {
        snprintf(sql, sizeof sql, "SHOW GRANTS FOR CURRENT_USER() USING %s", text);
        if (connection_query(r->connection, sql, grant_row, &g, err))
            return -1;
    }
    need(r, g.replication_slave, "REPLICATION SLAVE", "read the binlog");
    need(r, g.replication_client, mariadb ? "BINLOG MONITOR" : "REPLICATION CLIENT", "see which logs there are");
    if (g.replication_slave && g.replication_client)
        preflight_report(r, FINDING_OK, ERR_NONE, "", "%s may read the binlog", r->user);
    if (!g.select_all && !g.select_some) {
        snprintf(sql, sizeof sql, "run GRANT SELECT ON *.* TO %s; or on the captured tables only", r->user);
        preflight_report(r, FINDING_WARN, ERR_NONE, sql,
                         "the user may read no table, so tables cannot be checked or backfilled");
    }
    return 0;
}
