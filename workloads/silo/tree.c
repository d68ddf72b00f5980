// SPDX-License-Identifier: GPL-2.0-or-later
/* The ordered index, a B+tree with optimistic lock coupling; see tree.h. */
#include "tree.h"

#include <assert.h>

/* Far more than any memory can hold. */
#define MAX_HEIGHT 32

#define TREE_MIDDLE ((TREE_ENTRIES + 1) / 2)

static_assert(sizeof(struct node) == TREE_NODE_WORDS * sizeof(word), "four cache lines");

static unsigned int count_of(const struct node *n)
{
	return atomic_load_explicit(&n->count, memory_order_acquire);
}

static void set_count(struct node *n, unsigned int count)
{
	atomic_store_explicit(&n->count, count, memory_order_release);
}

static struct node *new_node(struct heap *h, unsigned int level)
{
	struct node *n = (struct node *)heap_new(h, TREE_NODE_WORDS);

	word_set(&n->version, 0);
	set_count(n, 0);
	n->level = level;
	return n;
}

void tree_init(struct tree *t, struct heap *h)
{
	atomic_init(&t->root, new_node(h, 0));
	pthread_mutex_init(&t->shape, NULL);
}

/* Return the version of @n as soon as nobody changes it. */
static uint64_t stable_version(const struct node *n)
{
	for (unsigned int tries = 0;; tries++) {
		const uint64_t version = word_get(&n->version);

		if (!(version & TREE_LOCKED))
			return version;
		relax(tries);
	}
}

static bool lock_version(struct node *n, uint64_t version)
{
	return !(version & TREE_OBSOLETE) &&
	       atomic_compare_exchange_strong(&n->version, &version, version | TREE_LOCKED);
}

/* Lock @n. The caller holds the lock of the tree's shape, so @n cannot become obsolete. */
static void lock(struct node *n)
{
	while (!lock_version(n, stable_version(n)))
		;
}

static void unlock(struct node *n, bool changed)
{
	const uint64_t version = word_get(&n->version) & ~(uint64_t)TREE_LOCKED;

	atomic_store(&n->version, version + (changed ? TREE_CHANGE : 0));
}

/*
 * How many of @count @keys are below @key. The outcome of a comparison is a factor,
 * not a branch: it is as good as random.
 */
static inline unsigned int rank(const word *keys, unsigned int count, uint64_t key)
{
	unsigned int base = 0, half;

	if (!count)
		return 0;
	for (; count > 1; count -= half) {
		half = count / 2;
		base += half * (word_get(&keys[base + half - 1]) < key);
	}
	return base + (word_get(&keys[base]) < key);
}

/*
 * The entry of inner node @n to which @key belongs. Nobody looks at the first key:
 * when what is left of it is removed, the first child gets that range, too.
 */
static inline unsigned int slot_of(const struct node *n, unsigned int count, uint64_t key)
{
	return rank(n->keys + 1, count - 1, key + 1);
}

static struct node *child_of(const struct node *n, unsigned int i)
{
	return (struct node *)(uintptr_t)word_get(&n->values[i]);
}

static bool try_descend(struct tree *t, uint64_t key, struct tree_leaf *leaf, uint64_t *bound)
{
	struct node *n = atomic_load_explicit(&t->root, memory_order_acquire);
	uint64_t version = stable_version(n);

	*bound = UINT64_MAX;
	if (n != atomic_load_explicit(&t->root, memory_order_acquire))
		return false;
	while (n->level) {
		const unsigned int count = count_of(n);
		const unsigned int i = slot_of(n, count, key);
		struct node *child = child_of(n, i);
		uint64_t child_version;

		if (i + 1 < count)
			*bound = word_get(&n->keys[i + 1]);
		/* all lines at once: which are needed depends on the first */
		for (unsigned int line = 0; line < sizeof(*n); line += 64)
			__builtin_prefetch((char *)child + line);
		if (word_get(&n->version) != version)
			return false;
		child_version = stable_version(child);
		if (word_get(&n->version) != version)
			return false;
		n = child;
		version = child_version;
	}
	*leaf = (struct tree_leaf){ n, version };
	return true;
}

