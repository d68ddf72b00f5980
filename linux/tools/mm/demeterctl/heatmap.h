/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A heat map: how hot the ranges of a target were at some times. Addresses that no
 * range ever covered are squeezed out: an offset counts the others only.
 */
#ifndef DEMETERCTL_HEATMAP_H
#define DEMETERCTL_HEATMAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ranges.h"

/* At one time, which lasts until the next. */
struct snapshot {
	double time_s; /* since the first */
	struct ranges ranges;
};

/* Addresses without a gap. */
struct area {
	uint64_t start, end;
	uint64_t offset; /* of start */
};

struct heatmap {
	int pid;
	double interval_s;
	struct snapshot *snapshots;
	size_t nr_snapshots;
	struct area *areas; /* in order */
	size_t nr_areas;
	uint64_t bytes; /* of all areas */
};

/* The densities that are shown, in samples per byte, without 0. */
struct scale {
	double coldest, hottest;
};

uint64_t heatmap_offset(const struct heatmap *map, uint64_t address);
uint64_t heatmap_address(const struct heatmap *map, uint64_t offset);

void scale_add(struct scale *scale, double density);
/* Where a density is between the coldest (0) and the hottest (1), by its logarithm. */
double scale_shade(const struct scale *scale, double density);

double range_density(const struct range *r);

/* svg.c: draw it. Errors are left for the caller to see in ferror(). */
void heatmap_draw(const struct heatmap *map, FILE *out);

#endif
