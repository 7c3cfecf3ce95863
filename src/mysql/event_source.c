#include "mysql/event_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "binlog/event.h"
#include "mysql/file_chain.h"
#include "mysql/gtid_scan.h"
#include "mysql/replica_identity.h"
#include "mysql/server_log.h"
#include "mysql/start_plan.h"

enum { FIRST_EVENT_MS = 120000, SILENCE_MIN_MS = 1000, HEARTBEAT_MS = 1000 };

struct event_source {
    struct connection_options options; /* own copies */
    struct replica_identity id;
    struct server_facts facts;
    unsigned heartbeat_ms;
    bool until_now;
    struct connection *dump; /* NULL for files */
    struct connection *ask;
    struct file_chain files;
    bool from_files;

    pthread_mutex_t lock; /* guards the two pointers against event_source_interrupt */
    atomic_bool interrupted;
};

static char *copy(const char *s)
{
    return s && *s ? xstrdup(s) : NULL;
}

static void copy_options(struct connection_options *to, const struct connection_options *from)
{
    *to = *from;
    to->host = copy(from->host);
    to->socket = copy(from->socket);
    to->user = copy(from->user);
    to->password = copy(from->password);
    to->tls_ca = copy(from->tls_ca);
    to->tls_cert = copy(from->tls_cert);
    to->tls_key = copy(from->tls_key);
}

static void free_const(const char *s)
{
    union {
        const char *in;
        char *out;
    } u = {.in = s};

    free(u.out);
}

static void release_options(struct connection_options *o)
{
    union {
        const char *in;
        char *out;
    } password = {.in = o->password};

    free_const(o->host);
    free_const(o->socket);
    free_const(o->user);
    xfree_secret(password.out);
    free_const(o->tls_ca);
    free_const(o->tls_cert);
    free_const(o->tls_key);
}

uint32_t event_source_server_id(const char *capture_name)
{
    struct replica_identity id;

    replica_identity_make(&id, capture_name, 0);
    return id.server_id;
}

static unsigned silence_ms(const struct event_source *s)
{
    unsigned ms = 3 * s->heartbeat_ms;

    return ms < SILENCE_MIN_MS ? SILENCE_MIN_MS : ms;
}

/* Opens a session and makes it known to event_source_interrupt. */
static int open_session(struct event_source *s, struct connection **slot, const struct connection_options *o,
                        struct err *err)
{
    struct connection *c;

    if (connection_open(&c, o, err))
        return -1;
    pthread_mutex_lock(&s->lock);
    *slot = c;
    pthread_mutex_unlock(&s->lock);
    if (atomic_load(&s->interrupted))
        return err_set(err, ERR_STOPPED, "Reading from the source server was asked to stop.");
    return 0;
}

static void close_session(struct event_source *s, struct connection **slot)
{
    struct connection *c;

    pthread_mutex_lock(&s->lock);
    c = *slot;
    *slot = NULL;
    pthread_mutex_unlock(&s->lock);
    connection_close(c);
}

/* What the server wants to know about a replica comes as user variables. Those of the other vendor or of another
 * version are variables without a meaning. */
static int introduce(struct event_source *s, struct connection *c, const struct start_plan *plan, struct err *err)
{
    struct buf sql;
    unsigned long long heartbeat_ns = (unsigned long long)s->heartbeat_ms * 1000000u;
    int rc;

    buf_init(&sql, 1 << 27);
    buf_putf(
        &sql,
        "SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32', @master_heartbeat_period = %llu, "
        "@source_heartbeat_period = %llu, @slave_uuid = '%s', @replica_uuid = '%s'",
        heartbeat_ns, heartbeat_ns, s->id.uuid, s->id.uuid);
    if (s->facts.flavor == SERVER_MARIADB) {
        buf_put_str(&sql, ", @mariadb_slave_capability = 4");
        if (plan->by_gtid) {
            buf_put_str(&sql,
                        ", @slave_gtid_strict_mode = 1, @slave_gtid_ignore_duplicates = 0, @slave_connect_state = '");
            buf_put(&sql, plan->gtid_set.data, plan->gtid_set.len);
            buf_put_str(&sql, "'");
        }
    }
    rc = sql.overflow ? err_set(err, ERR_LIMIT, "The position's GTID set is too large to be sent to the server.")
                      : connection_query(c, buf_cstr(&sql), NULL, NULL, err);
    buf_release(&sql);
    /* A reader that waits for Kafka must not be thrown out after the default minute. */
    if (!rc)
        rc = connection_query(c, "SET SESSION net_write_timeout = 900", NULL, NULL, err);
    return rc;
}

static int start_dump(struct event_source *s, struct connection *c, const struct start_plan *plan, bool annotate,
                      bool until_now, struct err *err)
{
    struct dump_request r = {
        .server_id = s->id.server_id,
        .file = plan->file,
        .offset = plan->offset,
        .by_gtid = plan->by_gtid,
        .annotate = annotate && s->facts.flavor == SERVER_MARIADB,
        .until_now = until_now,
        .label = s->id.label,
        .first_ms = FIRST_EVENT_MS,
        .silence_ms = silence_ms(s),
    };

    if (plan->by_gtid && s->facts.flavor == SERVER_MYSQL) {
        r.gtid_set = plan->gtid_set.data;
        r.gtid_set_len = plan->gtid_set.len;
    }
    if (plan->offset > UINT32_MAX)
        return err_set(err, ERR_LIMIT,
                       "The position %s:%llu lies beyond 4 GiB, which the protocol cannot name; start by GTID set.",
                       plan->file, (unsigned long long)plan->offset);
    return connection_dump(c, &r, err);
}

