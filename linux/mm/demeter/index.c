// SPDX-License-Identifier: GPL-2.0
/* Finds granules by heat; see index.h. */
#include "index.h"

/**
 * demeter_index_init() - Make an index without granules
 * @index:	The index.
 */
void demeter_index_init(struct demeter_index *index)
{
	index->coolings = 0;
	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		for (int tier = 0; tier < NR_DEMETER_TIERS; tier++)
			for (int i = 0; i < RANK_CLASSES; i++)
				INIT_LIST_HEAD(&index->granules[size][tier][i]);
}

/**
 * demeter_index_add() - Add a granule
 * @index:	The index.
 * @g:		The granule, which is not in it.
 * @ends:	The classes of its pages that come first.
 */
void demeter_index_add(struct demeter_index *index, struct demeter_granule *g,
		       struct demeter_ends ends)
{
	struct list_head(*lists)[RANK_CLASSES] = index->granules[demeter_granule_size(g)];

	if (ends.hottest >= 0)
		list_add_tail(&g->by_heat[DEMETER_SLOW], &lists[DEMETER_SLOW][ends.hottest]);
	if (ends.coldest < RANK_CLASSES)
		list_add_tail(&g->by_heat[DEMETER_FAST], &lists[DEMETER_FAST][ends.coldest]);
}

/**
 * demeter_index_remove() - Take a granule out of its index
 * @g:		The granule.
 */
void demeter_index_remove(struct demeter_granule *g)
{
	for (int tier = 0; tier < NR_DEMETER_TIERS; tier++)
		list_del_init(&g->by_heat[tier]);
}

/**
 * demeter_index_cool() - Halve the heat of all granules
 * @index:	The index.
 */
void demeter_index_cool(struct demeter_index *index)
{
	index->coolings++;
	for (int size = 0; size < NR_DEMETER_SIZES; size++) {
		for (int tier = 0; tier < NR_DEMETER_TIERS; tier++) {
			struct list_head *lists = index->granules[size][tier];

			for (unsigned int i = 1; i < RANK_CLASSES; i++)
				list_splice_tail_init(&lists[i], &lists[demeter_class_cooled(i)]);
		}
	}
}
