// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests: the generator's rows and labels, sizes in memory, what is read of the
 * library's reports, and the check against sums over a dense matrix.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "common.h"
#include "generate.h"
#include "libsvm.h"
#include "solver.h"
#include "unit.h"

static bool close_to(double a, double b, double tolerance)
{
	return fabs(a - b) <= tolerance * fabs(b);
}

/* Every rank has an index of its own, and all indices are used. */
static void test_feature_of_rank(void)
{
	for (uint64_t features = 256; features < 300; features++) {
		bool used[300] = { false };
		unsigned int wrong = 0;

		for (uint64_t rank = 0; rank < features; rank++) {
			const int index = feature_of_rank(rank, features);

			if (index < 1 || (uint64_t)index > features || used[index - 1])
				wrong++;
			else
				used[index - 1] = true;
		}
		CHECK(!wrong);
	}
	CHECK(feature_of_rank(MAX_FEATURES - 1, MAX_FEATURES) <= MAX_FEATURES);
}

static void test_rows(uint64_t rows, uint64_t features, uint64_t seed)
{
	const struct shape shape = shape_of(rows, features, seed);
	const struct data data = generate(shape, seed);
	const struct feature_node *at = data.nodes;
	unsigned int wrong = 0, shortest = 1000, longest = 0;
	uint64_t positive = 0;

	CHECK(!rows || shape.rows == rows);
	CHECK(!features || shape.features == features);
	CHECK(data.problem.l == (int)shape.rows && data.problem.n == (int)shape.features);
	for (uint64_t row = 0; row < shape.rows; row++) {
		const struct feature_node *x = data.problem.x[row];
		double length = 0;
		int before = 0;

		wrong += x != at;
		for (; at->index != -1; at++) {
			wrong += at->index <= before || (uint64_t)at->index > shape.features;
			before = at->index;
			length += at->value * at->value;
		}
		wrong += !close_to(length, 1, 1e-12);
		if (at - x < shortest)
			shortest = at - x;
		if (at - x > longest)
			longest = at - x;
		at++;
		wrong += fabs(data.problem.y[row]) != 1;
		positive += data.problem.y[row] > 0;
	}
	CHECK(!wrong);
	CHECK((uint64_t)(at - data.nodes) == shape.nonzeros + shape.rows);
	CHECK(shortest >= 21 && longest <= 51);
	CHECK(positive > 0.7 * shape.rows && positive < 0.95 * shape.rows);
	if (shape.rows >= 10000) {
		CHECK(shortest == 21 && longest == 51);
		CHECK(close_to(shape.nonzeros, 36.35 * shape.rows, 0.01));
	}
}

/* Frequencies are those of the law: 0.9 decades fewer for a decade of ranks. */
static void test_frequencies(void)
{
	const struct shape shape = shape_of(40000, 0, 3);
	const struct data data = generate(shape, 3);
	uint64_t *frequency = calloc(shape.features + 1, sizeof(*frequency));
	double before = 0;

	for (uint64_t i = 0; i < shape.nonzeros + shape.rows; i++)
		if (data.nodes[i].index != -1)
			frequency[data.nodes[i].index]++;
	/* from where few rows would have a feature twice */
	for (uint64_t first = 100; first * 10 <= shape.features; first *= 10) {
		double sum = 0, expected = 0;

		for (uint64_t rank = first; rank < 2 * first; rank++) {
			sum += frequency[feature_of_rank(rank, shape.features)];
			expected += pow(rank + 1.5, -0.9);
		}
		if (before)
			CHECK(close_to(sum / expected, before, 0.05));
		before = sum / expected;
	}
	free(frequency);
}

static void test_shape_of_mem(void)
{
	static const uint64_t sizes[] = { 2 << 20, 20 << 20, 100 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		const struct shape shape = shape_of_mem(sizes[i], 5);
		const struct shape same = shape_of(shape.rows, 0, 5);
		const uint64_t bytes = data_bytes(shape) + solver_bytes(shape);

		CHECK(bytes <= sizes[i] && bytes + 2000 > sizes[i]);
		CHECK(!memcmp(&shape, &same, sizeof(shape)));
		CHECK(close_to(shape.features, 2.40455 * shape.rows, 0.001));
	}
}

static void test_read_report(void)
{
	struct training t = { .objective = 8 };

	CHECK(!read_report("cg reaches trust region boundary\n", &t));
	CHECK(!read_report("WARNING: prered <= 0\n", &t));
	CHECK(!read_report("", &t));
	CHECK(t.objective == 8 && !t.iterations);
	CHECK(read_report("iter  1 act 2.5e+00 pre 2.4e+00 delta 1e+00 f 8e+00 |g| 3e+01 CG   3\n",
			  &t));
	CHECK(t.objective == 5.5 && t.iterations == 1 && t.cg_iterations == 3 && t.passes == 6);
	/* a step that is not taken */
	CHECK(read_report("iter  2 act -1e+00 pre 4e-01 delta 1e+00 f 5.5e+00 |g| 3e+01 CG  12\n",
			  &t));
	CHECK(t.objective == 5.5 && t.iterations == 2 && t.cg_iterations == 15 && t.passes == 19);
}

