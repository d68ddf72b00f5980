// SPDX-License-Identifier: GPL-2.0
/* Ranks pages by heat; see rank.h. */
#include <linux/bitops.h>
#include <linux/math64.h>

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
 * Return: the heat; U32_MAX for a class behind the last one.
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
 * demeter_pages_of() - How many base pages a page of some size is
 * @size:	The size.
 *
 * Return: how many.
 */
unsigned int demeter_pages_of(enum demeter_size size)
{
	return size == DEMETER_HUGE ? GRANULE_PAGES : 1;
}

/* Notes that the granule has pages of a class in a tier. */
static void demeter_rank_note(struct demeter_ends *ends, enum demeter_tier tier, unsigned int class)
{
	if (tier == DEMETER_SLOW)
		ends->hottest = max(ends->hottest, (int)class);
	else
		ends->coldest = min(ends->coldest, (int)class);
}

static void demeter_rank_count(struct demeter_ranking *ranking, enum demeter_tier tier,
			       unsigned int class, int n, struct demeter_ends *ends)
{
	if (!n)
		return;
	ranking->pages[tier][class] += n;
	demeter_rank_note(ends, tier, class);
}

/* Counts the pages of a word of the bitmaps one by one; @n: how often. */
static void demeter_rank_count_pages(struct demeter_ranking *ranking,
				     const struct demeter_granule *g, unsigned int word,
				     unsigned int coolings, int n, struct demeter_ends *ends)
{
	const unsigned long fast = g->fast[word];
	unsigned long movable = demeter_granule_movable(g, word);

	for (; movable; movable &= movable - 1) {
		const unsigned int bit = __ffs(movable);
		const u32 heat = demeter_page_heat(g, word * BITS_PER_LONG + bit) >> coolings;

		demeter_rank_count(ranking, fast >> bit & 1, demeter_rank_class(heat), n, ends);
	}
}

static struct demeter_ends demeter_rank_change(struct demeter_ranking *ranking,
					       const struct demeter_granule *g,
					       unsigned int coolings, int n)
{
	struct demeter_ends ends = { .hottest = -1, .coldest = RANK_CLASSES };
	const unsigned int class = demeter_rank_class(g->mean >> coolings);

	if (g->huge) {
		const enum demeter_tier tier = g->nr_fast ? DEMETER_FAST : DEMETER_SLOW;

		ranking->total[tier] += n;
		if (demeter_granule_movable(g, 0) & 1)
			demeter_rank_count(ranking, tier, class, n, &ends);
		return ends;
	}
	ranking->total[DEMETER_FAST] += n * g->nr_fast;
	ranking->total[DEMETER_SLOW] += n * (g->nr_present - g->nr_fast);
	for (unsigned int word = 0; word < BITS_TO_LONGS(GRANULE_PAGES); word++) {
		const unsigned long movable = demeter_granule_movable(g, word);

		if (g->weight) {
			demeter_rank_count_pages(ranking, g, word, coolings, n, &ends);
		} else {
			const int fast = hweight_long(movable & g->fast[word]);
			const int slow = hweight_long(movable) - fast;

			demeter_rank_count(ranking, DEMETER_FAST, class, n * fast, &ends);
			demeter_rank_count(ranking, DEMETER_SLOW, class, n * slow, &ends);
		}
	}
	return ends;
}

/**
 * demeter_ranking_add() - Count the pages of a granule
 * @ranking:	The ranking of pages of demeter_granule_size(); zeroed in the beginning.
 * @g:		The granule, which has been estimated.
 *
 * Return: the classes of its hottest page in the slow tier and its coldest in the fast one.
 */
struct demeter_ends demeter_ranking_add(struct demeter_ranking *ranking,
					const struct demeter_granule *g)
{
	return demeter_rank_change(ranking, g, 0, 1);
}

/**
 * demeter_ranking_remove() - Count the pages of a granule no more
 * @ranking:	The ranking to which the granule was added.
 * @g:		The granule as it was then.
 * @coolings:	How often the ranking has cooled since.
 */
void demeter_ranking_remove(struct demeter_ranking *ranking, const struct demeter_granule *g,
			    unsigned int coolings)
{
	demeter_rank_change(ranking, g, min(coolings, 31u), -1);
}

/**
 * demeter_class_cooled() - The class of pages whose heat has halved
 * @class:	Their class before.
 *
 * Return: the class; it is that of half their heat, whatever that is.
 */
unsigned int demeter_class_cooled(unsigned int class)
{
	return class < 2 * RANK_STEPS ? class / 2 : class - RANK_STEPS;
}

/**
 * demeter_ranking_cool() - Halve the heat of all pages
 * @ranking:	The ranking.
 */
void demeter_ranking_cool(struct demeter_ranking *ranking)
{
	for (int tier = 0; tier < NR_DEMETER_TIERS; tier++) {
		u64 *pages = ranking->pages[tier];

		for (unsigned int i = 1; i < RANK_CLASSES; i++) {
			pages[demeter_class_cooled(i)] += pages[i];
			pages[i] = 0;
		}
	}
}

/* Base pages of a class, of all sizes and tiers. */
static u64 demeter_rank_pages(const struct demeter_ranking *rankings, unsigned int class)
{
	u64 pages = 0;

	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		for (int tier = 0; tier < NR_DEMETER_TIERS; tier++)
			pages += rankings[size].pages[tier][class] * demeter_pages_of(size);
	return pages;
}

/**
 * demeter_rank_curve() - Tell how hot how many pages are
 * @rankings:	The rankings by size.
 * @curve:	Gets points in which the heat is that of a page, not one per second.
 * @n:		Room for points.
 *
 * The points part the pages in about @n parts that weigh the same, half by how many pages they
 * have, half by how much these are accessed: a small hot set has points of its own. The last
 * point has all pages.
 *
 * Return: how many points.
 */
unsigned int demeter_rank_curve(const struct demeter_ranking *rankings,
				struct page_exchange_heat *curve, unsigned int n)
{
	u64 all = 0, hotter = 0, accesses = 0, served = 0;
	unsigned int points = 0;

	for (unsigned int i = 0; i < RANK_CLASSES; i++) {
		const u64 pages = demeter_rank_pages(rankings, i);

		all += pages;
		accesses += pages * demeter_class_heat(i);
	}
	for (unsigned int i = 0; i < RANK_CLASSES && points < n; i++) {
		const unsigned int class = RANK_CLASSES - 1 - i;
		const u64 pages = demeter_rank_pages(rankings, class);
		u64 part;

		if (!pages)
			continue;
		hotter += pages;
		served += pages * demeter_class_heat(class);
		/* in 1/1024 of the whole */
		part = div64_u64(hotter << 9, all);
		part += accesses ? mul_u64_u64_div_u64(served, 512, accesses) : part;
		if (part * n < (points + 1) << 10)
			continue;
		curve[points++] = (struct page_exchange_heat){
			.pages = hotter,
			.heat = demeter_class_heat(class),
		};
	}
	return points;
}