/* The leaf of @key; *@bound is the least key beyond it. */
static struct tree_leaf descend(struct tree *t, uint64_t key, uint64_t *bound)
{
	struct tree_leaf leaf;

	for (unsigned int tries = 0; !try_descend(t, key, &leaf, bound); tries++)
		relax(tries);
	return leaf;
}

uint64_t tree_find(struct tree *t, uint64_t key, struct tree_leaf *leaf)
{
	uint64_t bound;

	for (;;) {
		uint64_t value = 0;
		unsigned int count, i;

		*leaf = descend(t, key, &bound);
		count = count_of(leaf->node);
		i = rank(leaf->node->keys, count, key);
		if (i < count && word_get(&leaf->node->keys[i]) == key)
			value = word_get(&leaf->node->values[i]);
		if (tree_unchanged(leaf))
			return value;
	}
}

unsigned int tree_scan(struct tree *t, uint64_t first, uint64_t last,
		       struct tree_entry entries[TREE_ENTRIES], struct tree_leaf *leaf,
		       uint64_t *next)
{
	for (;;) {
		unsigned int count, found = 0;

		*leaf = descend(t, first, next);
		count = count_of(leaf->node);
		for (unsigned int i = rank(leaf->node->keys, count, first); i < count; i++) {
			const uint64_t key = word_get(&leaf->node->keys[i]);

			if (key > last)
				break;
			entries[found++] =
				(struct tree_entry){ key, word_get(&leaf->node->values[i]) };
		}
		if (tree_unchanged(leaf))
			return found;
	}
}

/* Make @key and @value entry @at of @n, which is locked or new and has room. */
static void put(struct node *n, unsigned int at, uint64_t key, uint64_t value)
{
	const unsigned int count = count_of(n);

	for (unsigned int i = count; i > at; i--) {
		word_set(&n->keys[i], word_get(&n->keys[i - 1]));
		word_set(&n->values[i], word_get(&n->values[i - 1]));
	}
	word_set(&n->keys[at], key);
	word_set(&n->values[at], value);
	set_count(n, count + 1);
}

static void erase(struct node *n, unsigned int at)
{
	const unsigned int count = count_of(n);

	for (unsigned int i = at; i + 1 < count; i++) {
		word_set(&n->keys[i], word_get(&n->keys[i + 1]));
		word_set(&n->values[i], word_get(&n->values[i + 1]));
	}
	set_count(n, count - 1);
}

/* Move the entries of @n from @from on to a new node, which is returned. */
static struct node *divide(struct heap *h, struct node *n, unsigned int from)
{
	struct node *right = new_node(h, n->level);
	const unsigned int count = count_of(n);

	for (unsigned int i = from; i < count; i++)
		put(right, i - from, word_get(&n->keys[i]), word_get(&n->values[i]));
	set_count(n, from);
	return right;
}

/* The nodes from the leaf of @key up to the root. Returns the root's level. */
static unsigned int find_path(struct tree *t, uint64_t key, struct node *path[MAX_HEIGHT])
{
	struct node *n = atomic_load_explicit(&t->root, memory_order_acquire);
	const unsigned int top = n->level;

	for (; n->level; n = child_of(n, slot_of(n, count_of(n), key)))
		path[n->level] = n;
	path[0] = n;
	return top;
}

/*
 * Make room for @key in its leaf: in the middle, but where keys are appended, to the
 * whole tree or one after the other somewhere in it, so that nodes on the left stay
 * full.
 */
