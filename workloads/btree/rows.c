// SPDX-License-Identifier: GPL-2.0-or-later
/* Zipf's law; see rows.h. */
#include "rows.h"

#include <math.h>

/* Sum of 1 / i^theta for i in 1..n: exactly at first, then its integral. */
static double zeta(uint64_t n, double theta)
{
	const uint64_t exact = n < 100000 ? n : 100000;
	double sum = 0;

	for (uint64_t i = 1; i <= exact; i++)
		sum += pow(i, -theta);
	if (n > exact)
		sum += (pow(n + 0.5, 1 - theta) - pow(exact + 0.5, 1 - theta)) / (1 - theta);
	return sum;
}

struct draw draw_make(uint64_t rows, double theta)
{
	struct draw d = { .theta = theta };

	if (theta == 0)
		return d;
	d.alpha = 1 / (1 - theta);
	d.zeta_n = zeta(rows, theta);
	d.half_pow = 1 + pow(0.5, theta);
	d.eta = (1 - pow(2.0 / rows, 1 - theta)) / (1 - zeta(2, theta) / d.zeta_n);
	return d;
}

uint64_t draw_rank(const struct draw *d, uint64_t all, struct rng *rng)
{
	const double u = rng_unit(rng), uz = u * d->zeta_n;
	uint64_t rank;

	if (uz < 1)
		return 0;
	if (uz < d->half_pow)
		return all > 1;
	rank = all * pow(d->eta * u - d->eta + 1, d->alpha);
	return rank < all ? rank : all - 1;
}
