// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The right-hand side: fluxes of mass, momentum and energy through the faces
 * between points.
 *
 * Inviscid: both sides of a face are extrapolated from their points with limited
 * slopes (van Leer's MUSCL, limiter of van Albada), and Rusanov's flux takes
 * them. Viscous: the full stress tensor of a Newtonian gas with constant
 * viscosity and Fourier's heat flux, by central differences. All of it is of
 * second order where the flow is smooth. Every face's flux is computed once, is
 * stored, and then leaves one point and enters the other, so nothing is lost.
 */
#pragma GCC target("avx2,fma")

#include "flow.h"
#include "vector.h"

void primitives(struct flow *f, struct member *m, struct extremes *e)
{
	const struct grid *g = &f->grid;
	double max[ROW_VALUES];

	for (size_t row = m->first; row < m->end; row++) {
		const double *u = row_of(g, f->state, row);
		__m256d density = all(-__DBL_MAX__), pressure = density;
		__m256d speed = all(0), mach = speed, bad = speed;
		double *w = row_of(g, f->t, row);
		double *values = row_values(m, row);

		for (size_t i = 0; i < row_points(g); i += GROUP) {
			const __m256d rho = load(u + i);
			const __m256d inverse = 1 / rho;
			const __m256d vx = load(u + i + LANES) * inverse;
			const __m256d vy = load(u + i + 2 * LANES) * inverse;
			const __m256d vz = load(u + i + 3 * LANES) * inverse;
			const __m256d square = vx * vx + vy * vy + vz * vz;
			const __m256d p =
				(GAMMA - 1) * (load(u + i + 4 * LANES) - 0.5 * rho * square);
			const __m256d c2 = GAMMA * p * inverse;
			const __m256d v =
				larger(magnitude(vx), larger(magnitude(vy), magnitude(vz)));

			store(w + i, rho);
			store(w + i + LANES, vx);
			store(w + i + 2 * LANES, vy);
			store(w + i + 3 * LANES, vz);
			store(w + i + 4 * LANES, p);
			/* true for what is not a number, too */
			bad = _mm256_or_pd(bad, _mm256_cmp_pd(rho, all(0), _CMP_NGT_UQ));
			bad = _mm256_or_pd(bad, _mm256_cmp_pd(p, all(0), _CMP_NGT_UQ));
			density = larger(density, -rho);
			pressure = larger(pressure, -p);
			speed = larger(speed, v + _mm256_sqrt_pd(c2));
			mach = larger(mach, square / c2);
		}
		wrap_row(g, w);
		values[0] = _mm256_movemask_pd(bad) != 0;
		values[1] = lane_max(density);
		values[2] = lane_max(pressure);
		values[3] = lane_max(speed);
		values[4] = lane_max(mach);
	}
	team_max(m, 5, max);
	*e = (struct extremes){
		.positive = max[0] == 0,
		.density = -max[1],
		.pressure = -max[2],
		.speed = max[3],
		.mach = __builtin_sqrt(max[4]),
	};
}

/*
 * What the flux through a face between points 1 and 2 depends on: the four
 * points along its normal, and for points 1 and 2 the neighbours to either side
 * along the two other axes.
 */
struct face {
	const double *along[4];
	const double *side[2][2][2]; /* axis, point, below or above */
};

/* A limited slope from the differences to both neighbours. */
static inline __m256d slope(__m256d a, __m256d b, double epsilon)
{
	return larger(a * b + epsilon, all(0)) * (a + b) / (a * a + b * b + 2 * epsilon);
}

/* Conserved variables, their flux along @axis, and the speed of its fastest wave. */
static inline __m256d euler(const __m256d w[VARIABLES], unsigned int axis, __m256d u[VARIABLES],
			    __m256d flux[VARIABLES])
{
	const __m256d v = w[1 + axis], p = w[4];

	u[0] = w[0];
	u[1] = w[0] * w[1];
	u[2] = w[0] * w[2];
	u[3] = w[0] * w[3];
	u[4] = p * (1 / (GAMMA - 1)) + 0.5 * (u[1] * w[1] + u[2] * w[2] + u[3] * w[3]);
	for (unsigned int m = 0; m < VARIABLES; m++)
		flux[m] = u[m] * v;
	flux[1 + axis] += p;
	flux[4] += p * v;
	return magnitude(v) + _mm256_sqrt_pd(GAMMA * p / w[0]);
}

static inline void add_inviscid(const struct face *face, unsigned int axis, double epsilon,
				__m256d flux[VARIABLES])
{
	__m256d left[VARIABLES], right[VARIABLES], ul[VARIABLES], ur[VARIABLES];
	__m256d fl[VARIABLES], fr[VARIABLES], speed;

	for (unsigned int m = 0; m < VARIABLES; m++) {
		const __m256d w1 = load(face->along[1] + m * LANES);
		const __m256d w2 = load(face->along[2] + m * LANES);
		const __m256d below = w1 - load(face->along[0] + m * LANES);
		const __m256d above = load(face->along[3] + m * LANES) - w2;
		const __m256d between = w2 - w1;

		left[m] = w1 + 0.5 * slope(below, between, epsilon);
		right[m] = w2 - 0.5 * slope(between, above, epsilon);
	}
	speed = euler(left, axis, ul, fl);
	speed = larger(speed, euler(right, axis, ur, fr));
	for (unsigned int m = 0; m < VARIABLES; m++)
		flux[m] += 0.5 * (fl[m] + fr[m] - speed * (ur[m] - ul[m]));
}

/* Difference of variable @m across the face along a side's axis, in 4 h. */
static inline __m256d across(const double *const side[2][2], size_t offset)
{
	return load(side[0][1] + offset) - load(side[0][0] + offset) + load(side[1][1] + offset) -
	       load(side[1][0] + offset);
}

static inline void add_viscous(const struct face *face, unsigned int axis, double viscosity_h,
			       __m256d flux[VARIABLES])
{
	const double conductivity = GAMMA / (GAMMA - 1) / PRANDTL;
	const unsigned int tangent[2] = { axis == 0 ? 1 : 0, axis == 2 ? 1 : 2 };
	const double *one = face->along[1], *two = face->along[2];
	const size_t n = (1 + axis) * LANES;
	__m256d d[3], v[3], stress[3], energy, divergence;

	for (unsigned int i = 0; i < 3; i++) {
		const size_t offset = (1 + i) * LANES;

		d[i] = load(two + offset) - load(one + offset);
		v[i] = 0.5 * (load(two + offset) + load(one + offset));
	}
	divergence = d[axis];
	for (unsigned int i = 0; i < 2; i++) {
		const unsigned int t = tangent[i];

		divergence += 0.25 * across(face->side[i], (1 + t) * LANES);
		stress[t] = d[t] + 0.25 * across(face->side[i], n);
	}
	stress[axis] = 2 * d[axis] - 2. / 3 * divergence;
	energy = conductivity *
		 (load(two + 4 * LANES) / load(two) - load(one + 4 * LANES) / load(one));
	for (unsigned int i = 0; i < 3; i++) {
		flux[1 + i] -= viscosity_h * stress[i];
		energy += v[i] * stress[i];
	}
	flux[4] -= viscosity_h * energy;
}

/* Fluxes through the upper faces of a row along @axis. */
static inline void row_faces(const struct flow *f, struct face face, unsigned int axis, double *out)
{
	const double h = f->grid.h, epsilon = h * h * h;

	for (size_t i = 0; i < row_points(&f->grid); i += GROUP) {
		__m256d flux[VARIABLES] = { 0 };

		add_inviscid(&face, axis, epsilon, flux);
		if (f->viscosity > 0)
			add_viscous(&face, axis, f->viscosity / h, flux);
		for (unsigned int m = 0; m < VARIABLES; m++)
			store(out + i + m * LANES, flux[m]);
		for (unsigned int k = 0; k < 4; k++)
			face.along[k] += GROUP;
		for (unsigned int k = 0; k < 8; k++)
			(&face.side[0][0][0])[k] += GROUP;
	}
}

void right_hand_side(struct flow *f, struct member *m, double dt)
{
	const struct grid *g = &f->grid;
	const __m256d scale = all(-dt / g->h);

	for (size_t row = m->first; row < m->end; row++) {
		double *fluxes[3] = { row_of(g, f->x, row), row_of(g, f->p, row),
				      row_of(g, f->v, row) };
		/* rows from below to two above along y and along z */
#define AT(dy, dz) row_of(g, f->t, row_beside(g, row, dy, dz))
		const double *here = AT(0, 0);
		const double *y[4] = { AT(-1, 0), here, AT(1, 0), AT(2, 0) };
		const double *z[4] = { AT(0, -1), here, AT(0, 1), AT(0, 2) };

		row_faces(f,
			  (struct face){ { here - GROUP, here, here + GROUP, here + 2 * GROUP },
					 { { { y[0], y[2] }, { y[0] + GROUP, y[2] + GROUP } },
					   { { z[0], z[2] }, { z[0] + GROUP, z[2] + GROUP } } } },
			  0, fluxes[0]);
		row_faces(f,
			  (struct face){ { y[0], y[1], y[2], y[3] },
					 { { { here - GROUP, here + GROUP },
					     { y[2] - GROUP, y[2] + GROUP } },
					   { { z[0], z[2] }, { AT(1, -1), AT(1, 1) } } } },
			  1, fluxes[1]);
		row_faces(f,
			  (struct face){ { z[0], z[1], z[2], z[3] },
					 { { { here - GROUP, here + GROUP },
					     { z[2] - GROUP, z[2] + GROUP } },
					   { { y[0], y[2] }, { AT(-1, 1), AT(1, 1) } } } },
			  2, fluxes[2]);
#undef AT
		wrap_row(g, fluxes[0]);
	}
	team_wait(m);
	for (size_t row = m->first; row < m->end; row++) {
		const double *x = row_of(g, f->x, row);
		const double *y = row_of(g, f->p, row), *z = row_of(g, f->v, row);
		const double *y_below = row_of(g, f->p, row_beside(g, row, -1, 0));
		const double *z_below = row_of(g, f->v, row_beside(g, row, 0, -1));
		double *b = row_of(g, f->b, row);

		for (size_t i = 0; i < row_points(g); i += LANES)
			store(b + i, scale * (load(x + i) - load(x + i - GROUP) + load(y + i) -
					      load(y_below + i) + load(z + i) - load(z_below + i)));
	}
	/* x, p and v are the solver's from here on */
	team_wait(m);
}
