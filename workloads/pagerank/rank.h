/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PageRank by pulling along incoming edges, and its check by pushing. */
#ifndef PAGERANK_RANK_H
#define PAGERANK_RANK_H

#include "graph.h"

#define DAMPING	 0.85
#define SUM_PART 32

struct ranks {
	float *scores;
	float *contributions; /* score of a vertex for each of its targets */
	double *block_change; /* sum of changes in each block of vertices */
	unsigned int iterations; /* that were made */
	double change; /* sum of all scores' changes in the last of them */
};

struct ranks ranks_allocate(const struct graph *g);

/*
 * Start from equal scores and iterate until they change by less than
 * @tolerance in all, or @iterations times. The result does not depend on the
 * number of threads.
 */
void rank(struct pool *pool, const struct graph *g, struct ranks *r, unsigned int iterations,
	  double tolerance);

struct check {
	uint64_t wrong; /* scores that the last iteration cannot have given */
	double residual; /* what one more iteration would change in all */
	double limit; /* what the residual of correct scores cannot exceed */
};

/* Check the scores by pushing, with the contributions that rank() has left. */
struct check rank_check(struct pool *pool, const struct graph *g, const struct ranks *r);

#endif
