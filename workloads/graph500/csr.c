// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel 1: the graph in compressed sparse rows, built in place as the OpenMP
 * reference does it: count degrees in the offsets, allocate the adjacency by
 * their sum, scatter each edge to both of its ends, then sort every vertex'
 * neighbours and drop duplicates. What duplicates leave stays unused, which is
 * why a vertex has an end offset of its own.
 */
#include <omp.h>

#include "common.h"
#include "graph500.h"

#define INSERTION_MAX 24

static inline void swap(uint64_t *a, uint64_t *b)
{
	const uint64_t t = *a;

	*a = *b;
	*b = t;
}

static void insertion_sort(uint64_t *a, uint64_t n)
{
	for (uint64_t i = 1; i < n; i++) {
		const uint64_t x = a[i];
		uint64_t j = i;

		for (; j > 0 && a[j - 1] > x; j--)
			a[j] = a[j - 1];
		a[j] = x;
	}
}

/* Quicksort with Hoare's partition, which copes with many equal values. */
static void sort(uint64_t *a, uint64_t n)
{
	while (n > INSERTION_MAX) {
		uint64_t *i = a - 1, *j = a + n, *middle = a + (n - 1) / 2, pivot;

		/* the median of three goes to the middle */
		if (a[0] > *middle)
			swap(a, middle);
		if (a[0] > a[n - 1])
			swap(a, a + n - 1);
		if (*middle > a[n - 1])
			swap(middle, a + n - 1);
		pivot = *middle;
		for (;;) {
			do
				i++;
			while (*i < pivot);
			do
				j--;
			while (*j > pivot);
			if (i >= j)
				break;
			swap(i, j);
		}
		/* [a, j] and the rest: recurse into the smaller one */
		const uint64_t left = j - a + 1;

		if (left < n - left) {
			sort(a, left);
			a += left;
			n -= left;
		} else {
			sort(a + left, n - left);
			n = left;
		}
	}
	insertion_sort(a, n);
}

/* Keep the first entry for each neighbour: the one of the least weight. */
static uint64_t drop_duplicates(uint64_t *a, uint64_t n, unsigned int shift)
{
	uint64_t kept = n ? 1 : 0;

	for (uint64_t i = 1; i < n; i++)
		if (a[i] >> shift != a[kept - 1] >> shift)
			a[kept++] = a[i];
	return kept;
}

static void count_degrees(const struct edge_list *list, uint64_t *offsets)
{
#pragma omp parallel for schedule(static)
	for (uint64_t i = 0; i < list->count; i++) {
		const struct edge e = list->edges[i];

		if (e.from == e.to)
			continue;
		__atomic_fetch_add(&offsets[2 * e.from], 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&offsets[2 * e.to], 1, __ATOMIC_RELAXED);
	}
}

/* Degrees become offsets; the end of each row is where it begins, yet. */
static uint64_t offsets_of_degrees(uint64_t *offsets, uint64_t vertices)
{
	uint64_t sum = 0;

	for (uint64_t v = 0; v < vertices; v++) {
		const uint64_t degree = offsets[2 * v];

		offsets[2 * v] = sum;
		offsets[2 * v + 1] = sum;
		sum += degree;
	}
	return sum;
}

/* Append @entry to the row of @v. */
static inline void append(struct graph *g, int64_t v, uint64_t entry)
{
	const uint64_t at = __atomic_fetch_add(&g->offsets[2 * v + 1], 1, __ATOMIC_RELAXED);

	g->adjacency[at] = entry;
}

static void scatter(const struct edge_list *list, struct graph *g)
{
#pragma omp parallel for schedule(static)
	for (uint64_t i = 0; i < list->count; i++) {
		const struct edge e = list->edges[i];
		uint64_t from = e.from, to = e.to;

		if (e.from == e.to)
			continue;
		if (g->weighted) {
			from = from << 32 | bits_of(list->weights[i]);
			to = to << 32 | bits_of(list->weights[i]);
		}
		append(g, e.from, to);
		append(g, e.to, from);
	}
}

struct graph csr(const struct edge_list *list)
{
	struct graph g = {
		.vertices = list->vertices,
		.offsets = allocate(list->vertices * 2 * sizeof(*g.offsets)),
		.weighted = list->weights,
	};

	count_degrees(list, g.offsets);
	g.entries = offsets_of_degrees(g.offsets, g.vertices);
	if (!g.entries)
		die("the graph has no edge but loops; take a larger --edge-factor");
	g.adjacency = allocate(g.entries * sizeof(*g.adjacency));
	scatter(list, &g);

#pragma omp parallel for schedule(dynamic, 256)
	for (uint64_t v = 0; v < g.vertices; v++) {
		const uint64_t begin = g.offsets[2 * v], n = g.offsets[2 * v + 1] - begin;
		uint64_t *const row = g.adjacency + begin;

		sort(row, n);
		g.offsets[2 * v + 1] = begin + drop_duplicates(row, n, g.weighted ? 32 : 0);
	}
	return g;
}
