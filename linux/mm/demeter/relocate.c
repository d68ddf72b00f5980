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
 * struct demeter_relocation - Buffers and state of relocation
 * @hot:	Room for a batch of candidates of the slow tier.
 * @cold:	Room for a batch of candidates of the fast tier.
 * @batch:	How many candidates there is room for.
 * @deadline:	When the epoch's relocation ends, done or not; in jiffies.
 * @no_room:	Whether the fast tier had less free memory than it had seemed, in the last
 *		epoch, by size of the pages that were to fill it.
 * @pairs:	Room for a chunk of pairs.
 * @addresses:	Room for a chunk of user addresses.
 * @obstacles:	Room for the obstacles of the pages at @addresses.
 */
struct demeter_relocation {
	struct demeter_candidate *hot;
	struct demeter_candidate *cold;
	unsigned int batch;
	unsigned long deadline;
	bool no_room[NR_DEMETER_SIZES];
	struct page_exchange *pairs;
	unsigned long *addresses;
	u8 *obstacles;
};

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
	r->batch = ctx->params.batch_pages;
	r->hot = kvmalloc_array(r->batch, sizeof(*r->hot), GFP_KERNEL);
	r->cold = kvmalloc_array(r->batch, sizeof(*r->cold), GFP_KERNEL);
	r->pairs = kvmalloc_array(CHUNK, sizeof(*r->pairs), GFP_KERNEL);
	r->addresses = kvmalloc_array(CHUNK, sizeof(*r->addresses), GFP_KERNEL);
	r->obstacles = kvmalloc_array(CHUNK, sizeof(*r->obstacles), GFP_KERNEL);
	if (r->hot && r->cold && r->pairs && r->addresses && r->obstacles)
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

	if (r->no_room[size]) {
		r->no_room[size] = false;
		return 0;
	}
	for_each_node_mask(nid, ctx->fast_nodes)
		all += page_exchange_room(nid, size == DEMETER_HUGE ? PMD_ORDER : 0);
	return all;
}

static unsigned int demeter_candidate_page(const struct demeter_candidate *c)
{
	return (c->addr - c->granule->start) >> PAGE_SHIFT;
}

/* Counts what kept a page from being moved, and leaves it alone for a while. */
static void demeter_relocate_note(struct demeter_ctx *ctx, const struct demeter_candidate *c,
				  u8 obstacle)
{
	switch (obstacle) {
	case PAGE_EXCHANGE_BUSY:
		ctx->stats.busy++;
		set_bit(demeter_candidate_page(c), c->granule->stuck);
		break;
	case PAGE_EXCHANGE_REFUSED:
		ctx->stats.refused++;
		set_bit(demeter_candidate_page(c), c->granule->stuck);
		break;
	case PAGE_EXCHANGE_GONE:
		ctx->stats.gone++;
		break;
	case PAGE_EXCHANGE_NO_ROOM:
		ctx->stats.no_room++;
		break;
	}
}

/* Enters in the granule what the next scan is going to find. */
static void demeter_relocate_note_tier(const struct demeter_candidate *c, enum demeter_tier tier)
{
	const unsigned int page = demeter_candidate_page(c);
	const unsigned int n = demeter_pages_of(demeter_granule_size(c->granule));

	if (tier == DEMETER_FAST) {
		bitmap_set(c->granule->fast, page, n);
		c->granule->nr_fast += n;
	} else {
		bitmap_clear(c->granule->fast, page, n);
		c->granule->nr_fast -= n;
	}
}

static void demeter_relocate_note_pair(struct demeter_ctx *ctx, const struct demeter_candidate *hot,
				       const struct demeter_candidate *cold,
				       const struct page_exchange *pair)
{
	unsigned int pages;

	demeter_relocate_note(ctx, hot, pair->obstacle_a);
	demeter_relocate_note(ctx, cold, pair->obstacle_b);
	if (!pair->exchanged)
		return;
	pages = demeter_pages_of(demeter_granule_size(hot->granule));
	ctx->stats.exchanged += pages;
	ctx->stats.promoted += pages;
	ctx->stats.demoted += pages;
	hot->target->promoted += pages;
	cold->target->demoted += pages;
	demeter_relocate_note_tier(hot, DEMETER_FAST);
	demeter_relocate_note_tier(cold, DEMETER_SLOW);
}

