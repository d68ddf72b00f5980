// SPDX-License-Identifier: GPL-2.0
/*
 * The epochs of Demeter: one kernel thread that takes the samples, classifies, ranks
 * and relocates; and the module.
 */
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

/* Samples taken from a ring at once. */
#define READ_SAMPLES 256

/* See demeter.h. */
DEFINE_MUTEX(demeter_lock);

/* Defaults: the paper's where it has them; see demeter.rst for the others. */
struct demeter_params demeter_params = {
	.epoch_ms = 500,
	.sample_period = 1021,
	.latency_threshold = 64,
	.split_threshold = 30,
	.merge_epochs = 15,
	.max_ranges = 256,
	.cool_epochs = 8,
	.backoff_epochs = 128,
	.batch_pages = 16 << (20 - PAGE_SHIFT),
	.margin = 2,
	.exchange_ns = 5000,
	.tier_ns = 100,
	.page_counters = true,
};

struct demeter_stats demeter_stats;
nodemask_t demeter_fast_nodes, demeter_slow_nodes;

static const struct demeter_source *source; /* NULL: the first that works */
static const struct demeter_source *running_source;
static struct task_struct *thread;
static struct demeter_sample *sample_buffer;
static struct demeter_ranking *rankings; /* by size */
static struct demeter_sample_counts counted; /* since sampling began */

/**
 * demeter_is_running() - Whether memory is managed
 *
 * Return: whether it is.
 */
bool demeter_is_running(void)
{
	return thread;
}

/**
 * demeter_source_chosen() - What is sampled
 *
 * Return: the source in use, or the one that was asked for; NULL for any.
 */
const struct demeter_source *demeter_source_chosen(void)
{
	return thread ? running_source : source;
}

/**
 * demeter_choose_source() - Say what is to be sampled
 * @name:	Name of a source, or "auto" for the first that works.
 *
 * Return: 0, -EINVAL if there is no such source, -EBUSY while running.
 */
int demeter_choose_source(const char *name)
{
	if (thread)
		return -EBUSY;
	if (sysfs_streq(name, "auto")) {
		source = NULL;
		return 0;
	}
	for (unsigned int i = 0; i < demeter_nr_sources; i++) {
		if (sysfs_streq(name, demeter_sources[i].name)) {
			source = &demeter_sources[i];
			return 0;
		}
	}
	return -EINVAL;
}

/* CPU time of this thread since *@since, which becomes now. */
static u64 lap(u64 *since)
{
	const u64 now = task_sched_runtime(current);
	const u64 ns = now - *since;

	*since = now;
	return ns;
}

static void take_sample(struct demeter_target *t, unsigned long addr)
{
	struct demeter_granule *g = t->last_sampled;

	if (!g || addr - g->start >= GRANULE_SIZE)
		g = xa_load(&t->granules, addr / GRANULE_SIZE);
	/* memory that is not managed, or came after the scan */
	if (!g) {
		demeter_stats.strays++;
		return;
	}
	t->last_sampled = g;
	t->samples++;
	demeter_granule_sample(g, (addr >> PAGE_SHIFT) % GRANULE_PAGES);
}

/* Samples of accessed bits, by target. */
static void take_watched(void)
{
	struct demeter_target *t;
	u32 n;

	list_for_each_entry(t, &demeter_targets, list) {
		if (!t->watch)
			continue;
		while ((n = demeter_watch_read(t->watch, sample_buffer, READ_SAMPLES,
					       &demeter_stats.lost)))
			for (u32 i = 0; i < n; i++)
				take_sample(t, sample_buffer[i].addr);
		cond_resched();
	}
}

