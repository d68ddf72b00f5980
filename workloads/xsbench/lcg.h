/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XSBench's generator: x -> (a x + c) mod 2^63, with skip-ahead, so that every
 * nuclide and every particle has its own part of one sequence, whichever thread
 * computes it.
 */
#ifndef XSBENCH_LCG_H
#define XSBENCH_LCG_H

#include <stdint.h>

#define LCG_A	 2806196910506780709ull
#define LCG_C	 1ull
#define LCG_MASK ((1ull << 63) - 1)

/* The next number of the sequence at @x, uniform in [0, 1). */
static inline double lcg_next(uint64_t *x)
{
	*x = (LCG_A * *x + LCG_C) & LCG_MASK;
	return (double)*x / 0x1p63;
}

/*
 * Where the sequence at @x is @steps numbers later: the affine map of one step
 * is squared once per bit of @steps (Brown, "Random number generation with
 * arbitrary strides", 1994).
 */
static inline uint64_t lcg_skip(uint64_t x, uint64_t steps)
{
	uint64_t a = LCG_A, c = LCG_C;

	for (steps &= LCG_MASK; steps; steps >>= 1) {
		if (steps & 1)
			x = a * x + c;
		c *= a + 1;
		a *= a;
	}
	return x & LCG_MASK;
}

#endif
