/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Training with the library: solver 2, L2-regularized L2-loss support vector
 * classification, the primal problem
 *
 *     min over w:  |w|^2 / 2 + cost * sum over rows of max(0, 1 - y w.x)^2
 *
 * by a trust region Newton method (TRON), which ends when the gradient has become
 * epsilon * min(positive, negative rows) / rows of what it is at w = 0.
 */
#ifndef LIBLINEAR_SOLVER_H
#define LIBLINEAR_SOLVER_H

#include <stdbool.h>

#include "data.h"

struct training {
	unsigned int iterations; /* of Newton's method */
	unsigned int cg_iterations; /* of conjugate gradients within them */
	uint64_t passes; /* over the data */
	double objective; /* of the model, as the library reports it */
};

/*
 * Train, with progress() of values read. Warnings of the library go to stderr. The
 * model is to be freed with free_and_destroy_model().
 */
struct model *solve(const struct data *data, double cost, double epsilon,
		    struct training *training);

/* What a line that the library prints adds to @training; false if it is none of TRON's. */
bool read_report(const char *line, struct training *training);

#endif
