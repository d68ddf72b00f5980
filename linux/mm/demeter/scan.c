// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out which nodes make up the tiers, and in which tier the pages of each target are,
 * which is kept in granules of 2 MiB.
 *
 * Page tables are looked at where samples show that something has changed, or pages that were
 * to be moved are gone; where a process has got more memory; and everywhere else in turns.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "demeter.h"

/* Steps of page_exchange_scan() in one hold of the mmap lock. */
#define HOLD_STEPS 512
/*
 * Steps in an epoch for memory whose turn it is, for processes that are new or have grown, all
 * of them and each, and for what was asked for.
 */
#define TURN_STEPS  256
#define NEW_STEPS   32768
#define GROWN_STEPS (NEW_STEPS / 4)
#define ASKED_STEPS 4096
/* What a process costs whose memory is looked at, however little that is. */
#define TARGET_STEPS 4
/* Part of a process's memory by which it must have grown to be looked at before its turn. */
#define GROWN_PART  16
#define GROWN_PAGES 64
/* Where samples come from that is not known, so much around it is looked at. */
#define AROUND_SIZE SZ_128M
/* So many parts of a target can be asked for in an epoch. */
#define TARGET_ASKED 16
/* Areas of an address space that are further apart are covered by separate ranges. */
#define AREA_GAP SZ_1G

/**
 * struct demeter_scan - A scan of a part of a target
 * @scan:	The scan of its page tables.
 * @target:	The target.
 * @area_start:	First address of an area whose ranges are not made yet.
 * @area_end:	Address behind that area; 0 if there is none.
 */
struct demeter_scan {
	struct page_exchange_scan scan;
	struct demeter_target *target;
	unsigned long area_start;
	unsigned long area_end;
};

/* Takes the nodes of each tier from the kernel's memory tiers. */
static void demeter_scan_look_up_tiers(nodemask_t *fast, nodemask_t *slow)
{
	int nid;

	nodes_clear(*fast);
	nodes_clear(*slow);
	for_each_node_state(nid, N_MEMORY) {
		if (page_exchange_node_is_fast(nid))
			node_set(nid, *fast);
		else
			node_set(nid, *slow);
	}
}

/**
 * demeter_scan_find_tiers() - Find the nodes of the tiers, unless users have named them
 * @ctx:	The context, of which the nodes are set.
 *
 * Return: 0, -ENODEV with the reason in the log if there are not two tiers.
 */
int demeter_scan_find_tiers(struct demeter_ctx *ctx)
{
	nodemask_t *fast = &ctx->fast_nodes, *slow = &ctx->slow_nodes;

	if (!ctx->nodes_are_named)
		demeter_scan_look_up_tiers(fast, slow);
	if (nodes_empty(*fast) || nodes_empty(*slow) || nodes_intersects(*fast, *slow)) {
		pr_err("needs nodes of two memory tiers; fast: %*pbl, slow: %*pbl\n",
		       nodemask_pr_args(fast), nodemask_pr_args(slow));
		return -ENODEV;
	}
	return 0;
}

/**
 * demeter_scan_again() - Have all memory looked at as if it was new
 * @ctx:	The context, of whose targets others have moved pages.
 */
void demeter_scan_again(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list) {
		t->scan_from = 0;
		t->is_scanned = false;
		demeter_update_wake(t);
	}
}

/**
 * demeter_scan_follow_tiers() - Notice nodes that have come or gone
 * @ctx:	The context. Its nodes stay as they are if there are not two tiers any more.
 */
void demeter_scan_follow_tiers(struct demeter_ctx *ctx)
{
	nodemask_t fast, slow;

	if (ctx->nodes_are_named)
		return;
	demeter_scan_look_up_tiers(&fast, &slow);
	if (nodes_empty(fast) || nodes_empty(slow) ||
	    (nodes_equal(fast, ctx->fast_nodes) && nodes_equal(slow, ctx->slow_nodes)))
		return;
	ctx->fast_nodes = fast;
	ctx->slow_nodes = slow;
	demeter_scan_again(ctx);
	pr_info("memory tiers have changed; fast: %*pbl, slow: %*pbl\n", nodemask_pr_args(&fast),
		nodemask_pr_args(&slow));
}

