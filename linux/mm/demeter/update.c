// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the ranking up to date.
 *
 * A granule that is going to change is opened: it is taken out of the ranking, the index and
 * the group of its range, as it was counted there. When all changes are made, those that are
 * open are estimated anew and put back. All others stay as they are; when heat is halved,
 * numbers and lists are, and a granule catches up when it is opened next. So an epoch costs
 * what has changed in it, and a share of all granules that takes its turn: their heat also
 * depends on what became of their neighbours.
 */
#include <linux/mm.h>

#include "demeter.h"

/* Granules that take their turn in an epoch. */
#define UPDATE_SHARE 512

static struct demeter_range *demeter_update_range(struct demeter_granule *g)
{
	return demeter_ranges_find(&g->target->ranges, g->start);
}

/* Adds the ranges of a target to a group, or removes them from it. */
static void demeter_update_count_ranges(struct demeter_group *group, const struct demeter_target *t,
					bool add)
{
	/* what is next to each other in physical memory has nothing in common */
	if (t->kind == DEMETER_FRAMES)
		return;
	for (unsigned int i = 0; i < t->ranges.nr; i++) {
		const struct demeter_group *g = &t->ranges.ranges[i].group;

		if (!g->pages)
			continue;
		if (add)
			demeter_group_add(group, g->pages, g->sum);
		else
			demeter_group_remove(group, g->pages, g->sum, 0);
	}
}

/**
 * demeter_update_wake() - Look at a target in each epoch from now on
 * @t:		The target, of which something is about to change.
 */
void demeter_update_wake(struct demeter_target *t)
{
	struct demeter_targets *targets = &t->ctx->targets;

	if (!list_empty(&t->awake))
		return;
	list_add_tail(&t->awake, &targets->awake);
	demeter_update_count_ranges(&targets->asleep, t, false);
}

/**
 * demeter_update_all_of() - Have all granules of a target opened when it is their turn
 * @t:		The target, of which something has changed that concerns its whole memory.
 */
void demeter_update_all_of(struct demeter_target *t)
{
	t->is_stale = true;
	t->is_turn_stale = false;
	demeter_update_wake(t);
}

/* Whether nothing about a target changes as long as it is not sampled. */
static bool demeter_update_may_sleep(const struct demeter_target *t)
{
	if (t->ranges.is_active || !t->is_scanned || t->is_stale || demeter_target_is_gone(t) ||
	    !t->is_reached)
		return false;
	for (unsigned int i = 0; i < t->ranges.nr; i++)
		if (t->ranges.ranges[i].group.sum)
			return false;
	return true;
}

/**
 * demeter_update_sleep() - Look no more at targets about which nothing changes
 * @ctx:	The context, in which no granule is open.
 */
void demeter_update_sleep(struct demeter_ctx *ctx)
{
	struct demeter_target *t, *next;

	list_for_each_entry_safe(t, next, &ctx->targets.awake, awake) {
		if (!demeter_update_may_sleep(t))
			continue;
		list_del_init(&t->awake);
		demeter_update_count_ranges(&ctx->targets.asleep, t, true);
	}
}

/**
 * demeter_update_open() - Take a granule out of the ranking, for it to be changed
 * @g:		The granule. Nothing happens if it is open.
 *
 * demeter_update_close() puts it back.
 */
void demeter_update_open(struct demeter_granule *g)
{
	struct demeter_ctx *ctx = g->target->ctx;
	const unsigned int lag = demeter_index_lag(ctx->index, g);
	struct demeter_range *r;

	if (!list_empty(&g->open))
		return;
	demeter_update_wake(g->target);
	list_add_tail(&g->open, &ctx->open);
	if (g->is_ranked) {
		demeter_ranking_remove(&ctx->rankings[demeter_granule_size(g)], g, lag);
		demeter_index_remove(g);
		r = demeter_update_range(g);
		demeter_group_remove(&r->group, g->nr_present, g->sum, lag);
		r->is_estimated = false;
		g->is_ranked = false;
	}
	demeter_granule_cool(g, lag);
	g->cooled = ctx->index->coolings;
	if ((s32)((u32)ctx->stats.epochs - g->retry) >= 0)
		bitmap_zero(g->stuck, GRANULE_PAGES);
	if (g->sum < (g->target->kind == DEMETER_FRAMES ? 1 : HEAT_TELLS_PAGES * HEAT_SAMPLE / 2))
		demeter_granule_forget_pages(g);
}