/* The objective for weights @w, from a dense matrix. */
static double dense_objective(const struct data *data, const double *w, double cost, int positive)
{
	const uint64_t features = data->shape.features;
	double objective = 0, *x = calloc(features, sizeof(*x));

	for (uint64_t i = 0; i < features; i++)
		objective += w[i] * w[i] / 2;
	for (uint64_t row = 0; row < data->shape.rows; row++) {
		const double y = data->problem.y[row] == positive ? 1 : -1;
		double decision = 0;

		memset(x, 0, features * sizeof(*x));
		for (const struct feature_node *n = data->problem.x[row]; n->index != -1; n++)
			x[n->index - 1] = n->value;
		for (uint64_t i = 0; i < features; i++)
			decision += w[i] * x[i];
		if (y * decision < 1)
			objective += cost * (1 - y * decision) * (1 - y * decision);
	}
	free(x);
	return objective;
}

/* Of weights that are no solution; the gradient by differences. */
static void test_check(double cost, int positive)
{
	const struct data data = generate(shape_of(200, 300, 9), 9);
	const uint64_t features = data.shape.features;
	double *w = calloc(features, sizeof(*w)), gradient = 0;
	struct model model = { .w = w, .label = &positive };
	struct rng random = rng_seed(1, 1);
	struct check check, zero;
	uint64_t with_label = 0, right = 0;

	zero = check_model(&data, &model, cost);
	for (uint64_t i = 0; i < features; i++)
		w[i] = 2 * rng_unit(&random) - 1;
	check = check_model(&data, &model, cost);
	for (uint64_t i = 0; i < features; i++) {
		const double kept = w[i], step = 1e-5;
		double slope;

		w[i] = kept + step;
		slope = dense_objective(&data, w, cost, positive);
		w[i] = kept - step;
		slope = (slope - dense_objective(&data, w, cost, positive)) / (2 * step);
		w[i] = kept;
		gradient += slope * slope;
	}
	for (uint64_t row = 0; row < data.shape.rows; row++) {
		const bool is = data.problem.y[row] == positive;
		double decision = 0;

		for (const struct feature_node *n = data.problem.x[row]; n->index != -1; n++)
			decision += w[n->index - 1] * n->value;
		with_label += is;
		right += is == (decision > 0);
	}
	CHECK(close_to(check.objective, dense_objective(&data, w, cost, positive), 1e-12));
	CHECK(close_to(check.gradient, sqrt(gradient), 1e-4));
	CHECK(close_to(zero.objective, cost * data.shape.rows, 1e-12));
	CHECK(close_to(zero.gradient, check.gradient_start, 1e-12));
	CHECK(check.positive == with_label && check.right == right);
	free(w);
}

/* The library finds what the check calls a minimum, at every tolerance. */
static void test_solve(void)
{
	const struct data data = generate(shape_of(1000, 0, 2), 2);

	for (double epsilon = 1; epsilon > 1e-7; epsilon /= 10) {
		struct training training;
		struct model *model = solve(&data, 1, epsilon, &training);
		const struct check check = check_model(&data, model, 1);
		const uint64_t rest = data.shape.rows - check.positive;
		const double fewer = rest < check.positive ? rest : check.positive;

		CHECK(close_to(check.objective, training.objective, 1e-10));
		CHECK(check.gradient <=
		      epsilon * fewer / data.shape.rows * check.gradient_start * (1 + 1e-9));
		CHECK(training.passes > training.cg_iterations + training.iterations);
		free_and_destroy_model(&model);
	}
}

static void test_save_and_load(void)
{
	char path[] = "/tmp/liblinear-test-XXXXXX";
	const struct data data = generate(shape_of(500, 700, 4), 4);
	const int fd = mkstemp(path);
	struct data loaded;

	CHECK(fd >= 0);
	save_libsvm(&data, path);
	loaded = load_libsvm(path);
	CHECK(loaded.shape.rows == 500 && loaded.shape.nonzeros == data.shape.nonzeros);
	CHECK(loaded.shape.features <= 700 && loaded.problem.n == (int)loaded.shape.features);
	CHECK(data_checksum(&loaded) == data_checksum(&data));
	loaded.nodes[100].value *= 1 + 1e-15;
	CHECK(data_checksum(&loaded) != data_checksum(&data));
	unlink(path);
	close(fd);
}

int main(void)
{
	test_feature_of_rank();
	for (uint64_t seed = 0; seed < 20; seed++) {
		test_rows(MIN_ROWS, 0, seed);
		test_rows(0, MIN_FEATURES, seed);
		test_rows(1000, MIN_FEATURES, seed);
		test_rows(10000, 0, seed);
	}
	test_rows(0, 30000, 1);
	test_rows(200, 1000003, 1);
	test_frequencies();
	test_shape_of_mem();
	test_read_report();
	test_check(1, 1);
	test_check(0.01, -1);
	test_solve();
	test_save_and_load();
	return unit_report();
}
