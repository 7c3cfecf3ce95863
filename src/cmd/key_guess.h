/* key_guess: the values of silver's `_id` that a key, as a person writes it, may stand for.
 *
 * A key's text (merge/key_text.h) does not tell the column's type: 7 may be a number or text. So each part is tried as
 * text, integer, double, decimal and bytes (0x and hexadecimal) as far as it reads as such; a composite key's parts are
 * joined by commas. Limit: KEY_GUESS_MAX values. Ownership: the ids are the guess's. Thread: any. Errors: ERR_USAGE. */
#ifndef PILLION_CMD_KEY_GUESS_H
#define PILLION_CMD_KEY_GUESS_H

#include <bson/bson.h>

#include "contract/contract.h"

enum { KEY_GUESS_MAX = 256 };

struct key_guess {
    bson_t *ids[KEY_GUESS_MAX]; /* {"_id": value} */
    size_t n;
};

/* An error leaves nothing to release. */
int key_guess_init(struct key_guess *g, const struct entity *entity, const char *text, struct err *err);
void key_guess_release(struct key_guess *g);

#endif
