// SPDX-License-Identifier: GPL-2.0
/* Ranking pages; see rank.h. */
#include <linux/bitops.h>
#include <linux/minmax.h>

#include "rank.h"

/* A huge page is split if at least such a part of its pages can be made use of. */
#define SPLIT_PART 8

/**
 * demeter_rank_class() - The class of a heat
 * @heat:	The heat.
 *
 * Return: the class; hotter pages have larger ones.
 */
unsigned int demeter_rank_class(u32 heat)
{
	const unsigned int bits = fls(heat);

	/* the first classes are one heat each */
	if (bits <= 4)
		return heat;
	return (bits - 3) * RANK_STEPS + ((heat >> (bits - 4)) & (RANK_STEPS - 1));
}

/**
 * demeter_class_heat() - The least heat of a class
 * @class:	The class.
 *
 * Return: the heat; U32_MAX for what would be behind the last class.
 */
u32 demeter_class_heat(unsigned int class)
{
	const unsigned int shift = class / RANK_STEPS;

	if (class < 2 * RANK_STEPS)
		return class;
	if (class >= RANK_CLASSES)
		return U32_MAX;
	return (RANK_STEPS + class % RANK_STEPS) << (shift - 1);
}

/**
 * demeter_pages_of() - How much a page of some size is
 * @size:	The size.
 *
 * Return: in base pages.
 */
unsigned int demeter_pages_of(enum demeter_size size)
{
	return size == DEMETER_HUGE ? GRANULE_PAGES : 1;
}

static void add_pages(struct demeter_ranking *ranking, const struct demeter_granule *g,
		      unsigned int word)
{
	const unsigned long fast = g->fast[word];
	unsigned long movable = g->present[word] & ~g->stuck[word];

	while (movable) {
		const unsigned int bit = __ffs(movable);
		const u32 heat = demeter_page_heat(g, word * BITS_PER_LONG + bit);

		ranking->pages[fast >> bit & 1][demeter_rank_class(heat)]++;
		movable &= movable - 1;
	}
}

/**
 * demeter_ranking_add() - Count the pages of a granule
 * @ranking:	Where, that of demeter_granule_size(); zeroed in the beginning.
 * @g:		The granule, which has been estimated.
 */
void demeter_ranking_add(struct demeter_ranking *ranking, const struct demeter_granule *g)
{
	const unsigned int class = demeter_rank_class(g->mean);

	if (g->huge) {
		const enum demeter_tier tier = g->nr_fast ? DEMETER_FAST : DEMETER_SLOW;

		ranking->total[tier]++;
		ranking->pages[tier][class] += !test_bit(0, g->stuck);
		return;
	}
	ranking->total[DEMETER_FAST] += g->nr_fast;
	ranking->total[DEMETER_SLOW] += g->nr_present - g->nr_fast;
	for (unsigned int word = 0; word < BITS_TO_LONGS(GRANULE_PAGES); word++) {
		const unsigned long movable = g->present[word] & ~g->stuck[word];

		if (g->weight) {
			add_pages(ranking, g, word);
		} else {
			const unsigned int fast = hweight_long(movable & g->fast[word]);

			ranking->pages[DEMETER_FAST][class] += fast;
			ranking->pages[DEMETER_SLOW][class] += hweight_long(movable) - fast;
		}
	}
}

/* Whether pages of class @hot may take the place of pages of class @cold. */
static bool pays(const struct demeter_worth *worth, unsigned int hot, unsigned int cold)
{
	return hot >= cold + worth->margin &&
	       demeter_class_heat(hot) >= demeter_class_heat(cold) + worth->least;
}

/**
 * demeter_ranking_plan() - Decide what changes tiers
 * @ranking:	All pages.
 * @worth:	When an exchange is worth it.
 * @most:	How many pages may be promoted.
 * @free:	Free pages of the fast tier that may be taken.
 *
 * Return: the plan, with which pages of the classes at its ends are chosen as they
 * come.
 */
struct demeter_plan demeter_ranking_plan(const struct demeter_ranking *ranking,
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
			if (!pays(worth, hot, 0))
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
			if (!pays(worth, hot, cold))
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

/* Base pages of a ranking by heat, the coldest or the hottest first. */
struct cursor {
	const u64 *pages;
	unsigned int unit; /* base pages of each */
	int step;
	int class;
	u64 left; /* base pages of @class that have not been taken */
	u64 taken; /* base pages of @class that have */
};

/* Behind those that the plan exchanges. */
static struct cursor cursor(const struct demeter_ranking *rankings,
			    const struct demeter_plan *plans, enum demeter_size size,
			    enum demeter_tier tier)
{
	struct cursor c = {
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

/* Go on to a class of which something is left. */
static bool more(struct cursor *c)
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
 * How many pages of the slow tier would take the places of others of the fast tier.
 * Leaves @hot and @cold at the last that would.
 */
static u64 would_trade(struct cursor *hot, struct cursor *cold, const struct demeter_worth *worth,
		       u64 most)
{
	struct cursor next_hot = *hot, next_cold = *cold;
	u64 all = 0;

	while (all < most && more(&next_hot) && more(&next_cold) &&
	       pays(worth, next_hot.class, next_cold.class)) {
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
 * demeter_ranking_split() - Decide which huge pages are to be split
 * @rankings:	All pages, by size.
 * @worth:	When an exchange is worth it.
 * @plans:	What is exchanged with pages of the same size, by size.
 * @most:	How many base pages may be made.
 *
 * Return: the huge pages: as many as base pages can make use of. Not for the sake of a few.
 */
struct demeter_split demeter_ranking_split(const struct demeter_ranking *rankings,
					   const struct demeter_worth *worth,
					   const struct demeter_plan *plans, u64 most)
{
	struct demeter_split split = {};

	for (int tier = DEMETER_FAST; tier >= DEMETER_SLOW && !split.n; tier--) {
		const bool fast = tier == DEMETER_FAST;
		struct cursor hot =
			cursor(rankings, plans, fast ? DEMETER_BASE : DEMETER_HUGE, DEMETER_SLOW);
		struct cursor cold =
			cursor(rankings, plans, fast ? DEMETER_HUGE : DEMETER_BASE, DEMETER_FAST);
		const struct cursor *huge = fast ? &cold : &hot;
		const u64 n = would_trade(&hot, &cold, worth, most);

		if (n < GRANULE_PAGES / SPLIT_PART)
			continue;
		split.n = (n + GRANULE_PAGES - 1) / GRANULE_PAGES;
		split.tier = tier;
		split.class = huge->class;
		split.part = (huge->taken + GRANULE_PAGES - 1) / GRANULE_PAGES;
	}
	return split;
}
