#include "capture/recovery.h"

#include <stdlib.h>
#include <string.h>

#include "avro/envelope_reader.h"
#include "avro/table_codec.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/topic_tail.h"

enum { WIRE_HEAD = 5 };

static const char identity_header[] = "pillion.id";

struct reader { /* of one writer schema */
    uint32_t id;
    struct envelope_reader *reader;
};

struct known_topic { /* read at start */
    char *name;
    size_t n;
    int64_t *ends, *highs;
};

struct recovery {
    struct recovery_options o;
    struct consumer *consumer;
    struct published *published;
    struct reader *readers;
    size_t n_readers;
    struct known_topic *known;
    size_t n_known;
    const struct checkpoint *checkpoint; /* borrowed; NULL before recovery_start */
    char gtid_text[GTID_TEXT];           /* of the record before: most records share it with the next */
    struct gtid gtid;
    bool covered; /* the checkpoint's position holds that transaction */
    uint64_t records;
};

int recovery_new(struct recovery **out, const struct recovery_options *options, struct err *err)
{
    struct consumer_options c = {.kafka = options->kafka, .fetch_bytes = 8u << 20};
    struct recovery *r = xcalloc(1, sizeof(*r));

    *out = NULL;
    r->o = *options;
    if (consumer_new(&r->consumer, &c, err)) {
        free(r);
        return -1;
    }
    r->published = published_new();
    *out = r;
    return 0;
}

void recovery_free(struct recovery *r)
{
    if (!r)
        return;
    consumer_free(r->consumer);
    published_free(r->published);
    for (size_t i = 0; i < r->n_readers; i++)
        envelope_reader_free(r->readers[i].reader);
    for (size_t i = 0; i < r->n_known; i++) {
        free(r->known[i].name);
        free(r->known[i].ends);
        free(r->known[i].highs);
    }
    free(r->readers);
    free(r->known);
    free(r);
}

struct consumer *recovery_consumer(struct recovery *r)
{
    return r->consumer;
}

struct published *recovery_published(struct recovery *r)
{
    return r->published;
}

uint64_t recovery_records(const struct recovery *r)
{
    return r->records;
}

static int need_reader(struct recovery *r, uint32_t id, struct envelope_reader **out, struct err *err)
{
    const char *schema;

    for (size_t i = 0; i < r->n_readers; i++)
        if (r->readers[i].id == id) {
            *out = r->readers[i].reader;
            return 0;
        }
    if (registry_schema(r->o.registry, id, &schema, err))
        return -1;
    *out = envelope_reader_new(schema, strlen(schema), err);
    if (!*out)
        return err_prefix(err, "schema id %u", (unsigned)id);
    r->readers = xreallocarray(r->readers, r->n_readers + 1, sizeof(*r->readers));
    r->readers[r->n_readers++] = (struct reader){id, *out};
    return 0;
}

static int read_envelope(struct recovery *r, const struct record *record, struct envelope *e, struct err *err)
{
    struct cursor value = cursor_of(record->value, record->value_len);
    struct envelope_reader *reader;
    uint8_t magic = cursor_u8(&value);
    uint32_t id = (uint32_t)cursor_be(&value, 4);

    if (!cursor_ok(&value) || magic)
        return err_set(err, ERR_MALFORMED, "its value is not in the Confluent wire format");
    return need_reader(r, id, &reader, err) || envelope_read(reader, value, e, err) ? -1 : 0;
}

