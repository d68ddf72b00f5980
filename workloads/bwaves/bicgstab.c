// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BiCGStab (van der Vorst, 1992) for the block matrix, without preconditioner,
 * from an initial guess of zero. Updates of vectors are fused into three sweeps
 * an iteration, each product of the matrix with the inner products of its result.
 */
#pragma GCC target("avx2,fma")

#include <math.h>

#include "common.h"
#include "flow.h"
#include "vector.h"

/* sum += block times the variables at @x. */
static inline void add_product(__m256d sum[VARIABLES], const __m256d *block, const double *x)
{
#pragma GCC unroll 5
	for (unsigned int column = 0; column < VARIABLES; column++) {
		const __m256d value = load(x + column * LANES);

#pragma GCC unroll 5
		for (unsigned int row = 0; row < VARIABLES; row++)
			sum[row] += block[column * VARIABLES + row] * value;
	}
}

/* @row of y = matrix x, where x has its ghosts. */
static void multiply_row(const struct flow *f, double *x, double *y, size_t row)
{
	const struct grid *g = &f->grid;
	const __m256d *block = f->matrix + row * (g->nx / LANES) * BLOCKS * BLOCK_SIZE;
	const double *here = row_of(g, x, row);
	const double *y_below = row_of(g, x, row_beside(g, row, -1, 0));
	const double *y_above = row_of(g, x, row_beside(g, row, 1, 0));
	const double *z_below = row_of(g, x, row_beside(g, row, 0, -1));
	const double *z_above = row_of(g, x, row_beside(g, row, 0, 1));
	double *to = row_of(g, y, row);

	for (size_t i = 0; i < row_points(g); i += GROUP, block += BLOCKS * BLOCK_SIZE) {
		__m256d sum[VARIABLES] = { 0 };

		add_product(sum, block, here + i);
		add_product(sum, block + 1 * BLOCK_SIZE, here + i - GROUP);
		add_product(sum, block + 2 * BLOCK_SIZE, here + i + GROUP);
		add_product(sum, block + 3 * BLOCK_SIZE, y_below + i);
		add_product(sum, block + 4 * BLOCK_SIZE, y_above + i);
		add_product(sum, block + 5 * BLOCK_SIZE, z_below + i);
		add_product(sum, block + 6 * BLOCK_SIZE, z_above + i);
#pragma GCC unroll 5
		for (unsigned int k = 0; k < VARIABLES; k++)
			store(to + i + k * LANES, sum[k]);
	}
	progress(g->nx);
}

static double dot_row(const struct grid *g, const double *a, const double *b)
{
	__m256d sum = all(0);

	for (size_t i = 0; i < row_points(g); i += LANES)
		sum += load(a + i) * load(b + i);
	return lane_sum(sum);
}

/* r = p = b, x = 0. Returns the square of b. */
static double begin(struct flow *f, struct member *m)
{
	const struct grid *g = &f->grid;
	double square;

	for (size_t row = m->first; row < m->end; row++) {
		const double *b = row_of(g, f->b, row);
		double *x = row_of(g, f->x, row);
		double *r = row_of(g, f->r, row), *p = row_of(g, f->p, row);

		for (size_t i = 0; i < row_points(g); i += LANES) {
			store(x + i, all(0));
			store(r + i, load(b + i));
			store(p + i, load(b + i));
		}
		wrap_row(g, x);
		wrap_row(g, p);
		row_values(m, row)[0] = dot_row(g, b, b);
	}
	team_sum(m, 1, &square);
	return square;
}

/* p = r + beta (p - omega v) */
static void turn(struct flow *f, struct member *m, double beta, double omega)
{
	const struct grid *g = &f->grid;

	for (size_t row = m->first; row < m->end; row++) {
		const double *r = row_of(g, f->r, row), *v = row_of(g, f->v, row);
		double *p = row_of(g, f->p, row);

		for (size_t i = 0; i < row_points(g); i += LANES)
			store(p + i, load(r + i) + beta * (load(p + i) - omega * load(v + i)));
		wrap_row(g, p);
	}
	team_wait(m);
}

