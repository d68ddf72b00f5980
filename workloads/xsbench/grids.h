/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cross-section data: a grid of energies per nuclide, and the unionized grid
 * over all of them, which says for each energy of any nuclide where it lies in
 * the grid of every nuclide.
 */
#ifndef XSBENCH_GRIDS_H
#define XSBENCH_GRIDS_H

#include <stdint.h>

struct pool;

/* total, elastic, absorption, fission, nu-fission */
#define CHANNELS 5

struct point {
	double energy;
	double xs[CHANNELS];
};

struct grids {
	unsigned int nuclides;
	uint64_t gridpoints; /* of each nuclide */
	uint64_t union_points; /* all nuclides' */
	uint64_t bytes; /* allocated */
	struct point *points; /* [nuclides][gridpoints], each nuclide's by energy */
	double *energy; /* [union_points], ascending */
	uint32_t *index; /* [union_points][nuclides]: the interval of the nuclide's grid */
};

/* Bytes of the grids per grid point of a nuclide: the formula in README.md. */
uint64_t grids_bytes_per_gridpoint(unsigned int nuclides);

/* Allocate and fill the grids from the random sequence at @random, by @pool. */
void grids_init(struct grids *g, unsigned int nuclides, uint64_t gridpoints, uint64_t random,
		struct pool *pool);

/* Move @entries entries of the unionized grid, chosen by @seed, to the next interval. */
void grids_corrupt(struct grids *g, uint64_t entries, uint64_t seed);

/* The interval of @nuclide's grid that @energy lies in, from its grid alone. */
uint64_t grids_search_nuclide(const struct grids *g, unsigned int nuclide, double energy);

/* The last point of the unionized grid that is not above @energy, or the first. */
static inline uint64_t grids_search_union(const struct grids *g, double energy)
{
	const double *const grid = g->energy;
	uint64_t low = 0, length = g->union_points - 1;

	while (length > 1) {
		const uint64_t half = length / 2;

		if (grid[low + half] > energy) {
			length = half;
		} else {
			low += half;
			length -= half;
		}
	}
	return low;
}

#endif
