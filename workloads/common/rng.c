// SPDX-License-Identifier: GPL-2.0-or-later
/* Seeds of random sequences; see rng.h. */
#include "rng.h"

struct rng rng_seed(uint64_t seed, uint64_t stream)
{
	/* splitmix64 of both, so that neighbouring streams share no bits */
	uint64_t z = seed * 0x9e3779b97f4a7c15ull + stream + 1;

	z *= 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return (struct rng){ .state = z ? z : 1 };
}
