// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of granules. There is one for each 2 MiB in which something is mapped; most of it is
 * for counts per page, which only those have that were sampled a few times.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "demeter.h"

/**
 * demeter_granules_init() - Prepare to make granules
 * @granules:	Gets the caches from which they are allocated.
 *
 * Return: 0 or -ENOMEM. demeter_granules_exit() undoes it.
 */
int demeter_granules_init(struct demeter_granules *granules)
{
	granules->cache = KMEM_CACHE(demeter_granule, SLAB_HWCACHE_ALIGN);
	if (!granules->cache)
		return -ENOMEM;
	granules->counts =
		kmem_cache_create("demeter_counts", GRANULE_PAGES * sizeof(u16), 0, 0, NULL);
	if (granules->counts)
		return 0;
	kmem_cache_destroy(granules->cache);
	return -ENOMEM;
}

/**
 * demeter_granules_exit() - Undo demeter_granules_init()
 * @granules:	The caches, from which nothing is in use.
 */
void demeter_granules_exit(struct demeter_granules *granules)
{
	kmem_cache_destroy(granules->counts);
	kmem_cache_destroy(granules->cache);
}

/**
 * demeter_granule_make() - Make a granule without pages
 * @t:		The target that it belongs to.
 * @at:		Its first address.
 *
 * Return: the granule, which is the target's, or NULL without memory.
 */
struct demeter_granule *demeter_granule_make(struct demeter_target *t, unsigned long at)
{
	struct demeter_ctx *ctx = t->ctx;
	struct demeter_granule *g =
		kmem_cache_zalloc(ctx->granules.cache, GFP_KERNEL | __GFP_NOWARN);

	if (!g)
		return NULL;
	g->start = at;
	g->target = t;
	g->cooled = ctx->index->coolings;
	INIT_LIST_HEAD(&g->open);
	for (int tier = 0; tier < NR_DEMETER_TIERS; tier++)
		INIT_LIST_HEAD(&g->by_heat[tier]);
	if (xa_err(xa_store(&t->granules, at / GRANULE_SIZE, g, GFP_KERNEL | __GFP_NOWARN))) {
		kmem_cache_free(ctx->granules.cache, g);
		return NULL;
	}
	ctx->stats.metadata += sizeof(*g);
	return g;
}

/**
 * demeter_granule_tell_pages() - Count samples of each page from now on
 * @g:		The granule. A huge page is one page, and without memory it stays as it was.
 */
void demeter_granule_tell_pages(struct demeter_granule *g)
{
	struct demeter_ctx *ctx = g->target->ctx;

	if (g->huge)
		return;
	g->count = kmem_cache_zalloc(ctx->granules.counts, GFP_KERNEL | __GFP_NOWARN);
	if (g->count)
		ctx->stats.metadata += GRANULE_PAGES * sizeof(u16);
}

/**
 * demeter_granule_forget_pages() - Count samples of each page no longer
 * @g:		The granule, which is not ranked.
 */
void demeter_granule_forget_pages(struct demeter_granule *g)
{
	struct demeter_ctx *ctx = g->target->ctx;

	if (!g->count)
		return;
	kmem_cache_free(ctx->granules.counts, g->count);
	ctx->stats.metadata -= GRANULE_PAGES * sizeof(u16);
	g->count = NULL;
	g->sum_sq = 0;
	g->weight = 0;
}

/**
 * demeter_granule_place() - Enter where pages of a granule are
 * @g:		The granule, which is not ranked.
 * @present:	Its pages that could be moved.
 * @fast:	Those of them that are in the fast tier.
 */
void demeter_granule_place(struct demeter_granule *g, const unsigned long *present,
			   const unsigned long *fast)
{
	struct demeter_target *t = g->target;

	t->pages[DEMETER_FAST] -= g->nr_fast;
	t->pages[DEMETER_SLOW] -= g->nr_present - g->nr_fast;
	bitmap_copy(g->present, present, GRANULE_PAGES);
	bitmap_copy(g->fast, fast, GRANULE_PAGES);
	bitmap_and(g->stuck, g->stuck, present, GRANULE_PAGES);
	g->nr_present = bitmap_weight(g->present, GRANULE_PAGES);
	g->nr_fast = bitmap_weight(g->fast, GRANULE_PAGES);
	t->pages[DEMETER_FAST] += g->nr_fast;
	t->pages[DEMETER_SLOW] += g->nr_present - g->nr_fast;
	for (unsigned int page = 0; g->count && page < GRANULE_PAGES; page++)
		if (g->count[page] && !test_bit(page, g->present))
			demeter_granule_set(g, page, 0);
}

/**
 * demeter_granule_leave() - Enter that a page has gone
 * @g:		The granule that it was in, which is not ranked.
 * @page:	Its number there.
 */
void demeter_granule_leave(struct demeter_granule *g, unsigned int page)
{
	DECLARE_BITMAP(present, GRANULE_PAGES);
	DECLARE_BITMAP(fast, GRANULE_PAGES);

	bitmap_copy(present, g->present, GRANULE_PAGES);
	bitmap_copy(fast, g->fast, GRANULE_PAGES);
	__clear_bit(page, present);
	__clear_bit(page, fast);
	demeter_granule_place(g, present, fast);
}

/**
 * demeter_granule_enter() - Enter that a page has come
 * @g:		The granule that it is in now, which is not ranked.
 * @page:	Its number there.
 * @tier:	The tier that it is in.
 */
void demeter_granule_enter(struct demeter_granule *g, unsigned int page, enum demeter_tier tier)
{
	DECLARE_BITMAP(present, GRANULE_PAGES);
	DECLARE_BITMAP(fast, GRANULE_PAGES);

	bitmap_copy(present, g->present, GRANULE_PAGES);
	bitmap_copy(fast, g->fast, GRANULE_PAGES);
	__set_bit(page, present);
	__assign_bit(page, fast, tier == DEMETER_FAST);
	demeter_granule_place(g, present, fast);
}

/**
 * demeter_granule_free() - Free a granule
 * @g:		The granule, which is not ranked.
 */
void demeter_granule_free(struct demeter_granule *g)
{
	struct demeter_target *t = g->target;
	struct demeter_ctx *ctx = t->ctx;

	t->pages[DEMETER_FAST] -= g->nr_fast;
	t->pages[DEMETER_SLOW] -= g->nr_present - g->nr_fast;
	if (t->last_sampled == g)
		t->last_sampled = NULL;
	list_del(&g->open);
	demeter_granule_forget_pages(g);
	xa_erase(&t->granules, g->start / GRANULE_SIZE);
	kmem_cache_free(ctx->granules.cache, g);
	ctx->stats.metadata -= sizeof(*g);
}
