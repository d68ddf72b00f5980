// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of the B+tree and of its checker: trees of many shapes against
 * arithmetic, then one tree that is broken in every way there is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "rows.h"
#include "tree.h"
#include "unit.h"

/* Entry i of a loaded tree has key 1000 + 10 i; a key's value is its complement. */
static void entry(const void *context, uint64_t i, uint64_t *key, uint64_t *value)
{
	(void)context;
	*key = 1000 + 10 * i;
	*value = ~*key;
}

static bool value_holds(const void *context, uint64_t key, uint64_t value)
{
	(void)context;
	return value == ~key;
}

static const char *check(const struct tree *t)
{
	return tree_check(t, value_holds, NULL);
}

static bool finds(const struct tree *t, uint64_t key)
{
	const uint64_t *value = tree_find(t, key);

	return value && *value == ~key;
}

static void test_load(struct tree_shape shape, uint64_t keys)
{
	struct tree t = tree_load(shape, keys, 0, entry, NULL);
	uint64_t lost = 0, invented = 0;

	CHECK(!check(&t));
	CHECK(t.nodes == tree_bulk_nodes(shape, keys));
	CHECK(t.nodes <= tree_most_nodes(shape.node_bytes, keys));
	for (uint64_t i = 0; i < keys; i++) {
		lost += !finds(&t, 1000 + 10 * i);
		invented += tree_find(&t, 1000 + 10 * i + 1) ? 1 : 0;
	}
	CHECK(!lost);
	CHECK(!invented);
	CHECK(!tree_find(&t, 0));
	CHECK(!tree_find(&t, 999));
	CHECK(!tree_find(&t, TREE_NO_KEY - 1));
	tree_free(&t);
}

enum order { ASCENDING, DESCENDING, RANDOM };

/* Insert @inserts keys that are no multiple of 10, below, between and above. */
static void test_insert(struct tree_shape shape, uint64_t keys, uint64_t inserts, enum order order)
{
	struct tree t = tree_load(shape, keys, inserts, entry, NULL);
	uint64_t refused = 0, lost = 0, doubled = 0, *added;
	struct rng rng = rng_seed(1, order);

	added = malloc(inserts * sizeof(*added));
	for (uint64_t i = 0; i < inserts; i++) {
		const uint64_t k = order == DESCENDING ? inserts - i : i;

		added[i] = order == RANDOM ? (rng_next(&rng) >> 20) * 10 + 3 : k * 10 + 3;
		refused += !tree_insert(&t, added[i], ~added[i]);
	}
	CHECK(!refused);
	CHECK(!check(&t));
	CHECK(t.keys == keys + inserts);
	CHECK(t.nodes <= t.arena_nodes);
	for (uint64_t i = 0; i < inserts; i++) {
		lost += !finds(&t, added[i]);
		doubled += tree_insert(&t, added[i], 0);
	}
	for (uint64_t i = 0; i < keys; i++) {
		lost += !finds(&t, 1000 + 10 * i);
		doubled += tree_insert(&t, 1000 + 10 * i, 0);
	}
	CHECK(!lost);
	CHECK(!doubled);
	CHECK(!check(&t));
	free(added);
	tree_free(&t);
}

static uint64_t *leftmost(const struct tree *t, unsigned int level)
{
	uint64_t *node = t->root;

	for (unsigned int at = t->height - 1; at > level; at--)
		node = tree_child(t, node, 0);
	return node;
}

static bool rejects(const struct tree *t, const char *why)
{
	const char *found = check(t);

	if (found && !strcmp(found, why))
		return true;
	printf("found \"%s\" instead of \"%s\"\n", found ? found : "nothing", why);
	return false;
}

/* @spoil a word, see that the checker says @why, and put the word back. */
#define SPOIL(word, spoiled, why)                \
	do {                                     \
		__typeof__(word) kept_ = (word); \
		(word) = (spoiled);              \
		CHECK(rejects(&t, why));         \
		(word) = kept_;                  \
		CHECK(!check(&t));               \
	} while (0)

