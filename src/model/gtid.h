/* gtid: the identity of a transaction, and sets of them, for both vendors.
 *
 * A source is who numbers transactions: MySQL "3e11fa47-71ca-11e1-9e33-c80aa9429562" or, tagged (8.3+), "uuid:tag";
 * MariaDB "domain-server". A transaction without GTID has its file as source and its start position as number. The text
 * form is the vendor's own: "uuid:5", "uuid:tag:5", "0-1-5"; without GTID "mysql-bin.000003:1234". It is the identity
 * in every event. A gtid_set holds intervals per source, closed at both ends, merged and sorted, so membership is a
 * binary search and a set of consecutive numbers costs one interval. For MariaDB it also keeps the newest GTID of each
 * domain in order of arrival, which is what that server takes as a start position. Sources: MySQL manual "GTID Sets",
 * WL#15294 (tags); MariaDB knowledge base "GTID". Limits: GTID_TEXT bytes of text; GTID_SET_INTERVALS_MAX intervals.
 * Thread: one owner. Errors: ERR_MALFORMED, ERR_LIMIT. */
#ifndef PILLION_MODEL_GTID_H
#define PILLION_MODEL_GTID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"

enum { GTID_SOURCE = 256, GTID_TEXT = 288, GTID_SET_INTERVALS_MAX = 4 << 20 };

enum gtid_flavor {
    GTID_NONE, /* no transaction */
    GTID_MYSQL,
    GTID_MARIADB,
    GTID_FILE /* anonymous: named by its place */
};

struct gtid {
    enum gtid_flavor flavor;
    uint64_t number;
    uint32_t domain; /* MariaDB */
    uint32_t server; /* MariaDB */
    char source[GTID_SOURCE];
};

struct gtid_set; /* see gtid_set.c */

/* Sets of GTID_FILE: places rise in a file, and files rise in their number, so an entry "mysql-bin.000003:1234" means
 * all up to there in the files of that base name. They may stand beside the GTIDs of a MySQL server that turns GTIDs on
 * and off; gtid_set_encode leaves them out. */

int gtid_parse(struct gtid *g, const char *text, struct err *err);
/* Writes the text form, NUL-ended, and returns its length. */
size_t gtid_format(const struct gtid *g, char out[GTID_TEXT]);
bool gtid_equal(const struct gtid *a, const struct gtid *b);
/* A tag has up to 32 lower-case letters, digits and underlines, and no digit first; "" is none. */
bool gtid_tag_valid(const uint8_t *tag, size_t len);
/* From the fields of a GTID event. tag: valid; may be empty. */
void gtid_make_mysql(struct gtid *g, const uint8_t uuid[16], const uint8_t *tag, size_t tag_len, uint64_t number);
void gtid_make_mariadb(struct gtid *g, uint32_t domain, uint32_t server, uint64_t number);
/* An anonymous transaction that begins at `offset` of a file. */
void gtid_make_file(struct gtid *g, const char *file, uint64_t offset);

struct gtid_set *gtid_set_new(void);
void gtid_set_free(struct gtid_set *s);
struct gtid_set *gtid_set_copy(const struct gtid_set *s);
void gtid_set_clear(struct gtid_set *s);
/* MySQL "uuid:1-5:7,uuid2:tag:1" (any white space), MariaDB "0-1-5,1-2-9", "" for the empty set. For MariaDB an entry
 * means "everything of that domain and server up to the number". */
int gtid_set_parse(struct gtid_set *s, const char *text, enum gtid_flavor flavor, struct err *err);
int gtid_set_add(struct gtid_set *s, const struct gtid *g, struct err *err);
int gtid_set_union(struct gtid_set *s, const struct gtid_set *other, struct err *err);
bool gtid_set_contains(const struct gtid_set *s, const struct gtid *g);
/* Every GTID of `sub` is in `s`. MariaDB: for every domain of `sub`, `s` has reached its number. */
bool gtid_set_contains_set(const struct gtid_set *s, const struct gtid_set *sub);
bool gtid_set_empty(const struct gtid_set *s);
bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b);
/* a minus b, number of transactions (for lag and for error texts). */
uint64_t gtid_set_minus_count(const struct gtid_set *a, const struct gtid_set *b);
/* Appends the text that the vendor takes: MySQL intervals; MariaDB the newest GTID of each domain. */
int gtid_set_format(const struct gtid_set *s, struct buf *out);
/* Appends MySQL's binary form for COM_BINLOG_DUMP_GTID (tagged form when tags are present). */
int gtid_set_encode(const struct gtid_set *s, struct buf *out);
/* Adds what that binary form holds (the body of PREVIOUS_GTIDS_LOG_EVENT, both formats). */
int gtid_set_decode(struct gtid_set *s, struct cursor bytes, struct err *err);
/* Takes away what `other` holds. MariaDB: domains that `other` has reached as far. */
void gtid_set_subtract(struct gtid_set *s, const struct gtid_set *other);

#endif
