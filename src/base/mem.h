/* mem: allocation that never returns NULL. Out of memory ends the process with a message: a replicator that restarts
 * from its checkpoint is safer than one that goes on half-way. Sizes are bytes; multiplication is checked. */
#ifndef PILLION_BASE_MEM_H
#define PILLION_BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
void *xreallocarray(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
void *xmemdup(const void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t max) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
/* Overwrites a secret before it is freed; NULL is allowed. */
void xfree_secret(char *s);

#endif
