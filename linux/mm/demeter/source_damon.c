// SPDX-License-Identifier: GPL-2.0
/*
 * Samples accessed bits, for machines whose PMU does not sample addresses: DAMON watches
 * the targets, a thread for each; see watch.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/printk.h>
#include <linux/sched.h>

#include "demeter.h"

/* Most targets that are watched: each costs a thread. */
#define MAX_WATCHED 64

static void demeter_damon_forget(struct demeter_target *t)
{
	if (t->watch)
		demeter_watch_stop(t->watch);
	t->watch = NULL;
}

static int demeter_damon_start(struct demeter_ctx *ctx, const struct demeter_source *source)
{
	return demeter_watch_check();
}

static void demeter_damon_stop(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list)
		demeter_damon_forget(t);
}

/* A target whose pages must all stay where they are need not be watched. */
static bool demeter_damon_is_worth_it(const struct demeter_target *t)
{
	return t->pages[DEMETER_FAST] || t->pages[DEMETER_SLOW];
}

/* Ends a watch that is out of date. Returns whether the target is still watched. */
static bool demeter_damon_revise(struct demeter_ctx *ctx, struct demeter_target *t)
{
	const bool ended = t->watch && demeter_watch_has_ended(t->watch);

	/* drop the target; it is found again if another thread still has its mm */
	if (ended)
		t->scope = 0;
	if (ended || !demeter_damon_is_worth_it(t) ||
	    (t->watch && demeter_watch_epoch(t->watch) != ctx->params.epoch_ms))
		demeter_damon_forget(t);
	return t->watch;
}

/* Returns false when there is no point in trying to watch others. */
static bool demeter_damon_watch(struct demeter_ctx *ctx, struct demeter_target *t)
{
	struct demeter_watch *w =
		demeter_watch_start(&ctx->watches, t->thread, t->mm, ctx->params.epoch_ms);

	if (IS_ERR(w)) {
		pr_warn_ratelimited("process %d is not watched (%ld)\n", t->pid, PTR_ERR(w));
		return false;
	}
	t->watch = w;
	return true;
}

static void demeter_damon_update(struct demeter_ctx *ctx)
{
	struct demeter_target *t;
	unsigned int n = 0;
	u64 total = 0;

	list_for_each_entry(t, &ctx->targets.list, list) {
		if (!demeter_damon_revise(ctx, t))
			continue;
		total += demeter_watch_total(t->watch);
		n++;
	}
	demeter_watches_scale(&ctx->watches, total);
	list_for_each_entry(t, &ctx->targets.list, list) {
		if (t->watch || !t->scope || !demeter_damon_is_worth_it(t))
			continue;
		if (n++ == MAX_WATCHED || !demeter_damon_watch(ctx, t))
			return;
	}
}

static void demeter_damon_drain(struct demeter_ctx *ctx, demeter_take_fn *take)
{
	struct demeter_target *t;
	u32 n;

	list_for_each_entry(t, &ctx->targets.list, list) {
		if (!t->watch)
			continue;
		while ((n = demeter_watch_read(t->watch, ctx->samples, DEMETER_READ_SAMPLES,
					       &ctx->stats.lost)))
			take(ctx, ctx->samples, n);
		cond_resched();
	}
}

static void demeter_damon_count(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list)
		if (t->watch)
			demeter_watch_counts(t->watch, &ctx->stats.samples,
					     &ctx->stats.stage_ns[DEMETER_SAMPLE]);
}

const struct demeter_source demeter_source_accessed = {
	.name = "accessed",
	.start = demeter_damon_start,
	.stop = demeter_damon_stop,
	.update = demeter_damon_update,
	.forget = demeter_damon_forget,
	.drain = demeter_damon_drain,
	.count = demeter_damon_count,
};
