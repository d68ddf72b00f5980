// SPDX-License-Identifier: GPL-2.0-or-later
/* Seeds of random sequences; see rng.h. */
#include "rng.h"

struct rng rng_seed(uint64_t seed, uint64_t stream)
{
	/* splitmix64 of both, so that neighbouring streams share no bits */
	const uint64_t both = seed * 0x9e3779b97f4a7c15ull + stream + 1;
	const uint64_t z = mix64(both * 0xbf58476d1ce4e5b9ull);

	return (struct rng){ .state = z ? z : 1 };
}
