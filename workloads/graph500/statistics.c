// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The statistics of the specification. Quartiles interpolate between the two
 * nearest values. Rates have the harmonic mean, and for its standard deviation
 * the estimate of Norris, "The standard errors of the geometric and harmonic
 * means and their application to index numbers" (1940).
 */
#include <math.h>
#include <stdlib.h>

#include "graph500.h"

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(const double *sorted, unsigned int n, double share)
{
	const double at = share * (n - 1);
	const unsigned int below = at;

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

struct statistics statistics(double *values, unsigned int n, bool harmonic)
{
	double sum = 0, squares = 0;
	struct statistics s;

	qsort(values, n, sizeof(*values), compare);
	s.min = values[0];
	s.first_quartile = quantile(values, n, 0.25);
	s.median = quantile(values, n, 0.5);
	s.third_quartile = quantile(values, n, 0.75);
	s.max = values[n - 1];
	for (unsigned int i = 0; i < n; i++)
		sum += harmonic ? 1 / values[i] : values[i];
	s.mean = harmonic ? n / sum : sum / n;
	for (unsigned int i = 0; i < n; i++) {
		const double d = harmonic ? 1 / values[i] - 1 / s.mean : values[i] - s.mean;

		squares += d * d;
	}
	s.stddev = 0;
	if (n > 1)
		s.stddev = harmonic ? sqrt(squares) / (n - 1) * s.mean * s.mean
				    : sqrt(squares / (n - 1));
	return s;
}
