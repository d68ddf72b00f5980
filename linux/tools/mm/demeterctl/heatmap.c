// SPDX-License-Identifier: GPL-2.0
/*
 * demeterctl heatmap: reads the ranges of a target at intervals and shows how hot
 * they were, as text with a row for each time; svg.c draws the same.
 */
#define _GNU_SOURCE
#include "heatmap.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "demeterctl.h"
#include "pace.h"
#include "sysfs.h"
#include "text.h"

/* Characters for no samples, then from cold to hot. */
#define SHADES	  " .:-=+*#%@"
#define NR_SHADES (sizeof(SHADES) - 1)

static const char doc[] =
	"Show how hot the addresses of a process are, over time.\v"
	"The process must be a target. Its ranges are read at intervals. Then a row is printed "
	"for each time, from the lowest addresses to the highest, without those that no range "
	"covers; the more samples a byte, the denser the character, on a logarithmic scale. Samples "
	"are recent ones: Demeter halves them in each of its epochs.\n"
	"\n"
	"Ends early when the process does, and on Ctrl-C.\n"
	"\n"
	"Examples:\n"
	"  demeterctl heatmap 1234\n"
	"  demeterctl heatmap --seconds 60 --interval 0.5 --svg heat.svg 1234\n";

static const struct argp_option options[] = {
	{ "seconds", 's', "SECONDS", 0, "how long to look (10)", 0 },
	{ "interval", 'i', "SECONDS", 0, "time between rows (1)", 0 },
	{ "columns", 'c', "N", 0, "columns for the addresses (80)", 0 },
	{ "svg", 'o', "FILE", 0, "draw it into this file, too", 0 },
	{ 0 },
};

struct arguments {
	int pid;
	double seconds;
	double interval_s;
	size_t columns;
	const char *svg;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		arguments->seconds = parse_seconds("--seconds", arg, 0.01, 86400);
		return 0;
	case 'i':
		arguments->interval_s = parse_seconds("--interval", arg, 0.01, 3600);
		return 0;
	case 'c':
		arguments->columns = parse_integer("--columns", arg, 1, 10000);
		return 0;
	case 'o':
		arguments->svg = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->pid)
			return parse_nothing(key, arg, state);
		arguments->pid = parse_integer("PID", arg, 1, INT_MAX);
		return 0;
	case ARGP_KEY_NO_ARGS:
		refuse("the PID of a target is missing: see %s --help", state->name);
	}
	return ARGP_ERR_UNKNOWN;
}

double range_density(const struct range *r)
{
	return (double)r->samples / (r->end - r->start);
}

static int by_start(const void *a, const void *b)
{
	const struct area *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

static int by_address(const void *key, const void *area)
{
	const uint64_t address = *(const uint64_t *)key;
	const struct area *a = area;

	return (address >= a->end) - (address < a->start);
}

uint64_t heatmap_offset(const struct heatmap *map, uint64_t address)
{
	const struct area *a = bsearch(&address, map->areas, map->nr_areas, sizeof(*a), by_address);

	return a->offset + (address - a->start);
}

uint64_t heatmap_address(const struct heatmap *map, uint64_t offset)
{
	const struct area *a = map->areas;

	while (a + 1 < map->areas + map->nr_areas && a[1].offset <= offset)
		a++;
	return a->start + (offset - a->offset);
}

/* Approximates the logarithm by 0.09, less than a shade, to need no libm. */
static double log_2(double x)
{
	int exponent;
	const double mantissa = frexp(x, &exponent);

	return exponent + 2 * mantissa;
}

void scale_add(struct scale *scale, double density)
{
	if (density > scale->hottest)
		scale->hottest = density;
	if (density > 0 && (scale->coldest == 0 || density < scale->coldest))
		scale->coldest = density;
}

double scale_shade(const struct scale *scale, double density)
{
	const double coldest = log_2(scale->coldest), hottest = log_2(scale->hottest);

	return hottest > coldest ? (log_2(density) - coldest) / (hottest - coldest) : 1;
}

/* Returns what ranges_read() does. */
static int take_snapshot(struct heatmap *map, double time_s)
{
	struct snapshot s = { .time_s = time_s };
	const int ret = ranges_read(map->pid, &s.ranges);

	if (ret)
		return ret;
	map->snapshots = resize(map->snapshots, map->nr_snapshots + 1, sizeof(s));
	map->snapshots[map->nr_snapshots++] = s;
	return 0;
}

static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENODEV;
}

static _Noreturn void fail_to_read(int pid, int error)
{
	char file[64];

	sysfs_require();
	if (is_gone(error))
		fail("process %d is no target: demeterctl attach pid %d", pid, pid);
	snprintf(file, sizeof(file), "targets/%d/ranges", pid);
	sysfs_fail(file, error);
}

