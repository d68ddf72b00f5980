// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The validation rules of the specification:
 *
 *   1. the tree is a tree: it has no cycle and hangs from the root;
 *   2. each of its edges joins vertices whose levels differ by exactly one;
 *   3. each edge of the list joins vertices whose levels differ by at most one;
 *   4. the tree spans the whole component of its root;
 *   5. each of its edges is in the list.
 *
 * For shortest paths, "one" is the weight of the edge. Distances are compared
 * exactly: the search computes each as its parent's plus the weight, and of two
 * floats the larger one gives the larger sum.
 *
 * The levels do not come from the tree but from the search, else rule 2 could
 * not fail. The search's graph is not used either, only the edge list.
 */
#include <math.h>
#include <omp.h>

#include "graph500.h"

enum { ROOTED = 1, JOINED = 2, EXACT = 4 };

static void mark(uint8_t *marks, int64_t v, uint8_t bits)
{
	__atomic_fetch_or(&marks[v], bits, __ATOMIC_RELAXED);
}

static bool is_marked(const uint8_t *marks, int64_t v, uint8_t bits)
{
	return __atomic_load_n(&marks[v], __ATOMIC_RELAXED) & bits;
}

/* Whether the way up from @v ends at the root; marks its vertices if so. */
static bool is_rooted(const struct tree *tree, int64_t vertices, int64_t v, uint8_t *marks)
{
	int64_t steps = 0;

	for (int64_t u = v; !is_marked(marks, u, ROOTED); u = tree->parent[u]) {
		const int64_t parent = tree->parent[u];

		if (parent < 0 || parent >= vertices || ++steps > vertices)
			return false;
	}
	for (int64_t u = v; !is_marked(marks, u, ROOTED); u = tree->parent[u])
		mark(marks, u, ROOTED);
	return true;
}

static bool is_tree(const struct tree *tree, int64_t vertices, uint8_t *marks)
{
	bool broken = tree->parent[tree->root] != tree->root;

	memset(marks, 0, vertices);
	mark(marks, tree->root, ROOTED);
#pragma omp parallel for schedule(static)
	for (int64_t v = 0; v < vertices; v++) {
		if (tree->parent[v] == NO_VERTEX || __atomic_load_n(&broken, __ATOMIC_RELAXED))
			continue;
		if (!is_rooted(tree, vertices, v, marks))
			__atomic_store_n(&broken, true, __ATOMIC_RELAXED);
	}
	return !broken;
}

/* If an edge of @weight is the tree's edge above @v, say so in the marks. */
static void mark_joined(const struct tree *tree, int64_t v, int64_t parent, float weight,
			uint8_t *marks)
{
	if (tree->parent[v] != parent)
		return;
	mark(marks, v,
	     tree->distance[v] == tree->distance[parent] + weight ? JOINED | EXACT : JOINED);
}

/* Rules 3 and 4, and which edges of the tree are in the list. */
static unsigned int check_edges(const struct edge_list *list, const struct tree *tree,
				uint8_t *marks, uint64_t *traversed)
{
	uint64_t inside = 0;
	unsigned int broken = 0;

#pragma omp parallel for schedule(static) reduction(| : broken) reduction(+ : inside)
	for (uint64_t i = 0; i < list->count; i++) {
		const int64_t a = list->edges[i].from, b = list->edges[i].to;
		const bool has_a = tree->parent[a] != NO_VERTEX;
		const bool has_b = tree->parent[b] != NO_VERTEX;
		const float weight = list->weights ? list->weights[i] : 1;

		if (has_a != has_b)
			broken |= RULE_BIT(4);
		if (!has_a || !has_b)
			continue;
		inside++;
		if (a == b)
			continue;
		if (tree->distance[a] > tree->distance[b] + weight ||
		    tree->distance[b] > tree->distance[a] + weight)
			broken |= RULE_BIT(3);
		mark_joined(tree, a, b, weight, marks);
		mark_joined(tree, b, a, weight, marks);
	}
	*traversed = inside;
	return broken;
}

/* Rules 2 and 5, given the marks that check_edges() has left. */
static unsigned int check_tree_edges(const struct edge_list *list, const struct tree *tree,
				     const uint8_t *marks)
{
	unsigned int broken = tree->distance[tree->root] != 0 ? RULE_BIT(2) : 0;

#pragma omp parallel for schedule(static) reduction(| : broken)
	for (uint64_t v = 0; v < list->vertices; v++) {
		const int64_t parent = tree->parent[v];
		const bool reached = parent != NO_VERTEX, joined = marks[v] & JOINED;
		bool exact;

		/* a vertex has a level when it has a parent */
		if (reached != isfinite(tree->distance[v]))
			broken |= RULE_BIT(2);
		if (!reached || v == (uint64_t)tree->root)
			continue;
		/* the weight of an edge that is not in the list is not known */
		if (list->weights)
			exact = !joined || marks[v] & EXACT;
		else
			exact = tree->distance[v] == tree->distance[parent] + 1;
		if (!exact)
			broken |= RULE_BIT(2);
		if (!joined)
			broken |= RULE_BIT(5);
	}
	return broken;
}

unsigned int validate(const struct edge_list *list, const struct tree *tree, uint8_t *marks,
		      uint64_t *traversed)
{
	unsigned int broken;

	*traversed = 0;
	/* the other rules make no sense without a tree */
	if (!is_tree(tree, list->vertices, marks))
		return RULE_BIT(1);
	broken = check_edges(list, tree, marks, traversed);
	return broken | check_tree_edges(list, tree, marks);
}
