// SPDX-License-Identifier: GPL-2.0
/* ksampled: polls samples, counts them, and adapts to what they tell and cost. */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/cputime.h>

#include "memtis.h"

/* How often it is seen what sampling has cost, in ns. */
#define PACE_NS NSEC_PER_SEC

/*
 * Events: loads from local DRAM, loads from slow memory (persistent, or remote as behind CXL), and
 * stores (paper, section 4.1.1).
 */
static const enum tier_event memtis_events[] = {
	TIER_EVENT_LOADS_DRAM,
	TIER_EVENT_LOADS_PMEM,
	TIER_EVENT_LOADS_REMOTE_DRAM,
	TIER_EVENT_STORES,
};

/* Counts the sample of a page, and where it was. */
static void memtis_count(struct memtis *t, struct memtis_region *r, unsigned long addr)
{
	const unsigned int page = (addr % PMD_SIZE) >> PAGE_SHIFT;

	memtis_region_sample(r, &t->heat, page);
	t->hits.samples++;
	t->hits.real += test_bit(page, r->fast);
	t->hits.base += memtis_region_base_bin(r, page) >= t->base_hot.hot;
	t->hits.huge += r->is_huge;
	t->stats.samples++;
}

static void memtis_take(struct memtis *t, const struct tier_sample *samples, u32 n)
{
	const void *owner = NULL;
	struct memtis_mm *m = NULL;

	mutex_lock(&t->lock);
	for (u32 i = 0; i < n; i++) {
		struct memtis_region *r;

		if (samples[i].owner != owner) {
			owner = samples[i].owner;
			m = owner ? xa_load(&t->by_mm, (unsigned long)owner / sizeof(void *))
				  : NULL;
		}
		r = m ? memtis_find_region(m, samples[i].addr) : NULL;
		if (r)
			memtis_count(t, r, samples[i].addr);
		else
			t->stats.strays++;
	}
	mutex_unlock(&t->lock);
}

static void memtis_poll(struct memtis *t)
{
	int cpu;
	u32 n;

	for_each_possible_cpu(cpu) {
		while ((n = tier_sampler_read(&t->sampler, cpu, t->samples, MEMTIS_READ_SAMPLES,
					      &t->stats.lost))) {
			memtis_take(t, t->samples, n);
			cond_resched();
		}
	}
}

/* Thinks about huge pages once per cooling: by then, all pages have been sampled alike. */
static void memtis_judge_huge(struct memtis *t)
{
	unsigned int huge = 0;
	struct memtis_region *r;
	struct memtis_mm *m;
	unsigned long index;

	list_for_each_entry(m, &t->mms, list)
		xa_for_each(&m->regions, index, r) {
			huge += r->is_huge && r->total;
			cond_resched();
		}
	t->nr_split = memtis_nr_split(&t->hits, huge, t->params.split_permille);
	t->hits = (struct memtis_hits){};
}

/* Finds what is hot, and halves counts, when there were enough samples. */
static void memtis_adapt(struct memtis *t)
{
	struct memtis_pace *pace = &t->pace;

	mutex_lock(&t->lock);
	if (t->stats.samples - pace->adapted >= memtis_adapt_samples(t)) {
		pace->adapted = t->stats.samples;
		t->stats.adaptations++;
		memtis_thresholds_adapt(&t->hot, &t->heat.now, t->capacity);
		memtis_thresholds_adapt(&t->base_hot, &t->heat.base, t->capacity);
	}
	if (t->stats.samples - pace->cooled >= memtis_cool_samples(t)) {
		pace->cooled = t->stats.samples;
		t->stats.coolings++;
		memtis_judge_huge(t);
		t->heat.cooling++;
	}
	mutex_unlock(&t->lock);
}

