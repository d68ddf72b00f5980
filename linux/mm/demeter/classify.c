// SPDX-License-Identifier: GPL-2.0
/*
 * Classifies memory: counts samples per page and per range, lets counts age, and estimates
 * from them how hot each page is.
 */
#include <linux/cpumask.h>
#include <linux/string.h>

#include "demeter.h"

static void demeter_classify_sample(struct demeter_ctx *ctx, struct demeter_target *t,
				    unsigned long addr)
{
	struct demeter_granule *g = t->last_sampled;

	if (!g || addr - g->start >= GRANULE_SIZE)
		g = xa_load(&t->granules, addr / GRANULE_SIZE);
	/* memory that is not managed, or came after the scan */
	if (!g) {
		ctx->stats.strays++;
		return;
	}
	t->last_sampled = g;
	t->samples++;
	demeter_granule_sample(g, (addr >> PAGE_SHIFT) % GRANULE_PAGES);
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
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list)
		t->last_sampled = NULL;
	ctx->source->ops->drain(ctx->source, demeter_classify_take);
}

/**
 * demeter_classify_age() - Let an epoch pass for a target
 * @ctx:	The context.
 * @t:		The target.
 * @try_again:	Whether pages that could not be moved are to be tried again.
 *
 * Its ranges get the samples of the epoch and are split and merged.
 */
void demeter_classify_age(struct demeter_ctx *ctx, struct demeter_target *t, bool try_again)
{
	struct demeter_granule *g;
	unsigned long index;

	mutex_lock(&t->lock);
	xa_for_each(&t->granules, index, g) {
		if (g->fresh)
			demeter_ranges_sample(&t->ranges, g->start, g->fresh);
		g->fresh = 0;
		if (try_again)
			bitmap_zero(g->stuck, GRANULE_PAGES);
	}
	t->ranges.split = ctx->params.split_threshold * num_online_cpus();
	t->ranges.merge = ctx->params.merge_epochs;
	demeter_ranges_epoch(&t->ranges);
	mutex_unlock(&t->lock);
}

/**
 * demeter_classify_cool() - Halve the counts of a target's pages
 * @t:		The target.
 */
void demeter_classify_cool(struct demeter_target *t)
{
	struct demeter_granule *g;
	unsigned long index;

	xa_for_each(&t->granules, index, g)
		demeter_granule_cool(g);
}

/* Estimates and ranks the granules of @r, given the estimate of all @ranges. */
static void demeter_classify_range(struct demeter_ctx *ctx, struct demeter_target *t,
				   const struct demeter_range *r,
				   const struct demeter_group *ranges)
{
	const unsigned long first = r->start / GRANULE_SIZE, last = (r->end - 1) / GRANULE_SIZE;
	struct demeter_group granules = {};
	struct demeter_granule *g;
	unsigned long index;
	u32 mean;

	xa_for_each_range(&t->granules, index, g, first, last)
		if (g->nr_present)
			demeter_group_add(&granules, g->nr_present, g->sum);
	if (!granules.members)
		return;
	demeter_group_estimate(&granules);
	mean = demeter_group_member(ranges, granules.pages, granules.sum, ranges->mean);
	xa_for_each_range(&t->granules, index, g, first, last) {
		if (!g->nr_present)
			continue;
		demeter_granule_estimate(
			g, demeter_group_member(&granules, g->nr_present, g->sum, mean));
		if (!ctx->params.page_counters)
			g->weight = 0;
		demeter_ranking_add(&ctx->rankings[demeter_granule_size(g)], g);
	}
}

/* Adds up the counts and the pages of a range. */
static u64 demeter_classify_sum(struct demeter_target *t, const struct demeter_range *r, u32 *pages)
{
	const unsigned long first = r->start / GRANULE_SIZE, last = (r->end - 1) / GRANULE_SIZE;
	struct demeter_granule *g;
	unsigned long index;
	u64 sum = 0;

	*pages = 0;
	xa_for_each_range(&t->granules, index, g, first, last) {
		if (!g->nr_present)
			continue;
		*pages += g->nr_present;
		sum += g->sum;
	}
	return sum;
}

/**
 * demeter_classify_estimate() - Estimate how hot all pages are, and rank them
 * @ctx:	The context, whose rankings are made anew.
 */
void demeter_classify_estimate(struct demeter_ctx *ctx)
{
	struct demeter_group ranges = {};
	struct demeter_target *t;

	memset(ctx->rankings, 0, NR_DEMETER_SIZES * sizeof(*ctx->rankings));
	list_for_each_entry(t, &ctx->targets.list, list) {
		for (unsigned int i = 0; i < t->ranges.nr; i++) {
			u32 pages;
			const u64 sum = demeter_classify_sum(t, &t->ranges.ranges[i], &pages);

			if (pages)
				demeter_group_add(&ranges, pages, sum);
		}
	}
	demeter_group_estimate(&ranges);
	list_for_each_entry(t, &ctx->targets.list, list)
		for (unsigned int i = 0; i < t->ranges.nr; i++)
			demeter_classify_range(ctx, t, &t->ranges.ranges[i], &ranges);
}
