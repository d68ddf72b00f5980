// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The B+tree's invariants. The walk follows no pointer before it is known to be
 * a node of the arena on the level that its parent expects, so it ends on any
 * tree: levels only go down.
 */
#include "tree.h"

struct walk {
	const struct tree *tree;
	tree_value_fn value;
	const void *context;
	const uint64_t *last_leaf;
	uint64_t keys;
	uint64_t nodes;
};

static bool is_node(const struct tree *t, const uint64_t *node)
{
	const uintptr_t at = (uintptr_t)node - (uintptr_t)t->arena;
	const size_t bytes = t->node_words * sizeof(uint64_t);

	return at % bytes == 0 && at / bytes < t->nodes;
}

/* Entries of @node, which has keys in [@low, @high). */
static const char *check_keys(const struct tree *t, const uint64_t *node, uint64_t low,
			      uint64_t high)
{
	const unsigned int count = tree_tail(t, node)->count;

	if (count > t->capacity)
		return "a node has more entries than it can hold";
	if (node == t->root ? count < 2 && t->height > 1 : count < tree_min_entries(t->capacity))
		return "a node is less than half full";
	for (unsigned int i = 0; i < count; i++) {
		if (node[i] < low || node[i] >= high)
			return "a key is outside of its parent's bounds";
		if (i && node[i] <= node[i - 1])
			return "keys of a node are out of order";
	}
	for (unsigned int i = count; i < t->capacity; i++)
		if (node[i] != TREE_NO_KEY)
			return "a node has a key beyond its last";
	return NULL;
}

static const char *check_leaf(struct walk *w, const uint64_t *leaf)
{
	const struct tree *t = w->tree;
	const unsigned int count = tree_tail(t, leaf)->count;

	if (w->last_leaf && tree_tail(t, w->last_leaf)->next != leaf)
		return "the chain of leaves is broken";
	w->last_leaf = leaf;
	w->keys += count;
	for (unsigned int i = 0; i < count; i++)
		if (!w->value(w->context, leaf[i], leaf[t->capacity + i]))
			return "a value is wrong";
	return NULL;
}

static const char *check_node(struct walk *w, const uint64_t *node, unsigned int level,
			      uint64_t low, uint64_t high)
{
	const struct tree *t = w->tree;
	const char *error;
	unsigned int count;

	if (!is_node(t, node))
		return "a child is not a node";
	w->nodes++;
	if (tree_tail(t, node)->level != level)
		return "leaves are not all on one level";
	error = check_keys(t, node, low, high);
	if (error)
		return error;
	if (!level)
		return check_leaf(w, node);
	count = tree_tail(t, node)->count;
	for (unsigned int i = 0; i < count; i++) {
		error = check_node(w, tree_child(t, node, i), level - 1, node[i],
				   i + 1 < count ? node[i + 1] : high);
		if (error)
			return error;
	}
	return NULL;
}

const char *tree_check(const struct tree *t, tree_value_fn value, const void *context)
{
	struct walk w = { .tree = t, .value = value, .context = context };
	const char *error = check_node(&w, t->root, t->height - 1, 0, TREE_NO_KEY);

	if (error)
		return error;
	if (tree_tail(t, w.last_leaf)->next)
		return "the chain of leaves does not end";
	if (w.keys != t->keys)
		return "the number of keys is wrong";
	if (w.nodes != t->nodes)
		return "the number of nodes is wrong";
	return NULL;
}
