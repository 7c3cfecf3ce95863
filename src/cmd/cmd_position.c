#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "capture/checkpoint_log.h"
#include "cmd/arguments.h"
#include "cmd/command.h"
#include "cmd/wiring.h"

enum { TEXT_BYTES = 64 << 20 };

static const char usage[] =
    "Usage: pillion position show [-c FILE] [--json]\n"
    "       pillion position set (--gtid SET | --at FILE:OFFSET) [-c FILE] [--dry-run] [--yes]\n\n"
    "The place in the source from which capture goes on, as the newest checkpoint in Kafka has it.\n"
    "`set` writes a new checkpoint; stop capture before. Changes between the old and the new place are published twice "
    "when it\n"
    "lies before, and never when it lies behind, so it shows both and asks for --yes.\n\n"
    "  --gtid SET         all transactions of the set count as published\n"
    "  --at FILE:OFFSET   for servers without GTIDs: a place between two transactions\n"
    "  --dry-run          show what would be written\n"
    "  --yes              write it\n"
    "  --json             the whole record\n"
    "  -c, --config FILE  the configuration (default: $PILLION_CONFIG)\n"
    "  -h, --help         this text\n\n"
    "Exit codes: 0 done; 1 there is no checkpoint; 2 bad usage or configuration, or --yes is missing; 3 Kafka cannot "
    "be "
    "reached.\n";

static void print_checkpoint(const struct checkpoint *c)
{
    struct buf set;

    buf_init(&set, TEXT_BYTES);
    if (c->position.gtids)
        gtid_set_format(c->position.gtids, &set);
    printf("name      %s\nserver    %s\ngtids     %s\nfile      %s:%" PRIu64 "\nepoch     %u\n", c->name,
           c->position.server_uuid[0] ? c->position.server_uuid : "(no uuid)", buf_cstr(&set), c->position.file,
           c->position.offset, c->epoch);
    for (size_t i = 0; i < c->n_topics; i++) {
        printf("topic     %s ends", c->topics[i].name);
        for (size_t p = 0; p < c->topics[i].n_partitions; p++)
            printf(" %" PRId64, c->topics[i].ends[p]);
        putchar('\n');
    }
    buf_release(&set);
}

static int print_json(const struct checkpoint *c, struct err *err)
{
    struct buf out;
    int rc;

    buf_init(&out, TEXT_BYTES);
    rc = checkpoint_encode(c, &out, err);
    if (!rc)
        puts(buf_cstr(&out));
    buf_release(&out);
    return rc;
}

static int read_newest(const struct wiring *w, struct checkpoint *c, bool *found, struct err *err)
{
    struct consumer_options options = {.kafka = wiring_kafka(w), .fetch_bytes = 8 << 20};
    struct consumer *consumer = NULL;
    struct admin_client *admin = NULL;
    int rc = -1, partitions = 0;

    *found = false;
    if (kafka_is_mock(&options.kafka))
        return err_set(err, ERR_CONFIG, "kafka.brokers is mock://, a cluster inside the daemon; use 'pillion status'.");
    if (admin_client_new(&admin, &options.kafka, err) == 0 &&
        admin_client_partitions(admin, w->checkpoint_topic, &partitions, err) == 0) {
        if (!partitions)
            rc = 0;
        else if (consumer_new(&consumer, &options, err) == 0)
            rc = checkpoint_log_read(consumer, w->checkpoint_topic, w->options.name, c, found, err);
    }
    consumer_free(consumer);
    admin_client_free(admin);
    return rc;
}

