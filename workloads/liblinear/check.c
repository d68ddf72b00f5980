// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objective, gradient and accuracy of a model, in one pass over the rows in their
 * own order. No code of the library is used, but for its types.
 */
#include <math.h>
#include <sys/mman.h>

#include "check.h"
#include "common.h"

static double product(const double *w, const struct feature_node *x)
{
	double sum = 0;

	for (; x->index != -1; x++)
		sum += w[x->index - 1] * x->value;
	return sum;
}

static void add(double *g, double factor, const struct feature_node *x)
{
	for (; x->index != -1; x++)
		g[x->index - 1] += factor * x->value;
}

static double square_sum(const double *v, uint64_t n)
{
	double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += v[i] * v[i];
	return sum;
}

struct check check_model(const struct data *data, const struct model *model, double cost)
{
	const uint64_t features = data->shape.features, bytes = features * sizeof(double);
	double *gradient = allocate(bytes), *start = allocate(bytes);
	struct check check = { 0 };
	double loss = 0;

	for (uint64_t row = 0; row < data->shape.rows; row++) {
		const struct feature_node *x = data->problem.x[row];
		const bool positive = data->problem.y[row] == model->label[0];
		const double y = positive ? 1 : -1;
		const double decision = product(model->w, x);
		const double missing = 1 - y * decision;

		check.positive += positive;
		check.right += positive == (decision > 0);
		add(start, -2 * cost * y, x);
		if (missing <= 0)
			continue;
		loss += missing * missing;
		add(gradient, -2 * cost * y * missing, x);
	}
	for (uint64_t i = 0; i < features; i++)
		gradient[i] += model->w[i];
	check.objective = square_sum(model->w, features) / 2 + cost * loss;
	check.gradient = sqrt(square_sum(gradient, features));
	check.gradient_start = sqrt(square_sum(start, features));
	munmap(gradient, bytes);
	munmap(start, bytes);
	return check;
}
