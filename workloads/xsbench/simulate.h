/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measured work: particles that look up macroscopic cross sections at the
 * energies and in the materials of their random sequence.
 */
#ifndef XSBENCH_SIMULATE_H
#define XSBENCH_SIMULATE_H

#include <stdint.h>

#include "grids.h"
#include "materials.h"

struct simulation {
	const struct grids *grids;
	const struct materials *materials;
	uint64_t particles;
	uint64_t lookups; /* of each particle, one after the other */
	uint64_t stride; /* random numbers from one particle's first to the next's */
	uint64_t random; /* where the first particle's sequence begins */
	struct pool *pool;
	/* every sample_every-th particle leaves a digest of all that it found */
	uint64_t sample_every;
	uint64_t *digests;
};

/*
 * Simulate all particles: the sum over all lookups of one plus the number of the
 * channel with the largest cross section. Calls progress().
 */
uint64_t simulate(const struct simulation *s);

/*
 * Simulate the sampled particles again, searching each nuclide's grid instead of
 * the unionized one: how many found something else than simulate() did.
 */
uint64_t simulate_check(const struct simulation *s);

/* How many particles are sampled. */
static inline uint64_t simulate_samples(const struct simulation *s)
{
	return (s->particles - 1) / s->sample_every + 1;
}

#endif