/* Puts the place that the arguments name into the checkpoint. */
static int change(struct checkpoint *c, const char *gtid, const char *at, struct err *err)
{
    if (gtid) {
        enum gtid_flavor flavor = c->position.flavor;

        if (flavor != GTID_MYSQL && flavor != GTID_MARIADB)
            flavor = strchr(gtid, ':') ? GTID_MYSQL : GTID_MARIADB;
        gtid_set_clear(c->position.gtids);
        if (gtid_set_parse(c->position.gtids, gtid, flavor, err) < 0)
            return -1;
        c->position.flavor = flavor;
        c->position.file[0] = 0;
        c->position.offset = 0;
    } else {
        const char *colon = strrchr(at, ':');
        char *end;

        if (!colon || colon == at || (size_t)(colon - at) >= sizeof c->position.file)
            return err_set(err, ERR_USAGE, "--at takes FILE:OFFSET, as mysql-bin.000003:4.");
        memcpy(c->position.file, at, (size_t)(colon - at));
        c->position.file[colon - at] = 0;
        c->position.offset = strtoull(colon + 1, &end, 10);
        if (*end || !colon[1])
            return err_set(err, ERR_USAGE, "The offset in --at %s is not a number.", at);
        c->position.flavor = GTID_FILE;
        gtid_set_clear(c->position.gtids);
    }
    c->position.commit_us = 0;
    c->position.server_uuid[0] = 0; /* the place is on whatever server is configured, which may be another now */
    c->written_us = clock_wall_us();
    return 0;
}

static int set_position(const struct wiring *w, struct checkpoint *c, bool found, const char *gtid, const char *at,
                        bool dry_run, bool yes, struct err *err)
{
    struct kafka_options kafka = wiring_kafka(w);

    if (!found) {
        free(c->name);
        c->name = xstrdup(w->options.name);
        puts("There is no checkpoint yet.");
    } else {
        puts("Now:");
        print_checkpoint(c);
    }
    if (change(c, gtid, at, err) < 0)
        return -1;
    puts("New:");
    print_checkpoint(c);
    if (dry_run)
        return 0;
    if (!yes)
        return err_set(err, ERR_USAGE, "Nothing was written; give --yes to write the new position.");
    return checkpoint_log_write(&kafka, w->checkpoint_topic, c, err);
}

static int check_options(bool set, const char *gtid, const char *at, bool of_set, bool json, struct err *err)
{
    if (set && !gtid == !at)
        return err_set(err, ERR_USAGE, "'position set' needs one of --gtid and --at.");
    if (set && json)
        return err_set(err, ERR_USAGE, "--json belongs to 'position show'.");
    if (!set && (gtid || at || of_set))
        return err_set(err, ERR_USAGE, "--gtid, --at, --dry-run and --yes belong to 'position set'.");
    return 0;
}

int cmd_position(int argc, char **argv)
{
    const char *gtid = NULL, *at = NULL, *verb = NULL;
    bool json = false, dry_run = false, yes = false, found = false;
    const struct argument_option options[] = {{"--gtid", NULL, &gtid}, {"--at", NULL, &at},
                                              {"--json", &json, NULL}, {"--dry-run", &dry_run, NULL},
                                              {"--yes", &yes, NULL},   {0}};
    struct arguments a = {
        .command = "position", .options = options, .configured = true, .words = &verb, .max_words = 1};
    struct checkpoint c;
    struct wiring w;
    struct err err = ERR_INIT;
    int rc = 0;

    if (command_help(argc, argv, usage))
        return 0;
    checkpoint_init(&c);
    if (wiring_init(&w, &argc, argv, &err) < 0)
        goto out;
    if (arguments_read(&a, argc, argv, &err) < 0)
        goto out;
    if (!verb || (strcmp(verb, "show") != 0 && strcmp(verb, "set") != 0)) {
        fputs(usage, stderr);
        rc = 2;
        goto out;
    }
    if (check_options(!strcmp(verb, "set"), gtid, at, dry_run || yes, json, &err) < 0)
        goto out;
    if (read_newest(&w, &c, &found, &err) < 0)
        goto out;
    if (!strcmp(verb, "set")) {
        set_position(&w, &c, found, gtid, at, dry_run, yes, &err);
    } else if (!found) {
        printf("There is no checkpoint of '%s' in the topic %s.\n", w.options.name, w.checkpoint_topic);
        rc = 1;
    } else if (json) {
        print_json(&c, &err);
    } else {
        print_checkpoint(&c);
    }
out:
    if (err.code)
        rc = command_fail("position", &err);
    checkpoint_release(&c);
    wiring_release(&w);
    return rc;
}
