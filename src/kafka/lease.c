#include "kafka/lease.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "kafka/handle.h"

enum {
    SESSION_MS = 10000,  /* another host waits this long after a host has died */
    HEARTBEAT_MS = 1000, /* a holder that was replaced knows it this soon */
    JOIN_MS = 20000,     /* for one join: a group of its own has an initial delay of 3 s on most brokers */
    POLL_MS = 100,
    TRY_MS = 100
};

enum lease_state { LEASE_WAITING, LEASE_EMPTY, LEASE_HELD, LEASE_LOST };

struct lease {
    struct kafka_handle handle;
    char *name, *group, *topic;
    int local; /* the socket whose name is the lock of this host */
    pthread_t thread;
    bool running;
    atomic_bool end;
    pthread_mutex_t lock;
    enum lease_state state;
    struct err why; /* of LEASE_LOST */
};

/* ---- the lock of this host ---- */

/* The cluster is part of the name, so that equal names on two clusters do not meet; a mock cluster lives in one
 * process. */
static void local_address(const struct kafka_options *o, const char *group, const char *name, struct sockaddr_un *a,
                          socklen_t *len)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    char mock[32];
    const char *parts[] = {o->brokers, group, name};
    int n;

    snprintf(mock, sizeof(mock), "mock:%ld", (long)getpid());
    if (kafka_is_mock(o))
        parts[0] = mock;
    for (size_t i = 0; i < 3; i++)
        for (const char *p = parts[i];; p++) {
            h = (h ^ (uint8_t)*p) * UINT64_C(1099511628211);
            if (!*p)
                break;
        }
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "pillion.lease.%016llx", (unsigned long long)h);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* The process that holds the lock of this host; 0: not known. */
static long local_holder(const struct sockaddr_un *a, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (fd < 0)
        return 0;
    if (connect(fd, (const struct sockaddr *)a, len) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        peer.pid = 0;
    close(fd);
    return peer.pid;
}

static int lock_local(struct lease *l, const struct kafka_options *o, int wait_ms, struct err *err)
{
    int64_t end = clock_mono_us() + wait_ms * INT64_C(1000);
    struct sockaddr_un a;
    socklen_t len;
    long pid;

    local_address(o, l->group, l->name, &a, &len);
    l->local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->local < 0)
        return err_set(err, ERR_LEASE, "The lock of this host cannot be made: %s.", strerror(errno));
    while (bind(l->local, (const struct sockaddr *)&a, len)) {
        if (errno != EADDRINUSE)
            return err_set(err, ERR_LEASE, "The lock of this host cannot be made: %s.", strerror(errno));
        if (clock_mono_us() >= end) {
            pid = local_holder(&a, len);
            if (pid)
                return err_set(err, ERR_LEASE,
                               "Process %ld of this host captures as \"%s\" already; stop it, or choose another name.",
                               pid, l->name);
            return err_set(err, ERR_LEASE,
                           "A process of this host captures as \"%s\" already; stop it, or choose another name.",
                           l->name);
        }
        if (stop_wait_ms(TRY_MS))
            return err_set(err, ERR_STOPPED, "Stopped while waiting for the lease.");
    }
    if (listen(l->local, 8)) /* only so that the next one can ask for our process id */
        log_debug("kafka", "lease: %s", strerror(errno));
    return 0;
}

/* ---- the membership ---- */

static void set_state(struct lease *l, enum lease_state state)
{
    pthread_mutex_lock(&l->lock);
    if (l->state != LEASE_LOST)
        l->state = state;
    pthread_mutex_unlock(&l->lock);
}

static enum lease_state get_state(struct lease *l)
{
    enum lease_state state;

    pthread_mutex_lock(&l->lock);
    state = l->state;
    pthread_mutex_unlock(&l->lock);
    return state;
}

