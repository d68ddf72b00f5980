/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A graph as compressed sparse rows, once by source and once by target, in the
 * types of the GAP benchmark suite: 64-bit offsets, 32-bit vertex numbers.
 */
#ifndef PAGERANK_GRAPH_H
#define PAGERANK_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

/* Vertex numbers must fit a signed 32-bit integer, and so must their count. */
#define MAX_VERTICES INT32_MAX

/* Vertices that a thread takes at once. */
#define BLOCK 4096

/* The neighbours of vertex v are neighbours[offsets[v]] to [offsets[v + 1] - 1]. */
struct adjacency {
	uint64_t *offsets;
	uint32_t *neighbours;
};

struct graph {
	uint64_t vertices;
	uint64_t edges; /* an edge without direction counts twice */
	struct adjacency out;
	struct adjacency in; /* the arrays of out when the graph is undirected */
	bool directed;
};

static inline uint64_t degree(const struct adjacency *a, uint64_t vertex)
{
	return a->offsets[vertex + 1] - a->offsets[vertex];
}

/* What a graph takes, without scores. */
static inline uint64_t graph_bytes(uint64_t vertices, uint64_t edges, bool directed)
{
	return (8 * (vertices + 1) + 4 * edges) * (directed ? 2 : 1);
}

/* offsets[v + 1] of @vertices counts neighbours: turn counts into offsets. */
void sum_counts(uint64_t *offsets, uint64_t vertices);

/*
 * Sort the neighbours of each vertex, drop loops and repeated edges and give
 * back the memory at the end of the array.
 */
void simplify(struct pool *pool, struct adjacency *a, uint64_t vertices);

/* Make g->in from g->out, with every list sorted. */
void make_incoming(struct pool *pool, struct graph *g);

/* Make an undirected graph of one whose lists are sorted and simple. */
void symmetrize(struct pool *pool, struct graph *g);

/*
 * Load a serialized graph, or an edge list whose lines have a weight or not. Die
 * with one line when the file is not well formed.
 */
struct graph load_serialized(const char *path);
struct graph load_edge_list(struct pool *pool, const char *path, bool weighted);

#endif
