// SPDX-License-Identifier: GPL-2.0-or-later
/* The B+tree: bulk load, lookup, insert; see tree.h. */
#include "tree.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common.h"

/* A node of seven entries has at least three: 2^64 keys are 41 levels. */
#define MAX_HEIGHT 48

static unsigned int capacity_of(size_t node_bytes)
{
	return (node_bytes - sizeof(struct tree_tail)) / (2 * sizeof(uint64_t));
}

/*
 * Nodes that hold @entries entries of one level: as many as @shape's fill
 * makes, but not so many that one has fewer entries than it must.
 */
static uint64_t level_nodes(struct tree_shape shape, uint64_t entries)
{
	const unsigned int capacity = capacity_of(shape.node_bytes);
	const unsigned int min = tree_min_entries(capacity);
	unsigned int filled = capacity * shape.fill;
	uint64_t nodes, most;

	if (filled < min)
		filled = min;
	nodes = (entries + filled - 1) / filled;
	most = entries / min;
	if (nodes > most)
		nodes = most;
	return nodes ? nodes : 1;
}

uint64_t tree_bulk_nodes(struct tree_shape shape, uint64_t keys)
{
	uint64_t nodes = level_nodes(shape, keys), sum = nodes;

	while (nodes > 1) {
		nodes = level_nodes(shape, nodes);
		sum += nodes;
	}
	return sum;
}

uint64_t tree_most_nodes(size_t node_bytes, uint64_t keys)
{
	const unsigned int min = tree_min_entries(capacity_of(node_bytes));
	uint64_t sum = 0;

	do {
		keys = keys / min ? keys / min : 1;
		sum += keys;
	} while (keys > 1);
	return sum;
}

static uint64_t *new_node(struct tree *t, unsigned int level)
{
	uint64_t *node = t->arena + t->nodes * t->node_words;

	if (t->nodes == t->arena_nodes)
		die("more keys are inserted than there is room for");
	t->nodes++;
	memset(node, 0xff, t->capacity * sizeof(*node));
	*tree_tail(t, node) = (struct tree_tail){ .level = level };
	return node;
}

struct load {
	struct tree *tree;
	tree_entry_fn entry;
	const void *context;
	uint64_t entries[MAX_HEIGHT];
	uint64_t nodes[MAX_HEIGHT];
	uint64_t *last_leaf;
};

/* First entry of node @i of @level, when all nodes have the same share. */
static uint64_t first_entry(const struct load *l, unsigned int level, uint64_t i)
{
	return (unsigned __int128)l->entries[level] * i / l->nodes[level];
}

static uint64_t *load_node(struct load *l, unsigned int level, uint64_t i)
{
	struct tree *t = l->tree;
	uint64_t *const node = new_node(t, level), *const values = node + t->capacity;
	const uint64_t first = first_entry(l, level, i);
	const unsigned int count = first_entry(l, level, i + 1) - first;

	tree_tail(t, node)->count = count;
	if (level) {
		for (unsigned int k = 0; k < count; k++) {
			const uint64_t *child = load_node(l, level - 1, first + k);

			node[k] = child[0];
			values[k] = (uintptr_t)child;
		}
		return node;
	}
	for (unsigned int k = 0; k < count; k++)
		l->entry(l->context, first + k, &node[k], &values[k]);
	if (l->last_leaf)
		tree_tail(t, l->last_leaf)->next = node;
	l->last_leaf = node;
	return node;
}

struct tree tree_load(struct tree_shape shape, uint64_t keys, uint64_t inserts, tree_entry_fn entry,
		      const void *context)
{
	struct tree t = {
		.capacity = capacity_of(shape.node_bytes),
		.node_words = shape.node_bytes / sizeof(uint64_t),
		.keys = keys,
		.arena_nodes = inserts ? tree_most_nodes(shape.node_bytes, keys + inserts)
				       : tree_bulk_nodes(shape, keys),
	};
	struct load l = { .tree = &t, .entry = entry, .context = context };
	const size_t bytes = t.arena_nodes * shape.node_bytes;

	/* inserts leave part of it untouched: it needs no memory of its own */
	t.arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t.arena == MAP_FAILED)
		die("cannot allocate %zu bytes: %s", bytes, strerror(errno));
	do {
		l.entries[t.height] = t.height ? l.nodes[t.height - 1] : keys;
		l.nodes[t.height] = level_nodes(shape, l.entries[t.height]);
	} while (l.nodes[t.height++] > 1);
	t.root = load_node(&l, t.height - 1, 0);
	return t;
}

