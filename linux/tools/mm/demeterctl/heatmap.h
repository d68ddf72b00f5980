/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A heat map: how hot the ranges of a target were at some times. Addresses that no
 * range ever covered are left out: an offset counts only those before it that are shown.
 */
#ifndef DEMETERCTL_HEATMAP_H
#define DEMETERCTL_HEATMAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ranges.h"

/* The ranges at one time; shown until the time of the next. */
struct snapshot {
	double time_s; /* since the first snapshot */
	struct ranges ranges;
};

/* Addresses that are covered without a gap. */
struct area {
	uint64_t start, end;
	uint64_t offset; /* of start */
};

struct heatmap {
	int pid;
	double interval_s;
	struct snapshot *snapshots;
	size_t nr_snapshots;
	struct area *areas; /* in the order of their addresses */
	size_t nr_areas;
	uint64_t bytes; /* of all areas */
};

/* The lowest and highest density that is shown, in samples per byte; 0 does not count. */
struct scale {
	double coldest, hottest;
};

uint64_t heatmap_offset(const struct heatmap *map, uint64_t address);
uint64_t heatmap_address(const struct heatmap *map, uint64_t offset);

void scale_add(struct scale *scale, double density);
/* Tells where a density is between the coldest (0) and the hottest (1), by its logarithm. */
double scale_shade(const struct scale *scale, double density);

double range_density(const struct range *r);

/* Draws the map (svg.c). The caller finds errors by ferror(). */
void heatmap_draw(const struct heatmap *map, FILE *out);

#endif