/* Samples of a PMU, by CPU. */
static void take_sampled(void)
{
	struct demeter_target *t = NULL;
	int cpu = -1;
	u32 n;

	while ((n = demeter_sampling_read(&cpu, sample_buffer, READ_SAMPLES,
					  &demeter_stats.lost))) {
		for (u32 i = 0; i < n; i++) {
			const struct demeter_sample *s = &sample_buffer[i];

			if (!t || t->mm != s->owner)
				t = demeter_target_of(s->owner);
			if (t)
				take_sample(t, s->addr);
			else
				demeter_stats.strays++;
		}
		cond_resched();
	}
}

static void take_samples(void)
{
	struct demeter_target *t;

	list_for_each_entry(t, &demeter_targets, list)
		t->last_sampled = NULL;
	if (running_source->accessed_bits)
		take_watched();
	else
		take_sampled();
}

static bool is_due(unsigned int epochs)
{
	return epochs && demeter_stats.epochs % epochs == 0;
}

static void age(struct demeter_target *t)
{
	const bool try_again = is_due(demeter_params.backoff_epochs);
	struct demeter_granule *g;
	unsigned long index;

	mutex_lock(&t->lock);
	xa_for_each(&t->granules, index, g) {
		if (g->fresh)
			demeter_ranges_sample(&t->ranges, g->start, g->fresh);
		g->fresh = 0;
		if (try_again)
			bitmap_zero(g->stuck, GRANULE_PAGES);
	}
	t->ranges.split = demeter_params.split_threshold * num_online_cpus();
	t->ranges.merge = demeter_params.merge_epochs;
	demeter_ranges_epoch(&t->ranges);
	mutex_unlock(&t->lock);
	trace_demeter_epoch(t->pid, t->ranges.nr, t->ranges.nr_splits, t->ranges.nr_merges,
			    t->samples);
}

static void cool(struct demeter_target *t)
{
	struct demeter_granule *g;
	unsigned long index;

	xa_for_each(&t->granules, index, g)
		demeter_granule_cool(g);
}

/* Estimate the granules from @index on that lie in @r, given the mean of ranges. */
static void estimate_range(struct demeter_target *t, const struct demeter_range *r,
			   const struct demeter_group *ranges)
{
	const unsigned long first = r->start / GRANULE_SIZE, last = (r->end - 1) / GRANULE_SIZE;
	struct demeter_group granules = {};
	struct demeter_granule *g;
	unsigned long index;
	u32 mean;

	xa_for_each_range(&t->granules, index, g, first, last)
		if (g->nr_present)
			demeter_group_add(&granules, g->nr_present, g->sum);
	if (!granules.members)
		return;
	demeter_group_estimate(&granules);
	mean = demeter_group_member(ranges, granules.pages, granules.sum, ranges->mean);
	xa_for_each_range(&t->granules, index, g, first, last) {
		if (!g->nr_present)
			continue;
		demeter_granule_estimate(
			g, demeter_group_member(&granules, g->nr_present, g->sum, mean));
		if (!demeter_params.page_counters)
			g->weight = 0;
		demeter_ranking_add(&rankings[demeter_granule_size(g)], g);
	}
}

static u64 sum_of_range(struct demeter_target *t, const struct demeter_range *r, u32 *pages)
{
	const unsigned long first = r->start / GRANULE_SIZE, last = (r->end - 1) / GRANULE_SIZE;
	struct demeter_granule *g;
	unsigned long index;
	u64 sum = 0;

	*pages = 0;
	xa_for_each_range(&t->granules, index, g, first, last) {
		if (!g->nr_present)
			continue;
		*pages += g->nr_present;
		sum += g->sum;
	}
	return sum;
}

static void rank(void)
{
	struct demeter_group ranges = {};
	struct demeter_target *t;

	memset(rankings, 0, NR_DEMETER_SIZES * sizeof(*rankings));
	list_for_each_entry(t, &demeter_targets, list) {
		for (unsigned int i = 0; i < t->ranges.nr; i++) {
			u32 pages;
			const u64 sum = sum_of_range(t, &t->ranges.ranges[i], &pages);

			if (pages)
				demeter_group_add(&ranges, pages, sum);
		}
	}
	demeter_group_estimate(&ranges);
	list_for_each_entry(t, &demeter_targets, list)
		for (unsigned int i = 0; i < t->ranges.nr; i++)
			estimate_range(t, &t->ranges.ranges[i], &ranges);
}

