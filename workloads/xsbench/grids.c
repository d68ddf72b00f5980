// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Building of the grids; see grids.h. They are allocated in XSBench's order:
 * nuclide grids, energies of the unionized grid, its indices.
 */
#include "grids.h"

#include <stdlib.h>

#include "common.h"
#include "lcg.h"
#include "pool.h"

#define ROWS_CHUNK 4096 /* of the unionized grid, filled at a time by a thread */

struct build {
	struct grids *grids;
	uint64_t random;
};

uint64_t grids_bytes_per_gridpoint(unsigned int nuclides)
{
	return nuclides * (sizeof(struct point) + sizeof(double) + sizeof(uint32_t) * nuclides);
}

static int by_energy(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void fill_nuclides(void *data, uint64_t begin, uint64_t end)
{
	const struct build *b = data;
	const uint64_t n = b->grids->gridpoints;

	for (uint64_t nuclide = begin; nuclide < end; nuclide++) {
		struct point *points = b->grids->points + nuclide * n;
		uint64_t random = lcg_skip(b->random, nuclide * n * (1 + CHANNELS));

		for (uint64_t i = 0; i < n; i++) {
			points[i].energy = lcg_next(&random);
			for (unsigned int c = 0; c < CHANNELS; c++)
				points[i].xs[c] = lcg_next(&random);
		}
		/* energy is what a point begins with */
		qsort(points, n, sizeof(*points), by_energy);
	}
}

uint64_t grids_search_nuclide(const struct grids *g, unsigned int nuclide, double energy)
{
	const struct point *points = g->points + nuclide * g->gridpoints;
	uint64_t low = 0, high = g->gridpoints - 1;

	while (high - low > 1) {
		const uint64_t middle = low + (high - low) / 2;

		if (points[middle].energy > energy)
			high = middle;
		else
			low = middle;
	}
	return low;
}

/*
 * Each row follows from the one before: a nuclide's interval ends where the
 * row's energy reaches the interval's upper end. Only the first row of a chunk
 * is searched for.
 */
static void fill_index(void *data, uint64_t begin, uint64_t end)
{
	struct grids *g = data;
	const unsigned int nuclides = g->nuclides;
	const uint64_t last = g->gridpoints - 2;
	uint32_t *row = g->index + begin * nuclides;

	for (unsigned int n = 0; n < nuclides; n++)
		row[n] = grids_search_nuclide(g, n, g->energy[begin]);
	for (uint64_t e = begin + 1; e < end; e++) {
		const uint32_t *const previous = row;
		const double energy = g->energy[e];

		row += nuclides;
		for (unsigned int n = 0; n < nuclides; n++) {
			const struct point *points = g->points + n * g->gridpoints;
			uint32_t i = previous[n];

			while (i < last && points[i + 1].energy <= energy)
				i++;
			row[n] = i;
		}
	}
}

static void *count_allocate(struct grids *g, uint64_t bytes)
{
	g->bytes += bytes;
	return allocate(bytes);
}

void grids_init(struct grids *g, unsigned int nuclides, uint64_t gridpoints, uint64_t random,
		struct pool *pool)
{
	struct build build = { .grids = g, .random = random };
	const uint64_t union_points = nuclides * gridpoints;

	*g = (struct grids){
		.nuclides = nuclides,
		.gridpoints = gridpoints,
		.union_points = union_points,
	};
	g->points = count_allocate(g, union_points * sizeof(*g->points));
	g->energy = count_allocate(g, union_points * sizeof(*g->energy));
	g->index = count_allocate(g, union_points * nuclides * sizeof(*g->index));

	pool_for(pool, nuclides, 1, fill_nuclides, &build);
	for (uint64_t i = 0; i < union_points; i++)
		g->energy[i] = g->points[i].energy;
	qsort(g->energy, union_points, sizeof(*g->energy), by_energy);
	pool_for(pool, union_points, ROWS_CHUNK, fill_index, g);
}

void grids_corrupt(struct grids *g, uint64_t entries, uint64_t seed)
{
	struct rng rng = rng_seed(seed, 0);

	while (entries--) {
		uint32_t *i = &g->index[rng_below(&rng, g->union_points * g->nuclides)];

		*i = (*i + 1) % (g->gridpoints - 1);
	}
}
