// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files in the LIBSVM format. Loading reads twice, as LIBLINEAR's own program does:
 * it counts rows and values, then fills arrays of that size. Nothing that the file
 * says is believed.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "libsvm.h"
#include "text.h"

/* Beyond this, sums of squares of squares may leave the range of a double. */
#define MAX_VALUE 1e30

/* Count the lines and their colons, of which every value has one. */
static struct shape count(struct text *t)
{
	struct shape shape = { 0 };
	const char *line;

	while ((line = text_line(t))) {
		shape.rows++;
		for (; *line; line++)
			shape.nonzeros += *line == ':';
	}
	if (!shape.rows)
		die("%s: no rows", t->path);
	if (shape.rows > MAX_FEATURES)
		die("%s: more than %d rows", t->path, MAX_FEATURES);
	text_rewind(t);
	return shape;
}

/* Whether a number that strtod() has read up to @end ends there. */
static bool ends(const char *end)
{
	return !*end || is_blank(*end);
}

static double parse_label(const struct text *t, const char **at)
{
	const char *text = skip_blanks(*at);
	double label;
	char *end;

	label = strtod(text, &end);
	if (end == text || !ends(end))
		text_die(t, "the label is not a number");
	if (!(fabs(label) <= INT_MAX) || label != (int)label)
		text_die(t, "the label is not an integer");
	*at = end;
	return label;
}

/* Read the feature at *@at, which moves behind it; @after is the index before, or 0. */
static struct feature_node parse_node(const struct text *t, const char **at, int after)
{
	struct feature_node node;
	const char *text = *at;
	long index;
	char *end;

	errno = 0;
	index = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != ':')
		text_die(t, "must be LABEL INDEX:VALUE INDEX:VALUE ...");
	if (errno || index > MAX_FEATURES)
		text_die(t, "an index is more than %d", MAX_FEATURES);
	if (!index)
		text_die(t, "an index is 0: indices count from 1");
	if (index == after)
		text_die(t, "index %ld is there twice", index);
	if (index < after)
		text_die(t, "index %ld comes after %d: indices must ascend", index, after);
	text = end + 1;
	node.index = index;
	node.value = strtod(text, &end);
	if (end == text || is_blank(*text) || !ends(end))
		text_die(t, "the value of index %ld is not a number", index);
	if (!(fabs(node.value) <= MAX_VALUE))
		text_die(t, "the value of index %ld is more than %g", index, MAX_VALUE);
	*at = end;
	return node;
}

/* Refuse a third label: the library would make a model for each label. */
static void check_label(const struct text *t, double label, double labels[2], unsigned int *n)
{
	for (unsigned int i = 0; i < *n; i++)
		if (labels[i] == label)
			return;
	if (*n == 2)
		text_die(t, "a third label: %g, after %g and %g", label, labels[0], labels[1]);
	labels[(*n)++] = label;
}

struct data load_libsvm(const char *path)
{
	struct text t = text_open(path, "#");
	struct shape shape = count(&t);
	struct feature_node *node, *end;
	unsigned int label_count = 0;
	double labels[2];
	struct data data;

	check_limits(data_bytes(shape) + solver_bytes(shape));
	data = data_allocate(shape);
	node = data.nodes;
	end = node + shape.nonzeros + shape.rows;
	for (uint64_t row = 0; row < shape.rows; row++) {
		const char *at = text_line(&t);
		int index = 0;

		if (!at)
			text_die(&t, "was there before: the file has changed");
		data.problem.x[row] = node;
		data.problem.y[row] = parse_label(&t, &at);
		check_label(&t, data.problem.y[row], labels, &label_count);
		for (at = skip_blanks(at); *at; at = skip_blanks(at)) {
			const struct feature_node next = parse_node(&t, &at, index);

			/* leave room for the ends of rows */
			if (end - node <= (ptrdiff_t)(shape.rows - row))
				text_die(&t, "was shorter before: the file has changed");
			*node++ = next;
			index = next.index;
		}
		if ((uint64_t)index > data.shape.features)
			data.shape.features = index;
		node++->index = -1;
	}
	text_close(&t);
	if (label_count < 2)
		die("%s: all rows have the same label", path);
	if (!data.shape.features)
		die("%s: no features", path);
	data.problem.n = data.shape.features;
	return data;
}

void save_libsvm(const struct data *data, const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		die("--save: cannot write %s: %s", path, strerror(errno));
	for (uint64_t row = 0; row < data->shape.rows; row++) {
		fprintf(file, "%d", (int)data->problem.y[row]);
		for (const struct feature_node *x = data->problem.x[row]; x->index != -1; x++)
			fprintf(file, " %d:%.17g", x->index, x->value);
		fputc('\n', file);
	}
	if (ferror(file) || fclose(file))
		die("--save: cannot write %s: %s", path, strerror(errno));
}
