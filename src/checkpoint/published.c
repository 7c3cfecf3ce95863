/* published.c: see published.h. */
#include "checkpoint/published.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct slot {
    int32_t partition;
    bool any;     /* newest is set */
    bool touched; /* the transaction that is read again now was seen here */
    struct gtid newest;
    uint64_t newest_index;
    struct gtid_set *older; /* complete transactions */
    uint64_t left;          /* transactions seen and not yet read again */
};

struct topic {
    char *name;
    struct slot *slots;
    size_t n;
};

struct published {
    struct topic *topics;
    size_t n_topics;
    size_t hint;
    size_t slots_left; /* slots with transactions left */
};

struct published *published_new(void)
{
    return xcalloc(1, sizeof(struct published));
}

void published_free(struct published *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_topics; i++) {
        for (size_t j = 0; j < p->topics[i].n; j++)
            gtid_set_free(p->topics[i].slots[j].older);
        free(p->topics[i].slots);
        free(p->topics[i].name);
    }
    free(p->topics);
    free(p);
}

static struct slot *find(struct published *p, const char *name, int32_t partition)
{
    struct topic *t = p->hint < p->n_topics ? &p->topics[p->hint] : NULL;

    if (!t || strcmp(t->name, name)) {
        t = NULL;
        for (size_t i = 0; i < p->n_topics; i++)
            if (!strcmp(p->topics[i].name, name)) {
                p->hint = i;
                t = &p->topics[i];
                break;
            }
    }
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n; i++)
        if (t->slots[i].partition == partition)
            return &t->slots[i];
    return NULL;
}

static struct slot *need(struct published *p, const char *name, int32_t partition)
{
    struct slot *s = find(p, name, partition);
    struct topic *t = NULL;

    if (s)
        return s;
    for (size_t i = 0; i < p->n_topics && !t; i++)
        if (!strcmp(p->topics[i].name, name))
            t = &p->topics[i];
    if (!t) {
        p->topics = xreallocarray(p->topics, p->n_topics + 1, sizeof(*p->topics));
        t = &p->topics[p->n_topics++];
        *t = (struct topic){.name = xstrdup(name)};
    }
    t->slots = xreallocarray(t->slots, t->n + 1, sizeof(*t->slots));
    s = &t->slots[t->n++];
    *s = (struct slot){.partition = partition, .older = gtid_set_new()};
    return s;
}

int published_saw(struct published *p, const char *topic, int32_t partition, const struct gtid *gtid, uint64_t index,
                  struct err *err)
{
    struct slot *s = need(p, topic, partition);

    if (s->any && gtid_equal(&s->newest, gtid)) {
        if (index > s->newest_index)
            s->newest_index = index;
        return 0;
    }
    if (s->any && gtid_set_add(s->older, &s->newest, err))
        return err_prefix(err, "reading back topic %s, partition %d", topic, (int)partition);
    if (!s->left++)
        p->slots_left++;
    s->any = true;
    s->newest = *gtid;
    s->newest_index = index;
    return 0;
}

void published_forget(struct published *p, const char *topic)
{
    for (size_t i = 0; i < p->n_topics; i++) {
        struct topic *t = &p->topics[i];

        if (strcmp(t->name, topic) != 0)
            continue;
        for (size_t j = 0; j < t->n; j++) {
            p->slots_left -= t->slots[j].left != 0;
            gtid_set_free(t->slots[j].older);
        }
        t->n = 0;
    }
}

bool published_has(struct published *p, const char *topic, int32_t partition, const struct gtid *gtid, uint64_t index)
{
    struct slot *s = find(p, topic, partition);
    bool has;

    if (!s || !s->left)
        return false;
    if (gtid_equal(&s->newest, gtid))
        has = index <= s->newest_index;
    else
        has = gtid_set_contains(s->older, gtid);
    if (has)
        s->touched = true;
    return has;
}

void published_committed(struct published *p)
{
    for (size_t i = 0; i < p->n_topics && p->slots_left; i++)
        for (size_t j = 0; j < p->topics[i].n; j++) {
            struct slot *s = &p->topics[i].slots[j];

            if (!s->touched)
                continue;
            s->touched = false;
            if (!--s->left)
                p->slots_left--;
        }
}

bool published_empty(const struct published *p)
{
    return !p->slots_left;
}
