// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Edge lists: "source target" or "source target weight" a line, with blanks or a
 * comma in between. A line that has anything else is refused, as it may mean another
 * graph than the one that would be read.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common.h"
#include "graph.h"
#include "text.h"

/*
 * Edge lists may leave vertex numbers out, but one odd number must not ask for
 * gigabytes: so many vertices are fine, beyond that so many for an edge.
 */
#define FREE_VERTICES	  1048576
#define VERTICES_PER_EDGE 64

static const char banner[] = "%%MatrixMarket";

struct edge {
	uint32_t from;
	uint32_t to;
};

struct edges {
	struct edge *list;
	uint64_t count;
	uint64_t room;
	uint64_t vertices; /* the highest number that was seen, plus 1 */
	double first_weight;
};

/* Read the vertex number at *@text, which moves behind it; false: there is none. */
static bool parse_vertex(const char **text, uint32_t *vertex)
{
	const char *p = *text;
	uint64_t value = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (value < MAX_VERTICES)
			value = value * 10 + (*p - '0');
	if (p == *text || value >= MAX_VERTICES)
		return false;
	*text = p;
	*vertex = value;
	return true;
}

/* Move *@text over what separates two columns; false: there is nothing of it. */
static bool skip_separator(const char **text)
{
	const char *p = skip_blanks(*text);

	if (*p == ',')
		p = skip_blanks(p + 1);
	if (p == *text)
		return false;
	*text = p;
	return true;
}

/* Read the weight at *@text, any number, which moves behind it. */
static double parse_weight(const struct text *t, const char **text)
{
	double weight;
	char *end;

	if (!*skip_blanks(*text))
		text_die(t, "has no weight: an edge list without weights must end in .el");
	if (!skip_separator(text))
		text_die(t, "the target is not a number below %d", MAX_VERTICES);
	weight = strtod(*text, &end);
	if (end == *text)
		text_die(t, "the weight is not a number");
	*text = end;
	return weight;
}

/* Read the edge that @line is, and its weight. */
static struct edge parse_edge(const struct text *t, const char *line, bool weighted, double *weight)
{
	const char *at = skip_blanks(line);
	struct edge edge;

	if (!parse_vertex(&at, &edge.from) || !skip_separator(&at) || !parse_vertex(&at, &edge.to))
		text_die(t, "must be \"source target%s\", vertex numbers from 0 to below %d",
			 weighted ? " weight" : "", MAX_VERTICES);
	if (weighted)
		*weight = parse_weight(t, &at);
	if (!*skip_blanks(at))
		return edge;
	if (!skip_separator(&at))
		text_die(t, "the %s is not a number", weighted ? "weight" : "target");
	text_die(t, weighted ? "has more than three columns"
			     : "has more than two columns: an edge list with weights must "
			       "end in .wel");
}

static void add_edge(struct edges *edges, struct edge edge)
{
	const uint32_t highest = edge.from > edge.to ? edge.from : edge.to;

	if (edges->count == edges->room) {
		edges->room = edges->room ? edges->room * 2 : 1024;
		edges->list = realloc(edges->list, edges->room * sizeof(edge));
		if (!edges->list)
			die("cannot allocate %llu edges", (unsigned long long)edges->room);
	}
	edges->list[edges->count++] = edge;
	if (highest >= edges->vertices)
		edges->vertices = highest + 1;
}

/* A matrix in another format would pass for an edge list, with one edge too many. */
static void check_no_matrix(struct text *t)
{
	char begin[sizeof(banner) - 1];
	const size_t n = fread(begin, 1, sizeof(begin), t->file);

	t->line = 1;
	if (n == sizeof(begin) && !strncasecmp(begin, banner, n))
		text_die(t, "is of the MatrixMarket format, which counts vertices from 1 after a "
			    "line of sizes: that is no edge list");
	text_rewind(t);
}

/*
 * Whether the first line may say how many vertices and edges come, as some formats
 * have it: "vertices edges", or "rows columns edges" where edges have weights.
 */
static bool begins_with_sizes(const struct edges *edges, bool weighted)
{
	const struct edge first = edges->list[0];
	const uint64_t others = edges->count - 1;
	uint64_t highest = 0;

	if (!others || (weighted ? edges->first_weight != others : first.to != others))
		return false;
	for (uint64_t i = 1; i <= others; i++) {
		const struct edge e = edges->list[i];

		highest = e.from > highest ? e.from : highest;
		highest = e.to > highest ? e.to : highest;
	}
	/* counted from 0 or from 1 */
	return first.from >= highest && first.from <= highest + 1 &&
	       (!weighted || first.to == first.from);
}

static struct edges read_edges(const char *path, bool weighted)
{
	struct text t = text_open(path, "#%");
	unsigned long long first_line = 0;
	struct edges edges = { 0 };
	const char *line;

	check_no_matrix(&t);
	while ((line = text_line(&t))) {
		double weight = 0;

		add_edge(&edges, parse_edge(&t, line, weighted, &weight));
		if (edges.count > 1)
			continue;
		edges.first_weight = weight;
		first_line = t.line;
	}
	if (edges.count && begins_with_sizes(&edges, weighted)) {
		t.line = first_line;
		text_die(&t, "seems to be the numbers of vertices and of edges: remove it, or "
			     "move it down if it is an edge");
	}
	text_close(&t);
	return edges;
}

struct graph load_edge_list(struct pool *pool, const char *path, bool weighted)
{
	const struct edges edges = read_edges(path, weighted);
	struct graph g = { .vertices = edges.vertices, .directed = true };

	if (g.vertices > FREE_VERTICES && g.vertices / VERTICES_PER_EDGE > edges.count)
		die("%s: vertex number %llu is too high for %llu edges", path,
		    (unsigned long long)g.vertices - 1, (unsigned long long)edges.count);
	check_memory(edges.count * sizeof(struct edge) +
		     graph_bytes(g.vertices, edges.count, true));

	/* as in make_incoming(): counted at v + 2, filled at v + 1 */
	g.out.offsets = allocate((g.vertices + 2) * sizeof(*g.out.offsets));
	for (uint64_t i = 0; i < edges.count; i++)
		g.out.offsets[edges.list[i].from + 2]++;
	sum_counts(g.out.offsets, g.vertices + 1);
	g.out.neighbours = allocate(edges.count * sizeof(*g.out.neighbours) + 1);
	for (uint64_t i = 0; i < edges.count; i++)
		g.out.neighbours[g.out.offsets[edges.list[i].from + 1]++] = edges.list[i].to;
	free(edges.list);
	simplify(pool, &g.out, g.vertices);
	g.edges = g.out.offsets[g.vertices];
	if (!g.edges)
		die("%s: no edges but loops", path);
	make_incoming(pool, &g);
	return g;
}
