// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flows with known solutions; see tests.h.
 *
 * sod: Sod's shock tube and its mirror image in one periodic box, along each
 * axis, against the exact solution of the Riemann problem. wave: a vortex that
 * an inviscid uniform flow carries along unchanged, in each plane; the order of
 * convergence. viscous: a shear wave and a sound wave, whose rates of decay
 * measure viscosity and conduction.
 */
#include "tests.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

/* What a test's initial and exact states depend on. */
struct test_flow {
	unsigned int axis;
	double size; /* of the box, along its long axes */
	double time;
};

/* Run @initial, as in @base, on @n points along the axes with @is_long. */
static struct run test_run(const struct run *base, const struct test_flow *t, unsigned int n,
			   const bool is_long[3], initial_state *initial, double viscosity)
{
	struct run run = *base;

	run.flow.grid = (struct grid){
		.nx = is_long[0] ? n : LANES,
		.ny = is_long[1] ? n : 1,
		.nz = is_long[2] ? n : 1,
		.h = t->size / n,
	};
	run.flow.viscosity = viscosity;
	run.initial = initial;
	run.parameters = t;
	run.cfl = 0.5;
	run.end_time = t->time;
	run.steps = 1000000;
	run.measured = false;
	run_flow(&run);
	return run;
}

/* Mean difference of density from what @exact says, over all points. */
static double density_error(const struct run *run, initial_state *exact)
{
	const struct grid *g = &run->flow.grid;
	double sum = 0;

	for (size_t row = 0; row < grid_rows(g); row++) {
		const double *u = row_of(g, run->flow.state, row);

		for (unsigned int i = 0; i < g->nx; i++) {
			const double place[3] = { (i + 0.5) * g->h, (row % g->ny + 0.5) * g->h,
						  (row / g->ny + 0.5) * g->h };
			double w[VARIABLES];

			exact(run->parameters, place, w);
			sum += fabs(u[offset_of(g, 0, i)] - w[0]);
		}
	}
	return sum / grid_points(g);
}

/* Density and pressure of Sod's two states; both are at rest. */
static const double sod_left[2] = { 1, 1 }, sod_right[2] = { 0.125, 0.1 };

/*
 * The velocity that a wave from @side takes the gas to when it brings it to
 * pressure @p, and its derivative: a shock if that is higher, else a rarefaction.
 */
static double wave_velocity(const double side[2], double p, double *slope)
{
	const double rho = side[0], p0 = side[1], c = sqrt(GAMMA * p0 / rho);
	const double a = 2 / ((GAMMA + 1) * rho), b = (GAMMA - 1) / (GAMMA + 1) * p0;
	const double exponent = (GAMMA - 1) / (2 * GAMMA);

	if (p > p0) {
		const double root = sqrt(a / (p + b));

		*slope = root * (1 - 0.5 * (p - p0) / (p + b));
		return (p - p0) * root;
	}
	*slope = pow(p / p0, exponent - 1) / (rho * c);
	return 2 * c / (GAMMA - 1) * (pow(p / p0, exponent) - 1);
}

/*
 * Exact density of Sod's problem at @s, place over time: the pressure between
 * the waves by Newton's iteration (Toro, "Riemann solvers and numerical methods
 * for fluid dynamics", chapter 4), then whatever region @s lies in.
 */
static double sod_density(double s)
{
	const double rho_l = sod_left[0], rho_r = sod_right[0];
	const double c_l = sqrt(GAMMA * sod_left[1] / rho_l);
	const double c_r = sqrt(GAMMA * sod_right[1] / rho_r);
	const double g = (GAMMA - 1) / (GAMMA + 1);
	double p = 0.5 * (sod_left[1] + sod_right[1]), u, slope_l, slope_r, ratio;

	for (unsigned int i = 0; i < 20; i++) {
		const double difference = wave_velocity(sod_left, p, &slope_l) +
					  wave_velocity(sod_right, p, &slope_r);

		p -= difference / (slope_l + slope_r);
	}
	u = wave_velocity(sod_right, p, &slope_r);
	ratio = p / sod_right[1];
	/* from the left: at rest, rarefaction, two states, shock, at rest */
	if (s < -c_l)
		return rho_l;
	if (s < u - c_l * pow(p / sod_left[1], (GAMMA - 1) / (2 * GAMMA)))
		return rho_l * pow(2 / (GAMMA + 1) - g * s / c_l, 2 / (GAMMA - 1));
	if (s < u)
		return rho_l * pow(p / sod_left[1], 1 / GAMMA);
	if (s < c_r * sqrt((GAMMA + 1) / (2 * GAMMA) * ratio + (GAMMA - 1) / (2 * GAMMA)))
		return rho_r * (ratio + g) / (g * ratio + 1);
	return rho_r;
}

