/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranks pages by heat: the pages of each tier are counted in classes of heat, eight to a
 * power of two. Pure logic.
 *
 * The ranking is kept up to date: a granule is removed before it changes, and added again
 * when it has been estimated. Heat that halves is eight classes less, so that a ranking cools
 * without a look at any granule.
 *
 * Base pages and huge pages are ranked apart, since only pages of the same size can
 * trade places.
 */
#ifndef _MM_DEMETER_RANK_H
#define _MM_DEMETER_RANK_H

#include <linux/page_exchange.h>

#include "heat.h"

#define RANK_STEPS   8 /* classes per power of two */
#define RANK_CLASSES (30 * RANK_STEPS)

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
 * struct demeter_ends - The pages of a granule that come first when pages are chosen
 * @hottest:	Class of the hottest page in the slow tier that may be moved; -1 if none may.
 * @coldest:	Class of the coldest page in the fast tier; RANK_CLASSES likewise.
 */
struct demeter_ends {
	int hottest;
	int coldest;
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
struct demeter_ends demeter_ranking_add(struct demeter_ranking *ranking,
					const struct demeter_granule *g);
void demeter_ranking_remove(struct demeter_ranking *ranking, const struct demeter_granule *g,
			    unsigned int coolings);
unsigned int demeter_class_cooled(unsigned int class);
void demeter_ranking_cool(struct demeter_ranking *ranking);
unsigned int demeter_rank_curve(const struct demeter_ranking *rankings,
				struct page_exchange_heat *curve, unsigned int n);

#endif /* _MM_DEMETER_RANK_H */
