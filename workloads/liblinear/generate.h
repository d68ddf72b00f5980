/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data in the shape of KDD Cup 2010's "algebra" set (kdda of the LIBSVM data sets:
 * 8,407,752 rows, 20,216,830 features, 305,613,510 values other than zero), of any
 * size and from a seed.
 */
#ifndef LIBLINEAR_GENERATE_H
#define LIBLINEAR_GENERATE_H

#include "data.h"

/* Bounds of what can be generated; both labels occur from MIN_ROWS on. */
#define MIN_ROWS     128
#define MAX_ROWS     2147483640
#define MIN_FEATURES 256

/*
 * The shape of @rows rows with @features features; 0 stands for what the other one
 * makes it in the proportion of kdda. Dies when there would be too many.
 */
struct shape shape_of(uint64_t rows, uint64_t features, uint64_t seed);

/* The largest shape, in the proportion of kdda, whose training takes at most @bytes. */
struct shape shape_of_mem(uint64_t bytes, uint64_t seed);

/* @shape is one of the two above, with the same @seed. */
struct data generate(struct shape shape, uint64_t seed);

/* The index of the feature that is the @rank-th in frequency (from 0). */
int feature_of_rank(uint64_t rank, uint64_t features);

#endif
