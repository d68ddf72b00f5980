// SPDX-License-Identifier: GPL-2.0
/*
 * Samples data addresses by the PMU, on all CPUs that are online: pmu_cpu.c has what happens on
 * each of them, pmu_kind.c what is counted.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "demeter.h"
#include "pmu.h"

/* Epochs without a counter after which the log says so. */
#define IDLE_EPOCHS 20

/* Rounds of START_WAIT_MS to wait for a counter that others have, too; perf takes turns. */
#define START_ROUNDS  10
#define START_WAIT_MS 10

/**
 * struct demeter_pmu - State of a source: sampling on all CPUs
 * @kind:	The PMU. All that follows is valid while the source is in use.
 * @cpus:	Per CPU.
 * @attrs:	The events that are counted; those without a period are not.
 * @keeper:	A counter that never counts; see demeter_pmu_start().
 * @hotplug_state: State that tells of CPUs which come and go.
 * @hotplug_node: Ties this to that state.
 * @error:	Error of the first CPU that could not be sampled in the beginning.
 * @started:	Whether the beginning is over. Both belong to the lock of CPU hotplug.
 * @told_stores: Whether the log says already that stores are not sampled.
 * @told_idle:	Whether it says that others use the counters.
 * @samples:	Samples that have been added to the statistics.
 * @cpu_ns:	CPU time that has been added to the statistics.
 */
struct demeter_pmu {
	const struct demeter_pmu_kind *kind;
	struct demeter_pmu_cpu __percpu *cpus;
	struct perf_event_attr attrs[NR_DEMETER_EVENTS];
	struct perf_event *keeper;
	enum cpuhp_state hotplug_state;
	struct hlist_node hotplug_node;
	int error;
	bool started;
	bool told_stores;
	bool told_idle;
	u64 samples;
	u64 cpu_ns;
};

/* Takes the overflows of the keeper, which has none. */
static void demeter_pmu_ignore(struct perf_event *event, struct perf_sample_data *data,
			       struct pt_regs *regs)
{
}

static void demeter_pmu_no_stores(struct demeter_pmu *pmu, int error)
{
	if (!pmu->told_stores)
		pr_warn("stores are not sampled (%d)\n", error);
	pmu->told_stores = true;
}

/*
 * Begins to sample a CPU. Never fails, since that would keep a CPU from coming online: one
 * that cannot be sampled is not. In the beginning, the first failure is one for all. Loads are
 * sampled also where stores cannot be.
 */
static int demeter_pmu_online(unsigned int cpu, struct hlist_node *node)
{
	struct demeter_pmu *pmu = hlist_entry(node, struct demeter_pmu, hotplug_node);
	struct demeter_pmu_cpu *c = per_cpu_ptr(pmu->cpus, cpu);
	int ret;

	if (pmu->error)
		return 0;
	ret = demeter_pmu_cpu_add(c, cpu, DEMETER_LOADS, pmu->attrs);
	if (ret) {
		if (pmu->started)
			pr_warn("CPU %u is not sampled (%d)\n", cpu, ret);
		else
			pmu->error = ret;
		return 0;
	}
	if (!pmu->attrs[DEMETER_STORES].sample_period)
		return 0;
	ret = demeter_pmu_cpu_add(c, cpu, DEMETER_STORES, pmu->attrs);
	if (ret)
		demeter_pmu_no_stores(pmu, ret);
	return 0;
}

static int demeter_pmu_offline(unsigned int cpu, struct hlist_node *node)
{
	struct demeter_pmu *pmu = hlist_entry(node, struct demeter_pmu, hotplug_node);

	for (int n = 0; n < NR_DEMETER_EVENTS; n++)
		demeter_pmu_cpu_remove(per_cpu_ptr(pmu->cpus, cpu), n);
	return 0;
}

static void demeter_pmu_free_cpus(struct demeter_pmu *pmu)
{
	int cpu;

	for_each_possible_cpu(cpu)
		demeter_pmu_cpu_exit(per_cpu_ptr(pmu->cpus, cpu));
	free_percpu(pmu->cpus);
	pmu->cpus = NULL;
}

