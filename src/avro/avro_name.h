/* avro_name: names of tables, topics and columns to names that Avro allows.
 *
 * Avro: [A-Za-z_][A-Za-z0-9_]*, and dots between the parts of a full name (1.11 specification, "Names"). Every other
 * character (one UTF-8 character, not one byte) becomes '_', and a part that starts with a digit gets a '_' before it,
 * so that the same name always gives the same result. Two names may fall together: the caller compares and refuses.
 * Knows nothing of schemas. Thread: any. Ownership: the results are the caller's, freed with free(). */
#ifndef PILLION_AVRO_AVRO_NAME_H
#define PILLION_AVRO_AVRO_NAME_H

char *avro_name_field(const char *name); /* dots are replaced too */
char *avro_name_full(const char *name);  /* dots part the name; empty parts become '_' */

#endif