static void lose(struct lease *l, const char *why)
{
    pthread_mutex_lock(&l->lock);
    if (l->state == LEASE_HELD) {
        l->state = LEASE_LOST;
        err_set(&l->why, ERR_LEASE,
                "The lease \"%s\" is lost: %s. Another process may capture now; find it, and run one of them.", l->name,
                why);
    }
    pthread_mutex_unlock(&l->lock);
}

/* Inside the thread's polls. Cooperative, because its assignor leaves a partition where it is when a member comes. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                         void *opaque)
{
    struct kafka_handle *h = opaque;
    struct lease *l = (struct lease *)(void *)h;
    rd_kafka_error_t *failed;
    char text[200];

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        for (int i = 0; i < partitions->cnt; i++)
            partitions->elems[i].offset = RD_KAFKA_OFFSET_END; /* membership is all that is wanted */
        failed = rd_kafka_incremental_assign(rk, partitions);
        rd_kafka_pause_partitions(rk, partitions);
        if (partitions->cnt)
            set_state(l, LEASE_HELD);
        else if (get_state(l) == LEASE_WAITING)
            set_state(l, LEASE_EMPTY);
    } else {
        if (!atomic_load(&l->end) && partitions->cnt)
            lose(l, rd_kafka_assignment_lost(rk) ? "the broker heard no heartbeat for too long"
                                                 : "the group gave it to another member");
        failed = rd_kafka_incremental_unassign(rk, partitions);
    }
    if (failed) {
        snprintf(text, sizeof(text), "%s", rd_kafka_error_string(failed));
        log_debug("kafka", "lease: %s", text);
        rd_kafka_error_destroy(failed);
    }
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_handle *h = opaque;
    char text[KAFKA_TROUBLE_TEXT];

    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        code = rd_kafka_fatal_error(rk, text, sizeof(text));
        lose((struct lease *)(void *)h, text);
        reason = text;
    }
    kafka_handle_trouble(h, (rd_kafka_resp_err_t)code, reason);
}

static void *membership(void *arg)
{
    struct lease *l = arg;

    while (!atomic_load(&l->end)) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(l->handle.rk, POLL_MS);
        char text[KAFKA_TROUBLE_TEXT];

        if (m)
            rd_kafka_message_destroy(m);
        if (rd_kafka_fatal_error(l->handle.rk, text, sizeof(text)))
            lose(l, text);
    }
    return NULL;
}

