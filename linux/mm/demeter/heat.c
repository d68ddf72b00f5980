// SPDX-License-Identifier: GPL-2.0
/* Estimates how hot pages are; see heat.h. */
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "heat.h"

/* Returns a * b / c, or U64_MAX where that does not fit: the processor would raise a fault. */
static u64 demeter_mul_div(u64 a, u64 b, u64 c)
{
	return mul_u64_u64_shr(a, b, 64) >= c ? U64_MAX : mul_u64_u64_div_u64(a, b, c);
}

/**
 * demeter_group_add() - Add a member's count to a group
 * @group:	The group, zeroed in the beginning.
 * @pages:	Pages of the member, at least 1.
 * @count:	Sum of their counts.
 */
void demeter_group_add(struct demeter_group *group, u32 pages, u64 count)
{
	group->members++;
	group->pages += pages;
	group->pages_sq += (u64)pages * pages;
	group->sum += count;
	group->sum_sq += demeter_mul_div(count << GROUP_SHIFT, count, pages);
}

/**
 * demeter_group_remove() - Undo demeter_group_add()
 * @group:	The group, which has cooled as often as said.
 * @pages:	Pages of the member, as they were when it was added.
 * @count:	Sum of their counts, likewise.
 * @coolings:	How often the group has cooled since.
 *
 * What is left over by rounding is less than a sample for each member, and cools, too.
 */
void demeter_group_remove(struct demeter_group *group, u32 pages, u64 count, unsigned int coolings)
{
	u64 sq = demeter_mul_div(count << GROUP_SHIFT, count, pages);

	coolings = min(coolings, 31u);
	sq >>= 2 * coolings;
	count >>= coolings;
	group->members--;
	group->pages -= pages;
	group->pages_sq -= (u64)pages * pages;
	group->sum -= min(group->sum, count);
	group->sum_sq -= min(group->sum_sq, sq);
}

/**
 * demeter_group_merge() - Add all members of another group
 * @group:	The group.
 * @other:	The other one.
 */
void demeter_group_merge(struct demeter_group *group, const struct demeter_group *other)
{
	group->members += other->members;
	group->pages += other->pages;
	group->pages_sq += other->pages_sq;
	group->sum += other->sum;
	group->sum_sq += other->sum_sq;
}

/**
 * demeter_group_cool() - Halve the counts of all members
 * @group:	The group.
 */
void demeter_group_cool(struct demeter_group *group)
{
	group->sum /= 2;
	group->sum_sq /= 4;
}

/**
 * demeter_group_estimate() - Estimate how much of what the members differ by is not chance
 * @group:	The group, to which all members have been added.
 * @weight:	Weight of the heaviest samples. Of lighter ones more passes for chance.
 *
 * If all pages were equally hot, the sum over the members of pages * (mean of the
 * member - mean of all)^2 would be (members - 1) times the variance of a page,
 * give or take a standard deviation of which two are allowed for here.
 */
void demeter_group_estimate(struct demeter_group *group, unsigned int weight)
{
	const u32 sample = HEAT_SAMPLE * weight;
	const u32 k = group->members;
	u64 expected, found, deviation, divisor;

	group->mean = 0;
	group->noise = 0;
	group->real = 0;
	if (!group->pages || !group->sum)
		return;
	group->mean =
		min_t(u64, demeter_mul_div(group->sum, 1 << HEAT_SHIFT, group->pages), U32_MAX);
	group->noise = demeter_mul_div(group->sum, (u64)sample << GROUP_SHIFT, group->pages);
	if (k < 2)
		return;
	expected = demeter_mul_div(group->sum << GROUP_SHIFT, group->sum, group->pages);
	found = group->sum_sq - min(expected, group->sum_sq);
	/* variance of the sum, in units of the noise: it grows when members have few samples */
	deviation = 2ull * k + div64_u64((u64)k * k * sample, group->sum);
	expected = group->noise * (k - 1) + 2 * group->noise * int_sqrt64(deviation);
	if (found <= expected)
		return;
	divisor = group->pages - div64_u64(group->pages_sq, group->pages);
	group->real = div64_u64(found - expected, max(divisor, 1ull));
}

