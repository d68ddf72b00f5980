// SPDX-License-Identifier: GPL-2.0
/*
 * Relocates pages: those that were planned to change tiers do so.
 *
 * As long as the fast tier has free memory, hot pages move there. The others trade places
 * with cold pages of the fast tier. Room for a batch is allocated once, in the beginning:
 * relocation allocates nothing but what migration takes from free memory of the fast tier.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "demeter.h"

/* Base pages that are handed on at once, at least a huge page. */
#define CHUNK GRANULE_PAGES
/**
 * demeter_relocate_init() - Allocate what a batch needs
 * @ctx:	The context.
 *
 * Return: 0 or -ENOMEM. demeter_relocate_exit() frees it.
 */
int demeter_relocate_init(struct demeter_ctx *ctx)
{
	struct demeter_relocation *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	ctx->relocation = r;
	r->hot = kvmalloc_array(DEMETER_BATCH_PAGES, sizeof(*r->hot), GFP_KERNEL);
	r->cold = kvmalloc_array(DEMETER_BATCH_PAGES, sizeof(*r->cold), GFP_KERNEL);
	r->pairs = kvmalloc_array(CHUNK, sizeof(*r->pairs), GFP_KERNEL);
	r->addresses = kvmalloc_array(CHUNK, sizeof(*r->addresses), GFP_KERNEL);
	r->obstacles = kvmalloc_array(CHUNK, sizeof(*r->obstacles), GFP_KERNEL);
	r->hot_counts = kvmalloc_array(CHUNK, sizeof(*r->hot_counts), GFP_KERNEL);
	r->cold_counts = kvmalloc_array(CHUNK, sizeof(*r->cold_counts), GFP_KERNEL);
	if (r->hot && r->cold && r->pairs && r->addresses && r->obstacles && r->hot_counts &&
	    r->cold_counts)
		return 0;
	demeter_relocate_exit(ctx);
	return -ENOMEM;
}

/**
 * demeter_relocate_exit() - Free what demeter_relocate_init() has allocated
 * @ctx:	The context.
 */
void demeter_relocate_exit(struct demeter_ctx *ctx)
{
	struct demeter_relocation *r = ctx->relocation;

	kvfree(r->hot);
	kvfree(r->cold);
	kvfree(r->pairs);
	kvfree(r->addresses);
	kvfree(r->obstacles);
	kvfree(r->hot_counts);
	kvfree(r->cold_counts);
	kfree(r);
	ctx->relocation = NULL;
}

/**
 * demeter_relocate_room() - Tell how much free memory of the fast tier may be filled
 * @ctx:	The context.
 * @size:	Size of the pages that are to fill it.
 *
 * There is none after an epoch in which there was less than it had seemed: then pages are
 * exchanged.
 *
 * Return: in base pages.
 */
u64 demeter_relocate_room(struct demeter_ctx *ctx, enum demeter_size size)
{
	struct demeter_relocation *r = ctx->relocation;
	u64 all = 0;
	int nid;

	if (ctx->stats.epochs <= r->no_room[size])
		return 0;
	for_each_node_mask(nid, ctx->fast_nodes)
		all += page_exchange_room(nid, size == DEMETER_HUGE ? PMD_ORDER : 0);
	return all;
}

static unsigned int demeter_candidate_page(const struct demeter_candidate *c)
{
	return (c->addr - c->granule->start) >> PAGE_SHIFT;
}

/*
 * Leaves a page alone for a while: for an epoch at first, and for twice as long each time that
 * a page of its granule could not be moved when it was tried again.
 */
static void demeter_relocate_back_off(struct demeter_ctx *ctx, const struct demeter_candidate *c,
				      u8 obstacle)
{
	struct demeter_granule *g = c->granule;
	const u32 epoch = ctx->stats.epochs;

	if ((s32)(epoch - g->retry) >= 0) {
		g->retry = epoch + min(1u << g->nr_backoffs, ctx->params.backoff_epochs);
		g->nr_backoffs = min(g->nr_backoffs + 1, 30);
	}
	set_bit(demeter_candidate_page(c), g->stuck);
	g->stuck_by = obstacle;
	g->target->has_stuck = true;
}

