// SPDX-License-Identifier: GPL-2.0-or-later
/* The arrays of a flow, and one implicit step of it; see flow.h. */
#include <math.h>
#include <string.h>

#include "common.h"
#include "flow.h"

static size_t matrix_row_bytes(const struct grid *g)
{
	return (size_t)g->nx * BLOCKS * BLOCK_SIZE * sizeof(double);
}

size_t flow_bytes(const struct grid *g)
{
	return grid_rows(g) * matrix_row_bytes(g) + 7 * field_bytes(g);
}

/*
 * Bytes from a vector of the solver to the next. Sweeps read several at the same
 * place; they must not compete for the same sets of caches and slots of
 * prefetchers, as they would with sizes like 64 x 64 x 64.
 */
static size_t vector_pitch(const struct grid *g)
{
	const size_t unit = 64 << 10, stagger = 8 << 10;

	return (field_bytes(g) + unit - 1) / unit * unit + stagger;
}

void flow_allocate(struct flow *f)
{
	double **const vectors[] = { &f->b, &f->x, &f->r, &f->p, &f->v, &f->t };
	const unsigned int n = sizeof(vectors) / sizeof(*vectors);
	const size_t pitch = vector_pitch(&f->grid);
	char *memory;

	f->state = allocate(field_bytes(&f->grid));
	f->matrix = allocate(grid_rows(&f->grid) * matrix_row_bytes(&f->grid));
	memory = allocate(n * pitch);
	for (unsigned int i = 0; i < n; i++)
		*vectors[i] = (double *)(memory + i * pitch);
}

static void start_state(struct flow *f, struct member *m, initial_state *initial,
			const void *parameters)
{
	const struct grid *g = &f->grid;

	for (size_t row = m->first; row < m->end; row++) {
		double *u = row_of(g, f->state, row);

		for (unsigned int i = 0; i < g->nx; i++) {
			const double place[3] = { (i + 0.5) * g->h, (row % g->ny + 0.5) * g->h,
						  (row / g->ny + 0.5) * g->h };
			double w[VARIABLES];

			initial(parameters, place, w);
			u[offset_of(g, 0, i)] = w[0];
			for (unsigned int k = 1; k < 4; k++)
				u[offset_of(g, k, i)] = w[0] * w[k];
			u[offset_of(g, 4, i)] =
				w[4] / (GAMMA - 1) +
				0.5 * w[0] * (w[1] * w[1] + w[2] * w[2] + w[3] * w[3]);
		}
	}
}

void flow_start(struct flow *f, struct member *m, initial_state *initial, const void *parameters)
{
	double *const vectors[] = { f->b, f->x, f->r, f->p, f->v, f->t };
	const size_t row_bytes = field_bytes(&f->grid) / grid_rows(&f->grid);
	const size_t rows = m->end - m->first;

	start_state(f, m, initial, parameters);
	team_wait(m);
	memset((char *)f->matrix + m->first * matrix_row_bytes(&f->grid), 0,
	       rows * matrix_row_bytes(&f->grid));
	for (unsigned int i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		team_wait(m);
		memset((char *)vectors[i] + m->first * row_bytes, 0, rows * row_bytes);
	}
	team_wait(m);
}

void flow_totals(struct flow *f, struct member *m, double totals[VARIABLES])
{
	const struct grid *g = &f->grid;

	for (size_t row = m->first; row < m->end; row++) {
		const double *u = row_of(g, f->state, row);
		double *values = row_values(m, row);

		for (unsigned int k = 0; k < VARIABLES; k++) {
			values[k] = 0;
			for (unsigned int i = 0; i < g->nx; i++)
				values[k] += u[offset_of(g, k, i)];
		}
	}
	team_sum(m, VARIABLES, totals);
}

/*
 * U += x + r. The solver leaves r = b - matrix x, so this adds b - theta dt J x:
 * fluxes, of b and of the linearised ones, whose sum over the grid is zero
 * however well x solves the system. With x alone, sums would be as exact as x is.
 */
static void update(struct flow *f, struct member *m)
{
	const size_t n = row_doubles(&f->grid);

	for (size_t i = m->first * n; i < m->end * n; i++)
		f->state[i] += f->x[i] + f->r[i];
}

bool flow_step(struct flow *f, struct member *m, double cfl, double dt_max, struct step *s)
{
	primitives(f, m, &s->before);
	if (!s->before.positive)
		return false;
	s->dt = fmin(cfl * f->grid.h / s->before.speed, dt_max);
	right_hand_side(f, m, s->dt);
	assemble(f, m, s->dt);
	solve(f, m, s);
	update(f, m);
	return true;
}
