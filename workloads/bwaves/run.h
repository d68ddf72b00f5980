/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run: a flow from its initial state over many steps, and what came of it. */
#ifndef BWAVES_RUN_H
#define BWAVES_RUN_H

#include <stdint.h>

#include "flow.h"

struct run {
	struct flow flow;
	initial_state *initial;
	const void *parameters;
	double cfl;
	double end_time;
	unsigned int steps; /* the most */
	bool measured; /* as the measured phase, with progress */
	bool verbose; /* a line per step */

	/* results */
	unsigned int done; /* steps */
	double time;
	unsigned int iterations, most_iterations;
	double residual; /* the greatest of any step */
	struct extremes extremes; /* of all steps and the final state */
	double before[VARIABLES], after[VARIABLES]; /* totals */
};

/* Allocate the flow, whose grid and constants are set, and run it. */
void run_flow(struct run *run);

/*
 * Errors of conservation: mass and energy relative to what there is, momentum
 * to mass at a speed of one.
 */
struct conservation {
	double mass, momentum, energy;
};

struct conservation run_conservation(const struct run *run);

/* Whether all is conserved, positive, and solved as exactly as was asked for. */
bool run_verified(const struct run *run);

/* A number that depends on every bit of the state. */
uint64_t run_checksum(const struct run *run);

#endif
