// SPDX-License-Identifier: GPL-2.0
/*
 * Picks the pages that a plan means. A plan names classes of heat. The index tells which
 * granules have such pages; those of a granule are picked in the order of their addresses, so
 * that those which trade places share page tables.
 */
#include <linux/bitops.h>

#include "demeter.h"

/**
 * struct demeter_bounds - Pages of a tier by their heat
 * @tier:	The tier. Of the slow one hot pages are picked, of the fast one cold ones.
 * @all:	All that are at least that hot, or colder than that.
 * @some:	As many as the plan says of those that are at least that hot, or colder.
 */
struct demeter_bounds {
	enum demeter_tier tier;
	u32 all;
	u32 some;
};

static bool demeter_gather_is_beyond(const struct demeter_bounds *b, u32 heat, u32 bound)
{
	return b->tier == DEMETER_FAST ? heat < bound : heat >= bound;
}

static void demeter_gather_page(const struct demeter_bounds *b, struct demeter_granule *g,
				unsigned int page, u32 heat, struct demeter_gathered *to)
{
	if (to->n == to->max)
		return;
	if (!demeter_gather_is_beyond(b, heat, b->all)) {
		if (!to->part || !demeter_gather_is_beyond(b, heat, b->some))
			return;
		to->part--;
	}
	to->pages[to->n++] = (struct demeter_candidate){
		.target = g->target,
		.granule = g,
		.addr = g->start + ((unsigned long)page << PAGE_SHIFT),
	};
}

/* @lag: how often the heat of the granule is still to be halved. */
static void demeter_gather_granule(const struct demeter_bounds *b, struct demeter_granule *g,
				   unsigned int lag, struct demeter_gathered *to)
{
	if (g->huge) {
		demeter_gather_page(b, g, 0, g->mean >> lag, to);
		return;
	}
	for (unsigned int word = 0; word < BITS_TO_LONGS(GRANULE_PAGES); word++) {
		unsigned long movable = demeter_granule_movable(g, word);

		movable &= b->tier == DEMETER_FAST ? g->fast[word] : ~g->fast[word];
		for (; movable; movable &= movable - 1) {
			const unsigned int page = word * BITS_PER_LONG + __ffs(movable);

			demeter_gather_page(b, g, page, demeter_page_heat(g, page) >> lag, to);
		}
	}
}

/* Goes through the classes from @first on by @step, up to @last. */
static void demeter_gather_classes(const struct demeter_index *index, enum demeter_size size,
				   const struct demeter_bounds *b, int first, int last, int step,
				   struct demeter_gathered *to)
{
	struct demeter_granule *g;

	for (int class = first; class != last + step; class += step) {
		list_for_each_entry(g, &index->granules[size][b->tier][class], by_heat[b->tier]) {
			if (to->n == to->max)
				return;
			demeter_gather_granule(b, g, demeter_index_lag(index, g), to);
		}
	}
}

/**
 * demeter_gather() - Pick the pages of a plan
 * @index:	Granules by heat, which are as they were when the plan was made.
 * @size:	Size of the pages.
 * @plan:	The plan for pages of that size.
 * @hot:	Gets pages of the slow tier, of the hottest granules first.
 * @cold:	Gets pages of the fast tier, of the coldest granules first.
 */
void demeter_gather(const struct demeter_index *index, enum demeter_size size,
		    const struct demeter_plan *plan, struct demeter_gathered *hot,
		    struct demeter_gathered *cold)
{
	const struct demeter_bounds slow = {
		.tier = DEMETER_SLOW,
		.all = demeter_class_heat(plan->hot + 1),
		.some = demeter_class_heat(plan->hot),
	};
	const struct demeter_bounds fast = {
		.tier = DEMETER_FAST,
		.all = demeter_class_heat(plan->cold),
		.some = demeter_class_heat(plan->cold + 1),
	};

	hot->part = plan->hot_part;
	cold->part = plan->cold_part;
	if (plan->hot < RANK_CLASSES)
		demeter_gather_classes(index, size, &slow, RANK_CLASSES - 1, plan->hot, -1, hot);
	if (plan->exchange)
		demeter_gather_classes(index, size, &fast, 0, plan->cold, 1, cold);
}

/**
 * demeter_gather_split() - Pick a huge page that is to be split
 * @index:	Granules by heat.
 * @split:	Which huge pages are to be split; becomes those that are left after this one.
 *
 * Return: the granule, whose page no longer counts as one to be split when it has been removed
 * from the index; NULL if there is none.
 */
struct demeter_granule *demeter_gather_split(const struct demeter_index *index,
					     struct demeter_split *split)
{
	const struct list_head *lists = index->granules[DEMETER_HUGE][split->tier];
	const bool fast = split->tier == DEMETER_FAST;

	if (!split->n)
		return NULL;
	for (unsigned int i = 0; i < RANK_CLASSES; i++) {
		const unsigned int class = fast ? i : RANK_CLASSES - 1 - i;

		if (fast ? class > split->class : class < split->class)
			return NULL;
		if (list_empty(&lists[class]))
			continue;
		if (class == split->class && !split->part)
			return NULL;
		split->n--;
		split->part -= class == split->class;
		return list_first_entry(&lists[class], struct demeter_granule,
					by_heat[split->tier]);
	}
	return NULL;
}
