/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers by xorshift64*: fast, one state per thread, which is never 0. */
#ifndef WORKLOADS_RNG_H
#define WORKLOADS_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

/* Return a generator for stream @stream of @seed; streams are independent. */
struct rng rng_seed(uint64_t seed, uint64_t stream);

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t x = r->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* Draw uniformly from [0, @n) by multiply-shift, whose bias is below n / 2^64. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return ((unsigned __int128)rng_next(r) * n) >> 64;
}

/* Draw uniformly from [0, 1). */
static inline double rng_unit(struct rng *r)
{
	return (rng_next(r) >> 11) * 0x1p-53;
}

#endif