static void split(struct tree *t, struct heap *h, uint64_t key, struct tree_insertion *changed)
{
	struct node *path[MAX_HEIGHT], *right, *other, *root;
	unsigned int top, from, at, level = 0;
	uint64_t least;
	bool append;

	pthread_mutex_lock(&t->shape);
	top = find_path(t, key, path);
	lock(path[0]);
	if (count_of(path[0]) < TREE_ENTRIES) {
		unlock(path[0], false);
		pthread_mutex_unlock(&t->shape);
		return;
	}
	at = rank(path[0]->keys, TREE_ENTRIES, key);
	append = at == TREE_ENTRIES || (at && word_get(&path[0]->keys[at - 1]) + 1 == key);
	from = append ? at : TREE_MIDDLE;
	right = divide(h, path[0], from);
	changed->split.node = path[0];
	changed->split.version = word_get(&path[0]->version) - TREE_LOCKED;
	changed->right = right;
	least = from == TREE_ENTRIES ? key : word_get(&right->keys[0]);
	while (++level <= top) {
		struct node *n = path[level];
		const unsigned int count = count_of(n);

		lock(n);
		at = slot_of(n, count, key) + 1;
		if (count < TREE_ENTRIES) {
			put(n, at, least, (uintptr_t)right);
			break;
		}
		from = append ? at : TREE_MIDDLE;
		other = divide(h, n, from);
		if (at < from)
			put(n, at, least, (uintptr_t)right);
		else
			put(other, at - from, least, (uintptr_t)right);
		least = word_get(&other->keys[0]);
		right = other;
	}
	if (level > top) {
		root = new_node(h, level);
		put(root, 0, 0, (uintptr_t)path[top]);
		put(root, 1, least, (uintptr_t)right);
		atomic_store_explicit(&t->root, root, memory_order_release);
		level = top;
	}
	for (unsigned int i = 0; i <= level; i++)
		unlock(path[i], true);
	pthread_mutex_unlock(&t->shape);
}

uint64_t tree_insert(struct tree *t, struct heap *h, uint64_t key, uint64_t value,
		     struct tree_insertion *changed)
{
	uint64_t bound;

	changed->right = NULL;
	for (;;) {
		struct node *n;
		unsigned int count, i;
		uint64_t found;

		changed->leaf = descend(t, key, &bound);
		n = changed->leaf.node;
		if (!lock_version(n, changed->leaf.version))
			continue;
		count = count_of(n);
		i = rank(n->keys, count, key);
		if (i < count && word_get(&n->keys[i]) == key) {
			found = word_get(&n->values[i]);
			unlock(n, false);
			return found;
		}
		if (count < TREE_ENTRIES) {
			put(n, i, key, value);
			unlock(n, true);
			return 0;
		}
		unlock(n, false);
		split(t, h, key, changed);
	}
}

static void unlock_obsolete(struct heap *h, struct node *n)
{
	atomic_store(&n->version, word_get(&n->version) - TREE_LOCKED + TREE_OBSOLETE);
	heap_retire(h, (word *)n, TREE_NODE_WORDS);
}

/*
 * Take the leaf of @key out of the tree if it is empty, with the nodes above it that
 * have no other child. Without it, who looks for the first key of a range whose least
 * are removed all the time would meet more and more empty leaves.
 */
static void prune(struct tree *t, struct heap *h, uint64_t key)
{
	struct node *path[MAX_HEIGHT], *parent;
	unsigned int top, level = 1;

	pthread_mutex_lock(&t->shape);
	top = find_path(t, key, path);
	while (level <= top && count_of(path[level]) == 1)
		level++;
	lock(path[0]);
	if (level > top || count_of(path[0])) {
		unlock(path[0], false);
	} else {
		parent = path[level];
		for (unsigned int i = 1; i <= level; i++)
			lock(path[i]);
		erase(parent, slot_of(parent, count_of(parent), key));
		for (unsigned int i = 0; i < level; i++)
			unlock_obsolete(h, path[i]);
		unlock(parent, true);
	}
	pthread_mutex_unlock(&t->shape);
}

bool tree_remove(struct tree *t, struct heap *h, uint64_t key, uint64_t value)
{
	uint64_t bound;

	for (;;) {
		const struct tree_leaf leaf = descend(t, key, &bound);
		struct node *n = leaf.node;
		unsigned int count, i;
		bool found;

		if (!lock_version(n, leaf.version))
			continue;
		count = count_of(n);
		i = rank(n->keys, count, key);
		found = i < count && word_get(&n->keys[i]) == key &&
			word_get(&n->values[i]) == value;
		if (found)
			erase(n, i);
		unlock(n, found);
		if (found && count == 1)
			prune(t, h, key);
		return found;
	}
}