static int join(struct lease *l, const struct kafka_options *o, struct err *err)
{
    rd_kafka_conf_t *conf;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
    char host[256];

    if (gethostname(host, sizeof(host)))
        snprintf(host, sizeof(host), "unknown");
    host[sizeof(host) - 1] = 0;
    if (kafka_conf_new(&conf, o, err))
        return -1;
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (kafka_conf_set(conf, err, "client.id", "%s on %s, process %ld", l->name, host, (long)getpid()) ||
        kafka_conf_set(conf, err, "group.id", "%s", l->group) ||
        kafka_conf_set(conf, err, "group.instance.id", "%s.%s", host, l->name) ||
        kafka_conf_set(conf, err, "partition.assignment.strategy", "cooperative-sticky") ||
        kafka_conf_set(conf, err, "session.timeout.ms", "%d", SESSION_MS) ||
        kafka_conf_set(conf, err, "heartbeat.interval.ms", "%d", HEARTBEAT_MS) ||
        kafka_conf_set(conf, err, "enable.auto.commit", "false") || kafka_conf_set_raw(conf, o, err)) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    if (kafka_handle_init(&l->handle, RD_KAFKA_CONSUMER, conf, o, err))
        return -1;
    rd_kafka_poll_set_consumer(l->handle.rk);
    list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, l->topic, RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(l->handle.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_handle_failed(&l->handle, code, NULL, err, "The group %s cannot be joined", l->group);
    if (pthread_create(&l->thread, NULL, membership, l))
        return err_set(err, ERR_LEASE, "No thread can be started for the lease; raise the limit of threads.");
    l->running = true;
    return 0;
}

/* Who has it, in the words of its client.id and address: any member of the group but ourselves. */
static void name_holder(struct lease *l, char *out, size_t size)
{
    const struct rd_kafka_group_list *groups = NULL;
    char *self = rd_kafka_memberid(l->handle.rk);

    snprintf(out, size, "another host");
    if (!rd_kafka_list_groups(l->handle.rk, l->group, &groups, 3000)) {
        for (int i = 0; i < groups->group_cnt; i++)
            for (int k = 0; k < groups->groups[i].member_cnt; k++) {
                const struct rd_kafka_group_member_info *m = &groups->groups[i].members[k];

                if (!self || strcmp(self, m->member_id))
                    snprintf(out, size, "%s (%s)", m->client_id, m->client_host);
            }
        rd_kafka_group_list_destroy(groups);
    }
    if (self)
        rd_kafka_mem_free(l->handle.rk, self);
}

static int await_partition(struct lease *l, int wait_ms, struct err *err)
{
    int64_t now = clock_mono_us(), end = now + wait_ms * INT64_C(1000), joined = now + JOIN_MS * INT64_C(1000);
    char holder[512];

    for (;;) {
        enum lease_state state = get_state(l);

        now = clock_mono_us();
        if (state == LEASE_HELD)
            return 0;
        if (state == LEASE_LOST) {
            lease_lost(l, err);
            return -1;
        }
        if (kafka_handle_refused(&l->handle) || rd_kafka_fatal_error(l->handle.rk, NULL, 0) ||
            (state == LEASE_WAITING && now > joined && now > end))
            return kafka_handle_failed(&l->handle, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err,
                                       "The lease \"%s\" cannot be asked for", l->name);
        if (state == LEASE_EMPTY && now > end) {
            name_holder(l, holder, sizeof(holder));
            return err_set(err, ERR_LEASE,
                           "The lease \"%s\" is held by %s; stop that process, or wait %d s after its host has died, "
                           "or choose another "
                           "name.",
                           l->name, holder, SESSION_MS / 1000);
        }
        if (stop_wait_ms(20))
            return err_set(err, ERR_STOPPED, "Stopped while waiting for the lease.");
    }
}

/* ---- the lease ---- */

int lease_acquire(struct lease **out, const struct kafka_options *options, const char *group, const char *topic,
                  const char *name, int wait_ms, struct err *err)
{
    struct lease *l = xcalloc(1, sizeof(*l));
    int64_t begin = clock_mono_us(), spent;

    *out = NULL;
    l->local = -1;
    l->name = xstrdup(name);
    l->group = xstrdup(group);
    l->topic = xstrdup(topic);
    pthread_mutex_init(&l->lock, NULL);
    if (lock_local(l, options, wait_ms, err))
        goto fail;
    if (kafka_is_mock(options)) { /* nobody outside this process can see that cluster */
        l->state = LEASE_HELD;
        *out = l;
        return 0;
    }
    if (join(l, options, err))
        goto fail;
    spent = (clock_mono_us() - begin) / 1000;
    if (await_partition(l, spent < wait_ms ? wait_ms - (int)spent : 0, err))
        goto fail;
    *out = l;
    return 0;
fail:
    lease_release(l);
    return -1;
}

bool lease_lost(struct lease *l, struct err *err)
{
    bool lost;

    pthread_mutex_lock(&l->lock);
    lost = l->state == LEASE_LOST;
    if (lost && err)
        *err = l->why;
    pthread_mutex_unlock(&l->lock);
    return lost;
}

void lease_release(struct lease *l)
{
    if (!l)
        return;
    atomic_store(&l->end, true);
    if (l->running)
        pthread_join(l->thread, NULL);
    if (l->handle.rk) {
        rd_kafka_consumer_close(l->handle.rk);
        kafka_handle_release(&l->handle);
    }
    if (l->local >= 0)
        close(l->local);
    pthread_mutex_destroy(&l->lock);
    free(l->name);
    free(l->group);
    free(l->topic);
    free(l);
}
