/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Graph500 benchmark in its order: an edge list (kronecker.c) becomes a
 * graph in compressed sparse rows (csr.c, kernel 1), which is searched from
 * some roots by breadth (bfs.c, kernel 2) or by distance (sssp.c, kernel 3);
 * the trees are held against the edge list (validate.c) and the times become
 * statistics (statistics.c). graph500.c is the program.
 */
#ifndef WORKLOADS_GRAPH500_H
#define WORKLOADS_GRAPH500_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SCALE_MIN 4
#define SCALE_MAX 32 /* a weighted graph packs a vertex into 32 bits */

#define NO_VERTEX (-1)

struct edge {
	int64_t from, to;
};

struct edge_list {
	uint64_t vertices;
	uint64_t count;
	struct edge *edges;
	float *weights; /* of each edge, in [0, 1); NULL: every edge weighs 1 */
};

/* @count edges of a Kronecker graph of 2^@scale vertices, a function of @seed. */
struct edge_list kronecker(unsigned int scale, uint64_t count, bool weighted, uint64_t seed);

struct graph {
	uint64_t vertices;
	uint64_t *offsets; /* entries of vertex v: from [2v] to before [2v + 1] */
	/*
	 * Each vertex' neighbours, ascending, without itself and without
	 * duplicates. Weighted: the neighbour and, below it, the bits of the
	 * least weight of the edges to it.
	 */
	uint64_t *adjacency;
	uint64_t entries; /* of the adjacency, duplicates included */
	bool weighted;
};

struct graph csr(const struct edge_list *list);

static inline float float_of(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

/* Floats that are not negative are ordered like their bits. */
static inline uint32_t bits_of(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

static inline int64_t neighbour(const struct graph *g, uint64_t entry)
{
	return g->weighted ? g->adjacency[entry] >> 32 : g->adjacency[entry];
}

static inline float weight(const struct graph *g, uint64_t entry)
{
	return g->weighted ? float_of(g->adjacency[entry]) : 1;
}

/*
 * What a search leaves. The tree has each vertex' parent, the root's is the
 * root; NO_VERTEX where the search did not come. In a search by distance that
 * is so after finish() only.
 */
struct search {
	uint64_t vertices;
	int64_t root;
	int64_t *tree;
	int64_t *queue;
	uint64_t queue_bytes;
	uint64_t reached; /* vertices in the queue, by breadth only */
	uint64_t digest; /* of all vertices' levels or distances */
};

struct kernel {
	const char *name;
	/* What a search has at its peak, for each vertex. */
	unsigned int vertex_bytes;
	/* Search from @root. The arrays are new with every search. */
	struct search (*search)(const struct graph *g, int64_t root);
	/*
	 * Complete the tree and fill in the @distance (level or sum of
	 * weights) of each vertex, INFINITY where the search did not come.
	 */
	void (*finish)(struct search *s, float *distance);
};

extern const struct kernel bfs;
extern const struct kernel sssp;

void search_release(struct search *s);

/* The rules of the specification, 1 to 5, and the set of those that are broken. */
#define RULES	       5
#define RULE_BIT(rule) (1u << (rule))

struct tree {
	int64_t root;
	int64_t *parent;
	float *distance;
};

/*
 * Hold @tree against the edge list. Returns the set of broken rules and leaves
 * in @traversed the number of edges of the list that lie in the tree's
 * component. @marks is a byte per vertex to work with.
 */
unsigned int validate(const struct edge_list *list, const struct tree *tree, uint8_t *marks,
		      uint64_t *traversed);

/*
 * Change a correct @tree of @g so that it breaks @rule and no other. Returns
 * false when the graph has no place to do so.
 */
bool corrupt(const struct graph *g, struct tree *tree, unsigned int rule, uint8_t *marks);

struct statistics {
	double min, first_quartile, median, third_quartile, max, mean, stddev;
};

/* Of @values, which get sorted; mean and deviation are harmonic for rates. */
struct statistics statistics(double *values, unsigned int n, bool harmonic);

/* Give back @bytes of allocate(). */
void release(void *p, uint64_t bytes);

#endif
