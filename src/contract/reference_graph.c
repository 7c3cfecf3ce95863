/* reference_graph: ranks of the entities, parents before children; a cycle shares one rank. */
#include <stdlib.h>

#include "base/mem.h"
#include "contract/loader.h"

/* Tarjan's strongly connected components without recursion, for a graph may be as deep as it has entities. Components
 * come out parents first when edges go from child to parent, so ranks can be given as they come. */
struct walk {
    const struct contract_set *set;
    size_t *index, *low, *next_edge, *component;
    size_t *stack, n_stack; /* of the open components */
    size_t *path, n_path;   /* of the walk */
    bool *open;
    size_t counter, n_components;
};

enum { UNSEEN = 0 };

static void enter(struct walk *w, size_t v)
{
    w->index[v] = w->low[v] = ++w->counter;
    w->next_edge[v] = 0;
    w->stack[w->n_stack++] = v;
    w->open[v] = true;
    w->path[w->n_path++] = v;
}

static void close_component(struct walk *w, size_t root)
{
    const struct entity *entities = w->set->entities;
    size_t first = w->n_stack, rank = 0;

    do
        w->component[w->stack[--first]] = w->n_components;
    while (w->stack[first] != root);
    for (size_t i = first; i < w->n_stack; i++)
        for (size_t k = 0; k < entities[w->stack[i]].n_relationships; k++) {
            size_t parent = entities[w->stack[i]].relationships[k].parent;
            if (w->component[parent] != w->n_components && entities[parent].rank + 1 > rank)
                rank = entities[parent].rank + 1;
        }
    for (size_t i = first; i < w->n_stack; i++) {
        w->set->entities[w->stack[i]].rank = rank;
        w->open[w->stack[i]] = false;
    }
    w->n_stack = first;
    w->n_components++;
}

static void walk_from(struct walk *w, size_t start)
{
    enter(w, start);
    while (w->n_path) {
        size_t v = w->path[w->n_path - 1];
        const struct entity *e = &w->set->entities[v];

        if (w->next_edge[v] < e->n_relationships) {
            size_t parent = e->relationships[w->next_edge[v]++].parent;
            if (w->index[parent] == UNSEEN)
                enter(w, parent);
            else if (w->open[parent] && w->index[parent] < w->low[v])
                w->low[v] = w->index[parent];
            continue;
        }
        if (w->low[v] == w->index[v])
            close_component(w, v);
        w->n_path--;
        if (w->n_path && w->low[v] < w->low[w->path[w->n_path - 1]])
            w->low[w->path[w->n_path - 1]] = w->low[v];
    }
}

void reference_graph_rank(struct contract_set *s)
{
    size_t n = s->n_entities, *numbers = xcalloc(6 * n + 1, sizeof *numbers);
    bool *open = xcalloc(n + 1, sizeof *open);
    struct walk w = {.set = s,
                     .index = numbers,
                     .low = numbers + n,
                     .next_edge = numbers + 2 * n,
                     .component = numbers + 3 * n,
                     .stack = numbers + 4 * n,
                     .path = numbers + 5 * n,
                     .open = open};
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        w.component[i] = (size_t)-1;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < s->entities[i].n_relationships; k++)
            s->entities[s->entities[i].relationships[k].parent].is_parent = true;
        if (w.index[i] == UNSEEN)
            walk_from(&w, i);
    }
    for (size_t rank = 0; at < n; rank++)
        for (size_t i = 0; i < n; i++)
            if (s->entities[i].rank == rank)
                s->by_rank[at++] = i;
    free(numbers);
    free(open);
}