/* v = matrix p. Returns b v. */
static double along_direction(struct flow *f, struct member *m)
{
	const struct grid *g = &f->grid;
	double sum;

	for (size_t row = m->first; row < m->end; row++) {
		multiply_row(f, f->p, f->v, row);
		row_values(m, row)[0] = dot_row(g, row_of(g, f->b, row), row_of(g, f->v, row));
	}
	team_sum(m, 1, &sum);
	return sum;
}

/* r -= alpha v */
static void half_step(struct flow *f, struct member *m, double alpha)
{
	const struct grid *g = &f->grid;

	for (size_t row = m->first; row < m->end; row++) {
		const double *v = row_of(g, f->v, row);
		double *r = row_of(g, f->r, row);

		for (size_t i = 0; i < row_points(g); i += LANES)
			store(r + i, load(r + i) - alpha * load(v + i));
		wrap_row(g, r);
	}
	team_wait(m);
}

/* t = matrix r. Returns t r / t t, what shortens r - omega t most. */
static double along_residual(struct flow *f, struct member *m)
{
	const struct grid *g = &f->grid;
	double sums[2];

	for (size_t row = m->first; row < m->end; row++) {
		const double *r = row_of(g, f->r, row), *t = row_of(g, f->t, row);
		double *values = row_values(m, row);

		multiply_row(f, f->r, f->t, row);
		values[0] = dot_row(g, t, r);
		values[1] = dot_row(g, t, t);
	}
	team_sum(m, 2, sums);
	return sums[1] > 0 ? sums[0] / sums[1] : 0;
}

/* x += alpha p + omega r; r -= omega t. The sums are b r and r r. */
static void full_step(struct flow *f, struct member *m, double alpha, double omega, double sums[2])
{
	const struct grid *g = &f->grid;

	for (size_t row = m->first; row < m->end; row++) {
		const double *p = row_of(g, f->p, row), *t = row_of(g, f->t, row);
		const double *b = row_of(g, f->b, row);
		double *x = row_of(g, f->x, row), *r = row_of(g, f->r, row);
		double *values = row_values(m, row);
		__m256d br = all(0), rr = all(0);

		for (size_t i = 0; i < row_points(g); i += LANES) {
			const __m256d s = load(r + i), rest = s - omega * load(t + i);

			store(x + i, load(x + i) + alpha * load(p + i) + omega * s);
			store(r + i, rest);
			br += load(b + i) * rest;
			rr += rest * rest;
		}
		wrap_row(g, x);
		values[0] = lane_sum(br);
		values[1] = lane_sum(rr);
	}
	team_sum(m, 2, sums);
}

/* r = b - matrix x. Returns the square of r. */
static double true_residual(struct flow *f, struct member *m)
{
	const struct grid *g = &f->grid;
	double square;

	for (size_t row = m->first; row < m->end; row++) {
		const double *b = row_of(g, f->b, row);
		double *r = row_of(g, f->r, row);

		multiply_row(f, f->x, f->r, row);
		for (size_t i = 0; i < row_points(g); i += LANES)
			store(r + i, load(b + i) - load(r + i));
		row_values(m, row)[0] = dot_row(g, r, r);
	}
	team_sum(m, 1, &square);
	return square;
}

void solve(struct flow *f, struct member *m, struct step *s)
{
	const double bb = begin(f, m), norm = bb > 0 ? sqrt(bb) : 1;
	double rho = bb, alpha = 0, omega = 0, sums[2] = { bb, bb };
	unsigned int n;

	for (n = 0;; n++) {
		s->history[n] = sqrt(sums[1]) / norm;
		/* what is not a number, after a breakdown, ends it too */
		if (!(s->history[n] > f->tolerance) || n == f->max_iterations)
			break;
		if (n)
			turn(f, m, sums[0] / rho * (alpha / omega), omega);
		rho = sums[0];
		alpha = rho / along_direction(f, m);
		half_step(f, m, alpha);
		omega = along_residual(f, m);
		full_step(f, m, alpha, omega, sums);
	}
	s->iterations = n;
	s->residual = sqrt(true_residual(f, m)) / norm;
}