static void memtis_set_periods(struct memtis *t, unsigned int factor)
{
	for (unsigned int n = 0; n < t->sampler.nr; n++) {
		const unsigned int least = memtis_events[n] == TIER_EVENT_STORES
						   ? t->params.store_period
						   : t->params.load_period;

		t->sampler.attrs[n].sample_period = memtis_period(least, factor);
	}
}

/* Sees what sampling costs, and how often samples are to be taken. */
static void memtis_pace(struct memtis *t)
{
	const struct tier_sampler_count count = tier_sampler_count(&t->sampler);
	struct memtis_pace *pace = &t->pace;
	const u64 now = ktime_get_ns(), wall = now - pace->at;
	unsigned int factor;
	u64 busy;

	/* the former is an estimate, which may become smaller */
	if (count.ns > t->counted.ns) {
		t->stats.sample_ns += count.ns - t->counted.ns;
		t->counted.ns = count.ns;
	}
	busy = t->stats.ksampled_ns + t->stats.sample_ns;
	if (wall < PACE_NS)
		return;
	pace->permille = div64_u64((busy - pace->busy_ns) * 1000, wall);
	factor = memtis_factor_adapt(pace->factor, busy - pace->busy_ns, wall,
				     t->params.cpu_permille);
	pace->at = now;
	pace->busy_ns = busy;
	tier_sampler_check(&t->sampler);
	if (factor == pace->factor)
		return;
	memtis_set_periods(t, factor);
	if (tier_sampler_update_periods(&t->sampler))
		pace->factor = factor;
	else
		memtis_set_periods(t, pace->factor);
}

static int memtis_ksampled(void *arg)
{
	struct memtis *t = arg;
	u64 since = task_sched_runtime(current);

	while (!kthread_should_stop()) {
		u64 now;

		memtis_poll(t);
		memtis_adapt(t);
		now = task_sched_runtime(current);
		t->stats.ksampled_ns += now - since;
		since = now;
		memtis_pace(t);
		schedule_timeout_idle(msecs_to_jiffies(READ_ONCE(t->params.poll_ms)));
	}
	return 0;
}

/**
 * memtis_sample_start() - Begin to sample
 * @t:		Memtis, whose nodes are known.
 *
 * Return: 0, -ENODEV if the machine has no such PMU, or another error.
 */
int memtis_sample_start(struct memtis *t)
{
	struct task_struct *thread;
	int ret = 0;

	t->sampler = (struct tier_sampler){
		.name = KBUILD_MODNAME,
		.nr = ARRAY_SIZE(memtis_events),
		.names = { "loads from DRAM", "loads from persistent memory",
			   "loads from remote DRAM", "stores" },
	};
	t->counted = (struct tier_sampler_count){};
	t->pace = (struct memtis_pace){
		.at = ktime_get_ns(),
		.busy_ns = t->stats.ksampled_ns + t->stats.sample_ns,
		.factor = MEMTIS_FACTOR_ONE,
		.cooled = t->stats.samples,
		.adapted = t->stats.samples,
	};
	for (unsigned int n = 0; n < t->sampler.nr && !ret; n++)
		ret = tier_event_attr(memtis_events[n], &t->sampler.attrs[n]);
	if (ret)
		return ret;
	/* all stores count, wherever they hit */
	t->sampler.attrs[t->sampler.nr - 1].sample_type = PERF_SAMPLE_ADDR;
	memtis_set_periods(t, MEMTIS_FACTOR_ONE);
	ret = tier_sampler_start(&t->sampler);
	if (ret)
		return ret;
	thread = kthread_run(memtis_ksampled, t, "ksampled");
	if (IS_ERR(thread)) {
		tier_sampler_stop(&t->sampler);
		return PTR_ERR(thread);
	}
	t->ksampled = thread;
	return 0;
}

/**
 * memtis_sample_stop() - Sample no longer
 * @t:		Memtis.
 */
void memtis_sample_stop(struct memtis *t)
{
	kthread_stop(t->ksampled);
	t->ksampled = NULL;
	tier_sampler_stop(&t->sampler);
}
