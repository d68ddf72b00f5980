// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * R-MAT (Chakrabarti, Zhan, Faloutsos, SDM '04) with the parameters of the GAP
 * benchmark suite: each bit of an edge's source and target is drawn from the
 * quadrants A (0, 0), B (0, 1), C (1, 0) and D (1, 1).
 *
 * An edge list of the whole graph would take as much memory again as the graph
 * has. Hence edges are drawn source by source: the number of draws with source
 * bits r is Poisson with mean m (A + B)^zeros(r) (C + D)^ones(r), and given a
 * bit of the source, that of the target is 1 with probability B / (A + B) or
 * D / (C + D). That is the same distribution, but for the number of draws in
 * all, which is Poisson with mean m instead of m. Every source has a random
 * sequence of its own, so threads need not know of each other.
 */
#include "rmat.h"

#include <math.h>

#include "common.h"

#define A 0.57
#define B 0.19
#define C 0.19
#define D (1 - A - B - C)

/* Probabilities of bits are multiples of 2^-20. */
#define PROBABILITY_BITS 20
#define PROBABILITY(p)	 ((uint32_t)((p) * (1 << PROBABILITY_BITS) + 0.5))

/* exp(-x) must not vanish. */
#define MAX_MEAN 500.0

double rmat_expected_edges(const struct rmat *r)
{
	const double draws = r->degree * exp2(r->scale);
	const int n = r->scale;
	double sum = 0;

	/*
	 * A cell of the matrix that is reached by a times A, d times D and else
	 * B or C is hit at least once with probability 1 - exp(-mean).
	 */
	for (int a = 0; a <= n; a++)
		for (int d = 0; a + d <= n; d++) {
			const int b = n - a - d;
			const double mean = draws * pow(A, a) * pow(B, b) * pow(D, d);
			const double cells = round(tgamma(n + 1) / tgamma(a + 1) / tgamma(b + 1) /
						   tgamma(d + 1)) *
					     exp2(b);

			/* those with b = 0 are loops */
			if (b)
				sum -= cells * expm1(-mean);
		}
	return sum;
}

/*
 * Vertex numbers are scrambled, or degree would fall with the number: a
 * bijection of [0, 2^scale) and its inverse. Multiplication by an odd number
 * carries bits up, the shift carries them down.
 */
#define ROUNDS 3

struct scrambler {
	uint32_t factor[ROUNDS];
	uint32_t inverse[ROUNDS];
	uint32_t mask;
	unsigned int shift;
};

static struct scrambler scrambler_make(unsigned int scale, uint64_t seed)
{
	struct scrambler s = { .mask = (1u << scale) - 1, .shift = (scale + 1) / 2 };
	struct rng rng = rng_seed(seed, UINT64_MAX);

	for (int i = 0; i < ROUNDS; i++) {
		const uint32_t f = rng_next(&rng) >> 32 | 1;
		uint32_t inverse = f; /* of its lowest 3 bits; each step doubles them */

		for (int step = 0; step < 4; step++)
			inverse *= 2 - f * inverse;
		s.factor[i] = f;
		s.inverse[i] = inverse;
	}
	return s;
}

static inline uint32_t scramble(const struct scrambler *s, uint32_t x)
{
	for (int i = 0; i < ROUNDS; i++) {
		x = x * s->factor[i] & s->mask;
		x ^= x >> s->shift; /* at least half of the bits: its own inverse */
	}
	return x;
}

static inline uint32_t unscramble(const struct scrambler *s, uint32_t x)
{
	for (int i = ROUNDS - 1; i >= 0; i--) {
		x ^= x >> s->shift;
		x = x * s->inverse[i] & s->mask;
	}
	return x;
}

struct rmat_job {
	struct adjacency out;
	struct scrambler scrambler;
	unsigned int scale;
	uint64_t seed;
	double mean[MAX_SCALE + 1]; /* draws of a source with so many bits set */
};

/* By Knuth's method: multiply uniform numbers until they fall below exp(-mean). */
static uint64_t poisson(struct rng *rng, double mean)
{
	uint64_t n = 0;

	while (mean > 0) {
		const double part = mean < MAX_MEAN ? mean : MAX_MEAN;
		const double limit = exp(-part);

		for (double p = rng_unit(rng); p > limit; p *= rng_unit(rng))
			n++;
		mean -= part;
	}
	return n;
}

static void count_draws(void *arg, uint64_t first, uint64_t last)
{
	const struct rmat_job *job = arg;

	for (uint64_t v = first; v < last; v++) {
		const uint32_t row = unscramble(&job->scrambler, v);
		struct rng rng = rng_seed(job->seed, 2 * v);

		job->out.offsets[v + 1] = poisson(&rng, job->mean[__builtin_popcount(row)]);
	}
}

/*
 * 64 bits that are 1 with probability @p each. By the binary digits of p, from
 * the last: "or" with random bits makes q into (q + 1) / 2, "and" into q / 2.
 */
static inline uint64_t random_bits(struct rng *rng, uint32_t p)
{
	uint64_t bits = 0;

	for (int i = __builtin_ctz(p); i < PROBABILITY_BITS; i++)
		bits = p >> i & 1 ? bits | rng_next(rng) : bits & rng_next(rng);
	return bits;
}

static void draw_targets(void *arg, uint64_t first, uint64_t last)
{
	const struct rmat_job *job = arg;
	const unsigned int per_word = 64 / job->scale;

	for (uint64_t v = first; v < last; v++) {
		const uint32_t row = unscramble(&job->scrambler, v);
		uint32_t *at = job->out.neighbours + job->out.offsets[v];
		uint32_t *const end = job->out.neighbours + job->out.offsets[v + 1];
		struct rng rng = rng_seed(job->seed, 2 * v + 1);
		uint64_t rows = 0;

		for (unsigned int i = 0; i < per_word; i++)
			rows = rows << job->scale | row;
		while (at < end) {
			uint64_t targets = ~rows & random_bits(&rng, PROBABILITY(B / (A + B)));

			targets |= rows & random_bits(&rng, PROBABILITY(D / (C + D)));
			for (unsigned int i = 0; i < per_word && at < end; i++) {
				*at++ = scramble(&job->scrambler, targets & job->scrambler.mask);
				targets >>= job->scale;
			}
		}
	}
}

struct graph rmat_generate(struct pool *pool, const struct rmat *r, uint64_t seed)
{
	struct graph g = { .vertices = 1ull << r->scale, .directed = true };
	struct rmat_job job = {
		.scrambler = scrambler_make(r->scale, seed),
		.scale = r->scale,
		.seed = seed,
	};

	for (unsigned int ones = 0; ones <= r->scale; ones++)
		job.mean[ones] =
			r->degree * g.vertices * pow(A + B, r->scale - ones) * pow(C + D, ones);
	g.out.offsets = allocate((g.vertices + 1) * sizeof(*g.out.offsets));
	job.out = g.out;
	pool_for(pool, g.vertices, BLOCK, count_draws, &job);
	sum_counts(g.out.offsets, g.vertices);
	g.out.neighbours = allocate(g.out.offsets[g.vertices] * sizeof(*g.out.neighbours) + 1);
	job.out = g.out;
	pool_for(pool, g.vertices, BLOCK, draw_targets, &job);
	simplify(pool, &g.out, g.vertices);
	g.edges = g.out.offsets[g.vertices];
	make_incoming(pool, &g);
	return g;
}
