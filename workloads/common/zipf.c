// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranks by Zipf's law; see zipf.h. */
#include "zipf.h"

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

struct zipf zipf_make(uint64_t n, double theta)
{
	struct zipf z = { .n = n, .theta = theta };

	z.alpha = 1 / (1 - theta);
	z.zeta_n = zeta(n, theta);
	z.half_pow = 1 + pow(0.5, theta);
	if (n > 2)
		z.eta = (1 - pow(2.0 / n, 1 - theta)) / (1 - z.half_pow / z.zeta_n);
	return z;
}

uint64_t zipf_rank(const struct zipf *z, struct rng *rng)
{
	const double u = rng_unit(rng), uz = u * z->zeta_n;
	uint64_t rank;

	if (uz < 1)
		return 0;
	if (uz < z->half_pow)
		return z->n > 1;
	rank = z->n * pow(z->eta * u - z->eta + 1, z->alpha);
	return rank < z->n ? rank : z->n - 1;
}
