// SPDX-License-Identifier: GPL-2.0
/*
 * Samples data addresses by the PMU, on all CPUs that are online; see mm/tier_sampling.
 *
 * Intel has counters for loads and for stores, AMD has one for all.
 */
#include <linux/cpumask.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/tier_sampling.h>

#include "demeter.h"

/* Events: loads, or all accesses; and stores, if they have an event of their own. */
enum {
	LOADS,
	STORES,
	NR_EVENTS,
};

/**
 * struct demeter_pmu_kind - A PMU that samples data addresses
 * @events:	What it samples.
 * @nr:		How many of them it has.
 */
struct demeter_pmu_kind {
	enum tier_event events[NR_EVENTS];
	unsigned int nr;
};

static const struct demeter_pmu_kind demeter_pmu_pebs = {
	.events = { TIER_EVENT_LOAD_LATENCY, TIER_EVENT_STORES },
	.nr = 2,
};

static const struct demeter_pmu_kind demeter_pmu_ibs = {
	.events = { TIER_EVENT_OPS },
	.nr = 1,
};

/**
 * struct demeter_pmu - State of a source: sampling on all CPUs
 * @kind:	The PMU. All that follows is valid while the source is in use.
 * @sampler:	The sampler.
 * @period:	Period of the first event, if users cannot choose that; else 0.
 * @counted:	What has been added to the statistics.
 */
struct demeter_pmu {
	const struct demeter_pmu_kind *kind;
	struct tier_sampler sampler;
	u64 period;
	struct tier_sampler_count counted;
};

static int demeter_pmu_init(struct demeter_source *source, const struct demeter_pmu_kind *kind)
{
	struct demeter_pmu *pmu = kzalloc(sizeof(*pmu), GFP_KERNEL);

	if (!pmu)
		return -ENOMEM;
	pmu->kind = kind;
	source->state = pmu;
	return 0;
}

static void demeter_pmu_exit(struct demeter_source *source)
{
	kfree(source->state);
}

/* Says how often samples are taken: by a factor less often than the parameters say. */
static void demeter_pmu_set_periods(struct demeter_pmu *pmu, const struct demeter_params *params,
				    unsigned int factor)
{
	struct perf_event_attr *attrs = pmu->sampler.attrs;

	attrs[LOADS].sample_period = (pmu->period ?: params->sample_period) * factor;
	if (pmu->kind->nr > STORES)
		attrs[STORES].sample_period = (u64)params->store_period * factor;
}

/* Says what is sampled. Returns 0, -ENODEV if the machine has no such PMU. */
static int demeter_pmu_set_events(struct demeter_pmu *pmu, const struct demeter_params *params)
{
	struct perf_event_attr *loads = &pmu->sampler.attrs[LOADS];

	for (unsigned int n = 0; n < pmu->kind->nr; n++) {
		int ret = tier_event_attr(pmu->kind->events[n], &pmu->sampler.attrs[n]);

		if (ret)
			return ret;
	}
	pmu->period = loads->sample_period;
	if (pmu->kind->events[LOADS] == TIER_EVENT_LOAD_LATENCY)
		loads->config1 = params->latency_threshold;
	demeter_pmu_set_periods(pmu, params, 1);
	return 0;
}

static int demeter_pmu_start(struct demeter_source *source)
{
	struct demeter_pmu *pmu = source->state;
	int ret;

	*pmu = (struct demeter_pmu){
		.kind = pmu->kind,
		.sampler = {
			.name = KBUILD_MODNAME,
			.nr = pmu->kind->nr,
			.names = { "loads", "stores" },
		},
	};
	ret = demeter_pmu_set_events(pmu, &source->ctx->params);
	return ret ?: tier_sampler_start(&pmu->sampler);
}

static void demeter_pmu_stop(struct demeter_source *source)
{
	struct demeter_pmu *pmu = source->state;

	tier_sampler_stop(&pmu->sampler);
}

