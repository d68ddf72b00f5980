// SPDX-License-Identifier: GPL-2.0
/* Plans which pages change tiers; see plan.h. */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "plan.h"

/* A huge page is split if at least one in so many of its pages can be made use of. */
#define SPLIT_PART 8

/**
 * demeter_plan_worth() - Tell by how much heats must differ for an exchange to pay
 * @margin:	Classes of heat by which they must differ in any case.
 * @exchange_ns: Time that it takes to exchange two pages.
 * @tier_ns:	Time by which an access to the slow tier takes longer.
 * @sample_period: How many accesses a sample stands for.
 *
 * A page is expected to be accessed as often again as the samples say that are still
 * remembered. Each of those accesses saves @tier_ns.
 *
 * Return: the margin, and the heat that makes up for the exchange.
 */
struct demeter_worth demeter_plan_worth(unsigned int margin, u64 exchange_ns, u64 tier_ns,
					u64 sample_period)
{
	const u64 one = HEAT_SAMPLE << HEAT_SHIFT;

	return (struct demeter_worth){
		.margin = margin,
		.least = min_t(u64,
			       div64_u64(exchange_ns * one, max(sample_period * tier_ns, 1ull)),
			       U32_MAX / 2),
	};
}

/* Whether pages of class @hot may take the place of pages of class @cold. */
static bool demeter_plan_pays(const struct demeter_worth *worth, unsigned int hot,
			      unsigned int cold)
{
	return hot >= cold + worth->margin &&
	       demeter_class_heat(hot) >= demeter_class_heat(cold) + worth->least;
}

/**
 * demeter_plan_size() - Decide which pages of one size change tiers
 * @ranking:	All pages of that size.
 * @worth:	When an exchange is worth it.
 * @most:	How many pages may be promoted.
 * @free:	Free pages of the fast tier that may be taken.
 *
 * Return: the plan. Of the classes at its ends, those pages are taken that come first by
 * their addresses.
 */
struct demeter_plan demeter_plan_size(const struct demeter_ranking *ranking,
				      const struct demeter_worth *worth, u64 most, u64 free)
{
	struct demeter_plan plan = { .hot = RANK_CLASSES };
	int hot = RANK_CLASSES - 1, cold = 0;
	u64 hot_left = ranking->pages[DEMETER_SLOW][hot];
	u64 cold_left = ranking->pages[DEMETER_FAST][cold];

	while (most && hot >= 0 && cold < RANK_CLASSES) {
		u64 n;

		if (!hot_left) {
			if (--hot >= 0)
				hot_left = ranking->pages[DEMETER_SLOW][hot];
			continue;
		}
		if (free) {
			if (!demeter_plan_pays(worth, hot, 0))
				break;
			n = min3(hot_left, free, most);
			free -= n;
			plan.promote += n;
		} else {
			if (!cold_left) {
				if (++cold < RANK_CLASSES)
					cold_left = ranking->pages[DEMETER_FAST][cold];
				continue;
			}
			if (!demeter_plan_pays(worth, hot, cold))
				break;
			n = min3(hot_left, cold_left, most);
			cold_left -= n;
			plan.exchange += n;
			plan.cold_part = plan.cold == cold ? plan.cold_part + n : n;
			plan.cold = cold;
		}
		plan.hot_part = plan.hot == hot ? plan.hot_part + n : n;
		plan.hot = hot;
		hot_left -= n;
		most -= n;
	}
	return plan;
}

/**
 * struct demeter_cursor - Walks through a tier's pages of a size by heat
 * @pages:	How many pages of each class there are.
 * @unit:	How many base pages each of them is.
 * @step:	1 to begin with the coldest, -1 with the hottest.
 * @class:	Where it is.
 * @left:	Base pages of @class that have not been taken.
 * @taken:	Base pages of @class that have been.
 */
struct demeter_cursor {
	const u64 *pages;
	unsigned int unit;
	int step;
	int class;
	u64 left;
	u64 taken;
};

/* Starts behind those pages that the plan exchanges. */
static struct demeter_cursor demeter_cursor_start(const struct demeter_ranking *rankings,
						  const struct demeter_plan *plans,
						  enum demeter_size size, enum demeter_tier tier)
{
	struct demeter_cursor c = {
		.pages = rankings[size].pages[tier],
		.unit = demeter_pages_of(size),
		.step = tier == DEMETER_FAST ? 1 : -1,
		.class = tier == DEMETER_FAST ? 0 : RANK_CLASSES - 1,
	};
	u64 skip = plans[size].exchange * c.unit;

	c.left = c.pages[c.class] * c.unit;
	while (skip >= c.left && c.class + c.step >= 0 && c.class + c.step < RANK_CLASSES) {
		skip -= c.left;
		c.class += c.step;
		c.left = c.pages[c.class] * c.unit;
	}
	c.left -= min(skip, c.left);
	return c;
}

/* Goes on to a class of which something is left; false if there is none. */
static bool demeter_cursor_more(struct demeter_cursor *c)
{
	while (!c->left) {
		if (c->class + c->step < 0 || c->class + c->step >= RANK_CLASSES)
			return false;
		c->class += c->step;
		c->left = c->pages[c->class] * c->unit;
		c->taken = 0;
	}
	return true;
}

/*
 * Counts the pages of the slow tier that would trade places with pages of the fast tier if
 * size did not matter. Leaves @hot and @cold at the last of them.
 */