/**
 * demeter_group_weight() - Tell how much a member's own count says
 * @group:	The member's group, which has been estimated.
 * @pages:	Pages of the member, at least 1.
 *
 * Return: the weight of its own mean against that of the group, in 1/65536.
 */
u32 demeter_group_weight(const struct demeter_group *group, u32 pages)
{
	const u64 all = group->real + group->noise / pages;

	return group->real ? demeter_mul_div(group->real, 1 << 16, all) : 0;
}

/**
 * demeter_group_member() - Estimate the heat of a member's pages
 * @group:	The member's group, which has been estimated.
 * @pages:	Pages of the member, at least 1.
 * @count:	Sum of their counts.
 * @prior:	Heat that takes the place of the group's mean.
 *
 * Return: the heat.
 */
u32 demeter_group_member(const struct demeter_group *group, u32 pages, u64 count, u32 prior)
{
	const s64 own = min_t(u64, demeter_mul_div(count, 1 << HEAT_SHIFT, pages), U32_MAX);

	return prior + (((own - prior) * demeter_group_weight(group, pages)) >> 16);
}

/**
 * demeter_granule_set() - Change the count of a page
 * @g:		The granule, which has counts.
 * @page:	Number of the page in it.
 * @count:	Its new count.
 */
void demeter_granule_set(struct demeter_granule *g, unsigned int page, u16 count)
{
	const u32 old = g->count[page];

	g->count[page] = count;
	g->sum += count - old;
	g->sum_sq += (u64)count * count - (u64)old * old;
}

/**
 * demeter_granule_sample() - Count an access
 * @g:		The granule.
 * @page:	Number of the page in it.
 * @weight:	Weight of the sample.
 */
void demeter_granule_sample(struct demeter_granule *g, unsigned int page, unsigned int weight)
{
	const u32 sample = HEAT_SAMPLE * weight;

	g->fresh++;
	if (g->count)
		demeter_granule_set(g, page, min(g->count[page] + sample, U16_MAX));
	else
		g->sum = min(g->sum + sample, (u32)GRANULE_PAGES * U16_MAX);
}

/**
 * demeter_granule_cool() - Halve all counts, and what was estimated by them
 * @g:		The granule.
 * @times:	How often.
 */
void demeter_granule_cool(struct demeter_granule *g, unsigned int times)
{
	u64 sum_sq = 0;
	u32 sum = 0, told = 0;

	if (!times)
		return;
	times = min(times, 31u);
	g->mean >>= times;
	if (!g->count || !g->sum) {
		g->sum >>= times;
		return;
	}
	for (unsigned int i = 0; i < GRANULE_PAGES; i++) {
		const u32 count = g->count[i] >> times;

		told += g->count[i];
		g->count[i] = count;
		sum += count;
		sum_sq += (u64)count * count;
	}
	/* and the samples from before pages were told apart */
	g->sum = sum + ((g->sum - told) >> times);
	g->sum_sq = sum_sq;
}

/**
 * demeter_granule_estimate() - Estimate the heat of each page from its count
 * @g:		The granule, which has pages.
 * @mean:	The estimated heat of its pages on average.
 * @weight:	Weight of a sample.
 */
void demeter_granule_estimate(struct demeter_granule *g, u32 mean, unsigned int weight)
{
	struct demeter_group pages = {
		.members = g->nr_present,
		.pages = g->nr_present,
		.pages_sq = g->nr_present,
		.sum = g->sum,
		.sum_sq = g->sum_sq << GROUP_SHIFT,
	};

	g->mean = mean;
	g->weight = 0;
	if (!g->count)
		return;
	demeter_group_estimate(&pages, weight);
	g->weight = demeter_group_weight(&pages, 1);
}
