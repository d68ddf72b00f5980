// SPDX-License-Identifier: GPL-2.0
/* Splits and merges ranges of user addresses; see range.h. */
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "range.h"

/* Ranges that there is memory for in the beginning: most processes never need more. */
#define FIRST_ROOM 4u

/**
 * demeter_ranges_init() - Make an empty set of ranges
 * @rs:		The set. The caller fills in @rs->split and @rs->merge.
 * @max:	How many ranges there may be, at least 2. Memory is allocated as they come.
 * @granularity: Length in bytes down to which ranges are split; a power of two.
 *
 * Return: 0 or -ENOMEM. The caller ends it with demeter_ranges_free().
 */
int demeter_ranges_init(struct demeter_ranges *rs, unsigned int max, unsigned long granularity)
{
	*rs = (struct demeter_ranges){
		.room = min(max, FIRST_ROOM),
		.max = max,
		.granularity = granularity,
	};
	rs->ranges = kvmalloc_array(rs->room, sizeof(*rs->ranges), GFP_KERNEL | __GFP_NOWARN);
	return rs->ranges ? 0 : -ENOMEM;
}

/**
 * demeter_ranges_free() - Free what demeter_ranges_init() has allocated
 * @rs:		The set.
 */
void demeter_ranges_free(struct demeter_ranges *rs)
{
	kvfree(rs->ranges);
	rs->ranges = NULL;
	rs->nr = 0;
}

