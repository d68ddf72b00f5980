// SPDX-License-Identifier: GPL-2.0
/*
 * Classifies memory: counts samples per page and per range, lets counts age, and estimates
 * from them how hot each page is.
 */
#include <linux/bitops.h>

#include "demeter.h"

/* Samples of a file in an epoch by which it is told from others. */
#define READ_SAMPLES 8

/*
 * Counts an access to physical memory. Neighbours there have nothing to do with each other, so
 * nothing but the counts of a page itself says how hot it is, and its first sample may be chance.
 */
static void demeter_classify_count(struct demeter_granule *g, unsigned int page,
				   unsigned int weight)
{
	if (!g->count)
		demeter_granule_tell_pages(g);
	if (!g->count)
		return;
	if (g->count[page])
		demeter_granule_sample(g, page, weight);
	else
		demeter_granule_set(g, page, 1);
}

/* Counts an access. Returns false if the target has no such page, as far as that is known. */
static bool demeter_classify_sample(struct demeter_ctx *ctx, struct demeter_target *t,
				    unsigned long addr)
{
	const unsigned int page = (addr >> PAGE_SHIFT) % GRANULE_PAGES;
	struct demeter_granule *g = t->last_sampled;

	if (!g || addr - g->start >= GRANULE_SIZE)
		g = xa_load(&t->granules, addr / GRANULE_SIZE);
	if (!g || !demeter_granule_has(g, page))
		return false;
	t->last_sampled = g;
	t->samples++;
	demeter_update_open(g);
	if (t->kind == DEMETER_FRAMES) {
		demeter_classify_count(g, page, ctx->weight);
		return true;
	}
	demeter_granule_sample(g, page, ctx->weight);
	if (!g->count && g->sum >= HEAT_TELLS_PAGES * HEAT_SAMPLE * ctx->noise_weight)
		demeter_granule_tell_pages(g);
	return true;
}

/* Memory that is not managed, or came after the scan. */
static void demeter_classify_stray(struct demeter_ctx *ctx, struct demeter_target *t,
				   unsigned long addr)
{
	ctx->stats.strays++;
	demeter_scan_ask_around(t, addr);
}

/*
 * Remembers a file that the kernel reads. What is not read much stays one of many: there are more
 * files than can be told apart.
 */
static void demeter_classify_read(struct demeter_ctx *ctx, const struct page_exchange_place *place)
{
	struct demeter_file *f = ctx->read;

	while (f < ctx->read + ctx->nr_read && f->mapping != place->mapping)
		f++;
	if (f == ctx->read + ctx->nr_read) {
		if (ctx->nr_read == DEMETER_MAX_READ)
			return;
		ctx->nr_read++;
		f->mapping = place->mapping;
		f->samples = 0;
	}
	f->window = place->addr;
	f->samples++;
}

/* Manages files that were read much. */
static void demeter_classify_add_read(struct demeter_ctx *ctx)
{
	for (unsigned int i = 0; i < ctx->nr_read; i++) {
		struct demeter_file *f = &ctx->read[i];

		strscpy(f->name, "read");
		if (f->samples >= READ_SAMPLES)
			demeter_target_add_file(ctx, NULL, f);
	}
	ctx->nr_read = 0;
}

/* Counts an access to physical memory that is of no file that is managed. */
static void demeter_classify_frame(struct demeter_ctx *ctx, struct demeter_target *t,
				   const struct page_exchange_place *place)
{
	if (!place->mapping) {
		/* memory of the kernel is nobody's */
		ctx->stats.strays++;
		return;
	}
	demeter_classify_read(ctx, place);
	if (!demeter_classify_sample(ctx, t, place->addr))
		demeter_classify_stray(ctx, t, place->addr);
}

/* Counts an access to a file that is managed. */
static void demeter_classify_file(struct demeter_ctx *ctx, struct demeter_target *file,
				  const struct page_exchange_place *place, bool is_frame)
{
	/* this page is surely one of it */
	if (is_frame && !file->via) {
		file->space.window = place->addr;
		file->is_reached = true;
	}
	if (!demeter_classify_sample(ctx, file, place->offset))
		demeter_classify_stray(ctx, file, place->offset);
}

/* Counts accesses at @n addresses in ctx->places, of which @t does not know, for their files. */
static void demeter_classify_places(struct demeter_ctx *ctx, struct demeter_target *t, u32 n)
{
	if (!n)
		return;
	if (!demeter_target_get(t)) {
		ctx->stats.strays += n;
		return;
	}
	page_exchange_resolve(t->space.mm, ctx->places, n);
	demeter_target_put(t);
	for (u32 i = 0; i < n; i++) {
		const struct page_exchange_place *place = &ctx->places[i];
		struct demeter_target *file =
			place->mapping ? demeter_target_of_file(ctx, place->mapping) : NULL;

		if (file)
			demeter_classify_file(ctx, file, place, t->kind == DEMETER_FRAMES);
		else if (t->kind == DEMETER_PROCESS)
			demeter_classify_stray(ctx, t, place->addr);
		else
			demeter_classify_frame(ctx, t, place);
	}
}

/* The target whose memory a sample is of, if it is no file's. */
static struct demeter_target *demeter_classify_owner(struct demeter_ctx *ctx,
						     const struct tier_sample *sample)
{
	return sample->owner ? demeter_target_of(ctx, sample->owner) : ctx->targets.frames;
}

static void demeter_classify_take(struct demeter_ctx *ctx, const struct tier_sample *samples, u32 n)
{
	const void *owner = NULL;
	struct demeter_target *t = NULL;
	u32 elsewhere = 0;

	for (u32 i = 0; i < n; i++) {
		if (!t || owner != samples[i].owner) {
			demeter_classify_places(ctx, t, elsewhere);
			elsewhere = 0;
			owner = samples[i].owner;
			t = demeter_classify_owner(ctx, &samples[i]);
		}
		if (!t)
			ctx->stats.strays++;
		else if (t->kind == DEMETER_FRAMES ||
			 !demeter_classify_sample(ctx, t, samples[i].addr))
			ctx->places[elsewhere++].addr = samples[i].addr;
	}
	demeter_classify_places(ctx, t, elsewhere);
}

/**
 * demeter_classify_samples() - Count the samples that the source has taken
 * @ctx:	The context.
 */
void demeter_classify_samples(struct demeter_ctx *ctx)
{
	ctx->source->ops->drain(ctx->source, demeter_classify_take);
	demeter_classify_add_read(ctx);
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
