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
#include <sys/stat.h>

#include "common.h"
#include "libsvm.h"

/* Beyond this, sums of squares of squares may leave the range of a double. */
#define MAX_VALUE 1e30

struct reader {
	const char *path;
	FILE *file;
	unsigned long long line; /* from 1 */
};

static _Noreturn void die_line(const struct reader *r, const char *why)
{
	die("%s: line %llu: %s", r->path, r->line, why);
}

static struct reader open_reader(const char *path)
{
	struct reader r = { .path = path };
	struct stat status;

	/* a pipe cannot be read twice */
	if (stat(path, &status))
		die("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		die("%s: not a regular file", path);
	r.file = fopen(path, "re");
	if (!r.file)
		die("%s: %s", path, strerror(errno));
	return r;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* Lines, and colons, of which every value has one. */
static struct shape count(struct reader *r)
{
	static char buffer[1 << 16];
	struct shape shape = { 0 };
	char last = '\n';
	size_t n;

	while ((n = fread(buffer, 1, sizeof(buffer), r->file)) > 0) {
		for (size_t i = 0; i < n; i++) {
			shape.rows += buffer[i] == '\n';
			shape.nonzeros += buffer[i] == ':';
		}
		last = buffer[n - 1];
	}
	if (ferror(r->file))
		die("%s: %s", r->path, strerror(errno));
	r->line = shape.rows + 1;
	if (last != '\n')
		die_line(r, "is cut off");
	if (!shape.rows)
		die("%s: no rows", r->path);
	if (shape.rows > MAX_FEATURES)
		die("%s: more than %d rows", r->path, MAX_FEATURES);
	rewind(r->file);
	r->line = 0;
	return shape;
}

static double parse_label(const struct reader *r, const char **at)
{
	double label;
	char *end;

	*at = skip_blanks(*at);
	if (!**at)
		die_line(r, "no label");
	label = strtod(*at, &end);
	if (end == *at || (*end && !is_blank(*end)))
		die_line(r, "the label is not a number");
	if (!(fabs(label) <= INT_MAX) || label != (int)label)
		die_line(r, "the label is not an integer");
	*at = end;
	return label;
}

/* @after: the index before, or 0. */
static struct feature_node parse_node(const struct reader *r, const char **at, int after)
{
	struct feature_node node;
	const char *text = *at;
	long index;
	char *end;

	errno = 0;
	index = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != ':')
		die_line(r, "not INDEX:VALUE after the label");
	if (errno || index < 1 || index > MAX_FEATURES)
		die_line(r, "an index is out of range");
	if (index <= after)
		die_line(r, "indices are not in ascending order");
	text = end + 1;
	node.index = index;
	node.value = strtod(text, &end);
	if (end == text || is_blank(*text) || (*end && !is_blank(*end)))
		die_line(r, "a value is not a number");
	if (!(fabs(node.value) <= MAX_VALUE))
		die_line(r, "a value is too large");
	*at = end;
	return node;
}

/* The next line without its end. */
static const char *read_line(struct reader *r, char **line, size_t *size)
{
	const ssize_t n = getline(line, size, r->file);

	r->line++;
	/* it was counted before */
	if (n < 1)
		die_line(r, ferror(r->file) ? strerror(errno) : "is missing now");
	if (strlen(*line) != (size_t)n)
		die_line(r, "has a zero byte");
	if ((*line)[n - 1] == '\n')
		(*line)[n - 1] = '\0';
	return *line;
}

/* The library makes a model for each label when there are more than two. */
static void check_label(const struct reader *r, double label, double labels[2], unsigned int *n)
{
	for (unsigned int i = 0; i < *n; i++)
		if (labels[i] == label)
			return;
	if (*n == 2)
		die_line(r, "a third label");
	labels[(*n)++] = label;
}

struct data load_libsvm(const char *path)
{
	struct reader r = open_reader(path);
	struct shape shape = count(&r);
	struct feature_node *node, *end;
	unsigned int label_count = 0;
	double labels[2];
	struct data data;
	char *line = NULL;
	size_t size = 0;

	check_limits(data_bytes(shape) + solver_bytes(shape));
	data = data_allocate(shape);
	node = data.nodes;
	end = node + shape.nonzeros + shape.rows;
	for (uint64_t row = 0; row < shape.rows; row++) {
		const char *at = read_line(&r, &line, &size);
		int index = 0;

		data.problem.x[row] = node;
		data.problem.y[row] = parse_label(&r, &at);
		check_label(&r, data.problem.y[row], labels, &label_count);
		for (at = skip_blanks(at); *at; at = skip_blanks(at)) {
			const struct feature_node next = parse_node(&r, &at, index);

			/* leave room for the ends of rows */
			if (end - node <= (ptrdiff_t)(shape.rows - row))
				die_line(&r, "was shorter before");
			*node++ = next;
			index = next.index;
		}
		if ((uint64_t)index > data.shape.features)
			data.shape.features = index;
		node++->index = -1;
	}
	free(line);
	fclose(r.file);
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
