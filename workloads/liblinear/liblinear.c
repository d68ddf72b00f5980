// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * liblinear: a linear classifier of sparse data, trained with LIBLINEAR.
 *
 * Generates or loads the data, then trains, which is the measured phase and all the
 * library's doing, then checks the model that comes out; see README.md.
 */
#include <math.h>

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
} opt = {
	.epsilon = 0.2,
	.cost = 1,
};

static const struct argp_option options[] = {
	{ "rows", 'r', "N", 0, "rows to generate (100000)", 0 },
	{ "features", 'n', "N", 0, "features to generate (2.4 for each row)", 0 },
	{ "mem", 'm', "SIZE", 0, "instead: as many as make the process take SIZE", 0 },
	{ "file", 'f', "FILE", 0, "load data in the LIBSVM format instead", 0 },
	{ "save", 'o', "FILE", 0, "write the data in the LIBSVM format", 0 },
	{ "epsilon", 'e', "X", 0, "tolerance of the solver (0.2)", 0 },
	{ "cost", 'c', "X", 0, "cost of errors (1)", 0 },
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'r':
		opt.rows = parse_size("rows", arg, MIN_ROWS, MAX_ROWS);
		return true;
	case 'n':
		opt.features = parse_size("features", arg, MIN_FEATURES, MAX_FEATURES);
		return true;
	case 'm':
		opt.mem = parse_size("mem", arg, 4 << 20, MEM_MAX);
		return true;
	case 'f':
		opt.file = arg;
		return true;
	case 'o':
		opt.save = arg;
		return true;
	case 'e':
		opt.epsilon = parse_number("epsilon", arg, 1e-6, 1);
		return true;
	case 'c':
		opt.cost = parse_number("cost", arg, 1e-6, 1e6);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "liblinear",
	.about = "Linear classification of sparse data with LIBLINEAR.",
	.options = options,
	.parse = parse,
	.corruptions = (const char *const[]){ "objective", "gradient", "accuracy", NULL },
};

static struct data get_data(void)
{
	struct shape shape;

	if (opt.file)
		return load_libsvm(opt.file);
	if (opt.mem) {
		check_limits(opt.mem);
		shape = shape_of_mem(opt.mem - PROGRAM_BYTES, common.seed);
	} else {
		if (!opt.rows && !opt.features)
			opt.rows = DEFAULT_ROWS;
		shape = shape_of(opt.rows, opt.features, common.seed);
		check_limits(data_bytes(shape) + solver_bytes(shape));
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
	struct training training;
	struct model *model;
	struct check check;
	uint64_t smaller;
	struct data data;
	double tolerance;

	parse_command_line(argc, argv, &program);
	if (!!opt.file + !!opt.mem + (opt.rows || opt.features) > 1)
		die("--file, --mem and --rows with --features exclude each other");
	data = get_data();
	if (opt.save)
		save_libsvm(&data, opt.save);
	/* the library does not check whether it got memory */
	check_limits(solver_bytes(data.shape));

	measure_begin("nonzeros/s");
	model = solve(&data, opt.cost, opt.epsilon, &training);
	measure_end();

	if (corrupts("accuracy"))
		for (uint64_t i = 0; i < data.shape.features; i++)
			model->w[i] = -model->w[i];
	check = check_model(&data, model, opt.cost);
	free_and_destroy_model(&model);
	if (corrupts("objective"))
		training.objective *= 1 + 10 * TOLERANCE;
	if (corrupts("gradient"))
		check.gradient *= 1e4;

	smaller = data.shape.rows - larger(check.positive, data.shape.rows - check.positive);
	tolerance = opt.epsilon * smaller / data.shape.rows * check.gradient_start;
	report_uint("rows", data.shape.rows);
	report_uint("features", data.shape.features);
	report_uint("nonzeros", data.shape.nonzeros);
	report_real("epsilon", "%g", opt.epsilon);
	report_real("cost", "%g", opt.cost);
	report_uint("iterations", training.iterations);
	report_uint("cg_iterations", training.cg_iterations);
	report_uint("passes", training.passes);
	report_real("objective", "%.12g", check.objective);
	report_real("reported_objective", "%.12g", training.objective);
	report_real("gradient", "%.6g", check.gradient);
	report_real("gradient_tolerance", "%.6g", tolerance);
	report_real("accuracy", "%.6f", (double)check.right / data.shape.rows);
	report_real("majority", "%.6f", 1 - (double)smaller / data.shape.rows);
	report_json("checksum", "\"%016llx\"", (unsigned long long)data_checksum(&data));
	return report(training.passes * data.shape.nonzeros / measured.seconds,
		      fabs(check.objective - training.objective) <=
				      TOLERANCE * fabs(training.objective) &&
			      check.gradient <= tolerance * (1 + TOLERANCE) &&
			      accurate(&check, data.shape.rows));
}
