/* table_filter: which tables are captured.
 *
 * Patterns are POSIX extended regular expressions that must match the whole of `database.table`. A table is taken when
 * it is in no system database (mysql, sys, information_schema, performance_schema: never), matches an include pattern
 * (or there is none), and matches no exclude pattern. Without exclude patterns the helper tables of online schema
 * change tools are out:
 * `_x_gho`, `_x_ghc`, `_x_del` (gh-ost), `_x_new`, `_x_old` (pt-online-schema-change); their renames need nothing else,
 * because the shape of every row comes with it. Errors: ERR_CONFIG with the pattern. Immutable: any thread. */
#ifndef PILLION_CAPTURE_TABLE_FILTER_H
#define PILLION_CAPTURE_TABLE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct table_filter;

int table_filter_new(struct table_filter **out, const char *const *include, size_t n_include,
                     const char *const *exclude, size_t n_exclude, struct err *err);
void table_filter_free(struct table_filter *f);
bool table_filter_takes(const struct table_filter *f, const char *database, const char *table);
/* Could any table of the database be taken? For statements that name no table. */
bool table_filter_system(const char *database);

#endif
