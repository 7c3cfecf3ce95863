/* contract: data contracts (Open Data Contract Standard 3.x, YAML) as far as capture and merge act on them.
 *
 * A folder or a file is loaded into one contract_set: every schema[] object is an entity (a table, its topic, its
 * silver collection), with properties, key and relationships. relationships are read at both levels and in both
 * notations, composite too; what the standard lacks comes from their customProperties: known (ever|current),
 * onParentDelete (keep|cascade|hold), required. Source: ODCS v3.1 (bitol-io/open-data-contract-standard),
 * docs/references.md. Validation: every finding has file, line and column; unknown keys outside customProperties are
 * findings; a relationship to a missing target is one. YAML is untrusted: bytes, depth, nodes and aliases are capped.
 * Ownership: the set owns everything; immutable after load. Errors: ERR_CONTRACT with the first finding's place and
 * text. */
#ifndef PILLION_CONTRACT_CONTRACT_H
#define PILLION_CONTRACT_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

enum { CONTRACT_FILES_MAX = 1000, CONTRACT_ENTITIES_MAX = 10000, CONTRACT_REFERENCES_MAX = 64 /* of one entity */ };

enum known_mode { KNOWN_EVER, KNOWN_CURRENT };
enum parent_delete { PARENT_DELETE_KEEP, PARENT_DELETE_CASCADE, PARENT_DELETE_HOLD };

struct contract_property {
    const char *id;            /* "" when absent */
    const char *logical_name;  /* name; nested ones joined by dots: address.street */
    const char *name;          /* the column: physicalName when given, else name */
    const char *logical_type;  /* "" when absent */
    const char *physical_type; /* "" when absent */
    const char *classification;
    bool required, unique, primary_key;
    int key_position; /* 1.. ; 0: not in the key */
    int line;
};

struct relationship {
    const char *name;           /* for metrics and texts: "rides.client_id -> users.id" */
    size_t parent;              /* index of the entity */
    const char **child_columns; /* n_columns */
    const char **parent_columns;
    size_t n_columns;
    enum known_mode known;
    enum parent_delete on_parent_delete;
    bool required; /* a NULL reference is a violation */
    int line;
};

struct entity {
    const char *id;       /* "" when absent */
    const char *name;     /* schema[].name: the silver collection */
    const char *database; /* from physicalName "db.table" or the contract's server; "" matches any */
    const char *table;
    struct contract_property *properties;
    size_t n_properties;
    const char **key; /* column names in key order */
    size_t n_key;
    struct relationship *relationships; /* to its parents; parent_columns are the parent's key, in its order */
    size_t n_relationships;
    bool is_parent; /* somebody refers to it */
    size_t rank;    /* parents have a smaller rank than children; equal within a cycle */
    const char *file;
    int line;
};

struct contract_set {
    struct arena arena;
    struct entity *entities;
    size_t n_entities;
    size_t *by_rank; /* entity indexes, parents first */
};

struct contract_finding {
    const char *file;
    int line, column;
    bool is_error;
    char text[512];
};
typedef void contract_finding_fn(void *arg, const struct contract_finding *finding);

/* path: a folder (its *.yaml and *.yml, sorted) or a file. Findings go to fn (may be NULL). -1 when any is an error. */
int contract_set_load(struct contract_set **out, const char *path, contract_finding_fn *fn, void *arg, struct err *err);
int contract_set_load_bytes(struct contract_set **out, const char *name, const void *bytes, size_t len,
                            contract_finding_fn *fn, void *arg, struct err *err);
void contract_set_free(struct contract_set *s);
/* The entity of a table, or -1. */
int contract_set_find(const struct contract_set *s, const char *database, const char *table);

#endif