/* The dense half of the box lies in its middle: two tubes, back to back. */
static double sod_place(const struct test_flow *t, const double place[3])
{
	return fabs(place[t->axis] - 0.5 * t->size) - 0.25 * t->size;
}

static void sod_initial(const void *parameters, const double place[3], double w[VARIABLES])
{
	const double *side = sod_place(parameters, place) < 0 ? sod_left : sod_right;

	memset(w, 0, VARIABLES * sizeof(*w));
	w[0] = side[0];
	w[4] = side[1];
}

static void sod_exact(const void *parameters, const double place[3], double w[VARIABLES])
{
	const struct test_flow *t = parameters;

	w[0] = sod_density(sod_place(t, place) / t->time);
}

#define SOD_BOUND 0.009 /* of the error at 100 points per tube */

static bool test_sod(const struct run *base)
{
	bool passed = true;

	for (unsigned int axis = 0; axis < 3; axis++) {
		const struct test_flow t = { .axis = axis, .size = 2, .time = 0.2 };
		const bool is_long[3] = { axis == 0, axis == 1, axis == 2 };
		double last = SOD_BOUND;

		for (unsigned int n = 200; n <= 800; n *= 2) {
			const struct run run = test_run(base, &t, n, is_long, sod_initial, 0);
			const double error = density_error(&run, sod_exact);
			const bool good = error < last && run_verified(&run);

			printf("{\"test\": \"sod\", \"axis\": \"%c\", \"points_per_tube\": %u, "
			       "\"l1_error\": %.6f, \"bound\": %.6f, \"passed\": %s}\n",
			       'x' + axis, n / 2, error, last, good ? "true" : "false");
			/* doubling the points must gain at least a third */
			last = error / 1.5;
			passed = passed && good;
		}
	}
	return passed;
}

/*
 * The isentropic vortex (Shu, ICASE report 97-65): it turns in the plane across
 * t->axis, while a uniform flow of speed one along every axis carries it.
 */
static void vortex(const struct test_flow *t, double time, const double place[3],
		   double w[VARIABLES])
{
	const double strength = 5;
	const unsigned int a = (t->axis + 1) % 3, b = (t->axis + 2) % 3;
	/* from its centre, as the crow flies in a periodic box */
	const double da = remainder(place[a] - 0.5 * t->size - time, t->size);
	const double db = remainder(place[b] - 0.5 * t->size - time, t->size);
	const double turn = strength / (2 * M_PI) * exp(0.5 * (1 - da * da - db * db));
	const double temperature = 1 - (GAMMA - 1) / (2 * GAMMA) * turn * turn;

	w[0] = pow(temperature, 1 / (GAMMA - 1));
	w[1 + t->axis] = 1;
	w[1 + a] = 1 - db * turn;
	w[1 + b] = 1 + da * turn;
	w[4] = w[0] * temperature;
}

static void vortex_initial(const void *parameters, const double place[3], double w[VARIABLES])
{
	vortex(parameters, 0, place, w);
}

static void vortex_exact(const void *parameters, const double place[3], double w[VARIABLES])
{
	const struct test_flow *t = parameters;

	vortex(t, t->time, place, w);
}

#define WAVE_ORDER 1.8

static bool test_wave(const struct run *base)
{
	bool passed = true;

	for (unsigned int axis = 0; axis < 3; axis++) {
		const struct test_flow t = { .axis = axis, .size = 10, .time = 1 };
		const bool is_long[3] = { axis != 0, axis != 1, axis != 2 };
		double last = 0;

		for (unsigned int n = 32; n <= (axis == 2 ? 128 : 64); n *= 2) {
			const struct run run = test_run(base, &t, n, is_long, vortex_initial, 0);
			const double error = density_error(&run, vortex_exact);
			const double order = last > 0 ? log2(last / error) : 0;
			const bool good = run_verified(&run) && (!last || order >= WAVE_ORDER);

			printf("{\"test\": \"wave\", \"axis\": \"%c\", \"points\": %u, "
			       "\"l1_error\": %.3g, \"order\": %.2f, \"passed\": %s}\n",
			       'x' + axis, n, error, order, good ? "true" : "false");
			last = error;
			passed = passed && good;
		}
	}
	return passed;
}