static int demeter_pmu_alloc_cpus(struct demeter_pmu *pmu)
{
	int cpu;

	pmu->cpus = alloc_percpu(struct demeter_pmu_cpu);
	if (!pmu->cpus)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		if (demeter_pmu_cpu_init(per_cpu_ptr(pmu->cpus, cpu), cpu)) {
			demeter_pmu_free_cpus(pmu);
			return -ENOMEM;
		}
	}
	return 0;
}

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

/* Whether loads have been sampled on some CPU. */
static bool demeter_pmu_is_counting(struct demeter_pmu *pmu)
{
	bool counting = false;
	int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu)
		counting |= demeter_pmu_cpu_has_counted(per_cpu_ptr(pmu->cpus, cpu), DEMETER_LOADS);
	cpus_read_unlock();
	return counting;
}

/* Waits until loads are sampled, which never happens while others have pinned the counters. */
static int demeter_pmu_await_turn(struct demeter_pmu *pmu)
{
	for (int i = 0; i < START_ROUNDS; i++) {
		if (demeter_pmu_is_counting(pmu))
			return 0;
		msleep(START_WAIT_MS);
	}
	pr_warn("others use the counters of all CPUs\n");
	return -EBUSY;
}

/* Samples all CPUs that are online, and those that come online later. */
static int demeter_pmu_start_cpus(struct demeter_pmu *pmu)
{
	int ret = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "mm/demeter:online",
					  demeter_pmu_online, demeter_pmu_offline);

	if (ret < 0)
		return ret;
	pmu->hotplug_state = ret;
	ret = cpuhp_state_add_instance(pmu->hotplug_state, &pmu->hotplug_node);
	if (ret)
		goto remove_state;
	/* a CPU may have come online since, but none does so now: its error counts, or is logged */
	cpus_read_lock();
	pmu->started = true;
	ret = pmu->error;
	cpus_read_unlock();
	if (!ret)
		ret = demeter_pmu_await_turn(pmu);
	if (!ret)
		return 0;
	cpuhp_state_remove_instance(pmu->hotplug_state, &pmu->hotplug_node);
remove_state:
	cpuhp_remove_multi_state(pmu->hotplug_state);
	return ret;
}

static int demeter_pmu_start(struct demeter_source *source)
{
	struct demeter_pmu *pmu = source->state;
	struct perf_event_attr keeper_attr;
	int ret;

	*pmu = (struct demeter_pmu){ .kind = pmu->kind };
	ret = demeter_pmu_set_attrs(pmu->kind, &source->ctx->params, pmu->attrs);
	if (ret)
		return ret;
	ret = demeter_pmu_alloc_cpus(pmu);
	if (ret)
		return ret;
	/*
	 * The first event of its kind makes perf change code, for which it takes the lock of
	 * CPU hotplug. Those of the CPUs are made with that lock held, so this one comes
	 * first. It never counts.
	 */
	keeper_attr = pmu->attrs[DEMETER_LOADS];
	keeper_attr.disabled = 1;
	pmu->keeper = perf_event_create_kernel_counter(&keeper_attr, cpumask_first(cpu_online_mask),
						       NULL, demeter_pmu_ignore, NULL);
	ret = PTR_ERR_OR_ZERO(pmu->keeper);
	if (ret)
		goto free;
	ret = demeter_pmu_start_cpus(pmu);
	if (ret)
		goto release;
	return 0;
release:
	perf_event_release_kernel(pmu->keeper);
free:
	demeter_pmu_free_cpus(pmu);
	return ret;
}

static void demeter_pmu_stop(struct demeter_source *source)
{
	struct demeter_pmu *pmu = source->state;

	cpuhp_state_remove_instance(pmu->hotplug_state, &pmu->hotplug_node);
	cpuhp_remove_multi_state(pmu->hotplug_state);
	perf_event_release_kernel(pmu->keeper);
	demeter_pmu_free_cpus(pmu);
}

/* What runs in a virtual machine is not sampled; such a process has notifiers of KVM. */
static bool demeter_pmu_samples(struct demeter_source *source, const struct demeter_target *t)
{
	return !mm_has_notifiers(t->space.mm);
}