/* Enters that a page is not there. What else of its granule is will be looked at. */
static void demeter_relocate_note_gone(const struct demeter_candidate *c)
{
	struct demeter_granule *g = c->granule;
	DECLARE_BITMAP(present, GRANULE_PAGES);
	DECLARE_BITMAP(fast, GRANULE_PAGES);
	const unsigned int n = demeter_pages_of(demeter_granule_size(g));

	bitmap_copy(present, g->present, GRANULE_PAGES);
	bitmap_copy(fast, g->fast, GRANULE_PAGES);
	bitmap_clear(present, demeter_candidate_page(c), n);
	bitmap_clear(fast, demeter_candidate_page(c), n);
	demeter_granule_place(g, present, fast);
	demeter_scan_ask_around(g->target, g->start);
}

/* Counts what kept a page from being moved, and keeps it from being chosen again at once. */
static void demeter_relocate_note(struct demeter_ctx *ctx, const struct demeter_candidate *c,
				  u8 obstacle)
{
	if (obstacle == PAGE_EXCHANGE_NO_OBSTACLE)
		return;
	demeter_update_open(c->granule);
	switch (obstacle) {
	case PAGE_EXCHANGE_FORKED:
	case PAGE_EXCHANGE_PINNED:
	case PAGE_EXCHANGE_BUSY:
		ctx->stats.busy++;
		demeter_relocate_back_off(ctx, c, obstacle);
		break;
	case PAGE_EXCHANGE_REFUSED:
		ctx->stats.refused++;
		demeter_relocate_back_off(ctx, c, obstacle);
		break;
	case PAGE_EXCHANGE_GONE:
		ctx->stats.gone++;
		demeter_relocate_note_gone(c);
		break;
	case PAGE_EXCHANGE_NO_ROOM:
		ctx->stats.no_room++;
		break;
	case PAGE_EXCHANGE_UNTRIED:
		c->target->hindered = ctx->stats.epochs;
		break;
	}
}

/*
 * Takes a page that was moved out of its place in physical memory. Returns its count, for
 * demeter_relocate_enter(): all leave before any is entered, which may be where another was.
 */
static u16 demeter_relocate_leave(const struct demeter_candidate *c)
{
	const unsigned int page = demeter_candidate_page(c);
	struct demeter_granule *g = c->granule;
	u16 count;

	/* counts are what they should be once the granule is open */
	demeter_update_open(g);
	if (c->target->kind != DEMETER_FRAMES)
		return 0;
	count = g->count ? g->count[page] : 0;
	demeter_granule_leave(g, page);
	return count;
}

/* Enters that a page of physical memory has come to @addr, and its count. */
static void demeter_relocate_enter_frame(struct demeter_target *t, enum demeter_tier tier,
					 unsigned long addr, u16 count)
{
	const unsigned int page = (addr >> PAGE_SHIFT) % GRANULE_PAGES;
	struct demeter_granule *g = xa_load(&t->granules, addr / GRANULE_SIZE);

	if (!g) {
		g = demeter_granule_make(t, round_down(addr, GRANULE_SIZE));
		/* without memory it is found again later */
		if (!g)
			return;
		g->scan = t->scan;
		mutex_lock(&t->lock);
		demeter_ranges_cover(&t->ranges, g->start, g->start + GRANULE_SIZE);
		mutex_unlock(&t->lock);
	}
	demeter_update_open(g);
	demeter_granule_enter(g, page, tier);
	if (count && !g->count)
		demeter_granule_tell_pages(g);
	if (g->count)
		demeter_granule_set(g, page, count);
}

