// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The matrix I + theta dt J: J is the derivative of Rusanov's flux without
 * extrapolation (its dissipation's speed taken as constant) and of the viscous
 * flux without its cross derivatives.
 *
 * Every column of J sums to zero: what leaves a point enters its neighbours, as
 * with the fluxes themselves. For this, all blocks of a column depend on the
 * state of that column's point only, and the speed on a face only.
 */
#pragma GCC target("avx2,fma")

#include "flow.h"
#include "vector.h"

/* The state of four points, as far as derivatives of fluxes depend on it. */
struct point {
	__m256d v[3];
	__m256d inverse; /* of density */
	__m256d temperature;
	__m256d phi; /* (gamma - 1) / 2 times the square of the velocity */
	__m256d sound;
};

static inline struct point read_point(const double *w)
{
	struct point q;

	q.inverse = 1 / load(w);
	for (unsigned int i = 0; i < 3; i++)
		q.v[i] = load(w + (1 + i) * LANES);
	q.temperature = load(w + 4 * LANES) * q.inverse;
	q.phi = 0.5 * (GAMMA - 1) * (q.v[0] * q.v[0] + q.v[1] * q.v[1] + q.v[2] * q.v[2]);
	q.sound = _mm256_sqrt_pd(GAMMA * q.temperature);
	return q;
}

/* Blocks are stored by columns. */
static inline unsigned int at(unsigned int row, unsigned int column)
{
	return column * VARIABLES + row;
}

/* Add @scale times the derivative of the inviscid flux along @axis. */
static inline void add_inviscid(__m256d *block, const struct point *q, unsigned int axis,
				double scale)
{
	const __m256d v = q->v[axis] * scale;
	const __m256d enthalpy = GAMMA / (GAMMA - 1) * q->temperature + q->phi / (GAMMA - 1);

	block[at(0, 1 + axis)] += scale;
	for (unsigned int i = 0; i < 3; i++) {
		block[at(1 + i, 0)] -= q->v[i] * v;
		block[at(1 + i, 1 + i)] += v;
		block[at(1 + i, 1 + axis)] += q->v[i] * scale;
		block[at(1 + axis, 1 + i)] -= (GAMMA - 1) * scale * q->v[i];
		block[at(4, 1 + i)] -= (GAMMA - 1) * v * q->v[i];
	}
	block[at(1 + axis, 0)] += q->phi * scale;
	block[at(1 + axis, 4)] += (GAMMA - 1) * scale;
	block[at(4, 0)] += v * (q->phi - enthalpy);
	block[at(4, 1 + axis)] += enthalpy * scale;
	block[at(4, 4)] += GAMMA * v;
}

/*
 * Add @scale times the derivative of stress, its work and heat by the state of
 * one side of a face: @weight of each velocity component, @faces times heat.
 */
static inline void add_viscous(__m256d *block, const struct point *q, const double weight[3],
			       unsigned int faces, double scale)
{
	const double heat = faces * GAMMA / (GAMMA - 1) / PRANDTL;
	const __m256d a = q->inverse * scale;
	__m256d density = heat * (q->phi - q->temperature);

	for (unsigned int i = 0; i < 3; i++) {
		block[at(1 + i, 0)] -= weight[i] * a * q->v[i];
		block[at(1 + i, 1 + i)] += weight[i] * a;
		block[at(4, 1 + i)] += (weight[i] - heat * (GAMMA - 1)) * a * q->v[i];
		density -= weight[i] * q->v[i] * q->v[i];
	}
	block[at(4, 0)] += density * a;
	block[at(4, 4)] += heat * (GAMMA - 1) * a;
}

static inline void add_diagonal(__m256d *block, __m256d value)
{
	for (unsigned int i = 0; i < VARIABLES; i++)
		block[at(i, i)] += value;
}

static inline void write_block(__m256d *to, const __m256d *block)
{
	for (unsigned int i = 0; i < BLOCK_SIZE; i++)
		to[i] = block[i];
}

/*
 * The block of the neighbour at @w, in direction @sign along @axis of @here.
 * Returns the dissipation on the face between them.
 */
static inline __m256d neighbour(__m256d *to, const double *w, const struct point *here,
				unsigned int axis, int sign, double scale, double viscosity_h)
{
	const double weight[3] = { axis == 0 ? 4. / 3 : 1, axis == 1 ? 4. / 3 : 1,
				   axis == 2 ? 4. / 3 : 1 };
	const struct point there = read_point(w);
	const __m256d dissipation = 0.5 * scale *
				    larger(magnitude(here->v[axis]) + here->sound,
					   magnitude(there.v[axis]) + there.sound);
	__m256d block[BLOCK_SIZE] = { 0 };

	add_inviscid(block, &there, axis, 0.5 * sign * scale);
	add_viscous(block, &there, weight, 1, -scale * viscosity_h);
	add_diagonal(block, -dissipation);
	write_block(to, block);
	return dissipation;
}

void assemble(struct flow *f, struct member *m, double dt)
{
	static const double weight[3] = { 10. / 3, 10. / 3, 10. / 3 };
	const struct grid *g = &f->grid;
	const double scale = f->theta * dt / g->h, viscosity_h = f->viscosity / g->h;

	for (size_t row = m->first; row < m->end; row++) {
		__m256d *to = f->matrix + row * (g->nx / LANES) * BLOCKS * BLOCK_SIZE;
		const double *here = row_of(g, f->t, row);
		const double *y[2] = { row_of(g, f->t, row_beside(g, row, -1, 0)),
				       row_of(g, f->t, row_beside(g, row, 1, 0)) };
		const double *z[2] = { row_of(g, f->t, row_beside(g, row, 0, -1)),
				       row_of(g, f->t, row_beside(g, row, 0, 1)) };

		for (size_t i = 0; i < row_points(g); i += GROUP, to += BLOCKS * BLOCK_SIZE) {
			const struct point q = read_point(here + i);
			__m256d block[BLOCK_SIZE] = { 0 };
			__m256d sum = all(1);

#define NEIGHBOUR(n, w, axis, sign) \
	neighbour(to + (n) * BLOCK_SIZE, w, &q, axis, sign, scale, viscosity_h)
			sum += NEIGHBOUR(1, here + i - GROUP, 0, -1);
			sum += NEIGHBOUR(2, here + i + GROUP, 0, 1);
			sum += NEIGHBOUR(3, y[0] + i, 1, -1);
			sum += NEIGHBOUR(4, y[1] + i, 1, 1);
			sum += NEIGHBOUR(5, z[0] + i, 2, -1);
			sum += NEIGHBOUR(6, z[1] + i, 2, 1);
#undef NEIGHBOUR
			/* both faces along each axis */
			add_viscous(block, &q, weight, 3, 2 * scale * viscosity_h);
			add_diagonal(block, sum);
			write_block(to, block);
		}
	}
}
