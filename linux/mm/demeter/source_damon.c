// SPDX-License-Identifier: GPL-2.0
/*
 * Samples accessed bits, for machines whose PMU does not sample addresses: DAMON watches
 * the targets, a thread for each; see watch.c. The state of the source is what all watches
 * share; it outlasts a stop, since watches end later than they are stopped.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "demeter.h"
#include "watch.h"

/* Most targets that are watched: each costs a thread. */
#define MAX_WATCHED 64

static void demeter_damon_forget(struct demeter_source *source, struct demeter_target *t)
{
	if (!t->sampling)
		return;
	demeter_watch_stop(t->sampling);
	t->sampling = NULL;
	demeter_update_wake(t);
}

static int demeter_damon_init(struct demeter_source *source)
{
	struct demeter_watches *watches = kzalloc(sizeof(*watches), GFP_KERNEL);
	int ret;

	if (!watches)
		return -ENOMEM;
	ret = demeter_watches_init(watches);
	if (ret) {
		kfree(watches);
		return ret;
	}
	source->state = watches;
	return 0;
}

static void demeter_damon_exit(struct demeter_source *source)
{
	demeter_watches_exit(source->state);
	kfree(source->state);
}

static int demeter_damon_start(struct demeter_source *source)
{
	return demeter_watch_check();
}

static void demeter_damon_stop(struct demeter_source *source)
{
	struct demeter_target *t;

	list_for_each_entry(t, &source->ctx->targets.list, list)
		demeter_damon_forget(source, t);
}

/* A target whose pages must all stay where they are need not be watched. */
static bool demeter_damon_is_worth_it(const struct demeter_target *t)
{
	return t->kind == DEMETER_PROCESS && (t->pages[DEMETER_FAST] || t->pages[DEMETER_SLOW]);
}

/* Ends a watch that is out of date. Returns whether the target is still watched. */
static bool demeter_damon_revise(struct demeter_source *source, struct demeter_target *t)
{
	const struct demeter_watch *w = t->sampling;
	const bool ended = w && demeter_watch_has_ended(w);

	/* another thread may still have its mm */
	if (ended)
		demeter_target_expire(t);
	if (ended || !demeter_damon_is_worth_it(t) ||
	    (w && demeter_watch_epoch(w) != source->ctx->params.epoch_ms))
		demeter_damon_forget(source, t);
	return t->sampling;
}

/* Returns false when there is no point in trying to watch others. */
static bool demeter_damon_watch(struct demeter_source *source, struct demeter_target *t)
{
	struct demeter_watch *w = demeter_watch_start(source->state, t->thread, t->space.mm,
						      source->ctx->params.epoch_ms);

	if (IS_ERR(w)) {
		pr_warn_ratelimited("process %d is not watched (%ld)\n", t->pid, PTR_ERR(w));
		return false;
	}
	t->sampling = w;
	demeter_update_wake(t);
	return true;
}

static void demeter_damon_update(struct demeter_source *source)
{
	struct demeter_targets *targets = &source->ctx->targets;
	struct demeter_target *t;
	unsigned int n = 0;
	u64 total = 0;

	list_for_each_entry(t, &targets->list, list) {
		if (!demeter_damon_revise(source, t))
			continue;
		total += demeter_watch_total(t->sampling);
		n++;
	}
	demeter_watches_scale(source->state, total);
	list_for_each_entry(t, &targets->list, list) {
		if (t->sampling || demeter_target_has_expired(t) || !demeter_damon_is_worth_it(t))
			continue;
		if (n++ == MAX_WATCHED || !demeter_damon_watch(source, t))
			return;
	}
}

static bool demeter_damon_samples(struct demeter_source *source, const struct demeter_target *t)
{
	return t->sampling;
}

static void demeter_damon_drain(struct demeter_source *source, demeter_take_fn *take)
{
	struct demeter_ctx *ctx = source->ctx;
	struct demeter_target *t;
	u32 n;

	list_for_each_entry(t, &ctx->targets.list, list) {
		if (!t->sampling)
			continue;
		while ((n = demeter_watch_read(t->sampling, ctx->samples, DEMETER_READ_SAMPLES,
					       &ctx->stats.lost)))
			take(ctx, ctx->samples, n);
		cond_resched();
	}
}

static int demeter_damon_health(struct demeter_source *source, char *buf, int len)
{
	unsigned int all = 0, watched = 0;
	struct demeter_target *t;

	list_for_each_entry(t, &source->ctx->targets.list, list) {
		all += demeter_damon_is_worth_it(t);
		watched += !!t->sampling;
	}
	return len + sysfs_emit_at(buf, len,
				   "processes %u\nprocesses_watched %u\nprocesses_limit %u\n", all,
				   watched, MAX_WATCHED);
}

static void demeter_damon_count(struct demeter_source *source)
{
	struct demeter_stats *stats = &source->ctx->stats;
	struct demeter_target *t;

	list_for_each_entry(t, &source->ctx->targets.list, list)
		if (t->sampling)
			demeter_watch_counts(t->sampling, &stats->samples,
					     &stats->stage_ns[DEMETER_SAMPLE]);
}

const struct demeter_source_ops demeter_source_accessed = {
	.name = "accessed",
	.init = demeter_damon_init,
	.exit = demeter_damon_exit,
	.start = demeter_damon_start,
	.stop = demeter_damon_stop,
	.update = demeter_damon_update,
	.forget = demeter_damon_forget,
	.samples = demeter_damon_samples,
	.drain = demeter_damon_drain,
	.health = demeter_damon_health,
	.count = demeter_damon_count,
};
