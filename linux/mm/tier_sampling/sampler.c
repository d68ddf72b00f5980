// SPDX-License-Identifier: GPL-2.0
/*
 * Samples data addresses by the PMU, on all CPUs that are online: cpu.c has what happens on
 * each of them, events.c what can be counted.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/percpu.h>
#include <linux/printk.h>

#include "internal.h"

/* Checks without a counter after which the log says so. */
#define IDLE_CHECKS 20

/* Rounds of START_WAIT_MS to wait for a counter that others have, too; perf takes turns. */
#define START_ROUNDS  10
#define START_WAIT_MS 10

/* Takes the overflows of the keeper, which has none. */
static void tier_sampler_ignore(struct perf_event *event, struct perf_sample_data *data,
				struct pt_regs *regs)
{
}

static void tier_sampler_tell(struct tier_sampler *sampler, unsigned int n, int error)
{
	if (!sampler->told[n])
		pr_warn("%s: %s are not sampled (%d)\n", sampler->name, sampler->names[n], error);
	sampler->told[n] = true;
}

/*
 * Begins to sample a CPU. Never fails, since that would keep a CPU from coming online: one
 * that cannot be sampled is not. In the beginning, the first failure is one for all. The first
 * event is sampled also where others cannot be.
 */
static int tier_sampler_online(unsigned int cpu, struct hlist_node *node)
{
	struct tier_sampler *sampler = hlist_entry(node, struct tier_sampler, hotplug_node);
	struct tier_sampling_cpu *c = per_cpu_ptr(sampler->cpus, cpu);
	int ret;

	if (sampler->error)
		return 0;
	ret = tier_sampling_cpu_add(c, cpu, 0, sampler->attrs);
	if (ret) {
		if (sampler->started)
			pr_warn("%s: CPU %u is not sampled (%d)\n", sampler->name, cpu, ret);
		else
			sampler->error = ret;
		return 0;
	}
	for (unsigned int n = 1; n < sampler->nr; n++) {
		if (!sampler->attrs[n].sample_period)
			continue;
		ret = tier_sampling_cpu_add(c, cpu, n, sampler->attrs);
		if (ret)
			tier_sampler_tell(sampler, n, ret);
	}
	return 0;
}

static int tier_sampler_offline(unsigned int cpu, struct hlist_node *node)
{
	struct tier_sampler *sampler = hlist_entry(node, struct tier_sampler, hotplug_node);

	for (unsigned int n = 0; n < sampler->nr; n++)
		tier_sampling_cpu_remove(per_cpu_ptr(sampler->cpus, cpu), n);
	return 0;
}

static void tier_sampler_free_cpus(struct tier_sampler *sampler)
{
	int cpu;

	for_each_possible_cpu(cpu)
		tier_sampling_cpu_exit(per_cpu_ptr(sampler->cpus, cpu));
	free_percpu(sampler->cpus);
	sampler->cpus = NULL;
}

static int tier_sampler_alloc_cpus(struct tier_sampler *sampler)
{
	int cpu;

	sampler->cpus = alloc_percpu(struct tier_sampling_cpu);
	if (!sampler->cpus)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		if (tier_sampling_cpu_init(per_cpu_ptr(sampler->cpus, cpu), cpu)) {
			tier_sampler_free_cpus(sampler);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Whether the first event has been sampled on some CPU. */
static bool tier_sampler_is_counting(struct tier_sampler *sampler)
{
	bool counting = false;
	int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu)
		counting |= tier_sampling_cpu_has_counted(per_cpu_ptr(sampler->cpus, cpu), 0);
	cpus_read_unlock();
	return counting;
}

/* Waits until that is so, which never happens while others have pinned the counters. */
static int tier_sampler_await_turn(struct tier_sampler *sampler)
{
	for (int i = 0; i < START_ROUNDS; i++) {
		if (tier_sampler_is_counting(sampler))
			return 0;
		msleep(START_WAIT_MS);
	}
	pr_warn("%s: others use the counters of all CPUs\n", sampler->name);
	return -EBUSY;
}

/* Samples all CPUs that are online, and those that come online later. */
static int tier_sampler_start_cpus(struct tier_sampler *sampler)
{
	int ret = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "mm/tier_sampling:online",
					  tier_sampler_online, tier_sampler_offline);

	if (ret < 0)
		return ret;
	sampler->hotplug_state = ret;
	ret = cpuhp_state_add_instance(sampler->hotplug_state, &sampler->hotplug_node);
	if (ret)
		goto remove_state;
	/* a CPU may have come online since, but none does so now: its error counts, or is logged */
	cpus_read_lock();
	sampler->started = true;
	ret = sampler->error;
	cpus_read_unlock();
	if (!ret)
		ret = tier_sampler_await_turn(sampler);
	if (!ret)
		return 0;
	cpuhp_state_remove_instance(sampler->hotplug_state, &sampler->hotplug_node);
remove_state:
	cpuhp_remove_multi_state(sampler->hotplug_state);
	return ret;
}

/**
 * tier_sampler_start() - Begin to sample
 * @sampler:	The sampler, with its events; all that belongs to itself is set here.
 *
 * Return: 0, -ENOMEM, -EBUSY if others have the counters, or an error of perf. The caller ends it
 * with tier_sampler_stop().
 */
