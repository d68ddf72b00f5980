/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Four points at once. The including file must be compiled for AVX2 and FMA. */
#ifndef BWAVES_VECTOR_H
#define BWAVES_VECTOR_H

#include <immintrin.h>

#include "grid.h"

static inline __m256d all(double value)
{
	return _mm256_set1_pd(value);
}

static inline __m256d load(const double *p)
{
	return _mm256_loadu_pd(p);
}

static inline void store(double *p, __m256d value)
{
	_mm256_store_pd(p, value);
}

static inline __m256d larger(__m256d a, __m256d b)
{
	return _mm256_max_pd(a, b);
}

static inline __m256d magnitude(__m256d a)
{
	return _mm256_andnot_pd(all(-0.0), a);
}

static inline double lane_sum(__m256d a)
{
	return (a[0] + a[1]) + (a[2] + a[3]);
}

static inline double lane_max(__m256d a)
{
	const __m256d b = larger(a, _mm256_permute2f128_pd(a, a, 1));

	return b[0] > b[1] ? b[0] : b[1];
}

/* Fill the ghosts of a row: neighbours in the next or previous quarter. */
static inline void wrap_row(const struct grid *g, double *row)
{
	double *end = row + row_points(g);

	for (unsigned int i = 0; i < GROUP; i += LANES)
		store(row - GROUP + i, _mm256_permute4x64_pd(load(end - GROUP + i), 0x93));
	/* with one group per row, the second ghost is made from the first */
	for (unsigned int i = 0; i < GHOSTS_ABOVE * GROUP; i += LANES)
		store(end + i, _mm256_permute4x64_pd(load(row + i), 0x39));
}

#endif
