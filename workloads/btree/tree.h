/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A B+tree in memory from 64-bit keys to 64-bit values: loaded in bulk from
 * sorted keys, then open to lookups and inserts. Any number of threads may look
 * up at once; an insert needs the tree for itself.
 *
 * A node is an array of 64-bit words: all its keys, all its values, and a tail
 * that lookups do not touch. Unused keys are TREE_NO_KEY, so that a lookup
 * searches the whole array, in a number of steps that is the same for all nodes,
 * and needs no count. Inner nodes have the same form: the value is the child, the
 * key a lower bound of the keys below it.
 *
 * Nodes come from one arena in the order in which they are made, inner nodes
 * among the leaves below them, as from an allocator that grows upwards.
 */
#ifndef BTREE_TREE_H
#define BTREE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_NO_KEY   UINT64_MAX /* no key of a tree may be this */
#define TREE_NODE_MIN 128
#define TREE_NODE_MAX 16384

/* Bytes of a node, a multiple of 64, and the share of it that bulk load fills. */
struct tree_shape {
	size_t node_bytes;
	double fill; /* from 0.5 to 1 */
};

struct tree {
	uint64_t *root;
	unsigned int height; /* in nodes; 1: the root is a leaf */
	unsigned int capacity; /* entries of a node */
	size_t node_words;
	uint64_t keys;
	uint64_t *arena;
	uint64_t arena_nodes;
	uint64_t nodes; /* of the arena that are in use */
};

struct tree_tail {
	uint64_t *next; /* leaves: the next one in order of keys */
	uint32_t count;
	uint32_t level; /* 0: leaf */
};

static inline struct tree_tail *tree_tail(const struct tree *t, const uint64_t *node)
{
	return (struct tree_tail *)(node + 2 * t->capacity);
}

static inline uint64_t *tree_child(const struct tree *t, const uint64_t *node, unsigned int i)
{
	return (uint64_t *)(uintptr_t)node[t->capacity + i];
}

/* The fewest entries of a node that is not the root. */
static inline unsigned int tree_min_entries(unsigned int capacity)
{
	return capacity / 2;
}

/* Nodes of a tree that is loaded with @keys keys. */
uint64_t tree_bulk_nodes(struct tree_shape shape, uint64_t keys);

/* The most nodes that @keys keys may take, in whatever order they come. */
uint64_t tree_most_nodes(size_t node_bytes, uint64_t keys);

/* Entry @i of a bulk load, in ascending order of keys. */
typedef void (*tree_entry_fn)(const void *context, uint64_t i, uint64_t *key, uint64_t *value);

/*
 * A tree of @keys entries with room for @inserts more. Dies when there is no
 * memory.
 */
struct tree tree_load(struct tree_shape shape, uint64_t keys, uint64_t inserts, tree_entry_fn entry,
		      const void *context);

void tree_free(struct tree *t);

/* Return where the value of @key is, or NULL. */
uint64_t *tree_find(const struct tree *t, uint64_t key);

/* Insert @key. Returns false, and changes nothing, when the tree has it already. */
bool tree_insert(struct tree *t, uint64_t key, uint64_t value);

/* Whether @value is right for @key. */
typedef bool (*tree_value_fn)(const void *context, uint64_t key, uint64_t value);

/*
 * Check every invariant: order of all keys within the bounds that the parents
 * give, fill of nodes, equal depth of leaves, the chain of leaves, numbers of
 * keys and nodes, and values. Returns NULL, or what is wrong. Safe on a tree
 * that is broken in any way.
 */
const char *tree_check(const struct tree *t, tree_value_fn value, const void *context);

#endif
