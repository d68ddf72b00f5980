// SPDX-License-Identifier: GPL-2.0
/*
 * Watches a process by its accessed bits.
 *
 * DAMON divides the memory of a process into regions whose pages are accessed alike, and
 * counts for each in how many intervals of an epoch a page of it was accessed. Then its
 * thread turns these counts into samples: for each region as many as it had accesses times
 * pages, by the same divisor for all processes. So everything behind works as it does with
 * a PMU. But less is known: not which pages of a region are accessed, nor whether a page is
 * accessed once in an interval or a million times.
 */
#include <linux/completion.h>
#include <linux/damon.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/page_exchange.h>
#include <linux/pid.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched/cputime.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "watch.h"

/* Intervals of an epoch. An access is noticed once in each. */
#define INTERVALS 25
/* Least and most regions of a process, each of which costs two page walks per interval. */
#define MIN_REGIONS 10
#define MAX_REGIONS 1000
/* Samples of all processes in an epoch, and of one process at most. */
#define EPOCH_SAMPLES 16384
#define RING_SAMPLES  8192

/**
 * struct demeter_watch - A process that is being watched
 * @all:	State that it shares with others.
 * @ctx:	DAMON's regions.
 * @task:	DAMON's thread, which may have ended.
 * @started:	Completed when @task is known.
 * @ended:	Whether that thread has found that @thread has another mm now, or none.
 * @thread:	A thread of the process.
 * @mm:		The mm of the process.
 * @stopping:	Ends the watch, in a thread of a workqueue.
 * @epoch_ms:	Length of an epoch.
 * @random:	Draws where in a region samples are.
 * @ring:	Samples, written by DAMON's thread.
 * @total:	Accesses times pages of the last epoch.
 * @samples:	How many samples there were.
 * @cpu_ns:	CPU time of DAMON's thread.
 * @counted:	@samples when they were counted last. Only the reader uses it.
 * @counted_ns:	@cpu_ns likewise.
 */
struct demeter_watch {
	struct demeter_watches *all;
	struct damon_ctx *ctx;
	struct task_struct *task;
	struct completion started;
	bool ended;
	struct pid *thread;
	struct mm_struct *mm;
	struct work_struct stopping;
	unsigned int epoch_ms;
	struct rnd_state random;
	struct tier_ring ring;
	u64 total;
	u64 samples;
	u64 cpu_ns;
	u64 counted;
	u64 counted_ns;
};

static int demeter_watch_on_start(struct damon_ctx *ctx)
{
	struct demeter_watch *w = ctx->callback.private;

	w->task = get_task_struct(current);
	complete(&w->started);
	return 0;
}

static void demeter_watch_on_end(struct damon_ctx *ctx)
{
	struct demeter_watch *w = ctx->callback.private;

	WRITE_ONCE(w->ended, true);
}

/* Whether the thread still has the mm: it may have exited or called exec(). */
static bool demeter_watch_has_mm(struct demeter_watch *w)
{
	struct task_struct *thread = get_pid_task(w->thread, PIDTYPE_PID);
	bool has;

	if (!thread)
		return false;
	task_lock(thread);
	has = thread->mm == w->mm;
	task_unlock(thread);
	put_task_struct(thread);
	return has;
}

/*
 * DAMON has cleared accessed bits, but flushes no translations: the processor sets a bit
 * again when the translation happens to have left its TLB, which for the hottest pages is
 * last. So they are flushed here.
 */
static int demeter_watch_on_sampling(struct damon_ctx *ctx)
{
	struct demeter_watch *w = ctx->callback.private;

	if (!demeter_watch_has_mm(w))
		return -ESRCH;
	page_exchange_flush_tlb(w->mm);
	return 0;
}

static u64 demeter_watch_weight(struct damon_region *r)
{
	return (u64)r->nr_accesses * (damon_sz_region(r) >> PAGE_SHIFT);
}

