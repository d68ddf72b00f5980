/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The twelve materials of the Hoogenboom-Martin reactor benchmark: which
 * nuclides each consists of, how dense they are, and how often a particle is in
 * it.
 */
#ifndef XSBENCH_MATERIALS_H
#define XSBENCH_MATERIALS_H

#include <stdint.h>

#define MATERIALS      12
#define NUCLIDES_SMALL 68
#define NUCLIDES_LARGE 355
#define FUEL_MAX       321 /* nuclides in the fuel of the large problem */

struct material {
	unsigned int nuclides;
	uint32_t nuclide[FUEL_MAX];
	double density[FUEL_MAX];
};

struct materials {
	struct material material[MATERIALS];
	/* a random number below below[i] and not below below[i - 1] means i */
	double below[MATERIALS];
};

/*
 * The materials of the problem with @nuclides, NUCLIDES_SMALL or
 * NUCLIDES_LARGE; densities are random numbers of the sequence at @random.
 */
void materials_init(struct materials *m, unsigned int nuclides, uint64_t random);

/* The material that the random number @roll in [0, 1) means. */
static inline unsigned int materials_pick(const struct materials *m, double roll)
{
	for (unsigned int i = 1; i < MATERIALS; i++)
		if (roll < m->below[i])
			return i;
	return 0;
}

#endif
