/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Plans which pages change tiers in an epoch. Pure logic: from the ranking of all pages to
 * the classes of heat that move.
 *
 * The hottest pages of the slow tier are to trade places with the coldest of the fast
 * tier, as long as that pays: their heats must differ by more than a margin, so that
 * equal pages do not trade places back and forth, and by enough accesses to make up
 * for the exchange. There is no threshold of what is hot, and no capacity to be
 * known: the fast tier is as large as what is in it.
 *
 * Pages trade places with pages of the same size. When hot pages of one size find nothing
 * but cold pages of the other, huge pages are split.
 */
#ifndef _MM_DEMETER_PLAN_H
#define _MM_DEMETER_PLAN_H

#include "rank.h"

/**
 * struct demeter_plan - Pages of one size that are to change tiers
 * @hot:	Pages of the slow tier of this class or above are promoted.
 * @cold:	Pages of the fast tier of this class or below are demoted.
 * @hot_part:	How many pages of class @hot are; all of those above are.
 * @cold_part:	How many pages of class @cold are; all of those below are.
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
 * @n:		How many huge pages are to be split.
 * @tier:	Their tier. Of the fast tier, the coldest are split; of the slow, the hottest.
 * @class:	All that are colder than this class, or hotter, are split.
 * @part:	How many of this class are split, too.
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
 * struct demeter_plans - All that is to change in an epoch
 * @sizes:	Which pages of each size change tiers.
 * @split:	Which huge pages are split.
 */
struct demeter_plans {
	struct demeter_plan sizes[NR_DEMETER_SIZES];
	struct demeter_split split;
};

struct demeter_worth demeter_plan_worth(unsigned int margin, u64 exchange_ns, u64 tier_ns,
					u64 sample_period);
struct demeter_plan demeter_plan_size(const struct demeter_ranking *ranking,
				      const struct demeter_worth *worth, u64 most, u64 free);
struct demeter_split demeter_plan_split(const struct demeter_ranking *rankings,
					const struct demeter_worth *worth,
					const struct demeter_plan *plans, u64 most);
void demeter_plan_evacuation(struct demeter_plan *plans, const struct demeter_ranking *rankings,
			     enum demeter_tier tier, u64 pages);
void demeter_plan_epoch(struct demeter_plans *plans, const struct demeter_ranking *rankings,
			const struct demeter_worth *worth, u64 batch, const u64 *free);

#endif /* _MM_DEMETER_PLAN_H */
