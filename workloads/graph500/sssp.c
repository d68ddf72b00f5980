// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel 3: shortest paths from one vertex by delta-stepping (Meyer and
 * Sanders, "Delta-stepping: a parallelizable shortest path algorithm", 2003),
 * with all edges treated as light. A bucket is the set of vertices whose
 * distance lies in one interval of DELTA and whose edges are not relaxed since
 * it changed; buckets are not stored but found by a scan of one byte per
 * vertex.
 *
 * While a search runs, the word of a vertex has its distance above its parent,
 * so that both change at once. The distance must shrink for that: among
 * vertices that weightless edges join, no parents can form a circle.
 */
#include <float.h>
#include <math.h>
#include <omp.h>

#include "common.h"
#include "frontier.h"
#include "graph500.h"

#define DELTA 0.03125f

/* What a vertex waits for. */
enum { DONE, LATER_BUCKET, IN_FRONTIER };

struct frontiers {
	uint8_t *state;
	int64_t *next;
	uint64_t length;
	float limit; /* upper end of the current bucket */
};

static float distance_of(uint64_t word)
{
	return float_of(word >> 32);
}

/* An edge to @w gives it distance @d by way of @parent. */
static void relax(uint64_t *word, int64_t w, float d, int64_t parent, struct frontiers *f,
		  struct frontier *next)
{
	const uint64_t better = (uint64_t)bits_of(d) << 32 | parent;
	uint64_t old = __atomic_load_n(&word[w], __ATOMIC_RELAXED);
	uint8_t done = DONE;

	do {
		if (old >> 32 <= better >> 32)
			return;
	} while (!__atomic_compare_exchange_n(&word[w], &old, better, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	if (d >= f->limit)
		__atomic_compare_exchange_n(&f->state[w], &done, LATER_BUCKET, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	else if (__atomic_exchange_n(&f->state[w], IN_FRONTIER, __ATOMIC_SEQ_CST) != IN_FRONTIER)
		frontier_append(next, w, f->next, &f->length);
}

static void relax_all(const struct graph *g, int64_t v, uint64_t *word, struct frontiers *f,
		      struct frontier *next)
{
	const uint64_t begin = g->offsets[2 * v], end = g->offsets[2 * v + 1];
	float d;

	/* before the distance is read: who shrinks it later must append v again */
	__atomic_store_n(&f->state[v], DONE, __ATOMIC_SEQ_CST);
	d = distance_of(__atomic_load_n(&word[v], __ATOMIC_SEQ_CST));
	for (uint64_t i = begin; i < end; i++)
		relax(word, neighbour(g, i), d + weight(g, i), v, f, next);
	frontier_progress(next, end - begin);
}

/* Return what @v and its distance add to the digest, a sum in any order of vertices. */
static uint64_t digest_of(uint64_t v, uint64_t word)
{
	struct rng r = rng_seed(v, word >> 32);

	return rng_next(&r);
}

static struct search sssp_search(const struct graph *g, int64_t root)
{
	const uint64_t n = g->vertices;
	struct search s = {
		.vertices = n,
		.root = root,
		.tree = allocate(n * sizeof(*s.tree)),
		.queue = allocate(2 * n * sizeof(*s.queue)),
		.queue_bytes = 2 * n * sizeof(*s.queue),
	};
	uint64_t *word = (uint64_t *)s.tree, length = 0, digest = 0;
	struct frontiers f = { .state = allocate(n), .next = s.queue + n };
	int64_t *now = s.queue;
	float least = 0;

#pragma omp parallel
	{
		struct frontier next = { 0 };

#pragma omp for schedule(static)
		for (uint64_t v = 0; v < n; v++)
			word[v] = UINT64_MAX;
#pragma omp single
		{
			word[root] = root;
			f.state[root] = LATER_BUCKET;
		}
		while (least < FLT_MAX) {
#pragma omp single
			f.limit = (floorf(least / DELTA) + 1) * DELTA;
			/* the bucket's vertices make up its first frontier */
#pragma omp for schedule(static)
			for (uint64_t v = 0; v < n; v++)
				if (f.state[v] == LATER_BUCKET && distance_of(word[v]) < f.limit) {
					f.state[v] = IN_FRONTIER;
					frontier_append(&next, v, f.next, &f.length);
				}
			for (;;) {
				frontier_flush(&next, f.next, &f.length);
#pragma omp barrier
#pragma omp single
				{
					int64_t *t = now;

					now = f.next;
					length = f.length;
					f.next = t;
					f.length = 0;
					least = FLT_MAX;
				}
				if (!length)
					break;
#pragma omp for schedule(dynamic, 16)
				for (uint64_t i = 0; i < length; i++)
					relax_all(g, now[i], word, &f, &next);
			}
#pragma omp for schedule(static) reduction(min : least)
			for (uint64_t v = 0; v < n; v++)
				if (f.state[v] == LATER_BUCKET && distance_of(word[v]) < least)
					least = distance_of(word[v]);
		}
#pragma omp for schedule(static) reduction(+ : digest)
		for (uint64_t v = 0; v < n; v++)
			digest += digest_of(v, word[v]);
		progress(next.done);
	}
	s.digest = digest;
	release(f.state, n);
	return s;
}

static void sssp_finish(struct search *s, float *distance)
{
	for (uint64_t v = 0; v < s->vertices; v++) {
		const uint64_t word = s->tree[v];

		if (word == UINT64_MAX) {
			distance[v] = INFINITY;
			continue;
		}
		distance[v] = distance_of(word);
		s->tree[v] = (uint32_t)word;
	}
}

const struct kernel sssp = { "sssp", 3 * sizeof(int64_t) + 1, sssp_search, sssp_finish };
