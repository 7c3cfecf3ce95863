/* transaction_feed: two small streams beside the table topics.
 *
 * `<prefix>.transaction`: BEGIN before the first captured row of a transaction and END after its last, with the number
 * of events and of each table, in Avro with Debezium's schemas (io.debezium.connector.common.TransactionMetadataKey and
 * -Value), one partition. Transactions without captured rows leave nothing.
 * `<prefix>.pillion.schema-changes`: one JSON record for each DDL statement about a captured table or database: source,
 * database, table, kind, ddl, ts_ms; key: the database's name; one partition. Statements about users and servers are
 * never in it, since they may hold secrets. Identity: header `pillion.id` "<gtid>#<n>" with n = 0 for BEGIN and 2^64-1
 * for END, the statement's number in its transaction for schema changes; header `pillion.kind` says that n is the whole
 * place. Limit: TRANSACTION_TABLES_MAX tables of one transaction are counted apart, the rest as "other". Thread: the
 * stream thread. */
#ifndef PILLION_CAPTURE_TRANSACTION_FEED_H
#define PILLION_CAPTURE_TRANSACTION_FEED_H

#include "binlog/decoder.h"
#include "capture/publisher.h"
#include "capture/table_filter.h"
#include "capture/topic_book.h"
#include "registry/registry.h"

enum { TRANSACTION_TABLES_MAX = 4096 };

struct transaction_feed;

struct transaction_feed_options {
    bool transactions, schema_changes;
    const struct table_filter *filter; /* all borrowed */
    struct topic_book *topics;
    struct registry *registry;
    struct publisher *publisher;
};

struct transaction_feed *transaction_feed_new(const struct transaction_feed_options *options);
void transaction_feed_free(struct transaction_feed *f);
void transaction_feed_begin(struct transaction_feed *f);
/* Rows of a captured table are about to be sent. */
int transaction_feed_open(struct transaction_feed *f, const struct change_source *source, struct err *err);
void transaction_feed_count(struct transaction_feed *f, const char *table, uint64_t rows);
int transaction_feed_statement(struct transaction_feed *f, const struct change_source *source,
                               const struct statement *statement, struct err *err);
int transaction_feed_commit(struct transaction_feed *f, const struct change_source *source, struct err *err);

#endif
