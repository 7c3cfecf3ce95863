/* checkpoint.c: see checkpoint.h; the format is schemas/checkpoint.schema.json. */
#include "checkpoint/checkpoint.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const flavors[] = {"none", "mysql", "mariadb", "file"};

void checkpoint_init(struct checkpoint *c)
{
    memset(c, 0, sizeof(*c));
    position_init(&c->position);
}

void checkpoint_release(struct checkpoint *c)
{
    for (size_t i = 0; i < c->n_topics; i++) {
        free(c->topics[i].name);
        free(c->topics[i].ends);
    }
    free(c->topics);
    free(c->name);
    position_release(&c->position);
    memset(c, 0, sizeof(*c));
}

static struct checkpoint_topic *find_topic(const struct checkpoint *c, const char *name)
{
    for (size_t i = 0; i < c->n_topics; i++)
        if (!strcmp(c->topics[i].name, name))
            return &c->topics[i];
    return NULL;
}

int64_t checkpoint_end(const struct checkpoint *c, const char *topic, int32_t partition)
{
    const struct checkpoint_topic *t = find_topic(c, topic);

    return t && partition >= 0 && (size_t)partition < t->n_partitions ? t->ends[partition] : 0;
}

size_t checkpoint_partitions(const struct checkpoint *c, const char *topic)
{
    const struct checkpoint_topic *t = find_topic(c, topic);

    return t ? t->n_partitions : 0;
}

static struct checkpoint_topic *need_partitions(struct checkpoint *c, const char *name, size_t n)
{
    struct checkpoint_topic *t = find_topic(c, name);

    if (!t) {
        c->topics = xreallocarray(c->topics, c->n_topics + 1, sizeof(*c->topics));
        t = &c->topics[c->n_topics++];
        *t = (struct checkpoint_topic){xstrdup(name), NULL, 0};
    }
    if (n > t->n_partitions) {
        t->ends = xreallocarray(t->ends, n, sizeof(*t->ends));
        memset(t->ends + t->n_partitions, 0, (n - t->n_partitions) * sizeof(*t->ends));
        t->n_partitions = n;
    }
    return t;
}

void checkpoint_set_partitions(struct checkpoint *c, const char *topic, size_t n)
{
    if (n <= CHECKPOINT_PARTITIONS_MAX)
        (void)need_partitions(c, topic, n);
}

void checkpoint_set_end(struct checkpoint *c, const char *topic, int32_t partition, int64_t end)
{
    if (partition >= 0 && partition < CHECKPOINT_PARTITIONS_MAX)
        need_partitions(c, topic, (size_t)partition + 1)->ends[partition] = end;
}

void checkpoint_forget_topic(struct checkpoint *c, const char *topic)
{
    struct checkpoint_topic *t = find_topic(c, topic);

    if (!t)
        return;
    free(t->name);
    free(t->ends);
    *t = c->topics[--c->n_topics];
}

static int write_buf(const char *bytes, size_t n, void *arg)
{
    return buf_put(arg, bytes, n);
}

int checkpoint_encode(const struct checkpoint *c, struct buf *out, struct err *err)
{
    struct buf gtids;
    json_t *topics = json_object(), *root = NULL;
    int rc = -1;

    buf_init(&gtids, CHECKPOINT_BYTES_MAX / 2);
    /* Of a log without GTIDs the file is the place; a set that an older log's head told is not its. */
    if (c->position.flavor != GTID_FILE && c->position.gtids && gtid_set_format(c->position.gtids, &gtids)) {
        err_set(err, ERR_CHECKPOINT,
                "The GTID set of the checkpoint is longer than %d bytes; look for gaps in the server's "
                "gtid_executed.",
                CHECKPOINT_BYTES_MAX / 2);
        goto out;
    }
    for (size_t i = 0; i < c->n_topics; i++) {
        json_t *ends;

        if (!c->topics[i].n_partitions)
            continue;
        ends = json_array();
        for (size_t j = 0; j < c->topics[i].n_partitions; j++)
            json_array_append_new(ends, json_integer(c->topics[i].ends[j]));
        json_object_set_new(topics, c->topics[i].name, ends);
    }
    root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:O}", "format", CHECKPOINT_FORMAT, "name",
                     c->name ? c->name : "", "flavor", flavors[c->position.flavor], "server_uuid",
                     c->position.server_uuid, "gtids", buf_cstr(&gtids), "file", c->position.file, "offset",
                     (json_int_t)c->position.offset, "commit_us", (json_int_t)c->position.commit_us, "epoch",
                     (json_int_t)c->epoch, "written_us", (json_int_t)c->written_us, "topics", topics);
    if (!root) {
        err_set(err, ERR_CHECKPOINT, "The checkpoint holds a name that is not UTF-8.");
        goto out;
    }
    if (json_dump_callback(root, write_buf, out, JSON_COMPACT)) {
        err_set(err, ERR_CHECKPOINT, "The checkpoint is longer than %zu bytes; split the capture by its table filter.",
                out->cap);
        goto out;
    }
    rc = 0;
