// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The generator. Known of kdda: its size, that every row has unit length, and that
 * its features are the values of categories (student, unit, step, ...) and of
 * combinations of them. Chosen here: the exponent of the power law, the order of
 * features, and labels of which 85 % are positive, as most steps are solved.
 */
#include <math.h>
#include <string.h>

#include "common.h"
#include "generate.h"

#define KDDA_ROWS     8407752
#define KDDA_FEATURES 20216830

/*
 * A row has from 21 to 51 features, 36.35 on average: the integer part of
 * SHORTEST + LENGTHS * [0, 1).
 */
#define SHORTEST 21.85
#define LENGTHS	 30
#define LONGEST	 51

/* Categories: each has a range of indices, in which frequent values come first. */
#define CATEGORIES 36

/*
 * The hidden model: weights in [-1, 1) * SPREAD give a row's score a standard
 * deviation of 1; noise is logistic, of deviation 0.9. Positive is what lies less
 * than CUT deviations of the sum below its mean: 85 %, if it is nearly normal.
 */
#define SPREAD 1.7320508
#define NOISE  0.5
#define CUT    1.0364334

static unsigned int row_length(struct rng *random)
{
	return SHORTEST + LENGTHS * rng_unit(random);
}

static uint64_t features_for(uint64_t rows)
{
	return (unsigned __int128)rows * KDDA_FEATURES / KDDA_ROWS;
}

struct shape shape_of(uint64_t rows, uint64_t features, uint64_t seed)
{
	struct shape shape = { .rows = rows, .features = features };

	if (!rows)
		shape.rows = (unsigned __int128)features * KDDA_ROWS / KDDA_FEATURES;
	if (!features)
		shape.features = features_for(rows);
	if (shape.rows < MIN_ROWS)
		shape.rows = MIN_ROWS;
	if (shape.features > MAX_FEATURES)
		die("--rows: too many for %d features", MAX_FEATURES);
	/* with as few values as there may be, since counting them takes time */
	shape.nonzeros = (uint64_t)SHORTEST * shape.rows;
	check_limits(data_bytes(shape) + solver_bytes(shape));
	shape.nonzeros = 0;
	for (uint64_t row = 0; row < shape.rows; row++) {
		struct rng random = rng_seed(seed, row);

		shape.nonzeros += row_length(&random);
	}
	return shape;
}

struct shape shape_of_mem(uint64_t bytes, uint64_t seed)
{
	struct shape shape = { 0 };

	for (;;) {
		struct rng random = rng_seed(seed, shape.rows);
		const struct shape next = {
			.rows = shape.rows + 1,
			.features = features_for(shape.rows + 1),
			.nonzeros = shape.nonzeros + row_length(&random),
		};

		if (data_bytes(next) + solver_bytes(next) > bytes)
			return shape;
		if (next.features > MAX_FEATURES)
			die("--mem: too large for %d features", MAX_FEATURES);
		shape = next;
	}
}

int feature_of_rank(uint64_t rank, uint64_t features)
{
	const uint64_t category = rank % CATEGORIES;
	const uint64_t longer = features % CATEGORIES;
	const uint64_t first =
		category * (features / CATEGORIES) + (category < longer ? category : longer);

	return first + rank / CATEGORIES + 1;
}

/*
 * Frequency falls with the 0.9th power of the rank: by inversion of the continuous
 * law, x^-0.9 on [1, @features + 1), whose integral is the tenth root of x.
 * @top: the tenth root of @features + 1.
 */
static int draw_feature(struct rng *random, double top, uint64_t features)
{
	const double root = 1 + rng_unit(random) * (top - 1);
	const double square = root * root, fourth = square * square;
	const uint64_t rank = fourth * fourth * square - 1;

	return feature_of_rank(rank < features ? rank : features - 1, features);
}

static double hidden_weight(uint64_t seed, int feature)
{
	struct rng random = rng_seed(~seed, feature);

	return SPREAD * (2 * rng_unit(&random) - 1);
}

/* Put @feature in its place among @n ascending nodes; false if it is there already. */
static bool insert(struct feature_node *nodes, unsigned int n, int feature)
{
	unsigned int at = n;

	while (at && nodes[at - 1].index > feature)
		at--;
	if (at && nodes[at - 1].index == feature)
		return false;
	memmove(nodes + at + 1, nodes + at, (n - at) * sizeof(*nodes));
	nodes[at].index = feature;
	return true;
}

/* Labels from the rows' scores, in place. */
static void label(double *y, uint64_t rows)
{
	double mean = 0, square = 0, threshold;

	for (uint64_t row = 0; row < rows; row++) {
		mean += y[row] / rows;
		square += y[row] * y[row] / rows;
	}
	threshold = mean - CUT * sqrt(square - mean * mean);
	for (uint64_t row = 0; row < rows; row++)
		y[row] = y[row] > threshold ? 1 : -1;
}

struct data generate(struct shape shape, uint64_t seed)
{
	const double top = pow(shape.features + 1, 0.1);
	struct data data = data_allocate(shape);
	struct feature_node *nodes = data.nodes;

	for (uint64_t row = 0; row < shape.rows; row++) {
		struct rng random = rng_seed(seed, row);
		const unsigned int length = row_length(&random);
		const double value = 1 / sqrt(length);
		double score = 0, unit;

		for (unsigned int n = 0; n < length;)
			n += insert(nodes, n, draw_feature(&random, top, shape.features));
		for (unsigned int i = 0; i < length; i++) {
			nodes[i].value = value;
			score += value * hidden_weight(seed, nodes[i].index);
		}
		nodes[length].index = -1;
		unit = rng_unit(&random) + 0x1p-54; /* not 0 */
		data.problem.x[row] = nodes;
		data.problem.y[row] = score + NOISE * log(unit / (1 - unit));
		nodes += length + 1;
	}
	label(data.problem.y, shape.rows);
	return data;
}