static int find_gtids(struct event_source *s, const struct connection_options *o, const struct start_plan *plan,
                      struct position *at, struct err *err)
{
    struct start_plan scan = {.offset = 4};
    int rc;

    if (s->facts.flavor == SERVER_MARIADB && server_log_gtids_before(s->ask, plan->file, plan->offset, at->gtids, err))
        return -1;
    snprintf(scan.file, sizeof scan.file, "%s", plan->file);
    if (open_session(s, &s->dump, o, err) || introduce(s, s->dump, &scan, err) ||
        start_dump(s, s->dump, &scan, false, true, err))
        return -1;
    rc = s->facts.flavor == SERVER_MARIADB ? gtid_scan(s->dump, plan->file, plan->offset, NULL, err)
                                           : gtid_scan(s->dump, plan->file, plan->offset, at->gtids, err);
    close_session(s, &s->dump);
    return rc;
}

int event_source_open_server(struct event_source **out, const struct event_source_options *options,
                             const struct start_point *start, struct position *at, struct err *err)
{
    struct event_source *s = xcalloc(1, sizeof *s);
    struct connection_options dump_options;
    struct start_plan plan = {.by_gtid = false};
    bool visible;
    int rc = -1;

    *out = NULL;
    pthread_mutex_init(&s->lock, NULL);
    copy_options(&s->options, &options->connection);
    s->heartbeat_ms = options->heartbeat_ms ? options->heartbeat_ms : HEARTBEAT_MS;
    s->until_now = options->until_now;
    replica_identity_make(&s->id, options->capture_name, options->server_id);
    if (open_session(s, &s->ask, &s->options, err))
        goto out;
    s->facts = *connection_facts(s->ask);
    if (replica_identity_check(&s->id, s->ask, &visible, err) || start_plan_make(&plan, s->ask, start, at, err))
        goto out;
    /* Over TLS the library waits, in whole seconds, and for the first event as for all. */
    dump_options = s->options;
    dump_options.read_timeout_s = silence_ms(s) / 1000 + 1;
    if (dump_options.read_timeout_s < 20)
        dump_options.read_timeout_s = 20;
    if (plan.find_gtids && find_gtids(s, &dump_options, &plan, at, err))
        goto out;
    if (open_session(s, &s->dump, &dump_options, err) || introduce(s, s->dump, &plan, err) ||
        start_dump(s, s->dump, &plan, options->annotate, s->until_now, err))
        goto out;
    *out = s;
    s = NULL;
    rc = 0;
out:
    start_plan_release(&plan);
    event_source_close(s);
    return rc;
}

int event_source_open_files(struct event_source **out, const char *const paths[], size_t n, struct err *err)
{
    struct event_source *s = xcalloc(1, sizeof *s);

    *out = NULL;
    pthread_mutex_init(&s->lock, NULL);
    s->until_now = s->from_files = true;
    if (file_chain_init(&s->files, paths, n, err)) {
        event_source_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void event_source_close(struct event_source *s)
{
    if (!s)
        return;
    file_chain_release(&s->files);
    close_session(s, &s->dump);
    close_session(s, &s->ask);
    pthread_mutex_destroy(&s->lock);
    release_options(&s->options);
    free(s);
}

int event_source_fetch(struct event_source *s, const uint8_t **event, size_t *len, struct err *err)
{
    int rc;

    if (s->from_files)
        return atomic_load_explicit(&s->interrupted, memory_order_relaxed)
                   ? err_set(err, ERR_STOPPED, "Reading the binlog files was asked to stop.")
                   : file_chain_next(&s->files, event, len, err);
    rc = connection_fetch(s->dump, event, len, err);
    if (rc == 0 && !s->until_now)
        return err_set(err, ERR_MYSQL_CONNECT,
                       "The source server ended the binlog stream, as it does when it shuts down; Pillion "
                       "connects again by itself.");
    return rc;
}

void event_source_interrupt(struct event_source *s)
{
    atomic_store(&s->interrupted, true);
    pthread_mutex_lock(&s->lock);
    if (s->dump)
        connection_interrupt(s->dump);
    if (s->ask)
        connection_interrupt(s->ask);
    pthread_mutex_unlock(&s->lock);
}

bool event_source_pending(struct event_source *s)
{
    return s->from_files || connection_pending(s->dump);
}

const struct server_facts *event_source_facts(const struct event_source *s)
{
    return s->from_files ? NULL : &s->facts;
}

int event_source_server_position(struct event_source *s, struct position *out, struct err *err)
{
    struct err tried = ERR_INIT;

    if (s->from_files)
        return err_set(err, ERR_BUG, "A source of files was asked for a server's position; please report it.");
    if (s->ask) {
        if (server_log_newest(s->ask, out, &tried) == 0)
            return 0;
        if (tried.code != ERR_MYSQL_CONNECT) {
            if (err)
                *err = tried;
            return -1;
        }
    }
    /* Servers close sessions that are idle for long; one more try. */
    close_session(s, &s->ask);
    if (open_session(s, &s->ask, &s->options, err))
        return -1;
    return server_log_newest(s->ask, out, err);
}
