/* fuzz_yaml: any bytes as a configuration file and as a data contract; whatever is taken must print, and be released.
 * Libraries: config contract
 * Corpus: contracts integration/pillion.example.yaml */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "contract/contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void try_options(const uint8_t *bytes, size_t len)
{
    struct err err = ERR_INIT;
    struct options o;

    options_init(&o);
    if (options_load_bytes(&o, "fuzz.yaml", bytes, len, &err) == 0) {
        char *text = NULL;
        size_t text_len;
        FILE *f = open_memstream(&text, &text_len);

        if (f) {
            options_print(&o, f);
            fclose(f);
            free(text);
        }
        /* Files of secrets are not read here: their names come from the fuzzer. */
    } else if (err.code == ERR_NONE || !*err.text)
        abort(); /* refused without a word */
    options_release(&o);
}

static void try_contract(const uint8_t *bytes, size_t len)
{
    struct err err = ERR_INIT;
    struct contract_set *set = NULL;

    if (contract_set_load_bytes(&set, "fuzz.odcs.yaml", bytes, len, NULL, NULL, &err) == 0)
        contract_set_free(set);
    else if (err.code == ERR_NONE || !*err.text)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    try_options(bytes, len);
    try_contract(bytes, len);
    return 0;
}
