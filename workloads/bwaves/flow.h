/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow: compressible Navier-Stokes equations of a perfect gas, one implicit
 * step at a time.
 *
 *	(I + theta dt J) dU = -dt R(U)
 *
 * U has density, three momenta and total energy per point. R is the balance of
 * second-order fluxes (flux.c), J the linearisation of first-order ones, which
 * touches a point and its six neighbours (jacobian.c). theta is 1 for backward
 * Euler and 1/2 for Crank-Nicolson. The linear system is solved by BiCGStab
 * (bicgstab.c); step.c puts the step together.
 */
#ifndef BWAVES_FLOW_H
#define BWAVES_FLOW_H

#include <immintrin.h>

#include "grid.h"
#include "team.h"

#define GAMMA	       1.4
#define PRANDTL	       0.72
#define BLOCKS	       7 /* of a row of the matrix: the point, then -x +x -y +y -z +z */
#define BLOCK_SIZE     (VARIABLES * VARIABLES)
#define MAX_ITERATIONS 200

struct flow {
	struct grid grid;
	double viscosity;
	double theta;
	double tolerance; /* of the linear system, relative to its right-hand side */
	unsigned int max_iterations;

	double *state;
	/*
	 * The matrix: for every group of points the seven blocks, each by columns,
	 * every coefficient for all points of the group.
	 */
	__m256d *matrix;
	/*
	 * Vectors of the solver: right-hand side (also BiCGStab's shadow
	 * residual), solution, residual, direction, and the matrix' products
	 * with direction and residual. Between solutions they hold what the
	 * right-hand side is made of: primitive variables and fluxes.
	 */
	double *b, *x, *r, *p, *v, *t;
};

/* Bytes that flow_allocate() takes. */
size_t flow_bytes(const struct grid *g);

/* Allocate the arrays of a flow whose grid is set. */
void flow_allocate(struct flow *f);

/* Density, velocity and pressure at a place. */
typedef void initial_state(const void *parameters, const double place[3], double w[VARIABLES]);

/* Touch a member's rows of all arrays, in the order of their allocation. */
void flow_start(struct flow *f, struct member *m, initial_state *initial, const void *parameters);

/* Sums over all points of the five conserved variables. */
void flow_totals(struct flow *f, struct member *m, double totals[VARIABLES]);

/* What every point of the state must satisfy, and what limits the step. */
struct extremes {
	bool positive; /* density and pressure, at all points */
	double density, pressure; /* the least */
	double speed; /* greatest speed of a wave along an axis */
	double mach; /* greatest Mach number */
};

struct step {
	struct extremes before;
	double dt;
	unsigned int iterations;
	double residual; /* recomputed, relative to the right-hand side */
	double history[MAX_ITERATIONS + 1]; /* recursive residuals, relative */
};

/*
 * One step with a Courant number of @cfl, but of at most @dt_max. False, and no
 * step, when density or pressure is not positive somewhere.
 */
bool flow_step(struct flow *f, struct member *m, double cfl, double dt_max, struct step *s);

/* flux.c: density, velocity and pressure into t. */
void primitives(struct flow *f, struct member *m, struct extremes *e);
/* flux.c: from these, b = -dt R(U); takes x, p and v. */
void right_hand_side(struct flow *f, struct member *m, double dt);
/* jacobian.c: the matrix from what primitives() left in t. */
void assemble(struct flow *f, struct member *m, double dt);
/* bicgstab.c: solve matrix x = b; leaves b - matrix x in r. */
void solve(struct flow *f, struct member *m, struct step *s);

#endif
