// SPDX-License-Identifier: GPL-2.0
/*
 * Tells others which pages are hot: whoever empties a node, and whoever asks what more fast
 * memory would be worth.
 */
#include <linux/math64.h>
#include <linux/page_exchange.h>

#include "demeter.h"

/*
 * The fast tier gives its coldest pages. The slow one its hottest, which gain by that. The
 * ranking knows tiers, not nodes: of a tier of several nodes nobody is told anything. What is
 * left over others move, so that all memory is looked at again.
 */
static unsigned long demeter_ranker_evacuate(struct page_exchange_ranker *ranker, int nid,
					     unsigned long pages, nodemask_t *to)
{
	struct demeter_ctx *ctx = container_of(ranker, struct demeter_ctx, ranker);
	unsigned long moved = 0;

	mutex_lock(&ctx->lock);
	if (demeter_is_running(ctx)) {
		if (node_isset(nid, ctx->fast_nodes) && nodes_weight(ctx->fast_nodes) == 1)
			moved = demeter_evacuate(ctx, DEMETER_FAST, pages, to);
		else if (node_isset(nid, ctx->slow_nodes) && nodes_weight(ctx->slow_nodes) == 1)
			moved = demeter_evacuate(ctx, DEMETER_SLOW, pages, to);
	}
	if (demeter_is_running(ctx) && moved < pages)
		demeter_scan_again(ctx);
	mutex_unlock(&ctx->lock);
	return moved;
}

/*
 * Counts are halved each time they cool, so they remember about twice as long as that takes.
 * Returns accesses per second, times 1024.
 */
static u64 demeter_ranker_rate(const struct demeter_params *p, u32 heat)
{
	const u64 remembered_ms = 2ULL * max(p->cool_epochs, 1U) * max(p->epoch_ms, 1U);
	const u64 samples = ((u64)heat * MSEC_PER_SEC << 10) / (HEAT_SAMPLE << HEAT_SHIFT);

	return mul_u64_u64_div_u64(samples, p->sample_period, remembered_ms);
}

static unsigned int demeter_ranker_heat_curve(struct page_exchange_ranker *ranker,
					      struct page_exchange_heat *curve, unsigned int n)
{
	struct demeter_ctx *ctx = container_of(ranker, struct demeter_ctx, ranker);
	unsigned int points = 0;

	mutex_lock(&ctx->lock);
	if (demeter_is_running(ctx)) {
		points = demeter_rank_curve(ctx->rankings, curve, n);
		for (unsigned int i = 0; i < points; i++)
			curve[i].heat = demeter_ranker_rate(&ctx->params, curve[i].heat);
	}
	mutex_unlock(&ctx->lock);
	return points;
}

/**
 * demeter_ranker_init() - Begin to tell others which pages are hot
 * @ctx:	The context.
 *
 * Return: 0, or -EBUSY if somebody else does.
 */
int demeter_ranker_init(struct demeter_ctx *ctx)
{
	ctx->ranker.evacuate = demeter_ranker_evacuate;
	ctx->ranker.heat_curve = demeter_ranker_heat_curve;
	return page_exchange_register_ranker(&ctx->ranker);
}

/**
 * demeter_ranker_exit() - Tell nobody any more
 * @ctx:	The context.
 */
void demeter_ranker_exit(struct demeter_ctx *ctx)
{
	page_exchange_unregister_ranker(&ctx->ranker);
}
