// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bwaves: blast waves in a compressible viscous gas, by an implicit method.
 *
 * A ball of gas at high pressure and density bursts in a periodic box; its waves
 * meet those of its images. Every time step stores a matrix of 5x5 blocks, seven
 * per point, and solves it by BiCGStab, which reads all of it twice an iteration.
 * See README.md.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "run.h"
#include "tests.h"

#define MAX_EDGE    65536
#define FIXED_BYTES (1024 << 10) /* resident beside the arrays: program, libraries, stacks */

static struct {
	uint64_t mem;
	unsigned int edges[3];
	unsigned int steps;
	double cfl, theta, reynolds, tolerance;
	const char *test;
	bool verbose;
	bool has_size;
} opt = {
	.edges = { 64, 64, 64 },
	.steps = 10,
	.cfl = 2,
	.reynolds = 1000,
	.tolerance = 1e-8,
};

static const struct argp_option options[] = {
	{ "grid", 'g', "NX[xNYxNZ]", 0, "points along each axis; NX a multiple of 4 (64)", 0 },
	{ "mem", 'm', "SIZE", 0, "a grid near a cube that takes this much memory instead", 0 },
	{ "steps", 'n', "N", 0, "time steps (10)", 0 },
	{ "cfl", 'c', "X", 0, "time step, in the time that a wave needs for one point (2)", 0 },
	{ "theta", 'T', "X", 0,
	  "0.5: Crank-Nicolson, 1: backward Euler, or between (1; tests: 0.5)", 0 },
	{ "reynolds", 'r', "X", 0, "of the box' edge and the speed of sound (1000)", 0 },
	{ "tolerance", 'e', "X", 0, "of a step's linear system, relative (1e-8)", 0 },
	{ "verbose", 'v', NULL, 0, "a line per step, with the history of its residuals", 0 },
	{ "test", 'x', "NAME", 0,
	  "run small flows with known solutions instead: sod (shock tube), wave (order of "
	  "convergence), viscous (rates of decay)",
	  0 },
	{ 0 },
};

static void parse_grid(const char *text)
{
	static const char message[] = "--grid: must be NX or NXxNYxNZ, each from 1 to %u, NX a "
				      "multiple of %u: %s";
	const char *p = text;
	unsigned int n = 0;
	char *end;

	for (; n < 3; n++, p = end + 1) {
		const unsigned long edge = strtoul(p, &end, 10);

		if (*p < '0' || *p > '9' || edge < 1 || edge > MAX_EDGE)
			die(message, MAX_EDGE, LANES, text);
		opt.edges[n] = edge;
		if (*end != 'x')
			break;
	}
	if (*end || (n != 0 && n != 2) || opt.edges[0] % LANES)
		die(message, MAX_EDGE, LANES, text);
	if (n == 0) {
		opt.edges[1] = opt.edges[0];
		opt.edges[2] = opt.edges[0];
	}
}

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'g':
		parse_grid(arg);
		opt.has_size = true;
		return true;
	case 'm':
		opt.mem = parse_size("mem", arg, 16 << 20, MEM_MAX);
		return true;
	case 'n':
		opt.steps = parse_size("steps", arg, 1, 1000000);
		return true;
	case 'c':
		opt.cfl = parse_number("cfl", arg, 0.01, 100);
		return true;
	case 'T':
		opt.theta = parse_number("theta", arg, 0.5, 1);
		return true;
	case 'r':
		opt.reynolds = parse_number("reynolds", arg, 1, 1e9);
		return true;
	case 'e':
		opt.tolerance = parse_number("tolerance", arg, 1e-12, 0.01);
		return true;
	case 'v':
		opt.verbose = true;
		return true;
	case 'x':
		parse_choice("test", arg, test_names);
		opt.test = arg;
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "bwaves",
	.about = "Blast waves in a compressible viscous gas, by implicit time steps whose "
		 "linear systems BiCGStab solves.",
	.options = options,
	.parse = parse,
	.default_threads = all_cpus,
	.corruptions = (const char *const[]){ "mass", "pressure", "residual", NULL },
};

static uint64_t bytes_of(const struct grid *g)
{
	return FIXED_BYTES + flow_bytes(g) + team_bytes(grid_rows(g));
}

/* Of some grids that are nearly cubes, the one that takes most of @bytes. */
static struct grid grid_for(uint64_t bytes)
{
	/* so many points an edge if there were no ghosts */
	const unsigned int edge = cbrt(bytes / (8. * VARIABLES * (BLOCKS * VARIABLES + 7)));
	struct grid best = { 0 };

