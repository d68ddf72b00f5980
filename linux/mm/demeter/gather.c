// SPDX-License-Identifier: GPL-2.0
/*
 * Picks the pages that a plan means. A plan names classes of heat; pages are picked in the
 * order of their addresses, so that those which trade places share page tables.
 */
#include <linux/bitops.h>

#include "demeter.h"

/**
 * struct demeter_bounds - The pages of a plan by their heat
 * @all_hot:	All pages of the slow tier from this heat on are picked.
 * @some_hot:	Some from this heat on.
 * @all_cold:	All pages of the fast tier below this heat.
 * @some_cold:	Some below this heat.
 */
struct demeter_bounds {
	u32 all_hot;
	u32 some_hot;
	u32 all_cold;
	u32 some_cold;
};

static bool demeter_gather_is_chosen(struct demeter_gathered *to, bool all, bool some)
{
	if (all)
		return true;
	if (!some || !to->part)
		return false;
	to->part--;
	return true;
}

static bool demeter_gather_is_hot(const struct demeter_bounds *b, struct demeter_gathered *hot,
				  u32 heat)
{
	return demeter_gather_is_chosen(hot, heat >= b->all_hot, heat >= b->some_hot);
}

static bool demeter_gather_is_cold(const struct demeter_bounds *b, struct demeter_gathered *cold,
				   u32 heat)
{
	return demeter_gather_is_chosen(cold, heat < b->all_cold, heat < b->some_cold);
}

static void demeter_gather_page(struct demeter_gathered *to, struct demeter_target *t,
				struct demeter_granule *g, unsigned int page)
{
	if (to->n == to->max)
		return;
	to->pages[to->n++] = (struct demeter_candidate){
		.target = t,
		.granule = g,
		.addr = g->start + ((unsigned long)page << PAGE_SHIFT),
	};
}

static void demeter_gather_huge(const struct demeter_bounds *b, struct demeter_target *t,
				struct demeter_granule *g, struct demeter_gathered *hot,
				struct demeter_gathered *cold)
{
	if (!g->nr_present || test_bit(0, g->stuck))
		return;
	if (g->nr_fast) {
		if (demeter_gather_is_cold(b, cold, g->mean))
			demeter_gather_page(cold, t, g, 0);
	} else if (demeter_gather_is_hot(b, hot, g->mean)) {
		demeter_gather_page(hot, t, g, 0);
	}
}

static void demeter_gather_base(const struct demeter_bounds *b, struct demeter_target *t,
				struct demeter_granule *g, struct demeter_gathered *hot,
				struct demeter_gathered *cold)
{
	/* all its pages are as hot as the mean, and that is neither hot nor cold */
	if (!g->weight && g->mean < b->some_hot && g->mean >= b->some_cold)
		return;
	for (unsigned int word = 0; word < BITS_TO_LONGS(GRANULE_PAGES); word++) {
		unsigned long movable = g->present[word] & ~g->stuck[word];

		for (; movable; movable &= movable - 1) {
			const unsigned int bit = __ffs(movable);
			const unsigned int page = word * BITS_PER_LONG + bit;
			const u32 heat = demeter_page_heat(g, page);

			if (g->fast[word] >> bit & 1) {
				if (demeter_gather_is_cold(b, cold, heat))
					demeter_gather_page(cold, t, g, page);
			} else if (demeter_gather_is_hot(b, hot, heat)) {
				demeter_gather_page(hot, t, g, page);
			}
		}
	}
}

/**
 * demeter_gather() - Pick the pages of a plan
 * @ctx:	The context, whose granules are as they were when the plan was made.
 * @size:	Size of the pages.
 * @plan:	The plan for pages of that size.
 * @hot:	Gets pages of the slow tier.
 * @cold:	Gets pages of the fast tier.
 */
void demeter_gather(struct demeter_ctx *ctx, enum demeter_size size,
		    const struct demeter_plan *plan, struct demeter_gathered *hot,
		    struct demeter_gathered *cold)
{
	const struct demeter_bounds bounds = {
		.all_hot = demeter_class_heat(plan->hot + 1),
		.some_hot = demeter_class_heat(plan->hot),
		.all_cold = plan->exchange ? demeter_class_heat(plan->cold) : 0,
		.some_cold = plan->exchange ? demeter_class_heat(plan->cold + 1) : 0,
	};
	struct demeter_granule *g;
	struct demeter_target *t;
	unsigned long index;

	hot->part = plan->hot_part;
	cold->part = plan->cold_part;
	list_for_each_entry(t, &ctx->targets.list, list) {
		xa_for_each(&t->granules, index, g) {
			if (demeter_granule_size(g) != size)
				continue;
			if (g->huge)
				demeter_gather_huge(&bounds, t, g, hot, cold);
			else
				demeter_gather_base(&bounds, t, g, hot, cold);
		}
	}
}

/**
 * demeter_gather_is_split() - Whether a granule is a huge page that is to be split
 * @split:	Which huge pages are to be split. Its @part is decreased by those taken of it.
 * @g:		The granule.
 *
 * Return: whether it is.
 */
bool demeter_gather_is_split(struct demeter_split *split, const struct demeter_granule *g)
{
	const enum demeter_tier tier = g->nr_fast ? DEMETER_FAST : DEMETER_SLOW;
	const unsigned int class = demeter_rank_class(g->mean);

	if (!g->huge || !g->nr_present || test_bit(0, g->stuck) || tier != split->tier)
		return false;
	if (class == split->class && split->part) {
		split->part--;
		return true;
	}
	return tier == DEMETER_FAST ? class < split->class : class > split->class;
}