/* Finds the areas that the ranges of all times cover. */
static void find_areas(struct heatmap *map)
{
	size_t nr = 0;

	for (size_t i = 0; i < map->nr_snapshots; i++) {
		const struct ranges *ranges = &map->snapshots[i].ranges;

		map->areas = resize(map->areas, nr + ranges->nr, sizeof(*map->areas));
		for (size_t k = 0; k < ranges->nr; k++) {
			const struct range *r = &ranges->list[k];

			map->areas[nr++] = (struct area){ .start = r->start, .end = r->end };
		}
	}
	if (!nr)
		fail("process %d has no ranges yet: demeterctl enable, and wait for an epoch",
		     map->pid);
	qsort(map->areas, nr, sizeof(*map->areas), by_start);
	map->nr_areas = 1;
	for (size_t i = 1; i < nr; i++) {
		struct area *last = &map->areas[map->nr_areas - 1];

		if (map->areas[i].start > last->end)
			map->areas[map->nr_areas++] = map->areas[i];
		else if (map->areas[i].end > last->end)
			last->end = map->areas[i].end;
	}
	for (size_t i = 0; i < map->nr_areas; i++) {
		map->areas[i].offset = map->bytes;
		map->bytes += map->areas[i].end - map->areas[i].start;
	}
}

/* Computes the mean density in each of the columns. */
static void fill_columns(const struct heatmap *map, const struct ranges *ranges, double *density,
			 size_t columns)
{
	const double width = (double)map->bytes / columns;

	memset(density, 0, columns * sizeof(*density));
	for (size_t i = 0; i < ranges->nr; i++) {
		const struct range *r = &ranges->list[i];
		const double start = heatmap_offset(map, r->start);
		const double end = start + (r->end - r->start);

		for (size_t c = start / width; c < columns && c * width < end; c++) {
			const double from = c * width > start ? c * width : start;
			const double to = (c + 1) * width < end ? (c + 1) * width : end;

			if (to > from)
				density[c] += range_density(r) * (to - from) / width;
		}
	}
}

static char shade_of(const struct scale *scale, double density)
{
	if (density == 0)
		return SHADES[0];
	return SHADES[1 + (size_t)(scale_shade(scale, density) * (NR_SHADES - 2) + 0.5)];
}

static void print(const struct heatmap *map, size_t columns)
{
	const double width = (double)map->bytes / columns;
	double *density = resize(NULL, columns, sizeof(*density));
	struct scale scale = { 0 };

	printf("process %d: %s in %zu areas, %s a column\n", map->pid, text_of_bytes(map->bytes).s,
	       map->nr_areas, text_of_bytes(width).s);
	for (size_t i = 0; i < map->nr_areas; i++) {
		const struct area *a = &map->areas[i];

		printf("  from column %5.1f: %016" PRIx64 "-%016" PRIx64 " %s\n", a->offset / width,
		       a->start, a->end, text_of_bytes(a->end - a->start).s);
	}
	for (size_t i = 0; i < map->nr_snapshots; i++) {
		fill_columns(map, &map->snapshots[i].ranges, density, columns);
		for (size_t c = 0; c < columns; c++)
			scale_add(&scale, density[c]);
	}
	printf("%8s\n", "seconds");
	for (size_t i = 0; i < map->nr_snapshots; i++) {
		printf("%8.2f |", map->snapshots[i].time_s);
		fill_columns(map, &map->snapshots[i].ranges, density, columns);
		for (size_t c = 0; c < columns; c++)
			putchar(shade_of(&scale, density[c]));
		printf("|\n");
	}
	if (scale.hottest > 0)
		printf("from '%c', %.3g samples per MiB, to '%c', %.3g\n", SHADES[1],
		       scale.coldest * (1 << 20), SHADES[NR_SHADES - 1], scale.hottest * (1 << 20));
	else
		printf("no samples\n");
	free(density);
}

static void draw(const struct heatmap *map, const char *file, FILE *out)
{
	bool failed;

	heatmap_draw(map, out);
	failed = ferror(out);
	if (fclose(out) || failed)
		fail("cannot write %s: %s", file, strerror(errno));
}

static void free_heatmap(struct heatmap *map)
{
	for (size_t i = 0; i < map->nr_snapshots; i++)
		free(map->snapshots[i].ranges.list);
	free(map->snapshots);
	free(map->areas);
}

int heatmap_command(int argc, char **argv)
{
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "PID",
		.doc = doc,
	};
	struct arguments arguments = { .seconds = 10, .interval_s = 1, .columns = 80 };
	struct heatmap map = { 0 };
	FILE *svg = NULL;
	struct pace pace;
	double begin_s;
	int error;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	sysfs_require();
	map.pid = arguments.pid;
	map.interval_s = arguments.interval_s;
	pace_begin(&pace, arguments.interval_s);
	begin_s = now_s();
	error = take_snapshot(&map, 0);
	if (error)
		fail_to_read(map.pid, error);
	/* opened now: at the end it would be too late to learn that it cannot be */
	if (arguments.svg) {
		svg = fopen(arguments.svg, "we");
		if (!svg)
			fail("cannot write %s: %s", arguments.svg, strerror(errno));
	}
	while (now_s() - begin_s + arguments.interval_s < arguments.seconds && pace_wait(&pace)) {
		error = take_snapshot(&map, now_s() - begin_s);
		if (is_gone(error)) {
			warn("process %d is a target no more, after %.1f s", map.pid,
			     now_s() - begin_s);
			break;
		}
		if (error)
			fail_to_read(map.pid, error);
	}
	find_areas(&map);
	print(&map, arguments.columns);
	if (svg)
		draw(&map, arguments.svg, svg);
	free_heatmap(&map);
	return 0;
}