	for (unsigned int ny = edge - 4; ny <= edge; ny++) {
		struct grid g = { .nx = (edge + LANES - 1) / LANES * LANES, .ny = ny, .nz = 1 };

		g.nz = (bytes - FIXED_BYTES) / (bytes_of(&g) - FIXED_BYTES);
		if (best.nz == 0 || bytes_of(&g) > bytes_of(&best))
			best = g;
	}
	return best;
}

/* A ball at ten times the pressure and four times the density of the rest. */
struct blast {
	double centre[3];
	double size[3]; /* of the box */
	double radius, edge;
};

static void blast_initial(const void *parameters, const double place[3], double w[VARIABLES])
{
	const struct blast *b = parameters;
	double square = 0, inside;

	for (unsigned int i = 0; i < 3; i++) {
		const double d = remainder(place[i] - b->centre[i], b->size[i]);

		square += d * d;
	}
	inside = 0.5 * (1 - tanh((sqrt(square) - b->radius) / b->edge));
	memset(w, 0, VARIABLES * sizeof(*w));
	w[0] = 1 + 3 * inside;
	/* the speed of sound outside is one */
	w[4] = (1 + 9 * inside) / GAMMA;
}

static struct blast make_blast(const struct grid *g)
{
	struct rng rng = rng_seed(common.seed, 0);
	struct blast b = {
		.size = { g->nx * g->h, g->ny * g->h, g->nz * g->h },
		.edge = g->h,
	};

	for (unsigned int i = 0; i < 3; i++)
		b.centre[i] = b.size[i] * rng_unit(&rng);
	b.radius = 0.25 * fmin(b.size[0], fmin(b.size[1], b.size[2]));
	return b;
}

static int report_run(const struct run *run)
{
	const struct grid *g = &run->flow.grid;
	const struct conservation c = run_conservation(run);

	report_json("grid", "[%u, %u, %u]", g->nx, g->ny, g->nz);
	report_uint("mem", bytes_of(g));
	report_uint("steps", run->done);
	report_real("cfl", "%g", run->cfl);
	report_real("theta", "%g", run->flow.theta);
	report_real("reynolds", "%g", opt.reynolds);
	report_real("tolerance", "%g", run->flow.tolerance);
	report_uint("threads", common.threads);
	report_real("time", "%.6g", run->time);
	report_uint("iterations", run->iterations);
	report_uint("most_iterations", run->most_iterations);
	report_real("residual", "%.3g", run->residual);
	report_real("mass_error", "%.3g", c.mass);
	report_real("momentum_error", "%.3g", c.momentum);
	report_real("energy_error", "%.3g", c.energy);
	report_real("min_density", "%.6g", run->extremes.density);
	report_real("min_pressure", "%.6g", run->extremes.pressure);
	report_real("max_mach", "%.4g", run->extremes.mach);
	report_json("checksum", "\"%016llx\"", (unsigned long long)run_checksum(run));
	/* two products an iteration, and one a step for its true residual */
	return report((2. * run->iterations + run->done) * grid_points(g) / measured.seconds,
		      run_verified(run));
}

int main(int argc, char **argv)
{
	struct blast blast;
	struct run run;

	parse_command_line(argc, argv, &program);
	if (opt.has_size + !!opt.mem + !!opt.test > 1)
		die("--grid, --mem and --test exclude one another");
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		die("needs a CPU with AVX2 and FMA");
	run = (struct run){
		.flow = {
			.grid = { .nx = opt.edges[0], .ny = opt.edges[1], .nz = opt.edges[2] },
			.viscosity = 1 / opt.reynolds,
			.theta = opt.theta > 0 ? opt.theta : opt.test ? 0.5 : 1,
			.tolerance = opt.tolerance,
		},
		.initial = blast_initial,
		.parameters = &blast,
		.cfl = opt.cfl,
		.end_time = INFINITY,
		.steps = opt.steps,
		.measured = true,
		.verbose = opt.verbose,
	};
	if (opt.test)
		return run_test(opt.test, &run);
	if (opt.mem)
		run.flow.grid = grid_for(opt.mem);
	run.flow.grid.h = 1. / run.flow.grid.nx;
	check_memory(bytes_of(&run.flow.grid));
	blast = make_blast(&run.flow.grid);
	run_flow(&run);
	return report_run(&run);
}
