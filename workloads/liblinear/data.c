// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory of the training data and of the library; see data.h. */
#include <string.h>
#include <sys/mman.h>

#include "common.h"
#include "data.h"

uint64_t data_bytes(struct shape shape)
{
	const uint64_t nodes = shape.nonzeros + shape.rows;

	return nodes * sizeof(struct feature_node) +
	       shape.rows * (sizeof(struct feature_node *) + sizeof(double));
}

/*
 * As train() of linear.cpp and TRON of tron.cpp (version 2.30) allocate it. Of each
 * row: perm, x, sub_prob.x, sub_prob.y, C, z, I. Of each feature: w; s, r, g, M,
 * w_new; d, Hd, z. What is freed before all of these are there (data_label, w0) is
 * smaller than what comes after.
 */
uint64_t solver_bytes(struct shape shape)
{
	const uint64_t of_row = 2 * sizeof(int) + 2 * sizeof(void *) + 3 * sizeof(double);
	const uint64_t of_feature = (1 + 5 + 3) * sizeof(double);

	return shape.rows * of_row + shape.features * of_feature;
}

void check_limits(uint64_t bytes)
{
	check_memory(bytes);
	munmap(allocate(bytes), bytes);
}

struct data data_allocate(struct shape shape)
{
	struct data data = { .shape = shape };

	data.problem = (struct problem){
		.l = shape.rows,
		.n = shape.features,
		.y = allocate(shape.rows * sizeof(double)),
		.x = allocate(shape.rows * sizeof(struct feature_node *)),
		.bias = -1,
	};
	data.nodes = allocate((shape.nonzeros + shape.rows) * sizeof(struct feature_node));
	return data;
}

static uint64_t mix(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
	return sum ^ (sum >> 29);
}

uint64_t data_checksum(const struct data *data)
{
	const struct feature_node *node = data->nodes;
	uint64_t sum = 0, bits;

	for (uint64_t row = 0; row < data->shape.rows; row++) {
		sum = mix(sum, (int)data->problem.y[row]);
		for (; node->index != -1; node++) {
			memcpy(&bits, &node->value, sizeof(bits));
			sum = mix(mix(sum, node->index), bits);
		}
		node++;
	}
	return sum;
}
