// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many rows fit in how much memory. A loaded tree's size is known exactly.
 * What inserts at random make of it is not, so a small tree of the same shape
 * gets its share of inserts, and its nodes are counted.
 */
#include "size.h"

#include "rows.h"

/* The process itself, its threads' stacks and what the estimate misses. */
#define RESERVE(mem) ((5 << 18) + (mem) / 64)

static void entry(const void *context, uint64_t i, uint64_t *key, uint64_t *value)
{
	*key = row_key(context, i);
	*value = i;
}

/* Nodes for each key after all inserts of @p. */
static double nodes_per_key(const struct plan *p)
{
	const uint64_t all = p->keys + p->inserts;
	uint64_t trial = 256 * (p->shape.node_bytes / 16);
	struct rows rows;
	struct tree tree;
	double nodes;

	trial = trial < 65536 ? 65536 : trial;
	trial = trial < all ? trial : all;
	rows = (struct rows){ .loaded = (double)trial * p->keys / all, .all = trial };
	if (!rows.loaded)
		rows.loaded = 1;
	tree = tree_load(p->shape, rows.loaded, trial - rows.loaded, entry, &rows);
	for (uint64_t row = rows.loaded; row < trial; row++)
		tree_insert(&tree, row_key(&rows, row), row);
	nodes = tree.nodes;
	tree_free(&tree);
	return nodes / trial;
}

uint64_t plan_bytes(const struct plan *p)
{
	const uint64_t all = p->keys + p->inserts;
	uint64_t nodes = tree_bulk_nodes(p->shape, p->keys);

	if (p->inserts)
		nodes = nodes_per_key(p) * all;
	return all * p->row_bytes + nodes * p->shape.node_bytes;
}

uint64_t plan_keys(struct plan p, uint64_t mem)
{
	const uint64_t bytes = mem - RESERVE(mem);
	/* at least a row and 16 bytes of a leaf for each key */
	uint64_t fits = 0, too_many = bytes / (16 + p.row_bytes) + 1;

	if (too_many > ROWS_MAX + 1)
		die("--mem: no more than %llu keys are possible", ROWS_MAX);
	/* with inserts a trial takes time, and is not more exact than one part in 1024 */
	while (too_many - fits > (p.inserts ? 1 + fits / 1024 : 1)) {
		p.keys = fits + (too_many - fits) / 2;
		if (plan_bytes(&p) <= bytes)
			fits = p.keys;
		else
			too_many = p.keys;
	}
	return fits;
}