/* Enters that a page has come to a tier, at an address, with the count that it had. */
static void demeter_relocate_enter(const struct demeter_candidate *c, enum demeter_tier tier,
				   unsigned long addr, u16 count)
{
	struct demeter_granule *g = c->granule;
	const unsigned int page = demeter_candidate_page(c);
	const unsigned int n = demeter_pages_of(demeter_granule_size(g));

	if (c->target->kind == DEMETER_FRAMES) {
		demeter_relocate_enter_frame(c->target, tier, addr, count);
		return;
	}
	g->nr_backoffs = 0;
	if (tier == DEMETER_FAST) {
		bitmap_set(g->fast, page, n);
		g->nr_fast += n;
	} else {
		bitmap_clear(g->fast, page, n);
		g->nr_fast -= n;
	}
	g->target->pages[tier] += n;
	g->target->pages[!tier] -= n;
}

/* Counts obstacles of a pair, and takes out of their places what has moved. */
static void demeter_relocate_leave_pair(struct demeter_ctx *ctx,
					const struct demeter_candidate *hot,
					const struct demeter_candidate *cold, unsigned int i)
{
	struct demeter_relocation *r = ctx->relocation;
	const struct page_exchange *pair = &r->pairs[i];

	demeter_relocate_note(ctx, hot, pair->obstacle_a);
	demeter_relocate_note(ctx, cold, pair->obstacle_b);
	/* those that leave without needing room come first, then */
	if (pair->obstacle_b == PAGE_EXCHANGE_NO_ROOM)
		demeter_relocate_back_off(ctx, cold, pair->obstacle_b);
	if (pair->exchanged || pair->only_a)
		r->hot_counts[i] = demeter_relocate_leave(hot);
	if (pair->exchanged || pair->only_b)
		r->cold_counts[i] = demeter_relocate_leave(cold);
}

/* Enters where the pages of a pair have gone. */
static void demeter_relocate_enter_pair(struct demeter_ctx *ctx,
					const struct demeter_candidate *hot,
					const struct demeter_candidate *cold, unsigned int i)
{
	const unsigned int pages = demeter_pages_of(demeter_granule_size(hot->granule));
	struct demeter_relocation *r = ctx->relocation;
	const struct page_exchange *pair = &r->pairs[i];

	if (pair->exchanged || pair->only_b) {
		ctx->stats.demoted += pages;
		cold->target->demoted += pages;
		demeter_relocate_enter(cold, DEMETER_SLOW, pair->b, r->cold_counts[i]);
	}
	if (pair->exchanged || pair->only_a) {
		ctx->stats.promoted += pages;
		hot->target->promoted += pages;
		demeter_relocate_enter(hot, DEMETER_FAST, pair->a, r->hot_counts[i]);
	}
	if (pair->exchanged)
		ctx->stats.exchanged += pages;
}

/*
 * Takes a reference on the users of a target's mm. Without any it is about to be dropped; a
 * process that is changing its memory is left alone until the next epoch.
 */
static bool demeter_relocate_get(struct demeter_ctx *ctx, struct demeter_target *t)
{
	if (t->hindered == ctx->stats.epochs)
		return false;
	if (demeter_target_get(t))
		return true;
	demeter_update_wake(t);
	return false;
}

