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

/*
 * Take @x, uniform over all 64-bit numbers, to uniform in [0, @n) by multiply-shift,
 * whose bias is below n / 2^64.
 */
static inline uint64_t scale_to(uint64_t x, uint64_t n)
{
	return ((unsigned __int128)x * n) >> 64;
}

/* Draw uniformly from [0, @n). */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return scale_to(rng_next(r), n);
}

/* Draw uniformly from [0, 1). */
static inline double rng_unit(struct rng *r)
{
	return (rng_next(r) >> 11) * 0x1p-53;
}

/* Return a number that depends on all bits of @x, another for each @x (splitmix64). */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

#endif
