/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranges of user addresses and how much they are accessed. Pure logic: knows no mm, takes
 * no locks, and is tested by itself.
 *
 * Ranges lie in order and do not overlap. One that is accessed more than a
 * neighbour is cut in halves, again and again, down to a granularity; neighbours
 * that have not been accessed for a while become one. That way few samples suffice
 * to find what is hot in a large address space (paper, section 4.2).
 */
#ifndef _MM_DEMETER_RANGE_H
#define _MM_DEMETER_RANGE_H

#include <linux/types.h>

#include "heat.h"

/* A sample adds this to the count of its range, so that a count can halve a few times. */
#define RANGE_SAMPLE 16

/**
 * struct demeter_range - Addresses that are treated alike
 * @start:	First address.
 * @end:	Address behind the last one.
 * @count:	Samples, RANGE_SAMPLE each, that halve in every epoch.
 * @born:	Epoch in which it was made by a split or merge.
 * @accessed:	Epoch of the last sample.
 * @group:	The granules in it that are ranked. Like the following, not of this file, but for
 *		what becomes of it when ranges are merged or split.
 * @mean:	Estimated heat of its pages.
 * @is_estimated: Whether @mean and what @group says are those of its granules.
 * @is_new_half: Whether it was split, so that @group has lost its members.
 */
struct demeter_range {
	unsigned long start;
	unsigned long end;
	u64 count;
	u32 born;
	u32 accessed;
	struct demeter_group group;
	u32 mean;
	bool is_estimated;
	bool is_new_half;
};

/**
 * struct demeter_ranges - All ranges of a target
 * @ranges:	The ranges, in order of their addresses.
 * @nr:		How many ranges there are.
 * @room:	How many ranges there is memory for.
 * @max:	How many ranges there may be.
 * @epoch:	Number of the current epoch.
 * @granularity: Length down to which ranges are split; a power of two.
 * @split:	Samples by which a range must exceed a neighbour to be split.
 * @merge:	Epochs without a sample after which neighbours are merged.
 * @is_active:	Whether there are counts that are not 0, or ranges that may become one soon.
 * @nr_splits:	Splits so far.
 * @nr_merges:	Merges so far.
 */
struct demeter_ranges {
	struct demeter_range *ranges;
	unsigned int nr;
	unsigned int room;
	unsigned int max;
	u32 epoch;
	unsigned long granularity;
	unsigned int split;
	unsigned int merge;
	bool is_active;
	u64 nr_splits;
	u64 nr_merges;
};

int demeter_ranges_init(struct demeter_ranges *rs, unsigned int max, unsigned long granularity);
void demeter_ranges_free(struct demeter_ranges *rs);
bool demeter_ranges_cover(struct demeter_ranges *rs, unsigned long start, unsigned long end);
struct demeter_range *demeter_ranges_find(struct demeter_ranges *rs, unsigned long addr);
bool demeter_ranges_sample(struct demeter_ranges *rs, unsigned long addr, unsigned int n);
void demeter_ranges_epoch(struct demeter_ranges *rs);

#endif /* _MM_DEMETER_RANGE_H */
