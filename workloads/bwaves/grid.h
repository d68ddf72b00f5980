/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grid of bwaves: cubes of edge h, periodic in all three directions.
 *
 * A field has five variables per point. It is stored by rows along x, in groups
 * of four points that one vector instruction works on: five variables, of four
 * points each. A row of 4 n points is cut in four quarters, and group k holds the
 * k-th point of each. So the neighbours along x of a group are all in the group
 * beside it, loads need no shuffling, and a row is one stream. Ghost groups at
 * both ends hold the neighbours of the quarters' ends.
 *
 * Rows are numbered along y, then z; their neighbours are found by number and
 * need no ghosts.
 */
#ifndef BWAVES_GRID_H
#define BWAVES_GRID_H

#include <stddef.h>

#define VARIABLES    5
#define LANES	     4
#define GROUP	     (VARIABLES * LANES)
#define GHOSTS_BELOW 1
#define GHOSTS_ABOVE 2 /* a flux takes one point below its face and two above */

struct grid {
	unsigned int nx, ny, nz; /* nx is a multiple of LANES */
	double h;
};

static inline size_t grid_rows(const struct grid *g)
{
	return (size_t)g->ny * g->nz;
}

static inline size_t grid_points(const struct grid *g)
{
	return grid_rows(g) * g->nx;
}

/* Doubles that the points of a row take, without ghosts. */
static inline size_t row_points(const struct grid *g)
{
	return (size_t)g->nx * VARIABLES;
}

static inline size_t row_doubles(const struct grid *g)
{
	return row_points(g) + (GHOSTS_BELOW + GHOSTS_ABOVE) * GROUP;
}

static inline size_t field_bytes(const struct grid *g)
{
	return grid_rows(g) * row_doubles(g) * sizeof(double);
}

/* The first group of @row of @field. */
static inline double *row_of(const struct grid *g, double *field, size_t row)
{
	return field + row * row_doubles(g) + GHOSTS_BELOW * GROUP;
}

/* Where a row has variable @m of its point @i. */
static inline size_t offset_of(const struct grid *g, unsigned int m, unsigned int i)
{
	const unsigned int quarter = g->nx / LANES;

	return (size_t)(i % quarter) * GROUP + m * LANES + i / quarter;
}

/* The number of the row that lies @dy and @dz away from @row; each at least -1. */
static inline size_t row_beside(const struct grid *g, size_t row, int dy, int dz)
{
	const size_t y = (row % g->ny + g->ny + dy) % g->ny;
	const size_t z = (row / g->ny + g->nz + dz) % g->nz;

	return z * g->ny + y;
}

#endif
