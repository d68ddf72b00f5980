// SPDX-License-Identifier: GPL-2.0-or-later
/* A run from its initial state to its results; see run.h. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

#define MAX_LOSS 1e-10 /* of conserved quantities */

static void print_step(unsigned int number, double time, const struct step *s)
{
	printf("{\"step\": %u, \"time\": %.6g, \"dt\": %.4g, \"min_pressure\": %.6g, "
	       "\"iterations\": %u, \"residual\": %.3g, \"history\": [",
	       number, time, s->dt, s->before.pressure, s->iterations, s->residual);
	for (unsigned int i = 0; i <= s->iterations; i++)
		printf("%s%.3g", i ? ", " : "", s->history[i]);
	printf("]}\n");
	fflush(stdout);
}

static void merge(struct extremes *a, const struct extremes *b)
{
	a->positive = a->positive && b->positive;
	a->density = fmin(a->density, b->density);
	a->pressure = fmin(a->pressure, b->pressure);
	a->speed = fmax(a->speed, b->speed);
	a->mach = fmax(a->mach, b->mach);
}

static void record(struct run *run, const struct step *s)
{
	run->done++;
	run->time += s->dt;
	run->iterations += s->iterations;
	if (s->iterations > run->most_iterations)
		run->most_iterations = s->iterations;
	/* not greater, or not a number */
	if (!(s->residual <= run->residual))
		run->residual = s->residual;
	merge(&run->extremes, &s->before);
	if (run->verbose)
		print_step(run->done, run->time, s);
}

/* Break the state of the first point as --corrupt says. */
static void corrupt(struct run *run, const struct member *m)
{
	double *u = row_of(&run->flow.grid, run->flow.state, 0);

	if (m->first > 0 || m->end == 0)
		return;
	if (corrupts("mass"))
		u[0] *= 1.5;
	if (corrupts("pressure"))
		u[4 * LANES] = 0;
}

static void work(struct member *m, void *argument)
{
	struct run *run = argument;
	struct flow *f = &run->flow;
	struct extremes last;
	double totals[VARIABLES], time = 0;
	struct step s;

	flow_start(f, m, run->initial, run->parameters);
	flow_totals(f, m, totals);
	if (m->me == 0) {
		memcpy(run->before, totals, sizeof(totals));
		if (run->measured)
			measure_begin("block rows/s");
	}
	team_wait(m);
	for (unsigned int i = 0; i < run->steps && time < run->end_time; i++) {
		if (!flow_step(f, m, run->cfl, run->end_time - time, &s))
			break;
		/* the last step may end a rounding error early */
		time = s.dt == run->end_time - time ? run->end_time : time + s.dt;
		if (m->me == 0)
			record(run, &s);
		if (i == 0)
			corrupt(run, m);
	}
	team_wait(m);
	if (m->me == 0 && run->measured)
		measure_end();
	primitives(f, m, &last);
	flow_totals(f, m, totals);
	if (m->me == 0) {
		merge(&run->extremes, &last);
		memcpy(run->after, totals, sizeof(totals));
	}
}

void run_flow(struct run *run)
{
	run->extremes = (struct extremes){
		.positive = true,
		.density = INFINITY,
		.pressure = INFINITY,
	};
	run->flow.max_iterations = corrupts("residual") ? 1 : MAX_ITERATIONS;
	flow_allocate(&run->flow);
	team_run(common.threads, grid_rows(&run->flow.grid), work, run);
}

struct conservation run_conservation(const struct run *run)
{
	const double mass = run->before[0], energy = run->before[4];
	struct conservation c = {
		.mass = fabs(run->after[0] - mass) / mass,
		.energy = fabs(run->after[4] - energy) / energy,
	};

	for (unsigned int i = 1; i < 4; i++)
		c.momentum = fmax(c.momentum, fabs(run->after[i] - run->before[i]) / mass);
	return c;
}

bool run_verified(const struct run *run)
{
	const struct conservation c = run_conservation(run);

	/* the recomputed residual may exceed the recursive one by a little */
	return c.mass <= MAX_LOSS && c.momentum <= MAX_LOSS && c.energy <= MAX_LOSS &&
	       run->extremes.positive && run->residual <= 2 * run->flow.tolerance;
}

uint64_t run_checksum(const struct run *run)
{
	const struct grid *g = &run->flow.grid;
	uint64_t sum = 0, bits;

	for (size_t row = 0; row < grid_rows(g); row++) {
		const double *u = row_of(g, run->flow.state, row);

		for (size_t i = 0; i < row_points(g); i++) {
			memcpy(&bits, u + i, sizeof(bits));
			sum = (sum ^ bits) * 0x9e3779b97f4a7c15ull;
			sum ^= sum >> 32;
		}
	}
	return sum;
}