/* Never waits for a CPU that comes or goes. */
static bool demeter_pmu_set_factor(struct demeter_source *source, unsigned int factor)
{
	struct demeter_pmu *pmu = source->state;
	int cpu;

	if (!cpus_read_trylock())
		return false;
	demeter_pmu_set_periods(pmu->kind, &source->ctx->params, factor, pmu->attrs);
	for_each_possible_cpu(cpu)
		demeter_pmu_cpu_set_periods(per_cpu_ptr(pmu->cpus, cpu), pmu->attrs);
	cpus_read_unlock();
	return true;
}

static void demeter_pmu_drain(struct demeter_source *source, demeter_take_fn *take)
{
	struct demeter_ctx *ctx = source->ctx;
	struct demeter_pmu *pmu = source->state;
	int cpu;
	u32 n;

	for_each_possible_cpu(cpu) {
		struct demeter_pmu_cpu *c = per_cpu_ptr(pmu->cpus, cpu);

		while ((n = demeter_ring_read(&c->ring, ctx->samples, DEMETER_READ_SAMPLES,
					      &ctx->stats.lost))) {
			take(ctx, ctx->samples, n);
			cond_resched();
		}
	}
}

/* Stops to sample what tells nothing, and says what has not been sampled for long. */
static void demeter_pmu_check_cpu(struct demeter_pmu *pmu, unsigned int cpu)
{
	struct demeter_pmu_cpu *c = per_cpu_ptr(pmu->cpus, cpu);

	if (READ_ONCE(c->blind) && c->events[DEMETER_STORES]) {
		demeter_pmu_cpu_remove(c, DEMETER_STORES);
		demeter_pmu_no_stores(pmu, -EOPNOTSUPP);
	}
	for (int n = 0; n < NR_DEMETER_EVENTS; n++) {
		if (demeter_pmu_cpu_waits(c, n) < IDLE_EPOCHS || pmu->told_idle)
			continue;
		pr_warn("%s of CPU %u are not sampled: others use its counters\n",
			n == DEMETER_STORES ? "stores" : "loads", cpu);
		pmu->told_idle = true;
	}
}

static void demeter_pmu_check(struct demeter_pmu *pmu)
{
	int cpu;

	/* not worth waiting for a CPU that comes or goes */
	if (!cpus_read_trylock())
		return;
	for_each_possible_cpu(cpu)
		demeter_pmu_check_cpu(pmu, cpu);
	cpus_read_unlock();
}

static int demeter_pmu_health(struct demeter_source *source, char *buf, int len)
{
	static const char *const names[] = { "loads", "stores" };
	unsigned int sampled[NR_DEMETER_EVENTS] = {}, waiting[NR_DEMETER_EVENTS] = {};
	struct demeter_pmu *pmu = source->state;
	int cpu;

	cpus_read_lock();
	len += sysfs_emit_at(buf, len, "cpus %u\n", num_online_cpus());
	for_each_possible_cpu(cpu) {
		const struct demeter_pmu_cpu *c = per_cpu_ptr(pmu->cpus, cpu);

		for (int n = 0; n < NR_DEMETER_EVENTS; n++) {
			sampled[n] += !!c->events[n];
			waiting[n] += !!c->idle[n];
		}
	}
	cpus_read_unlock();
	/* the first event is of all accesses if there is no other */
	for (int n = 0; n < NR_DEMETER_EVENTS && pmu->kind->config[n]; n++)
		len += sysfs_emit_at(buf, len, "%s_sampled %u\n%s_waiting %u\n", names[n],
				     sampled[n], names[n], waiting[n]);
	return len;
}

static void demeter_pmu_count(struct demeter_source *source)
{
	struct demeter_stats *stats = &source->ctx->stats;
	struct demeter_pmu *pmu = source->state;
	u64 all_samples = 0, all_ns = 0;
	int cpu;

	demeter_pmu_check(pmu);
	for_each_possible_cpu(cpu) {
		const struct demeter_pmu_cpu *c = per_cpu_ptr(pmu->cpus, cpu);

		all_samples += READ_ONCE(c->samples);
		all_ns += demeter_pmu_cpu_ns(c);
	}
	stats->samples += all_samples - pmu->samples;
	pmu->samples = all_samples;
	/* an estimate, which may become smaller */
	if (all_ns > pmu->cpu_ns) {
		stats->stage_ns[DEMETER_SAMPLE] += all_ns - pmu->cpu_ns;
		pmu->cpu_ns = all_ns;
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