#define AMPLITUDE 1e-3

static double phase(const struct test_flow *t, const double place[3])
{
	return 2 * M_PI * place[t->axis] / t->size;
}

static void at_rest(double w[VARIABLES])
{
	memset(w, 0, VARIABLES * sizeof(*w));
	w[0] = 1;
	w[4] = 1 / GAMMA;
}

/* Velocity across the axis; the speed of sound is one. */
static void shear_initial(const void *parameters, const double place[3], double w[VARIABLES])
{
	const struct test_flow *t = parameters;

	at_rest(w);
	w[1 + (t->axis + 1) % 3] = AMPLITUDE * sin(phase(t, place));
}

/* A standing wave of sound at the moment when all of its energy is motion. */
static void sound_initial(const void *parameters, const double place[3], double w[VARIABLES])
{
	const struct test_flow *t = parameters;

	at_rest(w);
	w[1 + t->axis] = AMPLITUDE * sin(phase(t, place));
}

/* Amplitude of the sine that momentum @component has. */
static double amplitude(const struct run *run, unsigned int component)
{
	const struct grid *g = &run->flow.grid;
	double sum = 0;

	for (size_t row = 0; row < grid_rows(g); row++) {
		const double *u = row_of(g, run->flow.state, row);

		for (unsigned int i = 0; i < g->nx; i++) {
			const double place[3] = { (i + 0.5) * g->h, (row % g->ny + 0.5) * g->h,
						  (row / g->ny + 0.5) * g->h };

			sum += u[offset_of(g, component, i)] * sin(phase(run->parameters, place));
		}
	}
	return 2 * sum / grid_points(g);
}

/*
 * Over one period of sound. To first order in viscosity, with wave number k and
 * density and speed of sound of one, shear decays at nu k^2 and sound at
 * k^2 / 2 (4/3 nu + (gamma - 1) nu / Pr) (Landau and Lifshitz, "Fluid mechanics",
 * section 79).
 */
static bool test_viscous(const struct run *base)
{
	const double nu = 0.01, k = 2 * M_PI, shear = nu * k * k;
	const double rates[2] = { shear, shear / 2 * (4. / 3 + (GAMMA - 1) / PRANDTL) };
	bool passed = true;

	for (unsigned int i = 0; i < 6; i++) {
		const unsigned int axis = i / 2;
		const bool sound = i % 2;
		const struct test_flow t = { .axis = axis, .size = 1, .time = 1 };
		const bool is_long[3] = { axis == 0, axis == 1, axis == 2 };
		const struct run run =
			test_run(base, &t, 128, is_long, sound ? sound_initial : shear_initial, nu);
		const unsigned int component = 1 + (sound ? axis : (axis + 1) % 3);
		const double rate = -log(amplitude(&run, component) / AMPLITUDE);
		const bool good = fabs(rate / rates[sound] - 1) < 0.02 && run_verified(&run);

		printf("{\"test\": \"viscous\", \"axis\": \"%c\", \"wave\": \"%s\", "
		       "\"decay\": %.5f, \"expected\": %.5f, \"passed\": %s}\n",
		       'x' + axis, sound ? "sound" : "shear", rate, rates[sound],
		       good ? "true" : "false");
		passed = passed && good;
	}
	return passed;
}

const char *const test_names[] = { "sod", "wave", "viscous", NULL };

int run_test(const char *name, const struct run *base)
{
	static bool (*const tests[])(const struct run *base) = { test_sod, test_wave,
								 test_viscous };
	const double start = now_s();
	const bool passed = tests[parse_choice("test", name, test_names)](base);

	report_text("test", name);
	report_uint("threads", common.threads);
	measured.seconds = now_s() - start;
	measured.unit = "tests/s";
	return report(1 / measured.seconds, passed);
}
