// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wrong trees, to see each rule of the validation reject one: every change
 * below breaks one rule and is careful to keep the others.
 */
#include <math.h>

#include "graph500.h"

static bool in_tree(const struct tree *tree, int64_t v)
{
	return tree->parent[v] != NO_VERTEX;
}

static bool adjacent(const struct graph *g, int64_t v, int64_t w)
{
	for (uint64_t i = g->offsets[2 * v]; i < g->offsets[2 * v + 1]; i++)
		if (neighbour(g, i) == w)
			return true;
	return false;
}

/* A circle: the parent of a vertex becomes its child. */
static bool break_rule_1(struct tree *tree, int64_t v)
{
	const int64_t parent = tree->parent[v];

	if (parent == tree->root)
		return false;
	tree->parent[parent] = v;
	return true;
}

/* A neighbour of the wrong level becomes the parent. */
static bool break_rule_2(const struct graph *g, struct tree *tree, int64_t v)
{
	for (uint64_t i = g->offsets[2 * v]; i < g->offsets[2 * v + 1]; i++) {
		const int64_t w = neighbour(g, i);

		if (tree->distance[w] + weight(g, i) == tree->distance[v])
			continue;
		tree->parent[v] = w;
		return true;
	}
	return false;
}

/* A detour: the old parent is now nearer than its edge to @v allows. */
static bool break_rule_3(const struct graph *g, struct tree *tree, int64_t v)
{
	for (uint64_t i = g->offsets[2 * v]; i < g->offsets[2 * v + 1]; i++) {
		const int64_t w = neighbour(g, i);
		const float distance = tree->distance[w] + weight(g, i);

		if (distance <= tree->distance[v])
			continue;
		tree->parent[v] = w;
		tree->distance[v] = distance;
		return true;
	}
	return false;
}

/* A leaf that the search has missed. */
static bool break_rule_4(struct tree *tree, int64_t v)
{
	tree->parent[v] = NO_VERTEX;
	tree->distance[v] = INFINITY;
	return true;
}

/* A parent of the right level that is no neighbour. */
static bool break_rule_5(const struct graph *g, struct tree *tree, int64_t v)
{
	for (int64_t w = 0; w < (int64_t)g->vertices; w++) {
		if (w == v || !in_tree(tree, w) || adjacent(g, v, w) ||
		    (!g->weighted && tree->distance[w] + 1 != tree->distance[v]))
			continue;
		tree->parent[v] = w;
		return true;
	}
	return false;
}

bool corrupt(const struct graph *g, struct tree *tree, unsigned int rule, uint8_t *marks)
{
	/* leaves can be moved without moving what hangs from them */
	memset(marks, 0, g->vertices);
	for (uint64_t v = 0; v < g->vertices; v++)
		if (in_tree(tree, v))
			marks[tree->parent[v]] = 1;
	for (uint64_t v = 0; v < g->vertices; v++) {
		bool done = false;

		if (!in_tree(tree, v) || v == (uint64_t)tree->root || marks[v])
			continue;
		if (rule == 1)
			done = break_rule_1(tree, v);
		else if (rule == 2)
			done = break_rule_2(g, tree, v);
		else if (rule == 3)
			done = break_rule_3(g, tree, v);
		else if (rule == 4)
			done = break_rule_4(tree, v);
		else
			done = break_rule_5(g, tree, v);
		if (done)
			return true;
	}
	return false;
}
