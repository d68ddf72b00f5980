// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel thread that goes through the stages of the pipeline once per epoch, and the
 * module.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_exchange.h>
#include <linux/sched/cputime.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "demeter.h"

#define CREATE_TRACE_POINTS
#include <trace/events/demeter.h>

/* Defaults; demeter.rst says why they are what they are. */
static const struct demeter_params demeter_defaults = {
	.epoch_ms = 500,
	.sample_period = 1021,
	.store_period = 16381,
	.sample_rate = 14500,
	.latency_threshold = 64,
	.split_threshold = 30,
	.merge_epochs = 15,
	.max_ranges = 256,
	.cool_epochs = 8,
	.backoff_epochs = 128,
	.relocate_percent = 20,
	.relocate_mib = 1024,
	.margin = 2,
	.exchange_ns = 10000,
	.tier_ns = 100,
	.page_counters = true,
};

/* Set as long as the module is loaded, for its init and exit only. */
static struct demeter_ctx *demeter_ctx;

/* Returns the CPU time of this thread since *@since, which becomes now. */
static u64 demeter_lap(u64 *since)
{
	const u64 now = task_sched_runtime(current);
	const u64 ns = now - *since;

	*since = now;
	return ns;
}

static bool demeter_is_due(const struct demeter_ctx *ctx, unsigned int epochs)
{
	return epochs && ctx->stats.epochs % epochs == 0;
}

/* Adds the counts of an epoch to the counters of /proc/vmstat. */
static void demeter_count_events(const struct demeter_stats *now,
				 const struct demeter_stats *before)
{
	count_vm_events(DEMETER_SAMPLES, now->samples - before->samples);
	count_vm_events(DEMETER_LOST, now->lost - before->lost);
	count_vm_events(DEMETER_PROMOTE, now->promoted - before->promoted);
	count_vm_events(DEMETER_DEMOTE, now->demoted - before->demoted);
	count_vm_events(DEMETER_EXCHANGE, now->exchanged - before->exchanged);
	for (int i = 0; i < NR_DEMETER_STAGES; i++)
		count_vm_events(DEMETER_SAMPLE_US + i,
				div_u64(now->stage_ns[i], NSEC_PER_USEC) -
					div_u64(before->stage_ns[i], NSEC_PER_USEC));
}

/* Whatever Demeter decides, NUMA balancing moves pages to where they are accessed from. */
static void demeter_warn_of_balancing(struct demeter_ctx *ctx)
{
	if (ctx->told_balanced || !page_exchange_is_balanced())
		return;
	pr_warn("NUMA balancing is on and moves pages, too: sysctl kernel.numa_balancing=0\n");
	ctx->told_balanced = true;
}

static void demeter_classify(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	demeter_scan_follow_tiers(ctx);
	demeter_targets_find(ctx, false);
	demeter_scan_targets(ctx);
	demeter_source_update(ctx);
	demeter_classify_samples(ctx);
	demeter_classify_age(ctx);
	list_for_each_entry(t, &ctx->targets.awake, awake)
		trace_demeter_epoch(t->pid, t->ranges.nr, t->ranges.nr_splits, t->ranges.nr_merges,
				    t->samples);
}

/* Plans a batch of at most @most base pages. */
static void demeter_plan(struct demeter_ctx *ctx, struct demeter_plans *plans, u64 most)
{
	const struct demeter_params *p = &ctx->params;
	const struct demeter_worth worth =
		demeter_plan_worth(p->margin, p->exchange_ns, p->tier_ns, p->sample_period);
	u64 room[NR_DEMETER_SIZES];

	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		room[size] = demeter_relocate_room(ctx, size);
	demeter_plan_epoch(plans, ctx->rankings, &worth, min(most, DEMETER_BATCH_PAGES), room);
	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		trace_demeter_rank(demeter_pages_of(size), ctx->rankings[size].total[DEMETER_FAST],
				   ctx->rankings[size].total[DEMETER_SLOW], &plans->sizes[size]);
}

/*
 * Moves batch after batch, the hottest pages first, as long as moving pays, and the shares of
 * CPU time and of bandwidth for it last.
 */