/*
 * A sample that is remembered stands for sample_period accesses, and what was
 * accessed within the memory of the counts is expected to be again.
 */
static struct demeter_worth worth(void)
{
	const u64 gain_ns = (u64)demeter_params.sample_period * demeter_params.tier_ns;
	const u64 one = HEAT_SAMPLE << HEAT_SHIFT;

	return (struct demeter_worth){
		.margin = demeter_params.margin,
		.least = min_t(u64, demeter_params.exchange_ns * one / max(gain_ns, 1ull),
			       U32_MAX / 2),
	};
}

static u64 pages_of_plan(const struct demeter_plan *p, enum demeter_size size)
{
	return demeter_pages_of(size) * (p->exchange + p->promote);
}

static struct demeter_plan plan_size(enum demeter_size size, u64 most, u64 free)
{
	const unsigned int pages = demeter_pages_of(size);
	const struct demeter_worth pays = worth();

	return demeter_ranking_plan(&rankings[size], &pays, most / pages, free / pages);
}

/*
 * Neither size takes more than half of a batch if the other has use for the rest. Returns
 * which huge pages are to be split.
 */
static struct demeter_split plan(struct demeter_plan plans[NR_DEMETER_SIZES])
{
	const u64 batch = demeter_params.batch_pages;
	const struct demeter_worth pays = worth();
	struct demeter_plan *base = &plans[DEMETER_BASE], *huge = &plans[DEMETER_HUGE];
	u64 free = demeter_free_fast_pages(DEMETER_BASE), used;

	*base = plan_size(DEMETER_BASE, batch, free);
	*huge = plan_size(DEMETER_HUGE, batch - min(pages_of_plan(base, DEMETER_BASE), batch / 2),
			  demeter_free_fast_pages(DEMETER_HUGE));
	used = pages_of_plan(huge, DEMETER_HUGE);
	if (used) {
		free -= min(free, huge->promote * demeter_pages_of(DEMETER_HUGE));
		*base = plan_size(DEMETER_BASE, batch - used, free);
	}
	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		trace_demeter_rank(demeter_pages_of(size), rankings[size].total[DEMETER_FAST],
				   rankings[size].total[DEMETER_SLOW], &plans[size]);
	/* as long as there is free memory, nobody need make room */
	if (base->promote || huge->promote)
		return (struct demeter_split){};
	return demeter_ranking_split(rankings, &pays, plans,
				     batch - used - pages_of_plan(base, DEMETER_BASE));
}

