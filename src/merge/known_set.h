/* known_set: keys that are known to exist, bounded in memory, never wrong: what it has not is only not known.
 *
 * Two generations: when the young one holds half of the cap it becomes the old one, and what the old one held is
 * forgotten; a key that is asked for comes back into the young one. Integer keys are bits in blocks of 4096 ids, so
 * dense ids cost a few bits each; others are kept as text. The cap counts text keys; a block counts as BLOCK_COST of
 * them. Thread: one owner. Pure. */
#ifndef PILLION_MERGE_KNOWN_SET_H
#define PILLION_MERGE_KNOWN_SET_H

#include <stdbool.h>
#include <stddef.h>

struct known_set;

struct known_set *known_set_new(size_t max);
void known_set_free(struct known_set *s);
void known_set_add(struct known_set *s, size_t entity, const char *key);
bool known_set_has(struct known_set *s, size_t entity, const char *key);
void known_set_remove(struct known_set *s, size_t entity, const char *key);
void known_set_clear(struct known_set *s);
/* Something was forgotten for want of room since the last clear: a key that is not there may have been. */
bool known_set_forgot(const struct known_set *s);

#endif