static void test_check_rejects(void)
{
	const struct tree_shape shape = { .node_bytes = 128, .fill = 0.9 };
	struct tree t = tree_load(shape, 1000, 10, entry, NULL);
	const unsigned int values = t.capacity;
	uint64_t *leaf = leftmost(&t, 0), *parent = leftmost(&t, 1);
	struct tree_tail *tail = tree_tail(&t, leaf);
	uint64_t *next = tail->next, *last = next;

	while (tree_tail(&t, last)->next)
		last = tree_tail(&t, last)->next;
	CHECK(t.height >= 3);
	/* order */
	SPOIL(leaf[1], leaf[0], "keys of a node are out of order");
	SPOIL(leaf[1], leaf[2] + 1, "keys of a node are out of order");
	SPOIL(next[0], leaf[1], "a key is outside of its parent's bounds");
	SPOIL(leaf[tail->count - 1], next[0] + 1, "a key is outside of its parent's bounds");
	SPOIL(parent[1], next[0] + 1, "a key is outside of its parent's bounds");
	SPOIL(parent[1], parent[2] + 1, "keys of a node are out of order");
	SPOIL(leaf[tail->count], leaf[tail->count - 1] + 1, "a node has a key beyond its last");
	/* fill */
	SPOIL(tail->count, 2, "a node is less than half full");
	SPOIL(tail->count, t.capacity + 1, "a node has more entries than it can hold");
	SPOIL(tree_tail(&t, t.root)->count, 1, "a node is less than half full");
	/* depth */
	SPOIL(tail->level, 1, "leaves are not all on one level");
	SPOIL(parent[values + 1], (uintptr_t)parent, "leaves are not all on one level");
	SPOIL(t.height, t.height - 1, "leaves are not all on one level");
	SPOIL(t.height, t.height + 1, "leaves are not all on one level");
	/* children */
	SPOIL(parent[values + 1], 0, "a child is not a node");
	SPOIL(parent[values + 1], (uintptr_t)next + 8, "a child is not a node");
	SPOIL(parent[values + 1], (uintptr_t)leaf, "a key is outside of its parent's bounds");
	/* chain */
	SPOIL(tail->next, NULL, "the chain of leaves is broken");
	SPOIL(tail->next, leaf, "the chain of leaves is broken");
	SPOIL(tail->next, tree_tail(&t, next)->next, "the chain of leaves is broken");
	SPOIL(tree_tail(&t, last)->next, leaf, "the chain of leaves does not end");
	/* numbers */
	SPOIL(t.keys, t.keys - 1, "the number of keys is wrong");
	SPOIL(t.nodes, t.nodes + 1, "the number of nodes is wrong");
	/* values */
	SPOIL(leaf[values], 0, "a value is wrong");
	tree_free(&t);
}

/* Zipf's law: rank k + 1 is asked for (k + 1)^-theta as often as rank 1. */
static void test_zipf(void)
{
	const double theta = 0.9;
	const uint64_t rows = 1000, samples = 2000000;
	const struct zipf z = zipf_make(rows, theta);
	struct rng rng = rng_seed(1, 0);
	uint64_t count[1000] = { 0 }, first_half = 0, beyond = 0, rank;
	double all = 0, half = 0, share = 1;

	for (uint64_t i = 0; i < samples; i++) {
		rank = zipf_rank(&z, &rng);
		beyond += rank >= rows;
		count[rank % rows]++;
		first_half += rank < rows / 2;
	}
	for (uint64_t i = 1; i <= rows; i++) {
		share = __builtin_pow(i, -theta);
		all += share;
		half += i <= rows / 2 ? share : 0;
	}
	CHECK(!beyond);
	CHECK(count[0] > samples / all * 0.98 && count[0] < samples / all * 1.02);
	CHECK(first_half > samples * half / all * 0.98 && first_half < samples * half / all * 1.02);
	CHECK(count[0] > count[1] && count[1] > count[9] && count[9] > count[99]);
}

int main(void)
{
	static const size_t node_bytes[] = { 128, 192, 512, 4096, 16384 };
	static const double fills[] = { 0.5, 0.9, 1 };
	static const uint64_t keys[] = { 0, 1, 2, 3, 7, 8, 27, 28, 100, 5000, 40000 };

	for (size_t n = 0; n < sizeof(node_bytes) / sizeof(*node_bytes); n++)
		for (size_t f = 0; f < sizeof(fills) / sizeof(*fills); f++) {
			const struct tree_shape shape = { node_bytes[n], fills[f] };

			for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
				test_load(shape, keys[k]);
			/* every size up to three levels: no node may be too empty */
			for (uint64_t k = 0; n == 0 && k < 400; k++)
				test_load(shape, k);
			for (enum order order = ASCENDING; order <= RANDOM; order++) {
				test_insert(shape, 0, 30000, order);
				test_insert(shape, 1, 1000, order);
				test_insert(shape, 20000, 20000, order);
			}
		}
	test_check_rejects();
	test_zipf();
	return unit_report();
}
