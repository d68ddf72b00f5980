/* SPDX-License-Identifier: GPL-2.0-or-later */
/* R-MAT: directed random graphs with power-law degrees. */
#ifndef PAGERANK_RMAT_H
#define PAGERANK_RMAT_H

#include "graph.h"

#define MIN_SCALE 4
#define MAX_SCALE 30

/* 2^scale vertices, degree * 2^scale edges drawn. */
struct rmat {
	unsigned int scale;
	double degree;
};

/* The expected number of edges that are left without loops and repetitions. */
double rmat_expected_edges(const struct rmat *r);

/* Dies when there is no memory. The graph does not depend on the threads. */
struct graph rmat_generate(struct pool *pool, const struct rmat *r, uint64_t seed);

#endif