/* Exchanges pages of two targets. */
static void demeter_exchange(struct demeter_ctx *ctx, const struct demeter_candidate *hot,
			     const struct demeter_candidate *cold, unsigned int n)
{
	struct mm_struct *hot_mm = hot->target->mm, *cold_mm = cold->target->mm;
	struct page_exchange *pairs = ctx->relocation->pairs;

	if (!mmget_not_zero(hot_mm))
		return;
	if (!mmget_not_zero(cold_mm)) {
		mmput_async(hot_mm);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		pairs[i] = (struct page_exchange){ .a = hot[i].addr,
						   .b = cold[i].addr,
						   .huge = hot[i].granule->huge };
	page_exchange_pairs(hot_mm, cold_mm, pairs, n);
	mmput_async(cold_mm);
	mmput_async(hot_mm);
	for (unsigned int i = 0; i < n; i++)
		demeter_relocate_note_pair(ctx, &hot[i], &cold[i], &pairs[i]);
}

/* How many candidates of the size of @c make up a chunk. */
static unsigned int demeter_relocate_chunk(const struct demeter_candidate *c)
{
	return CHUNK / demeter_pages_of(demeter_granule_size(c->granule));
}

static void demeter_exchange_all(struct demeter_ctx *ctx, const struct demeter_candidate *hot,
				 const struct demeter_candidate *cold, u64 n)
{
	while (n && time_before(jiffies, ctx->relocation->deadline)) {
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

/* Moves pages of one target to free memory of the fast tier. */
static void demeter_promote(struct demeter_ctx *ctx, const struct demeter_candidate *hot,
			    unsigned int n)
{
	struct demeter_relocation *r = ctx->relocation;
	struct demeter_target *t = hot->target;
	unsigned int moved;

	if (!mmget_not_zero(t->mm))
		return;
	for (unsigned int i = 0; i < n; i++)
		r->addresses[i] = hot[i].addr;
	moved = page_exchange_migrate(t->mm, r->addresses, r->obstacles, n, &ctx->fast_nodes);
	mmput_async(t->mm);
	for (unsigned int i = 0; i < n; i++) {
		demeter_relocate_note(ctx, &hot[i], r->obstacles[i]);
		if (r->obstacles[i] == PAGE_EXCHANGE_NO_ROOM)
			r->no_room[demeter_granule_size(hot[i].granule)] = true;
	}
	ctx->stats.promoted += moved;
	t->promoted += moved;
}

static void demeter_promote_all(struct demeter_ctx *ctx, const struct demeter_candidate *hot, u64 n)
{
	while (n && time_before(jiffies, ctx->relocation->deadline)) {
		unsigned int run = 1;

		while (run < min(n, demeter_relocate_chunk(hot)) && hot[run].target == hot->target)
			run++;
		demeter_promote(ctx, hot, run);
		hot += run;
		n -= run;
	}
}

static void demeter_relocate_size(struct demeter_ctx *ctx, enum demeter_size size,
				  const struct demeter_plan *plan)
{
	struct demeter_relocation *r = ctx->relocation;
	struct demeter_gathered hot = { .pages = r->hot, .max = r->batch };
	struct demeter_gathered cold = { .pages = r->cold, .max = r->batch };
	u64 promoted;

	if (!plan->promote && !plan->exchange)
		return;
	demeter_gather(ctx, size, plan, &hot, &cold);
	promoted = min(plan->promote, hot.n);
	demeter_promote_all(ctx, hot.pages, promoted);
	demeter_exchange_all(ctx, hot.pages + promoted, cold.pages, min(hot.n - promoted, cold.n));
}

static void demeter_split_granule(struct demeter_ctx *ctx, struct demeter_target *t,
				  struct demeter_granule *g)
{
	if (!mmget_not_zero(t->mm))
		return;
	if (page_exchange_split(t->mm, g->start)) {
		ctx->stats.split++;
		g->huge = false;
	} else {
		set_bit(0, g->stuck);
	}
	mmput_async(t->mm);
}

/* Makes base pages of huge pages. In the next epoch they are base pages like others. */
static void demeter_split_all(struct demeter_ctx *ctx, struct demeter_split split)
{
	struct demeter_granule *g;
	struct demeter_target *t;
	unsigned long index;

	if (!split.n)
		return;
	list_for_each_entry(t, &ctx->targets.list, list) {
		xa_for_each(&t->granules, index, g) {
			if (!split.n || time_after(jiffies, ctx->relocation->deadline))
				return;
			if (!demeter_gather_is_split(&split, g))
				continue;
			demeter_split_granule(ctx, t, g);
			split.n--;
		}
	}
}

/**
 * demeter_relocate_epoch() - Move what was planned
 * @ctx:	The context, whose granules are as they were when the plans were made.
 * @plans:	The plans.
 *
 * Processes can make this slow, e.g. by pages that thousands of others might share. They
 * cannot make it long: it ends when an epoch's time is over.
 */
void demeter_relocate_epoch(struct demeter_ctx *ctx, const struct demeter_plans *plans)
{
	ctx->relocation->deadline = jiffies + msecs_to_jiffies(ctx->params.epoch_ms) + 1;
	demeter_relocate_size(ctx, DEMETER_HUGE, &plans->sizes[DEMETER_HUGE]);
	demeter_relocate_size(ctx, DEMETER_BASE, &plans->sizes[DEMETER_BASE]);
	demeter_split_all(ctx, plans->split);
}

/* Moves pages of one target off a node. Returns base pages moved. */
static unsigned long demeter_evacuate(struct demeter_ctx *ctx, const struct demeter_candidate *c,
				      unsigned int n, enum demeter_tier tier, nodemask_t *to)
{
	const enum demeter_size size = demeter_granule_size(c->granule);
	struct demeter_relocation *r = ctx->relocation;
	unsigned int moved;

	if (!mmget_not_zero(c->target->mm))
		return 0;
	for (unsigned int i = 0; i < n; i++)
		r->addresses[i] = c[i].addr;
	moved = page_exchange_migrate(c->target->mm, r->addresses, r->obstacles, n, to);
	mmput_async(c->target->mm);
	for (unsigned int i = 0; i < n; i++) {
		demeter_relocate_note(ctx, &c[i], r->obstacles[i]);
		/* moved or not, the next evacuation is not to choose it again */
		demeter_ranking_forget(&ctx->rankings[size], c[i].granule,
				       demeter_candidate_page(&c[i]), tier);
		if (r->obstacles[i] == PAGE_EXCHANGE_NO_OBSTACLE)
			demeter_relocate_note_tier(&c[i], !tier);
	}
	if (tier == DEMETER_FAST) {
		ctx->stats.demoted += moved;
		c->target->demoted += moved;
	} else {
		ctx->stats.promoted += moved;
		c->target->promoted += moved;
	}
	return moved;
}

/**
 * demeter_relocate_evacuate() - Move pages off a tier that is to become smaller
 * @ctx:	The context.
 * @tier:	The tier. The fast one gives its coldest pages, the slow one its hottest.
 * @pages:	Base pages that are wanted; of these at most a batch is moved.
 * @to:		Nodes where they may go.
 *
 * Goes by the ranking of the last epoch.
 *
 * Return: base pages moved.
 */
unsigned long demeter_relocate_evacuate(struct demeter_ctx *ctx, enum demeter_tier tier,
					unsigned long pages, nodemask_t *to)
{
	struct demeter_relocation *r = ctx->relocation;
	struct demeter_plan plans[NR_DEMETER_SIZES];
	unsigned long moved = 0;

	demeter_plan_evacuation(plans, ctx->rankings, tier, pages);
	for (int size = 0; size < NR_DEMETER_SIZES; size++) {
		const u64 most = min(r->batch, plans[size].exchange + plans[size].promote);
		struct demeter_gathered hot = { .pages = r->hot, .max = most };
		struct demeter_gathered cold = { .pages = r->cold, .max = most };
		const struct demeter_gathered *chosen = tier == DEMETER_FAST ? &cold : &hot;

		if (!most)
			continue;
		demeter_gather(ctx, size, &plans[size], &hot, &cold);
		for (u64 i = 0, run; i < chosen->n; i += run) {
			const struct demeter_candidate *c = &chosen->pages[i];

			for (run = 1; run < min(chosen->n - i, demeter_relocate_chunk(c)); run++)
				if (c[run].target != c->target)
					break;
			moved += demeter_evacuate(ctx, c, run, tier, to);
		}
	}
	return moved;
}
