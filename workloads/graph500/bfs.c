// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel 2: breadth-first search, level by level and from the top down, as the
 * OpenMP reference does it. The tree and the queue are new for every root. The
 * queue keeps all vertices in the order of their levels; the first vertex of a
 * level is stored inverted once the level is done, so that the levels can be
 * read from the queue, independently of the tree.
 */
#include <math.h>
#include <omp.h>

#include "common.h"
#include "frontier.h"
#include "graph500.h"

/* Make @v the parent of those of its neighbours that have none yet. */
static void visit(const struct graph *g, int64_t v, int64_t *tree, int64_t *queue, uint64_t *length,
		  struct frontier *next)
{
	const uint64_t begin = g->offsets[2 * v], end = g->offsets[2 * v + 1];

	for (uint64_t i = begin; i < end; i++) {
		const int64_t w = g->adjacency[i];
		int64_t none = NO_VERTEX;

		if (__atomic_load_n(&tree[w], __ATOMIC_RELAXED) != NO_VERTEX)
			continue;
		if (__atomic_compare_exchange_n(&tree[w], &none, v, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			frontier_append(next, w, queue, length);
	}
	frontier_progress(next, end - begin);
}

static struct search bfs_search(const struct graph *g, int64_t root)
{
	struct search s = {
		.vertices = g->vertices,
		.root = root,
		.tree = allocate(g->vertices * sizeof(*s.tree)),
		.queue = allocate(g->vertices * sizeof(*s.queue)),
		.queue_bytes = g->vertices * sizeof(*s.queue),
	};
	uint64_t begin = 0, end = 1, length = 1;
	int64_t *tree = s.tree, *queue = s.queue;

#pragma omp parallel
	{
		struct frontier next = { 0 };

#pragma omp for schedule(static)
		for (uint64_t v = 0; v < g->vertices; v++)
			tree[v] = NO_VERTEX;
#pragma omp single
		{
			tree[root] = root;
			queue[0] = root;
		}
		while (begin < end) {
#pragma omp for schedule(dynamic, 16)
			for (uint64_t i = begin; i < end; i++)
				visit(g, queue[i], tree, queue, &length, &next);
			frontier_flush(&next, queue, &length);
#pragma omp barrier
#pragma omp single
			{
				queue[begin] = ~queue[begin];
				s.digest = (s.digest + end - begin) * 0x9e3779b97f4a7c15ull;
				begin = end;
				end = length;
			}
		}
		progress(next.done);
	}
	s.reached = length;
	return s;
}

static void bfs_finish(struct search *s, float *distance)
{
	float level = -1;

	for (uint64_t v = 0; v < s->vertices; v++)
		distance[v] = INFINITY;
	for (uint64_t i = 0; i < s->reached; i++) {
		const int64_t entry = s->queue[i];

		if (entry < 0)
			level++;
		distance[entry < 0 ? ~entry : entry] = level;
	}
}

const struct kernel bfs = { "bfs", 2 * sizeof(int64_t), bfs_search, bfs_finish };
