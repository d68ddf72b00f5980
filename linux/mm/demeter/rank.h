/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranking pages by heat, and which of them change tiers. Pure logic.
 *
 * Pages of each tier are counted in classes of heat, eight to a power of two. The
 * hottest of the slow tier are to trade places with the coldest of the fast tier, as
 * long as that pays: as long as their heats differ by more than a margin, so that
 * equal pages do not trade places back and forth, and by enough accesses to make up
 * for the exchange. There is no threshold of what is hot, and no capacity to be
 * known: the fast tier is as large as what is in it.
 *
 * Base pages and huge pages are ranked apart, since only pages of the same size can
 * trade places. When hot pages of one size find nothing but cold pages of the other,
 * huge pages are split.
 */
#ifndef _MM_DEMETER_RANK_H
#define _MM_DEMETER_RANK_H

#include "heat.h"

#define RANK_STEPS   8 /* classes per power of two */
#define RANK_CLASSES (30 * RANK_STEPS)

enum demeter_tier { DEMETER_SLOW, DEMETER_FAST, NR_DEMETER_TIERS };
enum demeter_size { DEMETER_BASE, DEMETER_HUGE, NR_DEMETER_SIZES };

/**
 * struct demeter_ranking - All pages of a size by tier and class
 * @pages:	Pages that may be moved.
 * @total:	All pages, with those that are left alone.
 */
struct demeter_ranking {
	u64 pages[NR_DEMETER_TIERS][RANK_CLASSES];
	u64 total[NR_DEMETER_TIERS];
};

/**
 * struct demeter_plan - What is to change tiers
 * @hot:	Pages of the slow tier of this class or above are promoted.
 * @cold:	Pages of the fast tier of this class or below are demoted.
 * @hot_part:	How many pages of class @hot; of those above, all.
 * @cold_part:	How many pages of class @cold; of those below, all.
 * @exchange:	How many pages trade places.
 * @promote:	How many pages move to free memory of the fast tier.
 */
struct demeter_plan {
	unsigned int hot;
	unsigned int cold;
	u64 hot_part;
	u64 cold_part;
	u64 exchange;
	u64 promote;
};

/**
 * struct demeter_split - Huge pages that stand in the way of base pages
 * @n:		How many are to be split.
 * @tier:	Where they are: cold ones of the fast tier, or hot ones of the slow.
 * @class:	All that are colder, or hotter, are split.
 * @part:	How many of this class are, too.
 */
struct demeter_split {
	u64 n;
	enum demeter_tier tier;
	unsigned int class;
	u64 part;
};

/**
 * struct demeter_worth - When an exchange is worth it
 * @margin:	Classes by which heats must differ.
 * @least:	Heat by which they must differ.
 */
struct demeter_worth {
	unsigned int margin;
	u32 least;
};

/**
 * demeter_granule_size() - The size of a granule's pages
 * @g:		The granule.
 *
 * Return: the size; a granule is one huge page, or consists of base pages.
 */
static inline enum demeter_size demeter_granule_size(const struct demeter_granule *g)
{
	return g->huge ? DEMETER_HUGE : DEMETER_BASE;
}

unsigned int demeter_rank_class(u32 heat);
u32 demeter_class_heat(unsigned int class);
unsigned int demeter_pages_of(enum demeter_size size);
void demeter_ranking_add(struct demeter_ranking *ranking, const struct demeter_granule *g);
struct demeter_plan demeter_ranking_plan(const struct demeter_ranking *ranking,
					 const struct demeter_worth *worth, u64 most, u64 free);
struct demeter_split demeter_ranking_split(const struct demeter_ranking *rankings,
					   const struct demeter_worth *worth,
					   const struct demeter_plan *plans, u64 most);

#endif /* _MM_DEMETER_RANK_H */
