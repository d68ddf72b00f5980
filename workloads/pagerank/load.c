// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Graphs from files. Nothing that a file says is believed: sizes are held
 * against the file's before memory is allocated, vertex numbers and offsets are
 * checked, and the incoming edges must be the outgoing ones.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "graph.h"

#define BUFFER_BYTES 1048576
#define LINE_BYTES   256

/*
 * Edge lists may leave vertex numbers out, but one odd number must not ask for
 * gigabytes: so many vertices are fine, beyond that so many for an edge.
 */
#define FREE_VERTICES	  1048576
#define VERTICES_PER_EDGE 64

struct file {
	const char *path;
	int fd;
	uint64_t bytes;
};

static struct file open_file(const char *path)
{
	struct file f = { .path = path };
	struct stat status;

	/* a pipe would have no size, and may never open */
	if (stat(path, &status))
		die("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		die("%s: not a regular file", path);
	f.bytes = status.st_size;
	f.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f.fd < 0)
		die("%s: %s", path, strerror(errno));
	return f;
}

/* Read up to @bytes; fewer only at the end of the file. */
static uint64_t read_some(const struct file *f, void *to, uint64_t bytes)
{
	uint64_t got = 0;

	while (got < bytes) {
		const ssize_t n = read(f->fd, (char *)to + got, bytes - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("%s: %s", f->path, strerror(errno));
		if (!n)
			break;
		got += n;
	}
	return got;
}

static void read_all(const struct file *f, void *to, uint64_t bytes)
{
	if (read_some(f, to, bytes) != bytes)
		die("%s: ends early", f->path);
}

/* --- serialized graphs --- */

#define SG_HEADER_BYTES 17 /* bool directed, int64 edges, int64 vertices */

static struct adjacency read_adjacency(const struct file *f, uint64_t vertices, uint64_t edges,
				       const char *direction)
{
	struct adjacency a;

	a.offsets = allocate((vertices + 1) * sizeof(*a.offsets));
	read_all(f, a.offsets, (vertices + 1) * sizeof(*a.offsets));
	if (a.offsets[0])
		die("%s: the first %s offset is not 0", f->path, direction);
	for (uint64_t v = 0; v < vertices; v++)
		if (a.offsets[v + 1] < a.offsets[v] || a.offsets[v + 1] > edges)
			die("%s: %s offset %llu is out of order", f->path, direction,
			    (unsigned long long)v + 1);
	if (a.offsets[vertices] != edges)
		die("%s: the last %s offset is not the number of edges", f->path, direction);

	a.neighbours = allocate(edges * sizeof(*a.neighbours));
	read_all(f, a.neighbours, edges * sizeof(*a.neighbours));
	for (uint64_t e = 0; e < edges; e++)
		if (a.neighbours[e] >= vertices)
			die("%s: %s neighbour %llu is not a vertex: %d", f->path, direction,
			    (unsigned long long)e, (int32_t)a.neighbours[e]);
	return a;
}

static uint64_t hash(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* A sum over all edges that does not depend on their order. */
static uint64_t edge_sum(const struct graph *g, const struct adjacency *a, bool incoming)
{
	uint64_t sum = 0;

	for (uint64_t u = 0, e = 0; u < g->vertices; u++)
		for (; e < a->offsets[u + 1]; e++) {
			const uint64_t v = a->neighbours[e];

			sum += hash(incoming ? v << 32 | u : u << 32 | v);
		}
	return sum;
}

static struct graph load_serialized(const struct file *f)
{
	unsigned char header[SG_HEADER_BYTES];
	struct graph g = { 0 };

	if (f->bytes < sizeof(header))
		die("%s: too short for the header of a serialized graph", f->path);
	read_all(f, header, sizeof(header));
	memcpy(&g.edges, header + 1, 8);
	memcpy(&g.vertices, header + 9, 8);
	if (header[0] > 1)
		die("%s: the first byte is neither 0 (undirected) nor 1 (directed)", f->path);
	g.directed = header[0];
	if (!g.vertices || g.vertices > MAX_VERTICES)
		die("%s: the number of vertices must be from 1 to %d: %lld", f->path, MAX_VERTICES,
		    (long long)g.vertices);
	if (g.edges > f->bytes / 4)
		die("%s: too short for %lld edges", f->path, (long long)g.edges);
	if (f->bytes != sizeof(header) + graph_bytes(g.vertices, g.edges, g.directed))
		die("%s: %llu bytes, but %llu vertices and %llu edges take %llu", f->path,
		    (unsigned long long)f->bytes, (unsigned long long)g.vertices,
		    (unsigned long long)g.edges,
		    (unsigned long long)sizeof(header) +
			    graph_bytes(g.vertices, g.edges, g.directed));
	if (!g.edges)
		die("%s: no edges", f->path);
	check_memory(f->bytes);

	g.out = read_adjacency(f, g.vertices, g.edges, "outgoing");
	g.in = g.directed ? read_adjacency(f, g.vertices, g.edges, "incoming") : g.out;
	if (edge_sum(&g, &g.out, false) != edge_sum(&g, &g.in, true))
		die("%s: %s", f->path,
		    g.directed ? "the incoming edges are not the outgoing ones"
			       : "undirected, but some edges have no counterpart");
	return g;
}

/* --- edge lists --- */

struct edge {
	uint32_t from;
	uint32_t to;
};

struct edges {
	struct edge *list;
	uint64_t count;
	uint64_t room;
	uint64_t vertices; /* the highest number that was seen, plus 1 */
};

/* The vertex number at *@text, which moves behind it; MAX_VERTICES when there is none. */
static uint32_t parse_vertex(const char **text)
{
	const char *p = *text;
	uint64_t value = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	if (!isdigit((unsigned char)*p))
		return MAX_VERTICES;
	for (; isdigit((unsigned char)*p); p++)
		value = value < MAX_VERTICES ? value * 10 + (*p - '0') : MAX_VERTICES;
	*text = p;
	return value < MAX_VERTICES ? value : MAX_VERTICES;
}

/* Whether a number of any kind, if @weighted, and nothing else is left. */
static bool parse_rest(const char *p, bool weighted)
{
	if (weighted) {
		char *end;

		if (*p != ' ' && *p != '\t')
			return false;
		strtod(p, &end);
		if (end == p)
			return false;
		p = end;
	}
	while (isspace((unsigned char)*p))
		p++;
	return !*p;
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

static void parse_line(const struct file *f, struct edges *edges, uint64_t number, const char *line,
		       bool weighted)
{
	const char *at = line;
	struct edge edge;

	edge.from = parse_vertex(&at);
	if (*at != ' ' && *at != '\t')
		edge.from = MAX_VERTICES;
	edge.to = parse_vertex(&at);
	if (edge.from == MAX_VERTICES || edge.to == MAX_VERTICES || !parse_rest(at, weighted))
		die("%s: line %llu is not \"source target%s\", of numbers below %d", f->path,
		    (unsigned long long)number, weighted ? " weight" : "", MAX_VERTICES);
	add_edge(edges, edge);
}

static struct edges read_edges(const struct file *f, bool weighted)
{
	struct edges edges = { 0 };
	char *buffer = malloc(BUFFER_BYTES), line[LINE_BYTES];
	uint64_t got, length = 0, number = 1;

	if (!buffer)
		die("cannot allocate %d bytes", BUFFER_BYTES);
	while ((got = read_some(f, buffer, BUFFER_BYTES)))
		for (uint64_t i = 0; i < got; i++) {
			if (buffer[i] != '\n') {
				/* a byte of 0 would end the line early */
				if (length == LINE_BYTES - 1 || !buffer[i])
					die("%s: line %llu is no line of an edge list", f->path,
					    (unsigned long long)number);
				line[length++] = buffer[i];
				continue;
			}
			line[length] = 0;
			parse_line(f, &edges, number++, line, weighted);
			length = 0;
		}
	if (length)
		die("%s: line %llu is cut off: it has no end", f->path, (unsigned long long)number);
	free(buffer);
	return edges;
}

static struct graph load_edge_list(struct pool *pool, const struct file *f, bool weighted)
{
	const struct edges edges = read_edges(f, weighted);
	struct graph g = { .vertices = edges.vertices, .directed = true };

	if (g.vertices > FREE_VERTICES && g.vertices / VERTICES_PER_EDGE > edges.count)
		die("%s: vertex number %llu is too high for %llu edges", f->path,
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
		die("%s: no edges but loops", f->path);
	make_incoming(pool, &g);
	return g;
}

struct graph load_graph(struct pool *pool, const char *path)
{
	const char *suffix = strrchr(path, '.');
	struct file f;
	struct graph g;

	if (!suffix || (strcmp(suffix, ".sg") && strcmp(suffix, ".el") && strcmp(suffix, ".wel")))
		die("--graph: must end in .sg, .el or .wel: %s", path);
	f = open_file(path);
	if (!strcmp(suffix, ".sg"))
		g = load_serialized(&f);
	else
		g = load_edge_list(pool, &f, !strcmp(suffix, ".wel"));
	close(f.fd);
	return g;
}
