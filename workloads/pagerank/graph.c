// SPDX-License-Identifier: GPL-2.0-or-later
/* From lists of neighbours to a simple graph in both directions; see graph.h. */
#include "graph.h"

#include <sys/mman.h>

#include "common.h"

#define NO_VERTEX	UINT32_MAX
#define PAGE		4096
#define INSERTION_ITEMS 16

void sum_counts(uint64_t *offsets, uint64_t vertices)
{
	for (uint64_t v = 0; v < vertices; v++)
		offsets[v + 1] += offsets[v];
}

/*
 * Radix exchange: split by @bit, the highest that can differ, then both parts
 * by the next. In place, and no order of the input is a bad one.
 */
static void sort(uint32_t *a, uint64_t n, uint32_t bit)
{
	while (n > INSERTION_ITEMS && bit) {
		uint64_t zeros = 0, end = n;

		while (zeros < end) {
			const uint32_t x = a[zeros];

			if (x & bit) {
				a[zeros] = a[--end];
				a[end] = x;
			} else {
				zeros++;
			}
		}
		bit >>= 1;
		sort(a, zeros, bit);
		a += zeros;
		n -= zeros;
	}
	for (uint64_t i = 1; i < n; i++) {
		const uint32_t x = a[i];
		uint64_t j = i;

		for (; j && a[j - 1] > x; j--)
			a[j] = a[j - 1];
		a[j] = x;
	}
}

struct simplify_job {
	struct adjacency *a;
	uint32_t top_bit;
};

/* Every list becomes sorted and simple; NO_VERTEX ends one that got shorter. */
static void simplify_lists(void *arg, uint64_t first, uint64_t last)
{
	const struct simplify_job *job = arg;

	for (uint64_t v = first; v < last; v++) {
		uint32_t *list = job->a->neighbours + job->a->offsets[v];
		const uint64_t n = degree(job->a, v);
		uint32_t previous = NO_VERTEX;
		uint64_t kept = 0;

		sort(list, n, job->top_bit);
		for (uint64_t i = 0; i < n; i++) {
			if (list[i] == previous || list[i] == v)
				continue;
			previous = list[i];
			list[kept++] = previous;
		}
		if (kept < n)
			list[kept] = NO_VERTEX;
	}
}

void simplify(struct pool *pool, struct adjacency *a, uint64_t vertices)
{
	const uint64_t old_end = a->offsets[vertices];
	struct simplify_job job = { .a = a, .top_bit = 1 };
	uint64_t begin = 0, to = 0;
	char *tail, *end;

	while (2ull * job.top_bit < vertices)
		job.top_bit *= 2;
	pool_for(pool, vertices, BLOCK, simplify_lists, &job);

	for (uint64_t v = 0; v < vertices; v++) {
		const uint64_t list_end = a->offsets[v + 1];

		for (uint64_t e = begin; e < list_end && a->neighbours[e] != NO_VERTEX; e++)
			a->neighbours[to++] = a->neighbours[e];
		a->offsets[v + 1] = to;
		begin = list_end;
	}

	tail = (char *)(((uintptr_t)(a->neighbours + to) + PAGE - 1) & -(uintptr_t)PAGE);
	end = (char *)(a->neighbours + old_end);
	if (tail < end && to)
		munmap(tail, end - tail);
}

/*
 * Incoming lists are made band by band of targets. Each band reads all edges in
 * the order of their sources: no atomics, and the lists come out sorted. Several
 * bands even for one thread, as a cache holds more of a small one.
 */
#define MIN_BANDS 16

struct incoming_job {
	struct graph *g;
	uint64_t band; /* vertices of one */
	bool fill;
};

static void incoming_band(void *arg, uint64_t first, uint64_t last)
{
	const struct incoming_job *job = arg;
	const uint64_t *const out_offsets = job->g->out.offsets;
	const uint32_t *const targets = job->g->out.neighbours;
	uint32_t *const sources = job->g->in.neighbours;
	/* count at v + 2, fill at v + 1: the latter ends as the end of v's list */
	uint64_t *const at = job->g->in.offsets + (job->fill ? 1 : 2);
	const uint64_t low = first * job->band, vertices = (last - first) * job->band;

	for (uint64_t u = 0, e = 0; u < job->g->vertices; u++) {
		const uint64_t end = out_offsets[u + 1];

		for (; e < end; e++) {
			const uint64_t v = targets[e];

			/* below low wraps around */
			if (v - low >= vertices)
				continue;
			if (job->fill)
				sources[at[v]++] = u;
			else
				at[v]++;
		}
	}
}

void make_incoming(struct pool *pool, struct graph *g)
{
	const unsigned int threads = pool_threads(pool);
	const unsigned int bands = threads > MIN_BANDS ? threads : MIN_BANDS;
	struct incoming_job job = { .g = g, .band = (g->vertices + bands - 1) / bands };

	g->in.offsets = allocate((g->vertices + 2) * sizeof(*g->in.offsets));
	pool_for(pool, bands, 1, incoming_band, &job);
	sum_counts(g->in.offsets, g->vertices + 1);
	g->in.neighbours = allocate(g->edges * sizeof(*g->in.neighbours) + 1);
	job.fill = true;
	pool_for(pool, bands, 1, incoming_band, &job);
}

struct merge_job {
	const struct graph *g;
	struct adjacency *both;
	bool fill;
};

/* Count or fill the unions of outgoing and incoming lists. */
static void merge_lists(void *arg, uint64_t first, uint64_t last)
{
	const struct merge_job *job = arg;
	const struct adjacency *out = &job->g->out, *in = &job->g->in;

	for (uint64_t v = first; v < last; v++) {
		uint64_t o = out->offsets[v], i = in->offsets[v], count = 0;
		const uint64_t out_end = out->offsets[v + 1], in_end = in->offsets[v + 1];
		uint32_t *to = job->fill ? job->both->neighbours + job->both->offsets[v] : NULL;

		while (o < out_end || i < in_end) {
			const uint32_t a = o < out_end ? out->neighbours[o] : NO_VERTEX;
			const uint32_t b = i < in_end ? in->neighbours[i] : NO_VERTEX;

			if (job->fill)
				to[count] = a < b ? a : b;
			count++;
			o += a <= b;
			i += b <= a;
		}
		if (!job->fill)
			job->both->offsets[v + 1] = count;
	}
}

static void free_adjacency(struct adjacency *a, const struct graph *g)
{
	munmap(a->offsets, (g->vertices + 1) * sizeof(*a->offsets));
	munmap(a->neighbours, g->edges * sizeof(*a->neighbours));
}

void symmetrize(struct pool *pool, struct graph *g)
{
	struct adjacency both;
	struct merge_job job = { .g = g, .both = &both };

	check_memory(2 * graph_bytes(g->vertices, g->edges, true));
	both.offsets = allocate((g->vertices + 1) * sizeof(*both.offsets));
	pool_for(pool, g->vertices, BLOCK, merge_lists, &job);
	sum_counts(both.offsets, g->vertices);
	both.neighbours = allocate(both.offsets[g->vertices] * sizeof(*both.neighbours));
	job.fill = true;
	pool_for(pool, g->vertices, BLOCK, merge_lists, &job);

	free_adjacency(&g->out, g);
	free_adjacency(&g->in, g);
	g->out = both;
	g->in = both;
	g->edges = both.offsets[g->vertices];
	g->directed = false;
}
