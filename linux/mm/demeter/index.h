/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finds the granules whose pages are chosen first: in lists by the class of their hottest page
 * of the slow tier, and of their coldest of the fast tier. Pure logic.
 */
#ifndef _MM_DEMETER_INDEX_H
#define _MM_DEMETER_INDEX_H

#include "rank.h"

/**
 * struct demeter_index - Granules by heat
 * @coolings:	How often they have cooled.
 * @granules:	For each size and tier a list for each class.
 */
struct demeter_index {
	u32 coolings;
	struct list_head granules[NR_DEMETER_SIZES][NR_DEMETER_TIERS][RANK_CLASSES];
};

/**
 * demeter_index_lag() - Tell how often a granule's heat is still to be halved
 * @index:	The index.
 * @g:		The granule.
 *
 * Return: how often, 31 at most, which leaves nothing of any heat.
 */
static inline unsigned int demeter_index_lag(const struct demeter_index *index,
					     const struct demeter_granule *g)
{
	return min(index->coolings - g->cooled, 31u);
}

void demeter_index_init(struct demeter_index *index);
void demeter_index_add(struct demeter_index *index, struct demeter_granule *g,
		       struct demeter_ends ends);
void demeter_index_remove(struct demeter_granule *g);
void demeter_index_cool(struct demeter_index *index);

#endif /* _MM_DEMETER_INDEX_H */
