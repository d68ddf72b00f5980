/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table that the tree is an index of, and who asks for which row.
 *
 * A row is known by its number. The rows that are there from the start have
 * ascending keys, 2^32 apart; row after row that is inserted later gets a key in
 * a random one of the gaps. A row's key is thus a function of its number: to draw
 * one to look up, and to know what must be found, takes no memory access.
 */
#ifndef BTREE_ROWS_H
#define BTREE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "common.h"
#include "zipf.h"

#define ROWS_MAX ((1ull << 32) - 2) /* loaded, and again as many inserted */

struct rows {
	uint64_t loaded;
	uint64_t all; /* with those to be inserted */
	uint64_t seed;
	unsigned int words; /* of a row; 0: there is no table, only the index */
	uint64_t *table;
};

static inline uint64_t row_key(const struct rows *r, uint64_t row)
{
	if (row < r->loaded)
		return row << 32;
	return scale_to(mix64(r->seed + row), r->loaded) << 32 | (row - r->loaded + 1);
}

/* A row holds its key, then numbers that depend on it. */
static inline void row_write(const struct rows *r, uint64_t row, uint64_t key)
{
	uint64_t *at = r->table + row * r->words;

	for (unsigned int i = 0; i < r->words; i++)
		at[i] = key + i;
}

static inline bool row_holds(const struct rows *r, uint64_t row, uint64_t key)
{
	const uint64_t *at = r->table + row * r->words;
	uint64_t wrong = 0;

	for (unsigned int i = 0; i < r->words; i++)
		wrong |= at[i] ^ (key + i);
	return !wrong;
}

/*
 * Draw one of the first @live rows. The popular ones are scattered over all rows that
 * there will be, and stay popular while rows are added: a row that is drawn before it
 * is there passes the request on.
 */
static inline uint64_t draw_row(const struct zipf *z, const struct rows *r, uint64_t live,
				struct rng *rng)
{
	uint64_t row;

	if (z->theta == 0)
		return rng_below(rng, live);
	row = scale_to(mix64(r->seed ^ zipf_rank(z, rng)), r->all);
	return row < live ? row : row % live;
}

#endif