static void demeter_relocate(struct demeter_ctx *ctx)
{
	const struct demeter_params *p = &ctx->params;
	const u64 end = task_sched_runtime(current) +
			(u64)p->epoch_ms * p->relocate_percent * (NSEC_PER_MSEC / 100);
	const u64 pages =
		div_u64((u64)p->relocate_mib * p->epoch_ms << (20 - PAGE_SHIFT), MSEC_PER_SEC);
	const u64 before = ctx->stats.promoted + ctx->stats.demoted;
	struct demeter_plans plans;
	bool go_on;

	demeter_relocate_begin(ctx);
	do {
		const u64 moved = ctx->stats.promoted + ctx->stats.demoted - before;

		demeter_plan(ctx, &plans, moved < pages ? (pages - moved) / 2 : 0);
		go_on = demeter_relocate_batch(ctx, &plans);
		demeter_update_group(ctx);
		demeter_update_close(ctx);
		cond_resched();
	} while (go_on && task_sched_runtime(current) < end);
	if (demeter_is_due(ctx, p->cool_epochs))
		demeter_update_cool(ctx);
	demeter_update_sleep(ctx);
	demeter_pace_update(ctx, ctx->stats.promoted + ctx->stats.demoted - before);
}

static void demeter_epoch(struct demeter_ctx *ctx)
{
	struct demeter_stats *now = &ctx->stats;
	struct demeter_stats before;
	u64 since;

	mutex_lock(&ctx->lock);
	before = *now;
	since = task_sched_runtime(current);
	demeter_warn_of_balancing(ctx);
	ctx->source->ops->count(ctx->source);
	now->epochs++;
	demeter_classify(ctx);
	now->stage_ns[DEMETER_CLASSIFY] += demeter_lap(&since);
	demeter_classify_estimate(ctx);
	now->stage_ns[DEMETER_RANK] += demeter_lap(&since);
	demeter_relocate(ctx);
	now->stage_ns[DEMETER_RELOCATE] += demeter_lap(&since);
	trace_demeter_relocate(now->promoted - before.promoted, now->demoted - before.demoted,
			       now->exchanged - before.exchanged, now->busy - before.busy,
			       now->refused - before.refused);
	demeter_count_events(now, &before);
	mutex_unlock(&ctx->lock);
}