/* Covers the area by ranges. */
static void demeter_scan_cover(struct demeter_scan *s)
{
	if (!s->area_end)
		return;
	mutex_lock(&s->target->lock);
	demeter_ranges_cover(&s->target->ranges, s->area_start, s->area_end);
	mutex_unlock(&s->target->lock);
	s->area_end = 0;
}

/* Called for each 2 MiB in which something is mapped that could be moved. */
static void demeter_scan_found(struct page_exchange_scan *scan)
{
	struct demeter_scan *s = container_of(scan, struct demeter_scan, scan);
	struct demeter_target *t = s->target;
	struct demeter_granule *g = xa_load(&t->granules, scan->at / GRANULE_SIZE);

	if (!g)
		g = demeter_granule_make(t, scan->at);
	/* without memory it stays unmanaged this time */
	if (!g)
		return;
	if (scan->left)
		demeter_unmanaged_stuck(g);
	g->scan = t->scan;
	if (!s->area_end || scan->at > s->area_end + AREA_GAP) {
		demeter_scan_cover(s);
		s->area_start = scan->at;
	}
	s->area_end = scan->at + GRANULE_SIZE;
	if (g->huge == scan->huge && bitmap_equal(g->present, scan->present, GRANULE_PAGES) &&
	    bitmap_equal(g->fast, scan->fast, GRANULE_PAGES))
		return;
	demeter_update_open(g);
	g->huge = scan->huge;
	demeter_granule_place(g, scan->present, scan->fast);
}

/* Frees the granules of a part that the scan of it has not met. */
static void demeter_scan_forget_unmet(struct demeter_target *t, unsigned long start,
				      unsigned long end)
{
	struct demeter_granule *g;
	unsigned long index;

	if (start == end)
		return;
	xa_for_each_range(&t->granules, index, g, start / GRANULE_SIZE, (end - 1) / GRANULE_SIZE)
		if (g->scan != t->scan) {
			demeter_update_forget(g);
			cond_resched();
		}
}

/*
 * Scans addresses of a target, from *@start on, which becomes where to go on. Takes its steps
 * from *@steps. Returns whether the end was reached, or there is no point in going on.
 */
static bool demeter_scan_part(struct demeter_scan *s, struct demeter_target *t,
			      unsigned long *start, unsigned long end, unsigned int *steps)
{
	const unsigned long from = *start;
	bool is_protected;
	int ret;

	*steps -= min(*steps, TARGET_STEPS);
	if (!mmget_not_zero(t->mm))
		return true;
	is_protected = page_exchange_owner_is_protected(t->mm);
	if (is_protected != t->is_protected)
		demeter_update_all_of(t);
	t->is_protected = is_protected;
	t->cgroup = page_exchange_owner_cgroup(t->mm);
	s->target = t;
	t->scan++;
	do {
		const unsigned int most = min(*steps, HOLD_STEPS);

		s->scan.steps = most;
		ret = page_exchange_scan(t->mm, *start, end, &s->scan);
		*steps -= most - s->scan.steps;
		if (ret >= 0)
			*start = ret ? s->scan.next : end;
	} while (ret > 0 && *steps);
	mmput_async(t->mm);
	demeter_scan_cover(s);
	/* a policy has come that keeps all pages where they are */
	if (ret == -EPERM) {
		demeter_scan_forget(t);
		demeter_unmanaged_begin(t);
		*start = end;
	} else {
		demeter_scan_forget_unmet(t, from, *start);
	}
	return ret <= 0;
}

/* Scans a target from where its last turn ended. Returns whether its turn is over. */
static bool demeter_scan_turn(struct demeter_scan *s, struct demeter_target *t, unsigned int *steps)
{
	bool is_over;

	if (!t->scan_from) {
		t->anon_turn = get_mm_counter(t->mm, MM_ANONPAGES);
		demeter_unmanaged_begin(t);
	}
	s->scan.left = t->unmanaged.turn.areas;
	is_over = demeter_scan_part(s, t, &t->scan_from, TASK_SIZE, steps);
	s->scan.left = NULL;
	if (!is_over)
		return false;
	/* otherwise it is changing its memory right now, and goes on later */
	if (t->scan_from >= TASK_SIZE) {
		t->anon_known = t->anon_turn;
		t->scan_from = 0;
		t->is_scanned = true;
		demeter_unmanaged_end(t);
	}
	return true;
}

