// SPDX-License-Identifier: GPL-2.0
/*
 * Classifies memory: counts samples per page and per range, lets counts age, and estimates
 * from them how hot each page is.
 */
#include <linux/bitops.h>

#include "demeter.h"

static void demeter_classify_sample(struct demeter_ctx *ctx, struct demeter_target *t,
				    unsigned long addr)
{
	const unsigned int page = (addr >> PAGE_SHIFT) % GRANULE_PAGES;
	struct demeter_granule *g = t->last_sampled;

	if (!g || addr - g->start >= GRANULE_SIZE)
		g = xa_load(&t->granules, addr / GRANULE_SIZE);
	/* memory that is not managed, or came after the scan */
	if (!g || !demeter_granule_has(g, page)) {
		ctx->stats.strays++;
		demeter_scan_ask_around(t, addr);
		return;
	}
	t->last_sampled = g;
	t->samples++;
	demeter_update_open(g);
	demeter_granule_sample(g, page, ctx->weight);
	if (!g->count && g->sum >= HEAT_TELLS_PAGES * HEAT_SAMPLE * ctx->noise_weight)
		demeter_granule_tell_pages(g);
}

static void demeter_classify_take(struct demeter_ctx *ctx, const struct demeter_sample *samples,
				  u32 n)
{
	struct demeter_target *t = NULL;

	for (u32 i = 0; i < n; i++) {
		if (!t || t->mm != samples[i].owner)
			t = demeter_target_of(ctx, samples[i].owner);
		if (t)
			demeter_classify_sample(ctx, t, samples[i].addr);
		else
			ctx->stats.strays++;
	}
}

/**
 * demeter_classify_samples() - Count the samples that the source has taken
 * @ctx:	The context.
 */
void demeter_classify_samples(struct demeter_ctx *ctx)
{
	ctx->source->ops->drain(ctx->source, demeter_classify_take);
}

/**
 * demeter_classify_age() - Let an epoch pass for all ranges
 * @ctx:	The context.
 *
 * They get the samples of the epoch and are split and merged.
 */
void demeter_classify_age(struct demeter_ctx *ctx)
{
	struct demeter_granule *g;
	struct demeter_target *t;

	list_for_each_entry(g, &ctx->open, open) {
		if (g->fresh)
			demeter_ranges_sample(&g->target->ranges, g->start, g->fresh);
		g->fresh = 0;
	}
	list_for_each_entry(t, &ctx->targets.awake, awake)
		demeter_update_age(t);
}

/**
 * demeter_classify_estimate() - Estimate how hot pages are, and rank them
 * @ctx:	The context. Nothing is open afterwards.
 */
void demeter_classify_estimate(struct demeter_ctx *ctx)
{
	demeter_update_some(ctx);
	demeter_update_group(ctx);
	demeter_update_groups(ctx);
	demeter_update_close(ctx);
}
