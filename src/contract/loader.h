/* loader: what the parts of contract/ share while a set is loaded: the set, the documents' trees, and where findings
 * go. Private to contract/. Thread: one owner. */
#ifndef PILLION_CONTRACT_LOADER_H
#define PILLION_CONTRACT_LOADER_H

#include "contract/contract.h"
#include "contract/yaml_tree.h"

/* One relationships[] item, kept until every entity is known. */
struct pending_reference {
    size_t entity;
    const char *property; /* logical name of the property that it stands at; NULL at schema level */
    bool property_required;
    const struct yaml_node *node;
};

struct loader {
    struct contract_set *set;
    const char *file; /* the one being read */
    contract_finding_fn *fn;
    void *arg;
    struct err *err; /* takes the first error */
    size_t errors;
    size_t entities_size;
    struct pending_reference *pending; /* heap */
    size_t n_pending, pending_size;
};

/* A finding at a place of the current file. */
void loader_find(struct loader *l, bool is_error, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* A copy in the set's arena; NULL past its cap. */
char *loader_text(struct loader *l, const char *text);
/* Findings for keys of a mapping that are not in `known` (NULL-ended), with the nearest name. what: "a property". */
void loader_check_keys(struct loader *l, const struct yaml_node *mapping, const char *const known[], const char *what);

/* odcs.c: one document's entities and properties; relationships go to l->pending. */
void odcs_read(struct loader *l, const struct yaml_node *root);
/* reference.c: pending relationships to entities' relationships. */
void reference_resolve(struct loader *l);
/* reference_graph.c: rank, is_parent and by_rank. */
void reference_graph_rank(struct contract_set *s);

#endif
