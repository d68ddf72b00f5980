// SPDX-License-Identifier: GPL-2.0
/* Ranking pages; see rank.h. */
#include <linux/bitops.h>
#include <linux/minmax.h>

#include "rank.h"

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
 * @ranking:	Where; zeroed in the beginning.
 * @g:		The granule, which has been estimated.
 */
void demeter_ranking_add(struct demeter_ranking *ranking, const struct demeter_granule *g)
{
	const unsigned int class = demeter_rank_class(g->mean);

	ranking->total[DEMETER_FAST] += g->nr_fast;
	ranking->total[DEMETER_SLOW] += g->nr_present - g->nr_fast;
	/* not moved yet */
	if (g->huge)
		return;
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
