/* options_value: how one value gets into struct options; shared by the layers, private to config/.
 *
 * Errors here are without place; the layer that calls puts it before them. Thread: the filler of the options. */
#ifndef PILLION_CONFIG_OPTIONS_VALUE_H
#define PILLION_CONFIG_OPTIONS_VALUE_H

#include "config/options.h"

/* The member of an option. */
void *options_member(struct options *o, int id);
const void *options_member_const(const struct options *o, int id);
/* A scalar into any kind but LIST and MAP. */
int options_value_scalar(struct options *o, int id, bool is_file, const char *text, size_t len,
                         struct option_origin origin, struct err *err);
/* Empties a list or map, and appends to it. */
void options_value_clear(struct options *o, int id);
int options_value_add_item(struct options *o, int id, const char *text, size_t len, struct err *err);
int options_value_add_pair(struct options *o, int id, const char *name, const char *value, size_t len, struct err *err);
/* A YAML flow text ("[a, b]" or "{a: b}") into a list or map. */
int options_value_flow(struct options *o, int id, const char *text, struct err *err);

#endif
