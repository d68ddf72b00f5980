/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a model is worth, computed from its weights and the data alone. */
#ifndef LIBLINEAR_CHECK_H
#define LIBLINEAR_CHECK_H

#include "data.h"

struct check {
	double objective;
	double gradient; /* its length, at the model's weights */
	double gradient_start; /* the same where they are all 0 */
	uint64_t positive; /* rows with the label that the model takes for +1 */
	uint64_t right; /* rows whose label the model finds */
};

/* Judge @model by @data. Takes 16 bytes of memory for each feature. */
struct check check_model(const struct data *data, const struct model *model, double cost);

#endif