/* Forms the groups of ranges that were split. What is open is in no group. */
static void demeter_update_regroup(struct demeter_target *t)
{
	for (unsigned int i = 0; i < t->ranges.nr; i++) {
		struct demeter_range *r = &t->ranges.ranges[i];
		struct demeter_granule *g;
		unsigned long index;

		if (!r->is_new_half)
			continue;
		r->is_new_half = false;
		r->group = (struct demeter_group){};
		xa_for_each_range(&t->granules, index, g, r->start / GRANULE_SIZE,
				  (r->end - 1) / GRANULE_SIZE)
			if (g->is_ranked)
				demeter_group_add(&r->group, g->nr_present,
						  g->sum >> demeter_index_lag(t->ctx->index, g));
	}
}

/**
 * demeter_update_age() - Let an epoch pass for the ranges of a target
 * @t:		The target, whose open granules have given their samples to the ranges.
 */
void demeter_update_age(struct demeter_target *t)
{
	const u64 splits = t->ranges.nr_splits;

	if (!t->ranges.is_active)
		return;
	mutex_lock(&t->lock);
	t->ranges.split = t->ctx->params.split_threshold * num_online_cpus();
	t->ranges.merge = t->ctx->params.merge_epochs;
	demeter_ranges_epoch(&t->ranges);
	mutex_unlock(&t->lock);
	if (t->ranges.nr_splits != splits)
		demeter_update_regroup(t);
}

/**
 * demeter_update_turn() - Tell whose turn it is
 * @ctx:	The context, in which there are targets.
 * @turn:	Where that is kept.
 *
 * Return: the target.
 */
struct demeter_target *demeter_update_turn(struct demeter_ctx *ctx, struct demeter_target **turn)
{
	if (!*turn)
		*turn = list_first_entry(&ctx->targets.list, struct demeter_target, list);
	return *turn;
}

/**
 * demeter_update_pass_turn() - Let it be the next target's turn
 * @ctx:	The context.
 * @turn:	Where that is kept.
 */
void demeter_update_pass_turn(struct demeter_ctx *ctx, struct demeter_target **turn)
{
	*turn = list_is_last(&(*turn)->list, &ctx->targets.list) ? NULL
								 : list_next_entry(*turn, list);
}

/* Opens granules of a target from where its last turn ended. Returns how many may still be. */
static unsigned int demeter_update_some_of(struct demeter_target *t, unsigned int left)
{
	const bool is_asleep = list_empty(&t->awake);
	const u32 epoch = t->ctx->stats.epochs;
	struct demeter_granule *g;
	unsigned long index;

	if (is_asleep && !t->has_stuck) {
		t->update_from = 0;
		return left;
	}
	if (!t->update_from) {
		t->has_stuck = false;
		t->is_turn_stale = t->is_stale;
	}
	xa_for_each_start(&t->granules, index, g, t->update_from) {
		const bool is_stuck = !bitmap_empty(g->stuck, GRANULE_PAGES);
		const bool try_again = is_stuck && (s32)(epoch - g->retry) >= 0;

		if (!left) {
			t->update_from = index;
			return 0;
		}
		left--;
		t->has_stuck |= is_stuck && !try_again;
		/* of what is asleep nothing else has changed */
		if (is_asleep && !try_again)
			continue;
		demeter_update_open(g);
	}
	t->update_from = 0;
	if (t->is_turn_stale)
		t->is_stale = false;
	return left;
}

/**
 * demeter_update_some() - Open those granules whose turn it is
 * @ctx:	The context.
 */
