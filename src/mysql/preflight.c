#include "mysql/preflight.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mysql/preflight_report.h"
#include "mysql/replica_identity.h"
#include "mysql/server_log.h"

void preflight_report(struct preflight_report *r, enum finding_level level, enum err_code code, const char *remedy,
                      const char *what, ...)
{
    char text[600];
    va_list args;

    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    if (level == FINDING_ERROR && r->errors++ == 0 && !r->fn)
        err_set(r->err, code, "%s: %s", text, remedy);
    if (r->fn)
        r->fn(r->arg, level, text, remedy);
}

static void check_version(struct preflight_report *r)
{
    const struct server_facts *f = connection_facts(r->connection);

    preflight_report(r, FINDING_OK, ERR_NONE, "", "%s %s, server id %u, connection %s",
                     f->flavor == SERVER_MARIADB ? "MariaDB" : "MySQL", f->version, f->server_id,
                     connection_encrypted(r->connection) ? "encrypted" : "not encrypted");
}

static int check_logs(struct preflight_report *r, struct err *err)
{
    struct server_log log;

    if (server_log_read(&log, r->connection, err))
        return -1;
    preflight_report(r, FINDING_OK, ERR_NONE, "", "logs from %s to %s:%llu", log.first_file, log.last_file,
                     (unsigned long long)log.last_offset);
    if (log.filters[0])
        preflight_report(r, FINDING_WARN, ERR_NONE,
                         "take the filter out of the server's configuration, or do not expect the other databases",
                         "the server logs only a part of its changes (%s)", log.filters);
    server_log_release(&log);
    return 0;
}

static int check_server_id(struct preflight_report *r, uint32_t server_id, struct err *err)
{
    struct replica_identity id;
    bool visible;

    if (!server_id)
        return 0;
    replica_identity_make(&id, "", server_id);
    if (replica_identity_check(&id, r->connection, &visible, err)) {
        if (err->code != ERR_MYSQL_SERVER_ID)
            return -1;
        preflight_report(r, FINDING_ERROR, ERR_MYSQL_SERVER_ID,
                         "choose another source.server_id, different from every server and replica", "%s", err->text);
        err_clear(err);
    } else if (!visible) {
        preflight_report(
            r, FINDING_OK, ERR_NONE, "",
            "server id %u (this user may not list replicas, so another one with the same id would go unseen)",
            server_id);
    } else {
        preflight_report(r, FINDING_OK, ERR_NONE, "", "server id %u is free", server_id);
    }
    return 0;
}

int preflight_run(struct connection *c, const struct preflight_tables *tables, uint32_t server_id, finding_fn *fn,
                  void *arg, struct err *err)
{
    struct preflight_report r = {.connection = c, .tables = tables, .fn = fn, .arg = arg, .err = err};
    struct err asked = ERR_INIT; /* apart: err may already hold the first finding */

    check_version(&r);
    if (preflight_grants(&r, &asked) || preflight_settings(&r, &asked))
        goto unasked;
    /* Without the privilege or the log, what follows would only say the same again. */
    if (r.errors == 0 && (check_logs(&r, &asked) || check_server_id(&r, server_id, &asked)))
        goto unasked;
    if (preflight_schema(&r, &asked))
        goto unasked;
    return r.errors;
unasked:
    if (err)
        *err = asked;
    return -1;
}
