// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The check of PageRank pushes along the outgoing edges, which computing the
 * scores did not read. First the contributions of the last iteration: they must
 * give every score, to rounding, so that not even one edge can be amiss. Then
 * those of the scores, one more iteration, which tells how far they have
 * converged. It adds up in fixed point, in which order makes no difference.
 */
#include <math.h>
#include <string.h>

#include "common.h"
#include "rank.h"

/* Scores are at most 1, but for rounding. */
#define FIXED_ONE 0x1p60
#define MAX_SCORE 1.001

/*
 * What rounding changes in an iteration, at most and relative to a score: a
 * contribution, the additions of a part and the score are rounded to 24 bits.
 */
#define ROUNDING ((SUM_PART + 2) * 0x1p-24)

struct check_job {
	const struct graph *g;
	const struct ranks *r;
	bool next; /* the next iteration instead of the last */
	uint64_t *sums;
	double *block_change;
	uint64_t wrong; /* atomic */
};

static void push(void *arg, uint64_t first, uint64_t last)
{
	const struct check_job *job = arg;
	const struct adjacency *out = &job->g->out;

	for (uint64_t u = first; u < last; u++) {
		const uint64_t end = out->offsets[u + 1];
		double contribution;
		uint64_t fixed;

		if (!degree(out, u))
			continue;
		contribution = job->next ? (double)job->r->scores[u] / degree(out, u)
					 : job->r->contributions[u];
		/* what is no number gives nothing, and thus wrong scores */
		fixed = contribution > 0 && contribution <= MAX_SCORE
				? llrint(contribution * FIXED_ONE)
				: 0;
		for (uint64_t e = out->offsets[u]; e < end; e++)
			__atomic_fetch_add(&job->sums[out->neighbours[e]], fixed, __ATOMIC_RELAXED);
	}
}

static void compare(void *arg, uint64_t first, uint64_t last)
{
	struct check_job *job = arg;
	const double base = (1 - DAMPING) / job->g->vertices;
	uint64_t wrong = 0;
	double change = 0;

	for (uint64_t v = first; v < last; v++) {
		const double pushed = base + DAMPING * (job->sums[v] / FIXED_ONE);
		const double difference = fabs(pushed - job->r->scores[v]);

		change += difference;
		/* so that NAN is wrong */
		wrong += !(difference <= ROUNDING * pushed);
	}
	if (job->next)
		job->block_change[first / BLOCK] = change;
	else
		__atomic_fetch_add(&job->wrong, wrong, __ATOMIC_RELAXED);
}

/* What the residual of correct scores cannot exceed. */
static double residual_limit(const struct ranks *r)
{
	/*
	 * An iteration brings any two vectors of scores closer by the damping
	 * factor, the sum of absolute differences taken: the last change, so
	 * reduced, bounds the next. And it cannot be more than the first, which
	 * is at most 2 * DAMPING, so reduced every time.
	 */
	const double from_start = 2 * pow(DAMPING, r->iterations) + 2 * ROUNDING / (1 - DAMPING);

	return DAMPING * fmin(r->change, from_start) + ROUNDING;
}

struct check rank_check(struct pool *pool, const struct graph *g, const struct ranks *r)
{
	const uint64_t blocks = (g->vertices + BLOCK - 1) / BLOCK;
	const uint64_t bytes = g->vertices * sizeof(uint64_t);
	struct check_job job = {
		.g = g,
		.r = r,
		.sums = allocate(bytes),
		.block_change = allocate(blocks * sizeof(double)),
	};
	struct check found = { 0 };

	pool_for(pool, g->vertices, BLOCK, push, &job);
	pool_for(pool, g->vertices, BLOCK, compare, &job);
	found.wrong = job.wrong;

	memset(job.sums, 0, bytes);
	job.next = true;
	pool_for(pool, g->vertices, BLOCK, push, &job);
	pool_for(pool, g->vertices, BLOCK, compare, &job);
	for (uint64_t b = 0; b < blocks; b++)
		found.residual += job.block_change[b];
	found.limit = residual_limit(r);
	return found;
}
