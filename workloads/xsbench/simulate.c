// SPDX-License-Identifier: GPL-2.0-or-later
/* Lookups of macroscopic cross sections; see simulate.h. */
#include "simulate.h"

#include "common.h"
#include "lcg.h"
#include "pool.h"

#define CHUNK 100 /* particles that a thread takes at a time, as in XSBench */

/* Add @density times the cross sections of the nuclide in interval @low at @energy. */
static inline void add_micro(double macro[CHANNELS], const struct point *low, double energy,
			     double density)
{
	const struct point *high = low + 1;
	const double f = (high->energy - energy) / (high->energy - low->energy);

	for (unsigned int c = 0; c < CHANNELS; c++)
		macro[c] += (high->xs[c] - f * (high->xs[c] - low->xs[c])) * density;
}

/* Macroscopic cross sections of @mat at @energy: one search, one row of indices. */
static void lookup_union(const struct grids *g, const struct material *mat, double energy,
			 double macro[CHANNELS])
{
	const uint32_t *row = g->index + grids_search_union(g, energy) * g->nuclides;

	for (unsigned int i = 0; i < mat->nuclides; i++) {
		const uint32_t n = mat->nuclide[i];

		add_micro(macro, g->points + n * g->gridpoints + row[n], energy, mat->density[i]);
	}
}

/* The same with a search in the grid of every nuclide. */
static void lookup_nuclides(const struct grids *g, const struct material *mat, double energy,
			    double macro[CHANNELS])
{
	for (unsigned int i = 0; i < mat->nuclides; i++) {
		const uint32_t n = mat->nuclide[i];
		const uint64_t low = grids_search_nuclide(g, n, energy);

		add_micro(macro, g->points + n * g->gridpoints + low, energy, mat->density[i]);
	}
}

typedef void (*lookup_fn)(const struct grids *g, const struct material *mat, double energy,
			  double macro[CHANNELS]);

static uint64_t add_digest(uint64_t digest, const double macro[CHANNELS])
{
	for (unsigned int c = 0; c < CHANNELS; c++) {
		const union {
			double value;
			uint64_t bits;
		} u = { macro[c] };

		digest = (digest ^ u.bits) * 0x9e3779b97f4a7c15ull;
		digest ^= digest >> 32;
	}
	return digest;
}

/*
 * One particle's lookups. Which energy and material come next depends on what
 * was found, as in a transport code: as many random numbers are left out as
 * channels have a cross section above 1.
 */
static uint64_t simulate_particle(const struct simulation *s, uint64_t particle, lookup_fn lookup,
				  uint64_t *digest)
{
	uint64_t random = lcg_skip(s->random, particle * s->stride), sum = 0;

	for (uint64_t i = 0; i < s->lookups; i++) {
		const double energy = lcg_next(&random);
		const unsigned int mat = materials_pick(s->materials, lcg_next(&random));
		double macro[CHANNELS] = { 0 };
		unsigned int largest = 0, skip = 0;

		lookup(s->grids, &s->materials->material[mat], energy, macro);
		for (unsigned int c = 0; c < CHANNELS; c++) {
			if (macro[c] > macro[largest])
				largest = c;
			skip += macro[c] > 1;
		}
		sum += largest + 1;
		random = lcg_skip(random, skip);
		if (digest)
			*digest = add_digest(*digest, macro);
	}
	return sum;
}

struct work {
	const struct simulation *s;
	uint64_t sum; /* atomic */
};

static void simulate_chunk(void *data, uint64_t begin, uint64_t end)
{
	struct work *work = data;
	const struct simulation *s = work->s;
	uint64_t sum = 0;

	for (uint64_t p = begin; p < end; p++) {
		uint64_t *digest = p % s->sample_every ? NULL : &s->digests[p / s->sample_every];

		sum += simulate_particle(s, p, lookup_union, digest);
	}
	__atomic_fetch_add(&work->sum, sum, __ATOMIC_RELAXED);
	progress((end - begin) * s->lookups);
}

static void check_chunk(void *data, uint64_t begin, uint64_t end)
{
	struct work *work = data;
	const struct simulation *s = work->s;

	for (uint64_t i = begin; i < end; i++) {
		uint64_t digest = 0;

		simulate_particle(s, i * s->sample_every, lookup_nuclides, &digest);
		if (digest != s->digests[i])
			__atomic_fetch_add(&work->sum, 1, __ATOMIC_RELAXED);
	}
}

uint64_t simulate(const struct simulation *s)
{
	struct work work = { .s = s };

	pool_for(s->pool, s->particles, CHUNK, simulate_chunk, &work);
	return work.sum;
}

uint64_t simulate_check(const struct simulation *s)
{
	struct work work = { .s = s };

	pool_for(s->pool, simulate_samples(s), 1, check_chunk, &work);
	return work.sum;
}
