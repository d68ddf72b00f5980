// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Training with the library, which is watched by what it prints: a line after each
 * Newton iteration, with the objective before it and what the step gains.
 */
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "solver.h"

/* A step is taken when it gains more than this share of what was predicted (tron.cpp) */
#define ACCEPTED 1e-4

/*
 * Passes over the data: objective and gradient at w = 0 and at the first w, and the
 * first preconditioner; then one for each product with the Hessian, one for the
 * objective, and two more for the gradient and the preconditioner where a step ends.
 */
#define PASSES_START	5
#define PASSES_TRY	1
#define PASSES_ACCEPTED 2

/* What the hook needs, which the library calls without an argument of ours. */
static struct {
	struct training *training;
	uint64_t nonzeros;
} watched;

bool read_report(const char *line, struct training *training)
{
	double gain, predicted, before;
	unsigned int cg_iterations;

	if (sscanf(line, "iter %*d act %lf pre %lf delta %*f f %lf |g| %*f CG %u", &gain,
		   &predicted, &before, &cg_iterations) != 4)
		return false;
	training->iterations++;
	training->cg_iterations += cg_iterations;
	training->passes += cg_iterations + PASSES_TRY;
	training->objective = before;
	if (gain > ACCEPTED * predicted) {
		training->objective -= gain;
		training->passes += PASSES_ACCEPTED;
	}
	return true;
}

static void hook(const char *line)
{
	const uint64_t before = watched.training->passes;

	if (read_report(line, watched.training))
		progress((watched.training->passes - before) * watched.nonzeros);
	else if (strstr(line, "WARNING"))
		fprintf(stderr, "LIBLINEAR: %s", line);
}

struct model *solve(const struct data *data, double cost, double epsilon, struct training *training)
{
	const struct parameter parameter = {
		.solver_type = L2R_L2LOSS_SVC,
		.eps = epsilon,
		.C = cost,
	};

	/* the loss of every row is 1 at the start */
	*training = (struct training){
		.passes = PASSES_START,
		.objective = cost * data->shape.rows,
	};
	watched.training = training;
	watched.nonzeros = data->shape.nonzeros;
	set_print_string_function(hook);
	return train(&data->problem, &parameter);
}
