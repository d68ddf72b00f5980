// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * liblinear: a linear classifier of sparse data, trained with LIBLINEAR.
 *
 * Generates or loads the data, then trains, which is the measured phase and all the
 * library's doing, then checks the model that comes out; see README.md.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "common.h"
#include "generate.h"
#include "libsvm.h"
#include "solver.h"

/* Of --mem: the program itself, its stacks, and the ends of the library's heap. */
#define PROGRAM_BYTES 1572864

#define DEFAULT_ROWS 100000

/* Our objective and the library's differ by the order of additions only. */
#define TOLERANCE 1e-6

static struct {
	const char *file;
	const char *save;
	uint64_t mem;
	uint64_t rows;
	uint64_t features;
	double epsilon;
	double cost;
	enum { NOTHING, OBJECTIVE, GRADIENT, ACCURACY } corrupt;
} opt = {
	.epsilon = 0.2,
	.cost = 1,
};

static const char *const corruptions[] = { "", "objective", "gradient", "accuracy" };

#define CORRUPT_KEY 256

static const struct argp_option options[] = {
	{ "rows", 'r', "N", 0, "rows to generate (100000)", 0 },
	{ "features", 'n', "N", 0, "features to generate (2.4 for each row)", 0 },
	{ "mem", 'm', "SIZE", 0, "instead: as many as make the process take SIZE", 0 },
	{ "file", 'f', "FILE", 0, "load data in the LIBSVM format instead", 0 },
	{ "save", 'o', "FILE", 0, "write the data in the LIBSVM format", 0 },
	{ "epsilon", 'e', "X", 0, "tolerance of the solver (0.2)", 0 },
	{ "cost", 'c', "X", 0, "cost of errors (1)", 0 },
	{ "corrupt", CORRUPT_KEY, "WHAT", OPTION_HIDDEN,
	  "objective, gradient or accuracy: make its check fail", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'r':
		opt.rows = parse_size("rows", arg, MIN_ROWS, MAX_ROWS);
		return 0;
	case 'n':
		opt.features = parse_size("features", arg, MIN_FEATURES, MAX_FEATURES);
		return 0;
	case 'm':
		opt.mem = parse_size("mem", arg, 4 << 20, 1ull << 46);
		return 0;
	case 'f':
		opt.file = arg;
		return 0;
	case 'o':
		opt.save = arg;
		return 0;
	case 'e':
		opt.epsilon = parse_number("epsilon", arg, 1e-6, 1);
		return 0;
	case 'c':
		opt.cost = parse_number("cost", arg, 1e-6, 1e6);
		return 0;
	case CORRUPT_KEY:
		for (opt.corrupt = OBJECTIVE; opt.corrupt <= ACCURACY; opt.corrupt++)
			if (!strcmp(arg, corruptions[opt.corrupt]))
				return 0;
		die("--corrupt: must be objective, gradient or accuracy: %s", arg);
	case ARGP_KEY_END:
		if (!!opt.file + !!opt.mem + (opt.rows || opt.features) > 1)
			die("--file, --mem and --rows with --features exclude each other");
		return 0;
	}
	(void)state;
	return ARGP_ERR_UNKNOWN;
}

static struct data get_data(void)
{
	struct shape shape;

	if (opt.file)
		return load_libsvm(opt.file);
	if (opt.mem) {
		check_memory(opt.mem);
		shape = shape_of_mem(opt.mem - PROGRAM_BYTES, common.seed);
	} else {
		if (!opt.rows && !opt.features)
			opt.rows = DEFAULT_ROWS;
		shape = shape_of(opt.rows, opt.features, common.seed);
		check_memory(data_bytes(shape) + solver_bytes(shape));
	}
	return generate(shape, common.seed);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Only of generated data: without a bias, a file's labels may be beyond any model. */
static bool accurate(const struct check *check, uint64_t rows)
{
	return opt.file || check->right >= larger(check->positive, rows - check->positive);
}

int main(int argc, char **argv)
{
	const double start = now_s();
	double init_s, seconds, tolerance;
	struct training training;
	char parameters[1024];
	struct result result;
	struct model *model;
	struct check check;
	uint64_t smaller;
	struct data data;

	parse_command_line(argc, argv, options, parse,
			   "Linear classification of sparse data with LIBLINEAR.");
	data = get_data();
	if (opt.save)
		save_libsvm(&data, opt.save);
	/* the library does not expect to get none */
	check_memory(solver_bytes(data.shape));
	init_s = now_s() - start;

	progress_begin("nonzeros/s", common.report_ms);
	roi_begin();
	seconds = now_s();
	model = solve(&data, opt.cost, opt.epsilon, &training);
	seconds = now_s() - seconds;
	roi_end();
	progress_end();

	if (opt.corrupt == ACCURACY)
		for (uint64_t i = 0; i < data.shape.features; i++)
			model->w[i] = -model->w[i];
	check = check_model(&data, model, opt.cost);
	free_and_destroy_model(&model);
	if (opt.corrupt == OBJECTIVE)
		training.objective *= 1 + 10 * TOLERANCE;
	else if (opt.corrupt == GRADIENT)
		check.gradient *= 1e4;

	smaller = data.shape.rows - larger(check.positive, data.shape.rows - check.positive);
	tolerance = opt.epsilon * smaller / data.shape.rows * check.gradient_start;
	snprintf(parameters, sizeof(parameters),
		 "\"rows\": %llu, \"features\": %llu, \"nonzeros\": %llu, \"epsilon\": %g, "
		 "\"cost\": %g, \"iterations\": %u, \"cg_iterations\": %u, \"passes\": %llu, "
		 "\"objective\": %.12g, \"reported_objective\": %.12g, \"gradient\": %.6g, "
		 "\"gradient_tolerance\": %.6g, \"accuracy\": %.6f, \"majority\": %.6f, "
		 "\"checksum\": \"%016llx\"",
		 (unsigned long long)data.shape.rows, (unsigned long long)data.shape.features,
		 (unsigned long long)data.shape.nonzeros, opt.epsilon, opt.cost,
		 training.iterations, training.cg_iterations, (unsigned long long)training.passes,
		 check.objective, training.objective, check.gradient, tolerance,
		 (double)check.right / data.shape.rows, 1 - (double)smaller / data.shape.rows,
		 (unsigned long long)data_checksum(&data));
	result = (struct result){
		.workload = "liblinear",
		.parameters = parameters,
		.init_s = init_s,
		.seconds = seconds,
		.rate = training.passes * data.shape.nonzeros / seconds,
		.rate_unit = "nonzeros/s",
		.verified = fabs(check.objective - training.objective) <=
				    TOLERANCE * fabs(training.objective) &&
			    check.gradient <= tolerance * (1 + TOLERANCE) &&
			    accurate(&check, data.shape.rows),
	};
	return report(&result);
}
