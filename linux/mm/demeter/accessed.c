// SPDX-License-Identifier: GPL-2.0
/*
 * Samples from accessed bits, for machines whose PMU does not sample addresses.
 *
 * DAMON divides the memory of a process into regions whose pages are accessed alike, and
 * counts for each in how many intervals a page of it was accessed. Once per epoch, its
 * thread turns these counts into samples, which take the same way as those of a PMU: as
 * many for each region as it had accesses times pages, spread evenly over it. So
 * everything behind works as it does with a PMU, on what is known less precisely: which
 * pages of a region are accessed, and whether once in an interval or a million times.
 */
#include <linux/damon.h>
#include <linux/math64.h>
#include <linux/page_exchange.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/cputime.h>
#include <linux/slab.h>

#include "accessed.h"

/* Intervals of an epoch in which an access is noticed once. */
#define INTERVALS 25
/* Most regions of a process, each of which costs two page walks per interval. */
#define MIN_REGIONS 10
#define MAX_REGIONS 1000
/* What an epoch of a process is condensed to. */
#define EPOCH_SAMPLES 4096
#define RING_SAMPLES  8192

/**
 * struct demeter_watch - A process that is being watched
 * @ctx:	DAMON's thread and its regions.
 * @pid:	The process.
 * @mm:		Its memory, which the caller holds.
 * @ring:	Samples, written by that thread.
 * @samples:	How many there were.
 * @cpu_ns:	CPU time of that thread.
 * @counted:	@samples when they were asked for last; the reader's, as what follows.
 * @counted_ns:	Likewise @cpu_ns.
 */
struct demeter_watch {
	struct damon_ctx *ctx;
	struct pid *pid;
	struct mm_struct *mm;
	struct demeter_ring ring;
	u64 samples;
	u64 cpu_ns;
	u64 counted;
	u64 counted_ns;
};

static u64 weight(struct damon_region *r)
{
	return (u64)r->nr_accesses * (damon_sz_region(r) >> PAGE_SHIFT);
}

static void sample_region(struct demeter_watch *w, struct damon_region *r, u64 n)
{
	const u64 pages = damon_sz_region(r) >> PAGE_SHIFT;

	for (u64 i = 0; i < n; i++) {
		/* in the middle of the i-th of n parts */
		const u64 page = div64_u64((2 * i + 1) * pages, 2 * n);

		demeter_ring_write(&w->ring, w, r->ar.start + (page << PAGE_SHIFT));
	}
	WRITE_ONCE(w->samples, w->samples + n);
}

/*
 * DAMON's thread has cleared accessed bits. It leaves it to chance when the processor looks
 * at them again; the hottest pages would be the last for which it does.
 */
static int on_sampling(struct damon_ctx *ctx)
{
	struct demeter_watch *w = ctx->callback.private;

	forget_user_translations(w->mm);
	return 0;
}

/* DAMON's thread has counted for an epoch. */
static int on_aggregation(struct damon_ctx *ctx)
{
	struct demeter_watch *w = ctx->callback.private;
	u64 total = 0, before = 0, given = 0, most;
	struct damon_target *t;
	struct damon_region *r;

	damon_for_each_target(t, ctx)
		damon_for_each_region(r, t)
			total += weight(r);
	most = min_t(u64, total, EPOCH_SAMPLES);
	damon_for_each_target(t, ctx) {
		damon_for_each_region(r, t) {
			u64 due;

			before += weight(r);
			due = div64_u64(before * most, max(total, 1ull));
			sample_region(w, r, due - given);
			given = due;
		}
	}
	WRITE_ONCE(w->cpu_ns, task_sched_runtime(current));
	return 0;
}

/**
 * demeter_watch_check() - Whether processes can be watched at all
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

static int start(struct demeter_watch *w, unsigned int epoch_ms)
{
	const unsigned long epoch_us = epoch_ms * USEC_PER_MSEC;
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
	t->pid = w->pid;
	damon_add_target(w->ctx, t);
	w->ctx->callback.after_sampling = on_sampling;
	w->ctx->callback.after_aggregation = on_aggregation;
	w->ctx->callback.private = w;
	return damon_start(&w->ctx, 1, false);
}

static void free_watch(struct demeter_watch *w)
{
	if (w->ctx)
		damon_destroy_ctx(w->ctx);
	demeter_ring_free(&w->ring);
	put_pid(w->pid);
	kfree(w);
}

/**
 * demeter_watch_start() - Watch a process
 * @pid:	The process, as the first namespace knows it.
 * @mm:		Its memory, which the caller holds on to until demeter_watch_stop().
 * @epoch_ms:	How often samples are wanted.
 *
 * Return: the watch, which the caller ends with demeter_watch_stop(); NULL without
 * memory, or if DAMON refuses.
 */
struct demeter_watch *demeter_watch_start(pid_t pid, struct mm_struct *mm, unsigned int epoch_ms)
{
	struct demeter_watch *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w)
		return NULL;
	w->mm = mm;
	rcu_read_lock();
	w->pid = get_pid(find_pid_ns(pid, &init_pid_ns));
	rcu_read_unlock();
	w->ctx = damon_new_ctx();
	if (w->pid && w->ctx && !demeter_ring_init(&w->ring, RING_SAMPLES, NUMA_NO_NODE) &&
	    !start(w, epoch_ms))
		return w;
	free_watch(w);
	return NULL;
}

/**
 * demeter_watch_stop() - Watch a process no longer
 * @w:		The watch, which is freed. Waits for DAMON's thread.
 */
void demeter_watch_stop(struct demeter_watch *w)
{
	/* which has ended by itself if the process has */
	damon_stop(&w->ctx, 1);
	free_watch(w);
}

/**
 * demeter_watch_read() - Take samples of a process
 * @w:		The watch.
 * @samples:	Gets them.
 * @max:	How many at the most.
 * @lost:	Is increased by how many came too fast.
 *
 * Return: how many; 0 when all have been taken.
 */
u32 demeter_watch_read(struct demeter_watch *w, struct demeter_sample *samples, u32 max, u64 *lost)
{
	return demeter_ring_read(&w->ring, samples, max, lost);
}

/**
 * demeter_watch_counts() - Add what the watching of a process has done since the last call
 * @w:		The watch.
 * @samples:	Is increased by its samples.
 * @cpu_ns:	Is increased by the CPU time that it took.
 */
void demeter_watch_counts(struct demeter_watch *w, u64 *samples, u64 *cpu_ns)
{
	const u64 now = READ_ONCE(w->samples), now_ns = READ_ONCE(w->cpu_ns);

	*samples += now - w->counted;
	*cpu_ns += now_ns - w->counted_ns;
	w->counted = now;
	w->counted_ns = now_ns;
}
