/* gtid_text: the words of GTIDs, shared by gtid.c and gtid_set.c alone. Each reads at *p, moves it past what was read,
 * and gives false (with *p as it was) when the word is not there or too long. */
#ifndef PILLION_MODEL_GTID_TEXT_H
#define PILLION_MODEL_GTID_TEXT_H

#include "model/gtid.h"

bool gtid_read_number(const char **p, const char *end, uint64_t max, uint64_t *out);
bool gtid_read_uuid(const char **p, const char *end, char out[37]); /* in lower case */
bool gtid_read_tag(const char **p, const char *end, char out[33]);  /* in lower case */

#endif
