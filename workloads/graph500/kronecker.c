// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The Kronecker generator of the specification: each bit of an edge's two
 * vertices falls into a quadrant of the adjacency matrix, with probabilities
 * A, B, C and D. The labels are then permuted, so that they say nothing about
 * degrees. The specification's shuffle of the list has nothing to add: the
 * edges are independent of each other, hence in random order already.
 *
 * Blocks of edges have generators of their own: the list does not depend on
 * the number of threads.
 */
#include <omp.h>

#include "common.h"
#include "graph500.h"

#define A 0.57
#define B 0.19
#define C 0.19
#define D 0.05

#define BLOCK 4096

/* A permutation of all numbers of @bits bits, by steps that can each be undone. */
struct permutation {
	uint64_t mask, add;
	uint64_t multiply[2]; /* odd */
	unsigned int shift;
};

static struct permutation permutation_make(unsigned int bits, struct rng *r)
{
	return (struct permutation){
		.mask = (1ull << bits) - 1,
		.add = rng_next(r),
		.multiply = { rng_next(r) | 1, rng_next(r) | 1 },
		.shift = (bits + 1) / 2,
	};
}

static int64_t permute(const struct permutation *p, uint64_t x)
{
	x = (x + p->add) & p->mask;
	for (unsigned int i = 0; i < 2; i++) {
		x = x * p->multiply[i] & p->mask;
		x ^= x >> p->shift;
	}
	return x;
}

/* A coin that falls on 1 with @probability when 32 random bits exceed this. */
static uint32_t exceeds(double probability)
{
	return (1 - probability) * 0x1p32;
}

static struct edge edge_make(unsigned int scale, struct rng *r)
{
	const uint32_t row_one = exceeds(C + D);
	const uint32_t column_one[2] = { exceeds(B / (A + B)), exceeds(D / (C + D)) };
	uint64_t from = 0, to = 0;

	for (unsigned int bit = 0; bit < scale; bit++) {
		const uint64_t random = rng_next(r);
		const unsigned int row = (uint32_t)(random >> 32) > row_one;

		from = from << 1 | row;
		to = to << 1 | ((uint32_t)random > column_one[row]);
	}
	return (struct edge){ from, to };
}

struct edge_list kronecker(unsigned int scale, uint64_t count, bool weighted, uint64_t seed)
{
	const uint64_t blocks = (count + BLOCK - 1) / BLOCK;
	struct rng rng = rng_seed(seed, blocks);
	const struct permutation permutation = permutation_make(scale, &rng);
	struct edge_list list = {
		.vertices = 1ull << scale,
		.count = count,
		.edges = allocate(count * sizeof(*list.edges)),
		.weights = weighted ? allocate(count * sizeof(*list.weights)) : NULL,
	};

#pragma omp parallel for schedule(static)
	for (uint64_t block = 0; block < blocks; block++) {
		const uint64_t begin = block * BLOCK;
		const uint64_t end = begin + BLOCK < count ? begin + BLOCK : count;
		struct rng r = rng_seed(seed, block);

		for (uint64_t i = begin; i < end; i++) {
			const struct edge e = edge_make(scale, &r);

			list.edges[i].from = permute(&permutation, e.from);
			list.edges[i].to = permute(&permutation, e.to);
			if (weighted)
				list.weights[i] = (rng_next(&r) >> 40) * 0x1p-24f;
		}
	}
	return list;
}