/* Makes @n samples: the region is cut into as many parts, and each has one somewhere. */
static void demeter_watch_sample(struct demeter_watch *w, struct damon_region *r, u64 n)
{
	const u64 pages = damon_sz_region(r) >> PAGE_SHIFT;

	for (u64 i = 0; i < n; i++) {
		const u64 somewhere = mul_u64_u32_shr(pages, prandom_u32_state(&w->random), 32);
		const u64 page = div64_u64(i * pages + somewhere, n);

		tier_ring_write(&w->ring, w->mm, r->ar.start + (page << PAGE_SHIFT));
	}
	WRITE_ONCE(w->samples, w->samples + n);
}

/* DAMON has counted for an epoch. */
static int demeter_watch_on_aggregation(struct damon_ctx *ctx)
{
	struct demeter_watch *w = ctx->callback.private;
	u64 total = 0, before = 0, given = 0, by;
	struct damon_target *t;
	struct damon_region *r;

	damon_for_each_target(t, ctx)
		damon_for_each_region(r, t)
			total += demeter_watch_weight(r);
	WRITE_ONCE(w->total, total);
	/* the divisor may not know yet of a process that has just become busy: spare the ring */
	by = max(READ_ONCE(w->all->divisor), div_u64(total, RING_SAMPLES / 2) + 1);
	damon_for_each_target(t, ctx) {
		damon_for_each_region(r, t) {
			u64 due;

			before += demeter_watch_weight(r);
			due = div64_u64(before, by);
			demeter_watch_sample(w, r, due - given);
			given = due;
		}
	}
	WRITE_ONCE(w->cpu_ns, task_sched_runtime(current));
	return 0;
}

/**
 * demeter_watches_init() - Prepare the state that all watches share
 * @all:	The state.
 *
 * Return: 0 or -ENOMEM.
 */
int demeter_watches_init(struct demeter_watches *all)
{
	all->divisor = 1;
	all->stopper = alloc_workqueue("demeter_stop", WQ_UNBOUND, 0);
	return all->stopper ? 0 : -ENOMEM;
}

/**
 * demeter_watches_exit() - Wait until all watches that were stopped have ended
 * @all:	The state that they share.
 */
void demeter_watches_exit(struct demeter_watches *all)
{
	destroy_workqueue(all->stopper);
}

/**
 * demeter_watches_scale() - Set how much a sample stands for from now on
 * @all:	The state that all watches share.
 * @total:	Sum of what demeter_watch_total() tells of each.
 */
void demeter_watches_scale(struct demeter_watches *all, u64 total)
{
	WRITE_ONCE(all->divisor, div_u64(total, EPOCH_SAMPLES) + 1);
}

/**
 * demeter_watch_check() - See whether processes can be watched at all
 *
 * Return: 0 or -ENODEV.
 */
int demeter_watch_check(void)
{
	struct damon_ctx *ctx = damon_new_ctx();
	int ret = ctx && !damon_select_ops(ctx, DAMON_OPS_VADDR) ? 0 : -ENODEV;

	if (ctx)
		damon_destroy_ctx(ctx);
	return ret;
}

static int demeter_watch_start_damon(struct demeter_watch *w)
{
	const unsigned long epoch_us = w->epoch_ms * USEC_PER_MSEC;
	struct damon_attrs attrs = {
		.sample_interval = epoch_us / INTERVALS,
		.aggr_interval = epoch_us,
		.ops_update_interval = epoch_us,
		.min_nr_regions = MIN_REGIONS,
		.max_nr_regions = MAX_REGIONS,
	};
	struct damon_target *t;
	int ret;

	ret = damon_select_ops(w->ctx, DAMON_OPS_VADDR);
	if (!ret)
		ret = damon_set_attrs(w->ctx, &attrs);
	if (ret)
		return ret;
	t = damon_new_target();
	if (!t)
		return -ENOMEM;
	t->pid = w->thread;
	damon_add_target(w->ctx, t);
	w->ctx->callback = (struct damon_callback){
		.private = w,
		.before_start = demeter_watch_on_start,
		.after_sampling = demeter_watch_on_sampling,
		.after_aggregation = demeter_watch_on_aggregation,
		.before_terminate = demeter_watch_on_end,
	};
	return damon_start(&w->ctx, 1, false);
}

static void demeter_watch_free(struct demeter_watch *w)
{
	if (w->ctx)
		damon_destroy_ctx(w->ctx);
	tier_ring_free(&w->ring);
	put_pid(w->thread);
	mmdrop(w->mm);
	kfree(w);
}

