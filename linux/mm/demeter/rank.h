/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranks pages by heat: the pages of each tier are counted in classes of heat, eight to a
 * power of two. Pure logic.
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
void demeter_ranking_forget(struct demeter_ranking *ranking, const struct demeter_granule *g,
			    unsigned int page, enum demeter_tier tier);
unsigned int demeter_rank_curve(const struct demeter_ranking *rankings,
				struct page_exchange_heat *curve, unsigned int n);

#endif /* _MM_DEMETER_RANK_H */