/* Exchanges pages of two targets. */
static void demeter_exchange(struct demeter_ctx *ctx, const struct demeter_candidate *hot,
			     const struct demeter_candidate *cold, unsigned int n)
{
	const struct page_exchange_side a = { hot->target->space, &ctx->fast_nodes };
	const struct page_exchange_side b = { cold->target->space, &ctx->slow_nodes };
	struct page_exchange *pairs = ctx->relocation->pairs;

	if (!demeter_relocate_get(ctx, hot->target))
		return;
	if (!demeter_relocate_get(ctx, cold->target)) {
		demeter_target_put(hot->target);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		pairs[i] = (struct page_exchange){ .a = hot[i].addr,
						   .b = cold[i].addr,
						   .huge = hot[i].granule->huge };
	page_exchange_pairs(&a, &b, pairs, n);
	demeter_target_put(cold->target);
	demeter_target_put(hot->target);
	for (unsigned int i = 0; i < n; i++)
		demeter_relocate_leave_pair(ctx, &hot[i], &cold[i], i);
	for (unsigned int i = 0; i < n; i++)
		demeter_relocate_enter_pair(ctx, &hot[i], &cold[i], i);
}

/* How many candidates of the size of @c make up a chunk. */
static unsigned int demeter_relocate_chunk(const struct demeter_candidate *c)
{
	return CHUNK / demeter_pages_of(demeter_granule_size(c->granule));
}

static bool demeter_relocate_may_go_on(const struct demeter_ctx *ctx)
{
	return time_before(jiffies, ctx->relocation->deadline);
}

static void demeter_exchange_all(struct demeter_ctx *ctx, const struct demeter_candidate *hot,
				 const struct demeter_candidate *cold, u64 n)
{
	while (n && demeter_relocate_may_go_on(ctx)) {
		unsigned int run = 1;

		while (run < min(n, demeter_relocate_chunk(hot)) &&
		       hot[run].target == hot->target && cold[run].target == cold->target)
			run++;
		demeter_exchange(ctx, hot, cold, run);
		hot += run;
		cold += run;
		n -= run;
	}
}

/**
 * demeter_relocate_run() - How many candidates can be moved at once
 * @c:		Candidates of one size.
 * @n:		How many there are, at least one.
 *
 * Return: how many of the first ones are of the same target, up to a chunk.
 */
unsigned int demeter_relocate_run(const struct demeter_candidate *c, u64 n)
{
	unsigned int run = 1;

	while (run < min(n, demeter_relocate_chunk(c)) && c[run].target == c->target)
		run++;
	return run;
}

/**
 * demeter_relocate_migrate() - Move pages of one target to free memory of the other tier
 * @ctx:	The context. Gets the obstacles of pages that were not moved.
 * @c:		The pages; see demeter_relocate_run().
 * @n:		How many there are.
 * @tier:	Where they go.
 * @to:		Nodes of it where they may go.
 *
 * Return: base pages moved.
 */
unsigned int demeter_relocate_migrate(struct demeter_ctx *ctx, const struct demeter_candidate *c,
				      unsigned int n, enum demeter_tier tier, nodemask_t *to)
{
	struct demeter_relocation *r = ctx->relocation;
	struct demeter_target *t = c->target;
	unsigned int moved;

	memset(r->obstacles, PAGE_EXCHANGE_UNTRIED, n);
	if (!demeter_relocate_get(ctx, t))
		return 0;
	for (unsigned int i = 0; i < n; i++)
		r->addresses[i] = c[i].addr;
	moved = page_exchange_migrate(&t->space, r->addresses, r->obstacles, n, c->granule->huge,
				      to);
	demeter_target_put(t);
	for (unsigned int i = 0; i < n; i++) {
		demeter_relocate_note(ctx, &c[i], r->obstacles[i]);
		if (r->obstacles[i] == PAGE_EXCHANGE_NO_OBSTACLE)
			r->hot_counts[i] = demeter_relocate_leave(&c[i]);
	}
	for (unsigned int i = 0; i < n; i++)
		if (r->obstacles[i] == PAGE_EXCHANGE_NO_OBSTACLE)
			demeter_relocate_enter(&c[i], tier, r->addresses[i], r->hot_counts[i]);
	if (tier == DEMETER_FAST) {
		ctx->stats.promoted += moved;
		t->promoted += moved;
	} else {
		ctx->stats.demoted += moved;
		t->demoted += moved;
	}
	return moved;
}

/* Moves pages of one target to free memory of the fast tier. */
static void demeter_promote(struct demeter_ctx *ctx, const struct demeter_candidate *hot,
			    unsigned int n)
{
	struct demeter_relocation *r = ctx->relocation;

	demeter_relocate_migrate(ctx, hot, n, DEMETER_FAST, &ctx->fast_nodes);
	for (unsigned int i = 0; i < n; i++)
		if (r->obstacles[i] == PAGE_EXCHANGE_NO_ROOM)
			r->no_room[demeter_granule_size(hot[i].granule)] = ctx->stats.epochs + 1;
}

static void demeter_promote_all(struct demeter_ctx *ctx, const struct demeter_candidate *hot, u64 n)
{
	while (n && demeter_relocate_may_go_on(ctx)) {
		const unsigned int run = demeter_relocate_run(hot, n);

		demeter_promote(ctx, hot, run);
		hot += run;
		n -= run;
	}
}

static void demeter_relocate_size(struct demeter_ctx *ctx, enum demeter_size size,
				  const struct demeter_plan *plan)
{
	struct demeter_relocation *r = ctx->relocation;
	struct demeter_gathered hot = {
		.pages = r->hot,
		.max = min(DEMETER_BATCH_PAGES, plan->promote + plan->exchange),
	};
	struct demeter_gathered cold = {
		.pages = r->cold,
		.max = min(DEMETER_BATCH_PAGES, plan->exchange),
	};
	u64 promoted, exchanged;

	if (!plan->promote && !plan->exchange)
		return;
	demeter_gather(ctx->index, size, plan, &hot, &cold);
	promoted = min(plan->promote, hot.n);
	exchanged = min(hot.n - promoted, cold.n);
	demeter_promote_all(ctx, hot.pages, promoted);
	demeter_pair(hot.pages + promoted, cold.pages, exchanged);
	demeter_exchange_all(ctx, hot.pages + promoted, cold.pages, exchanged);
}

static void demeter_split_granule(struct demeter_ctx *ctx, struct demeter_granule *g)
{
	const struct demeter_candidate c = { .granule = g, .addr = g->start };

	demeter_update_open(g);
	if (!demeter_target_get(g->target))
		return;
	if (page_exchange_split(&g->target->space, g->start)) {
		ctx->stats.split++;
		g->huge = false;
	} else {
		demeter_relocate_back_off(ctx, &c, PAGE_EXCHANGE_BUSY);
	}
	demeter_target_put(g->target);
}

/* Makes base pages of huge pages. When they are ranked next they are base pages like others. */
static void demeter_split_all(struct demeter_ctx *ctx, struct demeter_split split)
{
	struct demeter_granule *g;

	while (demeter_relocate_may_go_on(ctx) && (g = demeter_gather_split(ctx->index, &split)))
		demeter_split_granule(ctx, g);
}

/**
 * demeter_relocate_begin() - Begin to relocate in an epoch
 * @ctx:	The context.
 *
 * Processes can make relocation slow, e.g. by pages that thousands of others might share.
 * They cannot make it long: it ends when an epoch's time is over.
 */
void demeter_relocate_begin(struct demeter_ctx *ctx)
{
	ctx->relocation->deadline = jiffies + msecs_to_jiffies(ctx->params.epoch_ms) + 1;
}

/**
 * demeter_relocate_batch() - Move what was planned
 * @ctx:	The context, whose granules are as they were when the plans were made. Those
 *		that have changed are open afterwards.
 * @plans:	The plans, of DEMETER_BATCH_PAGES at most.
 *
 * Return: whether there is any point in another batch in this epoch.
 */
bool demeter_relocate_batch(struct demeter_ctx *ctx, const struct demeter_plans *plans)
{
	demeter_relocate_size(ctx, DEMETER_HUGE, &plans->sizes[DEMETER_HUGE]);
	demeter_relocate_size(ctx, DEMETER_BASE, &plans->sizes[DEMETER_BASE]);
	demeter_split_all(ctx, plans->split);
	return !list_empty(&ctx->open) && demeter_relocate_may_go_on(ctx);
}