void tree_free(struct tree *t)
{
	munmap(t->arena, t->arena_nodes * t->node_words * sizeof(uint64_t));
}

/*
 * The last of @capacity keys that is at most @key, or 0 when none is. The
 * outcome of a comparison is a factor, not a branch: it is as good as random.
 */
static inline unsigned int search(const uint64_t *keys, unsigned int capacity, uint64_t key)
{
	const uint64_t *base = keys;

	/* each step depends on the one before it: fetch all lines at once */
	for (unsigned int i = 0; i < capacity; i += 8)
		__builtin_prefetch(keys + i);
	for (unsigned int length = capacity; length > 1;) {
		const unsigned int half = length / 2;

		base += half * (base[half] <= key);
		length -= half;
	}
	return base - keys;
}

uint64_t *tree_find(const struct tree *t, uint64_t key)
{
	const unsigned int capacity = t->capacity;
	uint64_t *node = t->root;
	unsigned int i;

	for (unsigned int level = t->height; level > 1; level--) {
		i = search(node, capacity, key);
		node = (uint64_t *)(uintptr_t)node[capacity + i];
	}
	i = search(node, capacity, key);
	return node[i] == key ? node + capacity + i : NULL;
}

/* Make @key and @value entry @at of @node, which has room. */
static void put(const struct tree *t, uint64_t *node, unsigned int at, uint64_t key, uint64_t value)
{
	struct tree_tail *tail = tree_tail(t, node);
	uint64_t *values = node + t->capacity;
	const size_t moved = (tail->count - at) * sizeof(*node);

	memmove(node + at + 1, node + at, moved);
	memmove(values + at + 1, values + at, moved);
	node[at] = key;
	values[at] = value;
	tail->count++;
}

/* Move the entries of @left from @from on to a new node, which is returned. */
static uint64_t *split(struct tree *t, uint64_t *left, unsigned int from)
{
	struct tree_tail *tail = tree_tail(t, left);
	uint64_t *right = new_node(t, tail->level);
	const unsigned int moved = tail->count - from;

	memcpy(right, left + from, moved * sizeof(*left));
	memcpy(right + t->capacity, left + t->capacity + from, moved * sizeof(*left));
	memset(left + from, 0xff, moved * sizeof(*left));
	tree_tail(t, right)->count = moved;
	tree_tail(t, right)->next = tail->next;
	tail->count = from;
	if (!tail->level)
		tail->next = right;
	return right;
}

/* As put(), on a node that is full. Returns the new node on its right. */
static uint64_t *split_and_put(struct tree *t, uint64_t *node, unsigned int at, uint64_t key,
			       uint64_t value)
{
	const unsigned int left_count = (t->capacity + 1) / 2;
	uint64_t *right;

	if (at < left_count) {
		right = split(t, node, left_count - 1);
		put(t, node, at, key, value);
	} else {
		right = split(t, node, left_count);
		put(t, right, at - left_count, key, value);
	}
	return right;
}

bool tree_insert(struct tree *t, uint64_t key, uint64_t value)
{
	uint64_t *path[MAX_HEIGHT], *node = t->root, *right, *root;
	unsigned int slots[MAX_HEIGHT], at;

	for (unsigned int level = t->height - 1; level; level--) {
		/* the first key is a lower bound, too, when a split adds another */
		if (key < node[0])
			node[0] = key;
		path[level] = node;
		slots[level] = search(node, t->capacity, key);
		node = tree_child(t, node, slots[level]);
	}
	at = search(node, t->capacity, key);
	if (node[at] == key)
		return false;
	at += node[at] < key;
	t->keys++;
	path[0] = node;
	for (unsigned int level = 0; level < t->height; level++) {
		if (level)
			at = slots[level] + 1;
		if (tree_tail(t, path[level])->count < t->capacity) {
			put(t, path[level], at, key, value);
			return true;
		}
		right = split_and_put(t, path[level], at, key, value);
		key = right[0];
		value = (uintptr_t)right;
	}
	root = new_node(t, t->height++);
	put(t, root, 0, t->root[0], (uintptr_t)t->root);
	put(t, root, 1, key, value);
	t->root = root;
	return true;
}