int tier_sampler_start(struct tier_sampler *sampler)
{
	struct perf_event_attr keeper_attr;
	int ret;

	sampler->error = 0;
	sampler->started = false;
	sampler->told_idle = false;
	memset(sampler->told, 0, sizeof(sampler->told));
	INIT_HLIST_NODE(&sampler->hotplug_node);
	ret = tier_sampler_alloc_cpus(sampler);
	if (ret)
		return ret;
	/*
	 * The first event of its kind makes perf change code, for which it takes the lock of
	 * CPU hotplug. Those of the CPUs are made with that lock held, so this one comes
	 * first. It never counts.
	 */
	keeper_attr = sampler->attrs[0];
	keeper_attr.disabled = 1;
	sampler->keeper = perf_event_create_kernel_counter(
		&keeper_attr, cpumask_first(cpu_online_mask), NULL, tier_sampler_ignore, NULL);
	ret = PTR_ERR_OR_ZERO(sampler->keeper);
	if (ret)
		goto free;
	ret = tier_sampler_start_cpus(sampler);
	if (ret)
		goto release;
	return 0;
release:
	perf_event_release_kernel(sampler->keeper);
free:
	tier_sampler_free_cpus(sampler);
	return ret;
}
EXPORT_SYMBOL_GPL(tier_sampler_start);

/**
 * tier_sampler_stop() - Sample no longer
 * @sampler:	The sampler, which was started.
 */
void tier_sampler_stop(struct tier_sampler *sampler)
{
	cpuhp_state_remove_instance(sampler->hotplug_state, &sampler->hotplug_node);
	cpuhp_remove_multi_state(sampler->hotplug_state);
	perf_event_release_kernel(sampler->keeper);
	tier_sampler_free_cpus(sampler);
}
EXPORT_SYMBOL_GPL(tier_sampler_stop);

/**
 * tier_sampler_update_periods() - Take samples more or less often
 * @sampler:	The sampler, with new periods in @attrs.
 *
 * Never waits for a CPU that comes or goes.
 *
 * Return: whether it was done.
 */
bool tier_sampler_update_periods(struct tier_sampler *sampler)
{
	int cpu;

	if (!cpus_read_trylock())
		return false;
	for_each_possible_cpu(cpu)
		tier_sampling_cpu_set_periods(per_cpu_ptr(sampler->cpus, cpu), sampler->attrs);
	cpus_read_unlock();
	return true;
}
EXPORT_SYMBOL_GPL(tier_sampler_update_periods);

/**
 * tier_sampler_read() - Take samples of a CPU out, oldest first
 * @sampler:	The sampler.
 * @cpu:	The CPU, a possible one.
 * @samples:	Gets them.
 * @max:	How many it gets at most.
 * @lost:	Is increased by how many were overwritten before they were read.
 *
 * Return: how many were read, less than @max when there are no more.
 */
u32 tier_sampler_read(struct tier_sampler *sampler, unsigned int cpu, struct tier_sample *samples,
		      u32 max, u64 *lost)
{
	return tier_ring_read(&per_cpu_ptr(sampler->cpus, cpu)->ring, samples, max, lost);
}
EXPORT_SYMBOL_GPL(tier_sampler_read);

/* Stops to sample what tells nothing, and says what has not been sampled for long. */
static void tier_sampler_check_cpu(struct tier_sampler *sampler, unsigned int cpu)
{
	struct tier_sampling_cpu *c = per_cpu_ptr(sampler->cpus, cpu);

	for (unsigned int n = 0; n < sampler->nr; n++) {
		if (n && READ_ONCE(c->blind) && c->events[n] &&
		    sampler->attrs[n].sample_type & PERF_SAMPLE_DATA_SRC) {
			tier_sampling_cpu_remove(c, n);
			tier_sampler_tell(sampler, n, -EOPNOTSUPP);
		}
		if (tier_sampling_cpu_waits(c, n) < IDLE_CHECKS || sampler->told_idle)
			continue;
		pr_warn("%s: %s of CPU %u are not sampled: others use its counters\n",
			sampler->name, sampler->names[n], cpu);
		sampler->told_idle = true;
	}
}

/**
 * tier_sampler_check() - See whether all that is to be sampled is
 * @sampler:	The sampler.
 *
 * Called regularly. Says in the log what is not.
 */
void tier_sampler_check(struct tier_sampler *sampler)
{
	int cpu;

	/* not worth waiting for a CPU that comes or goes */
	if (!cpus_read_trylock())
		return;
	for_each_possible_cpu(cpu)
		tier_sampler_check_cpu(sampler, cpu);
	cpus_read_unlock();
}
EXPORT_SYMBOL_GPL(tier_sampler_check);

/**
 * tier_sampler_count() - Tell what was counted since the start
 * @sampler:	The sampler.
 *
 * Return: the counters.
 */
struct tier_sampler_count tier_sampler_count(struct tier_sampler *sampler)
{
	struct tier_sampler_count count = {};
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct tier_sampling_cpu *c = per_cpu_ptr(sampler->cpus, cpu);

		count.samples += READ_ONCE(c->samples);
		count.ns += tier_sampling_cpu_ns(c);
	}
	return count;
}
EXPORT_SYMBOL_GPL(tier_sampler_count);

/**
 * tier_sampler_health() - Tell on how many CPUs an event is sampled
 * @sampler:	The sampler.
 * @n:		Number of the event.
 * @sampled:	Gets on how many it has a counter.
 * @waiting:	Gets on how many of them that waits for its turn.
 */
void tier_sampler_health(struct tier_sampler *sampler, unsigned int n, unsigned int *sampled,
			 unsigned int *waiting)
{
	int cpu;

	*sampled = 0;
	*waiting = 0;
	cpus_read_lock();
	for_each_possible_cpu(cpu) {
		const struct tier_sampling_cpu *c = per_cpu_ptr(sampler->cpus, cpu);

		*sampled += !!c->events[n];
		*waiting += !!c->idle[n];
	}
	cpus_read_unlock();
}
EXPORT_SYMBOL_GPL(tier_sampler_health);