/* What runs in a virtual machine is not sampled; such a process has notifiers of KVM. */
static bool demeter_pmu_samples(struct demeter_source *source, const struct demeter_target *t)
{
	return !mm_has_notifiers(t->space.mm);
}

static bool demeter_pmu_set_factor(struct demeter_source *source, unsigned int factor)
{
	struct demeter_pmu *pmu = source->state;
	struct perf_event_attr before[NR_EVENTS];

	memcpy(before, pmu->sampler.attrs, sizeof(before));
	demeter_pmu_set_periods(pmu, &source->ctx->params, factor);
	if (tier_sampler_update_periods(&pmu->sampler))
		return true;
	memcpy(pmu->sampler.attrs, before, sizeof(before));
	return false;
}

static void demeter_pmu_drain(struct demeter_source *source, demeter_take_fn *take)
{
	struct demeter_ctx *ctx = source->ctx;
	struct demeter_pmu *pmu = source->state;
	int cpu;
	u32 n;

	for_each_possible_cpu(cpu) {
		while ((n = tier_sampler_read(&pmu->sampler, cpu, ctx->samples,
					      DEMETER_READ_SAMPLES, &ctx->stats.lost))) {
			take(ctx, ctx->samples, n);
			cond_resched();
		}
	}
}

static int demeter_pmu_health(struct demeter_source *source, char *buf, int len)
{
	struct demeter_pmu *pmu = source->state;
	unsigned int sampled, waiting;

	len += sysfs_emit_at(buf, len, "cpus %u\n", num_online_cpus());
	for (unsigned int n = 0; n < pmu->sampler.nr; n++) {
		tier_sampler_health(&pmu->sampler, n, &sampled, &waiting);
		len += sysfs_emit_at(buf, len, "%s_sampled %u\n%s_waiting %u\n",
				     pmu->sampler.names[n], sampled, pmu->sampler.names[n],
				     waiting);
	}
	return len;
}

static void demeter_pmu_count(struct demeter_source *source)
{
	struct demeter_stats *stats = &source->ctx->stats;
	struct demeter_pmu *pmu = source->state;
	struct tier_sampler_count now;

	tier_sampler_check(&pmu->sampler);
	now = tier_sampler_count(&pmu->sampler);
	stats->samples += now.samples - pmu->counted.samples;
	pmu->counted.samples = now.samples;
	/* an estimate, which may become smaller */
	if (now.ns > pmu->counted.ns) {
		stats->stage_ns[DEMETER_SAMPLE] += now.ns - pmu->counted.ns;
		pmu->counted.ns = now.ns;
	}
}

static int demeter_pmu_init_pebs(struct demeter_source *source)
{
	return demeter_pmu_init(source, &demeter_pmu_pebs);
}

const struct demeter_source_ops demeter_source_pebs = {
	.name = "pebs",
	.init = demeter_pmu_init_pebs,
	.exit = demeter_pmu_exit,
	.start = demeter_pmu_start,
	.stop = demeter_pmu_stop,
	.samples = demeter_pmu_samples,
	.set_factor = demeter_pmu_set_factor,
	.drain = demeter_pmu_drain,
	.health = demeter_pmu_health,
	.count = demeter_pmu_count,
};

static int demeter_pmu_init_ibs(struct demeter_source *source)
{
	return demeter_pmu_init(source, &demeter_pmu_ibs);
}

const struct demeter_source_ops demeter_source_ibs = {
	.name = "ibs",
	.init = demeter_pmu_init_ibs,
	.exit = demeter_pmu_exit,
	.start = demeter_pmu_start,
	.stop = demeter_pmu_stop,
	.samples = demeter_pmu_samples,
	.set_factor = demeter_pmu_set_factor,
	.drain = demeter_pmu_drain,
	.health = demeter_pmu_health,
	.count = demeter_pmu_count,
};