/* Finds the first range that ends behind @addr; @rs->nr if there is none. */
static unsigned int demeter_ranges_position(const struct demeter_ranges *rs, unsigned long addr)
{
	unsigned int low = 0, high = rs->nr;

	while (low < high) {
		const unsigned int middle = (low + high) / 2;

		if (rs->ranges[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether there may be another range; makes room for it. Without memory there may not. */
static bool demeter_ranges_may_grow(struct demeter_ranges *rs)
{
	const unsigned int room = min(2 * rs->room, rs->max);
	struct demeter_range *ranges;

	if (rs->nr < rs->room)
		return true;
	if (rs->nr == rs->max)
		return false;
	ranges = kvmalloc_array(room, sizeof(*ranges), GFP_KERNEL | __GFP_NOWARN);
	if (!ranges)
		return false;
	memcpy(ranges, rs->ranges, rs->nr * sizeof(*ranges));
	kvfree(rs->ranges);
	rs->ranges = ranges;
	rs->room = room;
	return true;
}

static struct demeter_range *demeter_ranges_insert(struct demeter_ranges *rs, unsigned int at)
{
	struct demeter_range *r = &rs->ranges[at];

	memmove(r + 1, r, (rs->nr - at) * sizeof(*r));
	rs->nr++;
	return r;
}

/**
 * demeter_ranges_cover() - See to it that addresses belong to ranges
 * @rs:		The set.
 * @start:	First address.
 * @end:	Address behind the last one.
 *
 * Addresses that are not covered yet become ranges of their own. When there is no room for
 * more ranges, a neighbour is extended.
 *
 * Return: whether anything was added.
 */
bool demeter_ranges_cover(struct demeter_ranges *rs, unsigned long start, unsigned long end)
{
	bool added = false;
	unsigned int at;

	start = round_down(start, rs->granularity);
	end = round_up(end, rs->granularity) ?: ULONG_MAX & ~(rs->granularity - 1);
	for (at = demeter_ranges_position(rs, start); start < end; at++) {
		const unsigned long gap_end = at < rs->nr ? min(end, rs->ranges[at].start) : end;

		if (start < gap_end) {
			if (demeter_ranges_may_grow(rs)) {
				*demeter_ranges_insert(rs, at) = (struct demeter_range){
					.start = start,
					.end = gap_end,
					.born = rs->epoch,
					.accessed = rs->epoch,
				};
			} else if (at < rs->nr) {
				rs->ranges[at--].start = start;
			} else {
				rs->ranges[--at].end = gap_end;
			}
			added = true;
			rs->is_active = true;
			start = gap_end;
			continue;
		}
		start = max(start, rs->ranges[at].end);
	}
	return added;
}

/**
 * demeter_ranges_find() - Find the range of an address
 * @rs:		The set.
 * @addr:	The address.
 *
 * Return: the range, NULL if the address is not covered. Valid until the next
 * change of the set.
 */
struct demeter_range *demeter_ranges_find(struct demeter_ranges *rs, unsigned long addr)
{
	const unsigned int at = demeter_ranges_position(rs, addr);

	if (at == rs->nr || rs->ranges[at].start > addr)
		return NULL;
	return &rs->ranges[at];
}

/**
 * demeter_ranges_sample() - Count accesses
 * @rs:		The set.
 * @addr:	The address that was accessed.
 * @n:		How often it was.
 *
 * Return: whether the address is covered.
 */
bool demeter_ranges_sample(struct demeter_ranges *rs, unsigned long addr, unsigned int n)
{
	struct demeter_range *r = demeter_ranges_find(rs, addr);

	if (!r)
		return false;
	rs->is_active = true;
	r->count += (u64)n * RANGE_SAMPLE;
	r->accessed = rs->epoch;
	return true;
}

/*
 * Whether @r exceeds one of its neighbours, which have counts of @left and @right, by
 * enough to be split. A neighbour that does not exist has a count of 0. The paper wants
 * both to be exceeded, its artifact one: two neighbours that are equally hot would keep
 * each other from being split.
 */
static bool demeter_ranges_wants_split(const struct demeter_ranges *rs,
				       const struct demeter_range *r, u64 left, u64 right)
{
	const u64 least = min3(r->count, left, right);

	return r->end - r->start > rs->granularity &&
	       r->count - least > (u64)rs->split * RANGE_SAMPLE;
}

static void demeter_ranges_split(struct demeter_ranges *rs, unsigned int at)
{
	struct demeter_range *left, *right = demeter_ranges_insert(rs, at + 1);

	left = &rs->ranges[at];
	left->group = (struct demeter_group){};
	left->is_estimated = false;
	left->is_new_half = true;
	*right = *left;
	left->end = left->start + round_up((left->end - left->start) / 2, rs->granularity);
	right->start = left->end;
	right->count = left->count / 2;
	left->count -= right->count;
	left->born = rs->epoch;
	right->born = rs->epoch;
	rs->nr_splits++;
}

static bool demeter_ranges_is_idle(const struct demeter_ranges *rs, const struct demeter_range *r)
{
	return !r->count && rs->epoch - r->accessed >= rs->merge &&
	       rs->epoch - r->born >= rs->merge;
}

/* Whether neighbours may become one that do not yet, since they have not been idle for long. */
static bool demeter_ranges_will_merge(const struct demeter_ranges *rs,
				      const struct demeter_range *left,
				      const struct demeter_range *right)
{
	const u32 last = max(max(left->accessed, left->born), max(right->accessed, right->born));

	return left->end == right->start && rs->epoch - last < rs->merge;
}

/* Merges in place: a range that is merged into its left neighbour is not kept. */
static void demeter_ranges_merge_idle(struct demeter_ranges *rs)
{
	unsigned int kept = 0;

	for (unsigned int at = 0; at < rs->nr; at++) {
		struct demeter_range *left = kept ? &rs->ranges[kept - 1] : NULL;
		const struct demeter_range *r = &rs->ranges[at];

		if (left && left->end == r->start && demeter_ranges_is_idle(rs, left) &&
		    demeter_ranges_is_idle(rs, r)) {
			left->end = r->end;
			left->is_estimated = false;
			demeter_group_merge(&left->group, &r->group);
			rs->nr_merges++;
			continue;
		}
		rs->ranges[kept++] = *r;
	}
	rs->nr = kept;
}

/**
 * demeter_ranges_epoch() - End an epoch
 * @rs:		The set.
 *
 * Counts halve; then ranges are split, if there is room, and merged.
 */
void demeter_ranges_epoch(struct demeter_ranges *rs)
{
	u64 left = 0;

	rs->epoch++;
	rs->is_active = false;
	for (unsigned int at = 0; at < rs->nr; at++) {
		struct demeter_range *r = &rs->ranges[at];

		r->count /= 2;
		rs->is_active |= r->count || (at && demeter_ranges_will_merge(rs, r - 1, r));
	}
	demeter_ranges_merge_idle(rs);
	/* neighbours are judged as they were before they were split */
	for (unsigned int at = 0; at < rs->nr; at++) {
		const u64 count = rs->ranges[at].count;
		const u64 right = at + 1 < rs->nr ? rs->ranges[at + 1].count : 0;

		if (demeter_ranges_wants_split(rs, &rs->ranges[at], left, right) &&
		    demeter_ranges_may_grow(rs))
			demeter_ranges_split(rs, at++);
		left = count;
	}
}