void demeter_update_some(struct demeter_ctx *ctx)
{
	unsigned int left = UPDATE_SHARE;

	for (unsigned int i = 0; left && i < ctx->targets.nr; i++) {
		struct demeter_target *t = demeter_update_turn(ctx, &ctx->update_turn);

		left = demeter_update_some_of(t, left);
		/* targets with little memory cost something, too */
		left -= min(left, 1u);
		if (!t->update_from)
			demeter_update_pass_turn(ctx, &ctx->update_turn);
	}
}

/**
 * demeter_update_groups() - Estimate how the heat of all ranges scatters
 * @ctx:	The context.
 *
 * Once in an epoch. What is open does not count yet.
 */
void demeter_update_groups(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	ctx->all = ctx->targets.asleep;
	list_for_each_entry(t, &ctx->targets.awake, awake)
		demeter_update_count_ranges(&ctx->all, t, true);
	demeter_group_estimate(&ctx->all, ctx->noise_weight);
}

static void demeter_update_estimate_range(struct demeter_ctx *ctx, struct demeter_range *r)
{
	if (r->is_estimated)
		return;
	demeter_group_estimate(&r->group, ctx->noise_weight);
	r->mean = demeter_group_member(&ctx->all, r->group.pages, r->group.sum, ctx->all.mean);
	r->is_estimated = true;
}

static void demeter_update_estimate(struct demeter_ctx *ctx, struct demeter_granule *g)
{
	const enum demeter_size size = demeter_granule_size(g);
	struct demeter_range *r = demeter_update_range(g);
	u32 mean;

	g->keeps_fast = g->target->is_protected;
	demeter_update_estimate_range(ctx, r);
	mean = demeter_group_member(&r->group, g->nr_present, g->sum, r->mean);
	if (g->target->kind == DEMETER_FRAMES) {
		g->mean = 0;
		g->weight = g->count ? HEAT_WHOLE : 0;
	} else {
		demeter_granule_estimate(g, mean, ctx->noise_weight);
		if (!ctx->params.page_counters)
			g->weight = 0;
	}
	demeter_index_add(ctx->index, g, demeter_ranking_add(&ctx->rankings[size], g));
	g->is_ranked = true;
}

static bool demeter_update_may_rank(const struct demeter_granule *g)
{
	return g->nr_present && g->target->is_sampled;
}

/**
 * demeter_update_group() - Let open granules join the groups of their ranges
 * @ctx:	The context.
 *
 * Before demeter_update_close(), which estimates them by these groups.
 */
void demeter_update_group(struct demeter_ctx *ctx)
{
	struct demeter_granule *g;

	list_for_each_entry(g, &ctx->open, open) {
		struct demeter_range *r = demeter_update_range(g);

		if (!demeter_update_may_rank(g))
			continue;
		demeter_group_add(&r->group, g->nr_present, g->sum);
		r->is_estimated = false;
	}
}

/**
 * demeter_update_close() - Estimate all granules that are open, and rank them
 * @ctx:	The context, in which they have joined the groups.
 */
void demeter_update_close(struct demeter_ctx *ctx)
{
	struct demeter_granule *g, *next;

	list_for_each_entry_safe(g, next, &ctx->open, open) {
		list_del_init(&g->open);
		if (demeter_update_may_rank(g))
			demeter_update_estimate(ctx, g);
	}
}

/**
 * demeter_update_cool() - Halve the heat of everything
 * @ctx:	The context, in which no granule is open.
 */
void demeter_update_cool(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	/* what is left of heavier samples is half of what it was */
	ctx->noise_weight = max(ctx->weight, ctx->noise_weight / 2);
	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		demeter_ranking_cool(&ctx->rankings[size]);
	demeter_index_cool(ctx->index);
	/* of the others all counts are 0 */
	list_for_each_entry(t, &ctx->targets.awake, awake)
		for (unsigned int i = 0; i < t->ranges.nr; i++)
			demeter_group_cool(&t->ranges.ranges[i].group);
}

/**
 * demeter_update_forget() - Free a granule
 * @g:		The granule.
 */
void demeter_update_forget(struct demeter_granule *g)
{
	demeter_update_open(g);
	demeter_granule_free(g);
}
