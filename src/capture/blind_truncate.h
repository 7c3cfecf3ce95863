/* blind_truncate: the truncate event of a table of which no row came since the start, so that its shape is not known.
 *
 * A truncate event holds no row, so its bytes do not depend on the table's columns; only the schema id does. It is
 * taken from the newest record with a value in the topic. A topic that does not exist or is empty needs no truncate
 * event: nobody has a row of it. Thread: the stream thread. Errors: topic_book.h's, table_codec.h's, ERR_KAFKA. */
#ifndef PILLION_CAPTURE_BLIND_TRUNCATE_H
#define PILLION_CAPTURE_BLIND_TRUNCATE_H

#include "capture/capture.h"
#include "capture/publisher.h"
#include "capture/recovery.h"
#include "capture/topic_book.h"
#include "capture/transaction_feed.h"

struct blind_truncate_options {
    const struct capture_options *capture; /* all borrowed */
    struct topic_book *topics;
    struct recovery *recovery;
    struct publisher *publisher;
    struct transaction_feed *feed;
};

/* *sent: false when nothing had to be said. index: the statement's number in its transaction. */
int blind_truncate(const struct blind_truncate_options *options, const struct change_source *source,
                   const char *database, const char *table, uint64_t index, bool *sent, struct err *err);

#endif