static u64 demeter_plan_would_trade(struct demeter_cursor *hot, struct demeter_cursor *cold,
				    const struct demeter_worth *worth, u64 most)
{
	struct demeter_cursor next_hot = *hot, next_cold = *cold;
	u64 all = 0;

	while (all < most && demeter_cursor_more(&next_hot) && demeter_cursor_more(&next_cold) &&
	       demeter_plan_pays(worth, next_hot.class, next_cold.class)) {
		const u64 n = min3(next_hot.left, next_cold.left, most - all);

		next_hot.left -= n;
		next_hot.taken += n;
		next_cold.left -= n;
		next_cold.taken += n;
		all += n;
		*hot = next_hot;
		*cold = next_cold;
	}
	return all;
}

/**
 * demeter_plan_split() - Decide which huge pages are to be split
 * @rankings:	All pages, by size.
 * @worth:	When an exchange is worth it.
 * @plans:	Which pages are exchanged with pages of the same size, by size.
 * @most:	How many base pages may be made.
 *
 * Return: as many huge pages as make up the base pages that would trade places, none if
 * those are too few.
 */
struct demeter_split demeter_plan_split(const struct demeter_ranking *rankings,
					const struct demeter_worth *worth,
					const struct demeter_plan *plans, u64 most)
{
	struct demeter_split split = {};

	for (int tier = DEMETER_FAST; tier >= DEMETER_SLOW && !split.n; tier--) {
		const bool fast = tier == DEMETER_FAST;
		struct demeter_cursor hot = demeter_cursor_start(
			rankings, plans, fast ? DEMETER_BASE : DEMETER_HUGE, DEMETER_SLOW);
		struct demeter_cursor cold = demeter_cursor_start(
			rankings, plans, fast ? DEMETER_HUGE : DEMETER_BASE, DEMETER_FAST);
		const struct demeter_cursor *huge = fast ? &cold : &hot;
		const u64 n = demeter_plan_would_trade(&hot, &cold, worth, most);

		if (n < GRANULE_PAGES / SPLIT_PART)
			continue;
		split.n = (n + GRANULE_PAGES - 1) / GRANULE_PAGES;
		split.tier = tier;
		split.class = huge->class;
		split.part = (huge->taken + GRANULE_PAGES - 1) / GRANULE_PAGES;
	}
	return split;
}

static u64 demeter_plan_pages(const struct demeter_plan *p, enum demeter_size size)
{
	return demeter_pages_of(size) * (p->exchange + p->promote);
}

/**
 * demeter_plan_epoch() - Plan which pages change tiers in an epoch
 * @plans:	Gets the plan.
 * @rankings:	All pages, by size.
 * @worth:	When an exchange is worth it.
 * @batch:	How many base pages may change tiers.
 * @free:	Free base pages of the fast tier that may be filled, by size of the pages
 *		that are to fill them.
 *
 * Neither size takes more than half of a batch if the other has use for the rest. Huge
 * pages are not split as long as there is free memory for hot pages.
 */
void demeter_plan_epoch(struct demeter_plans *plans, const struct demeter_ranking *rankings,
			const struct demeter_worth *worth, u64 batch, const u64 *free)
{
	struct demeter_plan *base = &plans->sizes[DEMETER_BASE];
	struct demeter_plan *huge = &plans->sizes[DEMETER_HUGE];
	const u64 unit = demeter_pages_of(DEMETER_HUGE);
	u64 left = free[DEMETER_BASE], used;

	*base = demeter_plan_size(&rankings[DEMETER_BASE], worth, batch, left);
	used = min(demeter_plan_pages(base, DEMETER_BASE), batch / 2);
	*huge = demeter_plan_size(&rankings[DEMETER_HUGE], worth, (batch - used) / unit,
				  free[DEMETER_HUGE] / unit);
	used = demeter_plan_pages(huge, DEMETER_HUGE);
	if (used) {
		left -= min(left, huge->promote * unit);
		*base = demeter_plan_size(&rankings[DEMETER_BASE], worth, batch - used, left);
	}
	plans->split = (struct demeter_split){};
	if (!base->promote && !huge->promote)
		plans->split =
			demeter_plan_split(rankings, worth, plans->sizes,
					   batch - used - demeter_plan_pages(base, DEMETER_BASE));
}

/* Lets a plan take @n pages of @class, after all of the classes before. */
static void demeter_plan_take(struct demeter_plan *plan, enum demeter_tier tier, unsigned int class,
			      u64 n)
{
	if (tier == DEMETER_FAST) {
		plan->cold = class;
		plan->cold_part = n;
		plan->exchange += n;
	} else {
		plan->hot = class;
		plan->hot_part = n;
		plan->promote += n;
	}
}

/**
 * demeter_plan_evacuation() - Plan which pages leave a tier that becomes smaller
 * @plans:	Gets a plan for each size. What it is to @exchange leaves the fast tier, what it
 *		is to @promote the slow one; nothing comes in their place.
 * @rankings:	The rankings by size.
 * @tier:	The tier. The fast one gives its coldest pages, the slow one its hottest.
 * @pages:	Base pages that are wanted. All are taken if there are fewer.
 */
void demeter_plan_evacuation(struct demeter_plan *plans, const struct demeter_ranking *rankings,
			     enum demeter_tier tier, u64 pages)
{
	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		plans[size] = (struct demeter_plan){ .hot = RANK_CLASSES };
	for (unsigned int i = 0; pages && i < RANK_CLASSES; i++) {
		const unsigned int class = tier == DEMETER_FAST ? i : RANK_CLASSES - 1 - i;

		for (int size = 0; pages && size < NR_DEMETER_SIZES; size++) {
			const unsigned int each = demeter_pages_of(size);
			const u64 n = min(rankings[size].pages[tier][class],
					  DIV_ROUND_UP_ULL(pages, each));

			if (!n)
				continue;
			demeter_plan_take(&plans[size], tier, class, n);
			pages -= min(pages, n * each);
		}
	}
}