static void demeter_watch_stop_work(struct work_struct *work)
{
	struct demeter_watch *w = container_of(work, struct demeter_watch, stopping);

	wait_for_completion(&w->started);
	/* not damon_stop(), which does not wait for a thread that is ending by itself */
	kthread_stop_put(w->task);
	demeter_watch_free(w);
}

/**
 * demeter_watch_start() - Watch a process
 * @all:	The state that all watches share.
 * @thread:	A thread of the process that has @mm.
 * @mm:		The mm of the process.
 * @epoch_ms:	Length of an epoch, after which there are samples.
 *
 * Return: the watch, which the caller ends with demeter_watch_stop(), or an error
 * pointer: -ENOMEM, -EBUSY if another user of DAMON wants to be the only one.
 */
struct demeter_watch *demeter_watch_start(struct demeter_watches *all, struct pid *thread,
					  struct mm_struct *mm, unsigned int epoch_ms)
{
	struct demeter_watch *w = kzalloc(sizeof(*w), GFP_KERNEL | __GFP_NOWARN);
	int ret = -ENOMEM;

	if (!w)
		return ERR_PTR(-ENOMEM);
	w->all = all;
	init_completion(&w->started);
	prandom_seed_state(&w->random, get_random_u64());
	w->thread = get_pid(thread);
	mmgrab(mm);
	w->mm = mm;
	w->epoch_ms = epoch_ms;
	INIT_WORK(&w->stopping, demeter_watch_stop_work);
	w->ctx = damon_new_ctx();
	if (w->ctx && !tier_ring_init(&w->ring, RING_SAMPLES, NUMA_NO_NODE))
		ret = demeter_watch_start_damon(w);
	if (!ret)
		return w;
	demeter_watch_free(w);
	return ERR_PTR(ret);
}

/**
 * demeter_watch_stop() - Watch a process no longer
 * @w:		The watch, which must not be used any more.
 *
 * DAMON's thread may be waiting for the mmap lock of the process. The caller does not: the
 * watch is ended by a workqueue.
 */
void demeter_watch_stop(struct demeter_watch *w)
{
	queue_work(w->all->stopper, &w->stopping);
}

/**
 * demeter_watch_has_ended() - Whether the process has exited or has another mm now
 * @w:		The watch.
 *
 * Return: whether it has.
 */
bool demeter_watch_has_ended(const struct demeter_watch *w)
{
	return READ_ONCE(w->ended);
}

/**
 * demeter_watch_epoch() - Tell how often there are samples
 * @w:		The watch.
 *
 * Return: what demeter_watch_start() was given, in ms.
 */
unsigned int demeter_watch_epoch(const struct demeter_watch *w)
{
	return w->epoch_ms;
}

/**
 * demeter_watch_total() - Tell how much a process accessed in the last epoch
 * @w:		The watch.
 *
 * Return: accesses times pages.
 */
u64 demeter_watch_total(const struct demeter_watch *w)
{
	return READ_ONCE(w->total);
}

/**
 * demeter_watch_read() - Take samples of a process
 * @w:		The watch.
 * @samples:	Gets them.
 * @max:	How many it gets at most.
 * @lost:	Is increased by how many were overwritten before they were read.
 *
 * Return: how many were read, 0 when there are no more.
 */
u32 demeter_watch_read(struct demeter_watch *w, struct tier_sample *samples, u32 max, u64 *lost)
{
	return tier_ring_read(&w->ring, samples, max, lost);
}

/**
 * demeter_watch_counts() - Add up what watching a process has done since the last call
 * @w:		The watch.
 * @samples:	Is increased by how many samples there were.
 * @cpu_ns:	Is increased by the CPU time that they took.
 */
void demeter_watch_counts(struct demeter_watch *w, u64 *samples, u64 *cpu_ns)
{
	const u64 now = READ_ONCE(w->samples), now_ns = READ_ONCE(w->cpu_ns);

	*samples += now - w->counted;
	*cpu_ns += now_ns - w->counted_ns;
	w->counted = now;
	w->counted_ns = now_ns;
}