out:
    json_decref(root);
    json_decref(topics);
    buf_release(&gtids);
    return rc;
}

static int bad(struct err *err, const char *member)
{
    return err_set(err, ERR_CHECKPOINT,
                   "The checkpoint's member \"%s\" is missing or not as schemas/checkpoint.schema.json says; "
                   "set a position with `pillion position set`.",
                   member);
}

static int take_text(const json_t *root, const char *member, char *out, size_t size, struct err *err)
{
    const json_t *v = json_object_get(root, member);

    if (!json_is_string(v) || json_string_length(v) >= size || strlen(json_string_value(v)) != json_string_length(v))
        return bad(err, member);
    memcpy(out, json_string_value(v), json_string_length(v) + 1);
    return 0;
}

static int take_number(const json_t *root, const char *member, int64_t max, int64_t *out, struct err *err)
{
    const json_t *v = json_object_get(root, member);

    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
        return bad(err, member);
    *out = json_integer_value(v);
    return 0;
}

static int take_topics(struct checkpoint *out, json_t *topics, struct err *err)
{
    const char *name;
    json_t *ends, *end;
    size_t i;

    if (!json_is_object(topics) || json_object_size(topics) > CHECKPOINT_TOPICS_MAX)
        return bad(err, "topics");
    json_object_foreach(topics, name, ends)
    {
        if (!json_is_array(ends) || !json_array_size(ends) || json_array_size(ends) > CHECKPOINT_PARTITIONS_MAX)
            return bad(err, "topics");
        (void)need_partitions(out, name, json_array_size(ends));
        json_array_foreach(ends, i, end)
        {
            if (!json_is_integer(end) || json_integer_value(end) < 0)
                return bad(err, "topics");
            checkpoint_set_end(out, name, (int32_t)i, json_integer_value(end));
        }
    }
    return 0;
}

static int take_position(struct position *p, const json_t *root, struct err *err)
{
    const json_t *gtids = json_object_get(root, "gtids");
    char flavor[16];
    int64_t n;
    size_t i;

    if (take_text(root, "flavor", flavor, sizeof(flavor), err))
        return -1;
    for (i = 0; i < sizeof(flavors) / sizeof(*flavors) && strcmp(flavors[i], flavor); i++)
        ;
    if (i == sizeof(flavors) / sizeof(*flavors))
        return bad(err, "flavor");
    p->flavor = (enum gtid_flavor)i;
    if (take_text(root, "server_uuid", p->server_uuid, sizeof(p->server_uuid), err) ||
        take_text(root, "file", p->file, sizeof(p->file), err) || take_number(root, "offset", INT64_MAX, &n, err))
        return -1;
    p->offset = (uint64_t)n;
    if (take_number(root, "commit_us", INT64_MAX, &p->commit_us, err))
        return -1;
    if (!json_is_string(gtids))
        return bad(err, "gtids");
    if (gtid_set_parse(p->gtids, json_string_value(gtids), p->flavor, err)) {
        err_prefix(err, "checkpoint, member \"gtids\"");
        if (err)
            err->code = ERR_CHECKPOINT;
        return -1;
    }
    return 0;
}

int checkpoint_decode(struct checkpoint *out, const void *bytes, size_t len, struct err *err)
{
    json_error_t where;
    json_t *root = NULL;
    char name[CHECKPOINT_NAME_MAX];
    int64_t format, epoch;
    int rc = -1;

    if (len > CHECKPOINT_BYTES_MAX) {
        err_set(err, ERR_CHECKPOINT,
                "The checkpoint record has %zu bytes, more than the limit of %d; it is not Pillion's.", len,
                CHECKPOINT_BYTES_MAX);
        return -1;
    }
    root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root)) {
        err_set(err, ERR_CHECKPOINT,
                "The checkpoint record is not a JSON object (%s, byte %d); set a position with `pillion position "
                "set`.",
                root ? "it is another value" : where.text, where.position);
        goto out;
    }
    if (take_number(root, "format", INT32_MAX, &format, err))
        goto out;
    if (format > CHECKPOINT_FORMAT || !format) {
        err_set(err, ERR_CHECKPOINT,
                "The checkpoint has format %" PRId64 " and this Pillion knows formats up to %d; run the newer "
                "release that wrote it.",
                format, CHECKPOINT_FORMAT);
        goto out;
    }
    checkpoint_release(out);
    checkpoint_init(out);
    if (take_text(root, "name", name, sizeof(name), err) || take_position(&out->position, root, err) ||
        take_number(root, "epoch", UINT32_MAX, &epoch, err) ||
        take_number(root, "written_us", INT64_MAX, &out->written_us, err) ||
        take_topics(out, json_object_get(root, "topics"), err))
        goto out;
    out->name = xstrdup(name);
    out->epoch = (uint32_t)epoch;
    rc = 0;
out:
    json_decref(root);
    return rc;
}
