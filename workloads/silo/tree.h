/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ordered index: a B+tree from 64-bit keys to values that are not 0. Readers
 * take no locks: they read a node's version before and after its contents, and the
 * parent's once more before they go down (Leis et al., "The ART of practical
 * synchronization", DaMoN '16). An insert or a removal locks one leaf. Changes of
 * the tree's shape, one in ten inserts or so, come one at a time.
 *
 * Leaves' versions are also what transactions remember to find phantoms.
 *
 * A node is four cache lines, as in Masstree: 15 keys, then 15 values. In inner
 * nodes a value is a child, and the key the least that belongs there. There are no
 * links between leaves: a scan goes down again for the next one.
 */
#ifndef SILO_TREE_H
#define SILO_TREE_H

#include <pthread.h>
#include <stdbool.h>

#include "heap.h"

#define TREE_ENTRIES 15
#define TREE_KEY_MAX (UINT64_MAX - 1)

#define TREE_NODE_WORDS (2 * TREE_ENTRIES + 2)

struct node {
	word version; /* TREE_LOCKED, TREE_OBSOLETE, and a count of changes */
	uint32_t level; /* 0: leaf */
	atomic_uint_least32_t count;
	word keys[TREE_ENTRIES];
	word values[TREE_ENTRIES];
};

#define TREE_LOCKED   1
#define TREE_OBSOLETE 2 /* and no longer in the tree */
#define TREE_CHANGE   4

struct tree {
	_Atomic(struct node *) root;
	pthread_mutex_t shape; /* held to change inner nodes */
};

/* A leaf, and its version when it was read. */
struct tree_leaf {
	struct node *node;
	uint64_t version;
};

/* Whether @leaf is still as it was read. */
static inline bool tree_unchanged(const struct tree_leaf *leaf)
{
	return atomic_load(&leaf->node->version) == leaf->version;
}

/* An empty tree. Threads that use it must have entered an epoch of their heap. */
void tree_init(struct tree *t, struct heap *h);

/* The value of @key, 0 if there is none; @leaf is where it is or would be. */
uint64_t tree_find(struct tree *t, uint64_t key, struct tree_leaf *leaf);

/*
 * What an insert has changed, by itself: @leaf, where the entry is, whose version was
 * as given here and is larger by TREE_CHANGE now. If it had to be made room for, so
 * was @split before, and the rest of that is in @right, which began with version 0.
 */
struct tree_insertion {
	struct tree_leaf leaf;
	struct tree_leaf split;
	struct node *right; /* NULL: there was room */
};

/* Insert @value and return 0, or return the value that @key has. */
uint64_t tree_insert(struct tree *t, struct heap *h, uint64_t key, uint64_t value,
		     struct tree_insertion *changed);

/* Remove @key if its value is @value; returns whether it was. */
bool tree_remove(struct tree *t, struct heap *h, uint64_t key, uint64_t value);

struct tree_entry {
	uint64_t key;
	uint64_t value;
};

/*
 * Those entries from @first to @last that are in the leaf of @first, in order;
 * returns how many. *@next is the least key that belongs to the next leaf, more
 * than TREE_KEY_MAX in the last one.
 */
unsigned int tree_scan(struct tree *t, uint64_t first, uint64_t last,
		       struct tree_entry entries[TREE_ENTRIES], struct tree_leaf *leaf,
		       uint64_t *next);

#endif
