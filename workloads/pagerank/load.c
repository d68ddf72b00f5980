// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Serialized graphs. Nothing that a file says is believed: sizes are held against
 * the file's before memory is allocated, vertex numbers and offsets are checked,
 * and the incoming edges must be the outgoing ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "graph.h"
#include "text.h"

struct file {
	const char *path;
	int fd;
	uint64_t bytes;
};

static struct file open_file(const char *path)
{
	struct file f = { .path = path };
	struct stat status;

	check_regular(path);
	f.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f.fd < 0 || fstat(f.fd, &status))
		die("%s: %s", path, strerror(errno));
	f.bytes = status.st_size;
	return f;
}

static void read_all(const struct file *f, void *to, uint64_t bytes)
{
	uint64_t got = 0;

	while (got < bytes) {
		const ssize_t n = read(f->fd, (char *)to + got, bytes - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("%s: %s", f->path, strerror(errno));
		if (!n)
			die("%s: ends early", f->path);
		got += n;
	}
}

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

/* A sum over all edges that does not depend on their order. */
static uint64_t edge_sum(const struct graph *g, const struct adjacency *a, bool incoming)
{
	uint64_t sum = 0;

	for (uint64_t u = 0, e = 0; u < g->vertices; u++)
		for (; e < a->offsets[u + 1]; e++) {
			const uint64_t v = a->neighbours[e];

			sum += mix64(incoming ? v << 32 | u : u << 32 | v);
		}
	return sum;
}

struct graph load_serialized(const char *path)
{
	const struct file f = open_file(path);
	unsigned char header[SG_HEADER_BYTES];
	struct graph g = { 0 };

	if (f.bytes < sizeof(header))
		die("%s: too short for the header of a serialized graph", path);
	read_all(&f, header, sizeof(header));
	memcpy(&g.edges, header + 1, 8);
	memcpy(&g.vertices, header + 9, 8);
	if (header[0] > 1)
		die("%s: the first byte is neither 0 (undirected) nor 1 (directed)", path);
	g.directed = header[0];
	if (!g.vertices || g.vertices > MAX_VERTICES)
		die("%s: the number of vertices must be from 1 to %d: %lld", path, MAX_VERTICES,
		    (long long)g.vertices);
	if (g.edges > f.bytes / 4)
		die("%s: too short for %lld edges", path, (long long)g.edges);
	if (f.bytes != sizeof(header) + graph_bytes(g.vertices, g.edges, g.directed))
		die("%s: %llu bytes, but %llu vertices and %llu edges take %llu", path,
		    (unsigned long long)f.bytes, (unsigned long long)g.vertices,
		    (unsigned long long)g.edges,
		    (unsigned long long)sizeof(header) +
			    graph_bytes(g.vertices, g.edges, g.directed));
	if (!g.edges)
		die("%s: no edges", path);
	check_memory(f.bytes);

	g.out = read_adjacency(&f, g.vertices, g.edges, "outgoing");
	g.in = g.directed ? read_adjacency(&f, g.vertices, g.edges, "incoming") : g.out;
	if (edge_sum(&g, &g.out, false) != edge_sum(&g, &g.in, true))
		die("%s: %s", path,
		    g.directed ? "the incoming edges are not the outgoing ones"
			       : "undirected, but some edges have no counterpart");
	close(f.fd);
	return g;
}
