// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PageRank as in the GAP benchmark suite (Beamer, Asanovic, Patterson,
 * arXiv:1508.03619): every iteration first divides each score by the vertex'
 * outgoing degree, then each vertex pulls the contributions of its sources.
 * As there, what vertices without outgoing edges have is not handed on.
 */
#include "rank.h"

#include <math.h>

#include "common.h"

struct rank_job {
	const struct graph *g;
	struct ranks *r;
};

struct ranks ranks_allocate(const struct graph *g)
{
	const uint64_t blocks = (g->vertices + BLOCK - 1) / BLOCK;

	return (struct ranks){
		.scores = allocate(g->vertices * sizeof(float)),
		.contributions = allocate(g->vertices * sizeof(float)),
		.block_change = allocate(blocks * sizeof(double)),
	};
}

static void set_initial_scores(void *arg, uint64_t first, uint64_t last)
{
	const struct rank_job *job = arg;
	const float initial = 1.0 / job->g->vertices;

	for (uint64_t v = first; v < last; v++)
		job->r->scores[v] = initial;
}

static void make_contributions(void *arg, uint64_t first, uint64_t last)
{
	const struct rank_job *job = arg;

	/* infinite without targets, but then nobody reads it; signed converts faster */
	for (uint64_t v = first; v < last; v++)
		job->r->contributions[v] = job->r->scores[v] / (int64_t)degree(&job->g->out, v);
}

/*
 * A float is too short for the sum over millions of sources, a conversion for
 * each of them too slow: sums of SUM_PART floats add up in double precision.
 */
static void pull(void *arg, uint64_t first, uint64_t last)
{
	const struct rank_job *job = arg;
	const double base = (1 - DAMPING) / job->g->vertices;
	const uint64_t *const offsets = job->g->in.offsets;
	const uint32_t *const neighbours = job->g->in.neighbours;
	const float *const contributions = job->r->contributions;
	float *const scores = job->r->scores;
	double change = 0;

	for (uint64_t v = first; v < last; v++) {
		const uint64_t end = offsets[v + 1];
		double sum = 0;
		float score;

		for (uint64_t e = offsets[v]; e < end;) {
			const uint64_t part_end = end - e < SUM_PART ? end : e + SUM_PART;
			float part = 0;

			for (; e < part_end; e++)
				part += contributions[neighbours[e]];
			sum += part;
		}
		score = base + DAMPING * sum;
		change += fabs((double)score - scores[v]);
		scores[v] = score;
	}
	job->r->block_change[first / BLOCK] = change;
	progress(offsets[last] - offsets[first]);
}

void rank(struct pool *pool, const struct graph *g, struct ranks *r, unsigned int iterations,
	  double tolerance)
{
	const uint64_t blocks = (g->vertices + BLOCK - 1) / BLOCK;
	struct rank_job job = { g, r };

	pool_for(pool, g->vertices, BLOCK, set_initial_scores, &job);
	for (r->iterations = 0; r->iterations < iterations;) {
		pool_for(pool, g->vertices, BLOCK, make_contributions, &job);
		pool_for(pool, g->vertices, BLOCK, pull, &job);
		r->iterations++;
		r->change = 0;
		for (uint64_t b = 0; b < blocks; b++)
			r->change += r->block_change[b];
		if (r->change < tolerance)
			break;
	}
}
