/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranks by Zipf's law: rank k, counted from 1, is drawn in proportion to
 * k^-theta (Gray et al., "Quickly generating billion-record synthetic
 * databases", SIGMOD '94: one power per sample, no table).
 */
#ifndef ZIPF_H
#define ZIPF_H

#include "common.h"

struct zipf {
	uint64_t n;
	double theta; /* 0: uniform */
	double alpha, zeta_n, eta, half_pow;
};

/* For @n ranks, at least 1, and a @theta from 0, which is uniform, to below 1. */
struct zipf zipf_make(uint64_t n, double theta);

/* A rank in [0, n), 0 the most popular. */
uint64_t zipf_rank(const struct zipf *z, struct rng *rng);

#endif