static void count_events(const struct demeter_stats *before)
{
	const struct demeter_stats *now = &demeter_stats;

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

static void count_watched(void)
{
	struct demeter_target *t;

	list_for_each_entry(t, &demeter_targets, list)
		if (t->watch)
			demeter_watch_counts(t->watch, &demeter_stats.samples,
					     &demeter_stats.stage_ns[DEMETER_SAMPLE]);
}

static void count_sampled(void)
{
	const struct demeter_sample_counts counts = demeter_sampling_counts();

	demeter_stats.samples += counts.samples - counted.samples;
	/* an estimate that may become smaller */
	if (counts.cpu_ns > counted.cpu_ns) {
		demeter_stats.stage_ns[DEMETER_SAMPLE] += counts.cpu_ns - counted.cpu_ns;
		counted.cpu_ns = counts.cpu_ns;
	}
	counted.samples = counts.samples;
}

/* Add what sampling has done since the last epoch. */
static void count_samples(void)
{
	if (running_source->accessed_bits)
		count_watched();
	else
		count_sampled();
}

static bool has_pages(const struct demeter_target *t)
{
	return t->pages[DEMETER_FAST] || t->pages[DEMETER_SLOW];
}

static void unwatch(struct demeter_target *t)
{
	if (t->watch)
		demeter_watch_stop(t->watch);
	t->watch = NULL;
}

/* Whether it is being watched, and is to be. Ends what is out of date. */
static bool is_watched(struct demeter_target *t)
{
	const bool ended = t->watch && demeter_watch_has_ended(t->watch);

	/* found again if another thread still has the memory */
	if (ended)
		t->scope = 0;
	if (ended || !has_pages(t) ||
	    (t->watch && demeter_watch_epoch(t->watch) != demeter_params.epoch_ms))
		unwatch(t);
	return t->watch;
}

/* False when there is no point in trying others. */
static bool watch(struct demeter_target *t)
{
	struct demeter_watch *w = demeter_watch_start(t->thread, t->mm, demeter_params.epoch_ms);

	if (IS_ERR(w)) {
		pr_warn_ratelimited("demeter: process %d is not watched (%ld)\n", t->pid,
				    PTR_ERR(w));
		return false;
	}
	t->watch = w;
	return true;
}

/* Accessed bits are sampled by target. Whose memory may not be moved need not be. */
static void watch_targets(void)
{
	struct demeter_target *t;
	unsigned int n = 0;
	u64 total = 0;

	list_for_each_entry(t, &demeter_targets, list) {
		if (!is_watched(t))
			continue;
		total += demeter_watch_total(t->watch);
		n++;
	}
	demeter_watch_scale(total);
	list_for_each_entry(t, &demeter_targets, list) {
		if (t->watch || !t->scope || !has_pages(t))
			continue;
		if (n++ == DEMETER_MAX_WATCHED || !watch(t))
			return;
	}
}

static void epoch(void)
{
	struct demeter_plan plans[NR_DEMETER_SIZES];
	struct demeter_split split;
	struct demeter_stats before;
	struct demeter_target *t;
	u64 since;

	mutex_lock(&demeter_lock);
	before = demeter_stats;
	since = task_sched_runtime(current);
	count_samples();
	demeter_stats.epochs++;
	demeter_targets_find();
	demeter_targets_scan();
	if (running_source->accessed_bits)
		watch_targets();
	take_samples();
	list_for_each_entry(t, &demeter_targets, list)
		age(t);
	demeter_stats.stage_ns[DEMETER_CLASSIFY] += lap(&since);

	rank();
	split = plan(plans);
	demeter_stats.stage_ns[DEMETER_RANK] += lap(&since);

	demeter_relocate_begin();
	for (int size = NR_DEMETER_SIZES - 1; size >= 0; size--)
		demeter_relocate(size, &plans[size]);
	demeter_split(split);
	if (is_due(demeter_params.cool_epochs))
		list_for_each_entry(t, &demeter_targets, list)
			cool(t);
	demeter_stats.stage_ns[DEMETER_RELOCATE] += lap(&since);
	trace_demeter_relocate(
		demeter_stats.promoted - before.promoted, demeter_stats.demoted - before.demoted,
		demeter_stats.exchanged - before.exchanged, demeter_stats.busy - before.busy,
		demeter_stats.refused - before.refused);
	count_events(&before);
	mutex_unlock(&demeter_lock);
}

static int run(void *unused)
{
	while (!kthread_should_stop()) {
		epoch();
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_timeout(msecs_to_jiffies(READ_ONCE(demeter_params.epoch_ms)));
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

/* Fast and slow nodes from the kernel's memory tiers, unless users named them. */
static int find_tiers(void)
{
	int nid;

	if (nodes_empty(demeter_fast_nodes) && nodes_empty(demeter_slow_nodes)) {
		for_each_node_state(nid, N_MEMORY) {
			if (page_exchange_node_is_fast(nid))
				node_set(nid, demeter_fast_nodes);
			else
				node_set(nid, demeter_slow_nodes);
		}
	}
	if (nodes_empty(demeter_fast_nodes) || nodes_empty(demeter_slow_nodes) ||
	    nodes_intersects(demeter_fast_nodes, demeter_slow_nodes)) {
		pr_err("demeter: needs nodes of two memory tiers; fast: %*pbl, slow: %*pbl\n",
		       nodemask_pr_args(&demeter_fast_nodes),
		       nodemask_pr_args(&demeter_slow_nodes));
		return -ENODEV;
	}
	return 0;
}

static int try_source(const struct demeter_source *s)
{
	if (s->accessed_bits)
		return demeter_watch_check();
	return demeter_sampling_start(s, demeter_params.sample_period,
				      demeter_params.latency_threshold);
}

static void stop_sampling(void)
{
	struct demeter_target *t;

	if (!running_source->accessed_bits) {
		demeter_sampling_stop();
		return;
	}
	list_for_each_entry(t, &demeter_targets, list)
		unwatch(t);
}

static int start_sampling(void)
{
	int ret = -ENODEV;

	for (unsigned int i = 0; i < demeter_nr_sources && ret; i++) {
		if (source && source != &demeter_sources[i])
			continue;
		running_source = &demeter_sources[i];
		ret = try_source(running_source);
	}
	if (!ret)
		pr_info("demeter: samples by %s\n", running_source->name);
	else
		pr_err("demeter: no PMU that samples data addresses%s%s (%d)\n", source ? ": " : "",
		       source ? source->name : "", ret);
	return ret;
}

/**
 * demeter_start() - Begin to manage memory
 *
 * Return: 0, or with the reason in the log -ENODEV when there are not two tiers or
 * nothing that samples, -ENOMEM, or what perf said.
 */
int demeter_start(void)
{
	int ret;

	lockdep_assert_held(&demeter_lock);
	if (thread)
		return 0;
	ret = find_tiers();
	if (ret)
		return ret;
	counted = (struct demeter_sample_counts){};
	sample_buffer = kmalloc_array(READ_SAMPLES, sizeof(*sample_buffer), GFP_KERNEL);
	rankings = kmalloc_array(NR_DEMETER_SIZES, sizeof(*rankings), GFP_KERNEL);
	ret = sample_buffer && rankings ? demeter_relocate_init() : -ENOMEM;
	if (ret)
		goto free;
	ret = start_sampling();
	if (ret)
		goto exit_relocate;
	thread = kthread_run(run, NULL, "demeterd");
	if (!IS_ERR(thread))
		return 0;
	ret = PTR_ERR(thread);
	thread = NULL;
	stop_sampling();
exit_relocate:
	demeter_relocate_exit();
free:
	kfree(rankings);
	kfree(sample_buffer);
	return ret;
}

/**
 * demeter_stop() - Leave memory as it is from now on
 *
 * Returns when nothing is sampled or moved any more. Scopes and targets stay.
 */
void demeter_stop(void)
{
	struct task_struct *ending = thread;

	lockdep_assert_held(&demeter_lock);
	if (!ending)
		return;
	/* it may be waiting for the lock */
	mutex_unlock(&demeter_lock);
	kthread_stop(ending);
	mutex_lock(&demeter_lock);
	thread = NULL;
	stop_sampling();
	demeter_relocate_exit();
	kfree(rankings);
	kfree(sample_buffer);
}

static int __init demeter_init(void)
{
	int ret = demeter_watch_init();

	if (ret)
		return ret;
	ret = demeter_sysfs_init();
	if (ret)
		demeter_watch_exit();
	return ret;
}

static void __exit demeter_exit(void)
{
	demeter_sysfs_exit();
	demeter_watch_exit();
}

module_init(demeter_init);
module_exit(demeter_exit);
MODULE_DESCRIPTION("Demeter: management of tiered memory by its user's kernel");
MODULE_LICENSE("GPL");