/* Whether a target has much more or much less memory than when it was its turn. */
static bool demeter_scan_has_changed(const struct demeter_target *t)
{
	const unsigned long now = get_mm_counter(t->mm, MM_ANONPAGES), known = t->anon_known;
	const unsigned long most = max(now, known), least = min(now, known);

	return most > least + least / GROWN_PART + GROWN_PAGES;
}

/* Scans targets that are new or have changed. Those that take all their steps go to the end. */
static void demeter_scan_new(struct demeter_ctx *ctx, struct demeter_scan *s)
{
	unsigned int steps = NEW_STEPS;
	struct demeter_target *t, *next;
	LIST_HEAD(later);

	list_for_each_entry_safe(t, next, &ctx->targets.awake, awake) {
		unsigned int most = min(steps, GROWN_STEPS);

		if (!steps)
			break;
		if (t->is_scanned && !demeter_scan_has_changed(t))
			continue;
		steps -= most;
		demeter_scan_turn(s, t, &most);
		steps += most;
		if (!most)
			list_move_tail(&t->awake, &later);
	}
	list_splice_tail(&later, &ctx->targets.awake);
}

static void demeter_scan_asked_for(struct demeter_ctx *ctx, struct demeter_scan *s)
{
	unsigned int steps = ASKED_STEPS;

	for (unsigned int i = 0; i < ctx->nr_asked && steps; i++) {
		/* a policy may have all be forgotten that was asked for of a target */
		struct demeter_asked asked = ctx->asked[i];

		demeter_scan_part(s, asked.target, &asked.start, asked.end, &steps);
	}
	ctx->nr_asked = 0;
}

/**
 * demeter_scan_targets() - See where pages of targets are that may have changed
 * @ctx:	The context.
 *
 * A target whose process is changing its memory right now keeps the granules that it has.
 */
void demeter_scan_targets(struct demeter_ctx *ctx)
{
	struct demeter_scan *s = kmalloc(sizeof(*s), GFP_KERNEL | __GFP_NOWARN);
	unsigned int steps = TURN_STEPS;

	if (!s)
		return;
	s->area_end = 0;
	s->scan.left = NULL;
	s->scan.found = demeter_scan_found;
	s->scan.fast_nodes = &ctx->fast_nodes;
	s->scan.slow_nodes = &ctx->slow_nodes;
	demeter_scan_asked_for(ctx, s);
	demeter_scan_new(ctx, s);
	for (unsigned int i = 0; steps && i < ctx->targets.nr; i++) {
		struct demeter_target *t = demeter_update_turn(ctx, &ctx->scan_turn);

		if (demeter_scan_turn(s, t, &steps))
			demeter_update_pass_turn(ctx, &ctx->scan_turn);
	}
	kfree(s);
}

static void demeter_scan_ask(struct demeter_target *t, unsigned long start, unsigned long end)
{
	struct demeter_ctx *ctx = t->ctx;

	unsigned int asked = 0;

	for (unsigned int i = 0; i < ctx->nr_asked; i++) {
		if (ctx->asked[i].target != t)
			continue;
		if (ctx->asked[i].start == start || ++asked == TARGET_ASKED)
			return;
	}
	if (ctx->nr_asked == DEMETER_MAX_ASKED)
		return;
	ctx->asked[ctx->nr_asked++] = (struct demeter_asked){
		.target = t,
		.start = start,
		.end = end,
	};
}

/**
 * demeter_scan_ask_around() - Have memory looked at that is not what it seemed
 * @t:		The target.
 * @addr:	A user address in that memory.
 */
void demeter_scan_ask_around(struct demeter_target *t, unsigned long addr)
{
	const unsigned long start = round_down(addr, AROUND_SIZE);

	demeter_scan_ask(t, start, min(start + AROUND_SIZE, TASK_SIZE));
}

/**
 * demeter_scan_forget() - Free the granules of a target
 * @t:		The target.
 */
void demeter_scan_forget(struct demeter_target *t)
{
	struct demeter_ctx *ctx = t->ctx;
	struct demeter_granule *g;
	unsigned long index;
	unsigned int kept = 0;

	xa_for_each(&t->granules, index, g) {
		demeter_update_forget(g);
		cond_resched();
	}
	for (unsigned int i = 0; i < ctx->nr_asked; i++)
		if (ctx->asked[i].target != t)
			ctx->asked[kept++] = ctx->asked[i];
	ctx->nr_asked = kept;
}
