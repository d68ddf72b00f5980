// SPDX-License-Identifier: GPL-2.0
/* Moves pages off a tier that is to become smaller: those that are worth least there. */
#include <linux/mm.h>
#include <linux/page_exchange.h>

#include "demeter.h"

static unsigned long demeter_evacuate_all(struct demeter_ctx *ctx,
					  const struct demeter_gathered *chosen,
					  enum demeter_tier tier, nodemask_t *to)
{
	unsigned long moved = 0;

	for (u64 i = 0, run; i < chosen->n; i += run) {
		const struct demeter_candidate *c = &chosen->pages[i];

		run = demeter_relocate_run(c, chosen->n - i);
		moved += demeter_relocate_migrate(ctx, c, run, !tier, to);
	}
	return moved;
}

/**
 * demeter_evacuate() - Move pages off a tier that is to become smaller
 * @ctx:	The context.
 * @tier:	The tier. The fast one gives its coldest pages, the slow one its hottest.
 * @pages:	Base pages that are wanted; of these at most a batch is moved.
 * @to:		Nodes where they may go.
 *
 * Goes by the ranking of the last epoch, which is up to date again afterwards.
 *
 * Return: base pages moved.
 */
unsigned long demeter_evacuate(struct demeter_ctx *ctx, enum demeter_tier tier, unsigned long pages,
			       nodemask_t *to)
{
	struct demeter_relocation *r = ctx->relocation;
	struct demeter_plan plans[NR_DEMETER_SIZES];
	unsigned long moved = 0;

	demeter_plan_evacuation(plans, ctx->rankings, tier, pages);
	for (int size = 0; size < NR_DEMETER_SIZES; size++) {
		const u64 most =
			min(DEMETER_BATCH_PAGES, plans[size].exchange + plans[size].promote);
		struct demeter_gathered hot = { .pages = r->hot, .max = most };
		struct demeter_gathered cold = { .pages = r->cold, .max = most };

		if (!most)
			continue;
		demeter_gather(ctx->index, size, &plans[size], &hot, &cold);
		moved += demeter_evacuate_all(ctx, tier == DEMETER_FAST ? &cold : &hot, tier, to);
	}
	demeter_update_group(ctx);
	demeter_update_close(ctx);
	return moved;
}
