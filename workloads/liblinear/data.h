/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The training data, as LIBLINEAR wants it and as its own program lays it out:
 * all rows in one array, each ended by a node of index -1, and beside it an array
 * of pointers to them and an array of labels.
 */
#ifndef LIBLINEAR_DATA_H
#define LIBLINEAR_DATA_H

#include <linear.h>
#include <stdint.h>

/* The library counts rows and features in an int, and steps over it by five. */
#define MAX_FEATURES 2147483640

struct shape {
	uint64_t rows;
	uint64_t features; /* indices are from 1 to this */
	uint64_t nonzeros;
};

struct data {
	struct shape shape;
	struct problem problem;
	struct feature_node *nodes;
};

/* Bytes of the data. */
uint64_t data_bytes(struct shape shape);

/* The most bytes that the library has at a time while it trains, the model among them. */
uint64_t solver_bytes(struct shape shape);

/* Die unless @bytes of memory can be had, also within the limits of the process. */
void check_limits(uint64_t bytes);

/* Untouched memory for data of this shape. Dies when there is none. */
struct data data_allocate(struct shape shape);

/* Depends on every label, index and value, and on their order. */
uint64_t data_checksum(const struct data *data);

#endif