static int demeter_thread(void *data)
{
	struct demeter_ctx *ctx = data;

	while (!kthread_should_stop()) {
		demeter_epoch(ctx);
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_timeout(msecs_to_jiffies(READ_ONCE(ctx->params.epoch_ms)));
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static void demeter_free_buffers(struct demeter_ctx *ctx)
{
	kfree(ctx->index);
	kfree(ctx->rankings);
	kfree(ctx->places);
	kfree(ctx->samples);
	ctx->places = NULL;
	ctx->index = NULL;
	ctx->rankings = NULL;
	ctx->samples = NULL;
}

static int demeter_alloc_buffers(struct demeter_ctx *ctx)
{
	ctx->samples = kmalloc_array(DEMETER_READ_SAMPLES, sizeof(*ctx->samples), GFP_KERNEL);
	ctx->places = kmalloc_array(DEMETER_READ_SAMPLES, sizeof(*ctx->places), GFP_KERNEL);
	ctx->rankings = kcalloc(NR_DEMETER_SIZES, sizeof(*ctx->rankings), GFP_KERNEL);
	ctx->index = kmalloc(sizeof(*ctx->index), GFP_KERNEL);
	if (ctx->samples && ctx->places && ctx->rankings && ctx->index) {
		demeter_index_init(ctx->index);
		return 0;
	}
	demeter_free_buffers(ctx);
	return -ENOMEM;
}

static int demeter_try_start(struct demeter_ctx *ctx)
{
	struct task_struct *thread;
	int ret;

	ret = demeter_scan_find_tiers(ctx);
	if (ret)
		return ret;
	ret = demeter_alloc_buffers(ctx);
	if (ret)
		return ret;
	ret = demeter_relocate_init(ctx);
	if (ret)
		goto free_buffers;
	ret = demeter_target_add_frames(ctx);
	if (ret)
		goto exit_relocate;
	ret = demeter_source_start(ctx);
	if (ret)
		goto drop_frames;
	demeter_pace_reset(ctx);
	thread = kthread_run(demeter_thread, ctx, "demeterd");
	if (!IS_ERR(thread)) {
		ctx->thread = thread;
		ctx->told_balanced = false;
		return 0;
	}
	ret = PTR_ERR(thread);
	demeter_source_stop(ctx);
drop_frames:
	demeter_target_drop(ctx->targets.frames);
exit_relocate:
	demeter_relocate_exit(ctx);
free_buffers:
	demeter_free_buffers(ctx);
	return ret;
}

/*
 * Begins to manage memory. Returns 0, or, with the reason in the log, -ENODEV without two tiers
 * or without a source, -ENOMEM, or an error of perf.
 */
static int demeter_start(struct demeter_ctx *ctx)
{
	int ret;

	lockdep_assert_held(&ctx->lock);
	if (demeter_is_running(ctx))
		return 0;
	ret = demeter_try_start(ctx);
	if (ret)
		pr_err("cannot start (%d)\n", ret);
	return ret;
}

/*
 * Returns when nothing is sampled or moved any more. Scopes and targets stay; where their pages
 * are, and how hot, is forgotten.
 */
static void demeter_stop(struct demeter_ctx *ctx)
{
	struct task_struct *thread = ctx->thread;
	struct demeter_target *t, *next;

	lockdep_assert_held(&ctx->lock);
	if (!thread)
		return;
	/* the thread may be waiting for the lock */
	mutex_unlock(&ctx->lock);
	kthread_stop(thread);
	mutex_lock(&ctx->lock);
	ctx->thread = NULL;
	demeter_source_stop(ctx);
	list_for_each_entry_safe(t, next, &ctx->targets.list, list) {
		if (t->kind != DEMETER_PROCESS) {
			demeter_target_drop(t);
			continue;
		}
		demeter_scan_forget(t);
		demeter_unmanaged_forget(t);
		demeter_update_wake(t);
		t->scan_from = 0;
		t->known_pages = 0;
		t->is_scanned = false;
	}
	demeter_relocate_exit(ctx);
	demeter_free_buffers(ctx);
}

static const struct demeter_control demeter_control = {
	.start = demeter_start,
	.stop = demeter_stop,
};

static int __init demeter_init(void)
{
	struct demeter_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	int ret;

	if (!ctx)
		return -ENOMEM;
	mutex_init(&ctx->lock);
	ctx->params = demeter_defaults;
	demeter_scopes_init(&ctx->scopes);
	demeter_targets_init(ctx);
	INIT_LIST_HEAD(&ctx->open);
	ctx->observer = &demeter_sysfs_observer;
	ret = demeter_granules_init(&ctx->granules);
	if (ret)
		goto free;
	ret = demeter_sources_init(ctx);
	if (ret)
		goto exit_granules;
	ret = demeter_ranker_init(ctx);
	if (ret)
		goto exit_sources;
	demeter_holds_init(ctx, &demeter_control);
	ret = demeter_sysfs_init(ctx);
	if (ret)
		goto exit_ranker;
	ret = demeter_holds_open(ctx);
	if (ret)
		goto exit_sysfs;
	demeter_ctx = ctx;
	return 0;
exit_sysfs:
	demeter_sysfs_exit(ctx);
exit_ranker:
	demeter_ranker_exit(ctx);
exit_sources:
	demeter_sources_exit(ctx);
exit_granules:
	demeter_granules_exit(&ctx->granules);
free:
	kfree(ctx);
	return ret;
}

static void __exit demeter_exit(void)
{
	struct demeter_ctx *ctx = demeter_ctx;

	demeter_holds_close(ctx);
	demeter_ranker_exit(ctx);
	demeter_sysfs_exit(ctx);
	demeter_sources_exit(ctx);
	demeter_granules_exit(&ctx->granules);
	kfree(ctx);
}

module_init(demeter_init);
module_exit(demeter_exit);
MODULE_DESCRIPTION("Demeter: management of tiered memory by its user's kernel");
MODULE_LICENSE("GPL");