/* "<gtid>#<index>" */
static bool split_identity(const char *bytes, size_t len, size_t *gtid_len, uint64_t *index)
{
    const char *mark = memrchr(bytes, '#', len);
    uint64_t n = 0;

    if (!mark || mark + 1 == bytes + len)
        return false;
    for (const char *p = mark + 1; p < bytes + len; p++) {
        if (*p < '0' || *p > '9' || n > (UINT64_MAX - (uint64_t)(*p - '0')) / 10)
            return false;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    *gtid_len = (size_t)(mark - bytes);
    *index = n;
    return true;
}

static int use_gtid(struct recovery *r, const char *text, size_t len, struct err *err)
{
    if (!len || len >= GTID_TEXT)
        return err_set(err, ERR_MALFORMED, "its transaction id has %zu bytes", len);
    if (strlen(r->gtid_text) == len && !memcmp(r->gtid_text, text, len))
        return 0;
    memcpy(r->gtid_text, text, len);
    r->gtid_text[len] = '\0';
    if (gtid_parse(&r->gtid, r->gtid_text, err)) {
        r->gtid_text[0] = '\0';
        return -1;
    }
    r->covered =
        r->checkpoint && r->checkpoint->position.gtids && gtid_set_contains(r->checkpoint->position.gtids, &r->gtid);
    return 0;
}

/* Which place does the record have within its transaction and partition? The counterpart of what table_route and
 * transaction_feed give to publisher_send. */
static int identify(struct recovery *r, const struct record *record, uint64_t *place, struct err *err)
{
    const void *header;
    size_t header_len, gtid_len;
    struct envelope e;
    uint64_t index;

    if (record_header(record, identity_header, &header, &header_len)) {
        const void *kind;
        size_t kind_len;

        if (!split_identity(header, header_len, &gtid_len, &index))
            return err_set(err, ERR_MALFORMED, "its header %s is not \"<gtid>#<index>\"", identity_header);
        if (use_gtid(r, header, gtid_len, err))
            return -1;
        if (!record->value) {
            *place = table_record_place(index, 0);
        } else if (record_header(record, "pillion.kind", &kind, &kind_len)) {
            *place = index; /* of the transaction or schema-change topic */
        } else {
            if (read_envelope(r, record, &e, err))
                return -1;
            *place = table_record_place(index, e.op);
        }
        return 0;
    }
    if (!record->value)
        return err_set(err, ERR_MALFORMED, "it has neither a value nor the header %s", identity_header);
    if (read_envelope(r, record, &e, err))
        return -1;
    if (!e.source.gtid || e.source.index == UINT64_MAX)
        return err_set(err, ERR_MALFORMED, "its source block has no gtid and txn_index");
    if (use_gtid(r, e.source.gtid, e.source.gtid_len, err))
        return -1;
    *place = table_record_place(e.source.index, e.op);
    return 0;
}

static int take(void *arg, const struct record *record, struct err *err)
{
    struct recovery *r = arg;
    uint64_t place = 0;

    r->records++;
    if (identify(r, record, &place, err)) {
        if (err_class(err) == ERR_CLASS_DATA && err) {
            struct err cause = *err;

            err_set(err, ERR_CHECKPOINT,
                    "Topic %s, partition %d, offset %lld holds a record that this capture cannot have written: "
                    "%.300s. Give capture topics of its own, or another prefix.",
                    record->topic, (int)record->partition, (long long)record->offset, cause.text);
        }
        return -1;
    }
    if (r->covered)
        return 0;
    return published_saw(r->published, record->topic, record->partition, &r->gtid, place, err);
}

static struct known_topic *add_known(struct recovery *r, const char *name, size_t n)
{
    struct known_topic *k;

    r->known = xreallocarray(r->known, r->n_known + 1, sizeof(*r->known));
    k = &r->known[r->n_known++];
    *k = (struct known_topic){xstrdup(name), n, xcalloc(n, sizeof(int64_t)), xcalloc(n, sizeof(int64_t))};
    return k;
}

static int partitions_changed(const char *topic, size_t was, int is, struct err *err)
{
    return err_set(err, ERR_EPOCH,
                   "Topic %s had %zu partitions at the newest checkpoint and has %d now: keys would move to other "
                   "partitions and lose their order. Make the topic anew with %zu, or capture under another prefix.",
                   topic, was, is, was);
}

/* The watermarks of a topic against the checkpoint's ends. *anew: it was made again since. */
static int compare(struct recovery *r, const struct checkpoint *c, struct known_topic *k, struct topic_tail_part *parts,
                   bool *anew, struct err *err)
{
    *anew = false;
    for (size_t i = 0; i < k->n; i++)
        parts[i] = (struct topic_tail_part){.topic = k->name, .partition = (int32_t)i};
    if (topic_tail_look(r->consumer, parts, k->n, err))
        return -1;
    for (size_t i = 0; i < k->n; i++) {
        k->ends[i] = c ? checkpoint_end(c, k->name, (int32_t)i) : 0;
        k->highs[i] = parts[i].high;
        *anew |= k->ends[i] > parts[i].high;
    }
    for (size_t i = 0; i < k->n; i++) {
        if (*anew)
            k->ends[i] = 0;
        if (parts[i].from < k->ends[i])
            parts[i].from = k->ends[i];
    }
    return 0;
}

static uint32_t next_epoch(uint32_t epoch)
{
    uint32_t now = (uint32_t)(clock_wall_us() / 1000000);

    return now > epoch ? now : epoch + 1;
}

int recovery_start(struct recovery *r, struct checkpoint *c, struct err *err)
{
    struct topic_tail_part *parts = NULL;
    size_t n_parts = 0;
    bool any_anew = false;
    int rc = -1;

    r->checkpoint = c;
    for (size_t i = 0; i < c->n_topics;) {
        const char *name = c->topics[i].name;
        struct known_topic *k;
        int partitions = 0;
        bool anew;

        if (admin_client_partitions(r->o.admin, name, &partitions, err))
            goto out;
        if (!partitions) { /* deleted: it is made again when a row comes */
            any_anew = true;
            checkpoint_forget_topic(c, name);
            continue;
        }
        if ((size_t)partitions != c->topics[i].n_partitions) {
            partitions_changed(name, c->topics[i].n_partitions, partitions, err);
            goto out;
        }
        k = add_known(r, name, (size_t)partitions);
        parts = xreallocarray(parts, n_parts + k->n, sizeof(*parts));
        if (compare(r, c, k, parts + n_parts, &anew, err))
            goto out;
        n_parts += k->n;
        if (anew) {
            any_anew = true;
            for (int p = 0; p < partitions; p++)
                checkpoint_set_end(c, name, p, 0);
        }
        i++;
    }
    if (any_anew)
        c->epoch = next_epoch(c->epoch);
    rc = topic_tail_read(r->consumer, parts, n_parts, take, r, err);
out:
    free(parts);
    return rc;
}

static int64_t *copy_of(const int64_t *numbers, size_t n)
{
    return xmemdup(numbers, n * sizeof(*numbers));
}

static void forget_newest(struct recovery *r)
{
    struct known_topic *k = &r->known[--r->n_known];

    published_forget(r->published, k->name);
    free(k->name);
    free(k->ends);
    free(k->highs);
}

int recovery_topic(struct recovery *r, const char *topic, int partitions, int64_t **ends, int64_t **highs,
                   struct err *err)
{
    struct known_topic *k = NULL;
    struct topic_tail_part *parts;
    bool anew;
    int rc;

    for (size_t i = 0; i < r->n_known && !k; i++)
        if (!strcmp(r->known[i].name, topic))
            k = &r->known[i];
    if (k) {
        if (k->n != (size_t)partitions)
            return partitions_changed(topic, k->n, partitions, err);
    } else {
        k = add_known(r, topic, (size_t)partitions);
        parts = xcalloc(k->n, sizeof(*parts));
        rc = compare(r, NULL, k, parts, &anew, err) || topic_tail_read(r->consumer, parts, k->n, take, r, err);
        free(parts);
        if (rc) { /* tried again, all of it */
            forget_newest(r);
            return -1;
        }
    }
    *ends = copy_of(k->ends, k->n);
    *highs = copy_of(k->highs, k->n);
    return 0;
}
