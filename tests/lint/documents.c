/* documents: writes the documents that are made from the tables, for the target `documents` and for lint.py. */
#include <stdio.h>
#include <string.h>

#include "config/options_docs.h"

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";

    if (strcmp(what, "example") == 0)
        options_write_example(stdout);
    else if (strcmp(what, "reference") == 0)
        options_write_reference(stdout);
    else {
        fputs("usage: documents example|reference\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 3;
}
