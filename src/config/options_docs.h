/* options_docs: what is written for people from the tables: help, the example file, the reference page, and what is in
 * force.
 *
 * Pure functions of options.def, base/metric.def and base/err.def, so that a lint test can keep the files in the
 * repository equal to them. Thread: any. They write to a FILE and look at no error: the caller looks at ferror. */
#ifndef PILLION_CONFIG_OPTIONS_DOCS_H
#define PILLION_CONFIG_OPTIONS_DOCS_H

#include <stdio.h>

#include "config/options.h"

/* The options part of --help. sections: paths of options.def ("source"), ended by NULL; NULL for all. */
void options_help(FILE *out, const char *const sections[]);
/* integration/pillion.example.yaml */
void options_write_example(FILE *out);
/* src/config/REFERENCE.md */
void options_write_reference(FILE *out);

#endif
