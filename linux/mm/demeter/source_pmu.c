// SPDX-License-Identifier: GPL-2.0
/*
 * Samples data addresses by the PMU.
 *
 * Counters on each CPU sample whatever runs there: Intel's in user mode only, one loads and
 * one stores. With PEBS records stay in the debug store until the processor runs another task
 * or the buffer is full, so there are hardly any interrupts and nobody polls. perf hands every
 * record to the handlers below, with interrupts off and often the run queue locked, or in an
 * NMI: they take a note and return. They do not interrupt each other: perf hands over records
 * while the PMU of the CPU is disabled.
 *
 * The counters are not pinned: other users of perf get their share of them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kernel_read_file.h>
#include <linux/kstrtox.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/printk.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include <asm/processor.h>

#include "demeter.h"

/* Samples that the ring of a CPU holds: more than two PEBS buffers of 64 KiB. */
#define RING_SAMPLES 8192

/*
 * Records of one batch follow one another within this time, and from one to the next is what
 * the driver and the handler below need for a record. Longer times are those between batches.
 */
#define BATCH_GAP_NS 5000

/*
 * Ops per sample of IBS. Each one interrupts, whatever it hits, so that it is the rate of ops
 * that bounds the cost: at 8 ops a cycle and 4 GHz there are no more than 61000 samples a
 * second, less than perf's limit. perf takes multiples of 16 only.
 */
#define IBS_PERIOD 524288

/* Rounds of START_WAIT_MS to wait for a counter that others have, too; perf takes turns. */
#define START_ROUNDS  10
#define START_WAIT_MS 10

/* Epochs without a counter after which the log says so. */
#define IDLE_EPOCHS 20

/* Where an access that hits depends on no tier. */
#define CACHES                                                                    \
	(PERF_MEM_LVL_L1 | PERF_MEM_LVL_LFB | PERF_MEM_LVL_L2 | PERF_MEM_LVL_L3 | \
	 PERF_MEM_LVL_REM_CCE1 | PERF_MEM_LVL_REM_CCE2 | PERF_MEM_LVL_IO | PERF_MEM_LVL_UNC)

/* Events of a PMU: loads, or all accesses; and stores, if they have an event of their own. */
enum {
	DEMETER_LOADS,
	DEMETER_STORES,
	NR_DEMETER_EVENTS,
};

/**
 * struct demeter_pmu_kind - A PMU that samples data addresses
 * @pmu:	Its name under /sys/bus/event_source/devices; NULL for that of the processor's
 *		cores.
 * @config:	Of each event, as in struct perf_event_attr.
 * @period:	Events per sample, where users cannot choose; else 0.
 * @filters:	Whether the PMU can be told to leave out the kernel, and loads that are fast.
 * @vendor:	Vendor of the processors that have it: X86_VENDOR_*.
 */
struct demeter_pmu_kind {
	const char *pmu;
	u64 config[NR_DEMETER_EVENTS];
	u64 period;
	bool filters;
	u8 vendor;
};

/**
 * struct demeter_pmu_cpu - Sampling on a CPU
 * @ring:	Samples that were not read yet.
 * @events:	The counters; NULL on a CPU that is offline, and where there is none.
 * @idle:	For how many epochs each had to wait for its turn.
 * @samples:	How many samples there were.
 * @records:	How many there were with those that were left out.
 * @timed:	How many of them show how long a record takes.
 * @timed_ns:	How long those took.
 * @last:	When the last record was taken.
 * @blind:	Whether there was a record that did not say where the access hit.
 */
struct demeter_pmu_cpu {
	struct demeter_ring ring;
	struct perf_event *events[NR_DEMETER_EVENTS];
	unsigned int idle[NR_DEMETER_EVENTS];
	u64 samples;
	u64 records;
	u64 timed;
	u64 timed_ns;
	u64 last;
	bool blind;
};

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

/*
 * Whether it matters in which tier the memory of a sample is. Fast loads have been left out if
 * the event does not ask for the source.
 */
static bool demeter_pmu_is_miss(struct demeter_pmu_cpu *c, const struct perf_sample_data *data)
{
	const union perf_mem_data_src source = data->data_src;

	if (!(data->sample_flags & PERF_SAMPLE_DATA_SRC))
		return true;
	if (source.mem_op == PERF_MEM_OP_NA) {
		c->blind = true;
		return false;
	}
	return !(source.mem_lvl & PERF_MEM_LVL_HIT && source.mem_lvl & CACHES);
}

static void demeter_pmu_sample(struct perf_event *event, struct perf_sample_data *data,
			       struct pt_regs *regs)
{
	struct demeter_pmu_cpu *c = event->overflow_handler_context;
	const u64 now = local_clock();

	if (now - c->last < BATCH_GAP_NS) {
		c->timed++;
		c->timed_ns += now - c->last;
	}
	c->last = now;
	c->records++;
	if (!demeter_pmu_is_miss(c, data))
		return;
	c->samples++;
	/* a task that is exiting or of the kernel has no memory to manage */
	if (data->sample_flags & PERF_SAMPLE_ADDR && data->addr && data->addr < TASK_SIZE_MAX &&
	    current->mm)
		demeter_ring_write(&c->ring, current->mm, data->addr);
}

static void demeter_pmu_no_stores(struct demeter_pmu *pmu, long error)
{
	if (!pmu->told_stores)
		pr_warn("stores are not sampled (%ld)\n", error);
	pmu->told_stores = true;
}

static struct perf_event *demeter_pmu_add(struct demeter_pmu *pmu, unsigned int cpu, int n)
{
	struct demeter_pmu_cpu *c = per_cpu_ptr(pmu->cpus, cpu);
	struct perf_event *event;

	event = perf_event_create_kernel_counter(&pmu->attrs[n], cpu, NULL, demeter_pmu_sample, c);
	c->events[n] = IS_ERR(event) ? NULL : event;
	c->idle[n] = 0;
	return event;
}

static void demeter_pmu_remove(struct demeter_pmu_cpu *c, int n)
{
	if (c->events[n])
		perf_event_release_kernel(c->events[n]);
	c->events[n] = NULL;
}

/*
 * Begins to sample a CPU. Never fails, since that would keep a CPU from coming online: one
 * that cannot be sampled is not. In the beginning, the first failure is one for all. Loads are
 * sampled also where stores cannot be.
 */
static int demeter_pmu_online(unsigned int cpu, struct hlist_node *node)
{
	struct demeter_pmu *pmu = hlist_entry(node, struct demeter_pmu, hotplug_node);
	struct perf_event *event;

	if (pmu->error)
		return 0;
	event = demeter_pmu_add(pmu, cpu, DEMETER_LOADS);
	if (IS_ERR(event)) {
		if (pmu->started)
			pr_warn("CPU %u is not sampled (%ld)\n", cpu, PTR_ERR(event));
		else
			pmu->error = PTR_ERR(event);
		return 0;
	}
	if (!pmu->attrs[DEMETER_STORES].sample_period)
		return 0;
	event = demeter_pmu_add(pmu, cpu, DEMETER_STORES);
	if (IS_ERR(event))
		demeter_pmu_no_stores(pmu, PTR_ERR(event));
	return 0;
}

static int demeter_pmu_offline(unsigned int cpu, struct hlist_node *node)
{
	struct demeter_pmu *pmu = hlist_entry(node, struct demeter_pmu, hotplug_node);

	for (int n = 0; n < NR_DEMETER_EVENTS; n++)
		demeter_pmu_remove(per_cpu_ptr(pmu->cpus, cpu), n);
	return 0;
}

/* Finds the number by which perf knows a PMU. */
static int demeter_pmu_type(const char *name, u32 *type)
{
	char path[64], text[16] = "";
	void *buffer = text;
	size_t file_size;
	ssize_t size;

	if (!name) {
		*type = PERF_TYPE_RAW;
		return 0;
	}
	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", name);
	size = kernel_read_file_from_path(path, 0, &buffer, sizeof(text) - 1, &file_size,
					  READING_UNKNOWN);
	if (size < 0)
		return -ENODEV;
	return kstrtou32(strim(text), 10, type);
}

static void demeter_pmu_free_cpus(struct demeter_pmu *pmu)
{
	int cpu;

	for_each_possible_cpu(cpu)
		demeter_ring_free(&per_cpu_ptr(pmu->cpus, cpu)->ring);
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
		if (demeter_ring_init(&per_cpu_ptr(pmu->cpus, cpu)->ring, RING_SAMPLES,
				      cpu_to_node(cpu))) {
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

static bool demeter_pmu_is_active(const struct perf_event *event)
{
	return READ_ONCE(event->state) == PERF_EVENT_STATE_ACTIVE;
}

/* Whether loads have been sampled on some CPU. */
static bool demeter_pmu_is_counting(struct demeter_pmu *pmu)
{
	bool counting = false;
	int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu) {
		struct perf_event *event = per_cpu_ptr(pmu->cpus, cpu)->events[DEMETER_LOADS];
		u64 enabled, running = 0;

		if (event)
			perf_event_read_value(event, &enabled, &running);
		counting |= running;
	}
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

/* Says what is counted. Without a period, there is no event of stores. */
static void demeter_pmu_set_attrs(struct demeter_pmu *pmu, const struct demeter_params *params,
				  u32 type)
{
	const struct demeter_pmu_kind *kind = pmu->kind;
	struct perf_event_attr *loads = &pmu->attrs[DEMETER_LOADS];
	struct perf_event_attr *stores = &pmu->attrs[DEMETER_STORES];

	*loads = (struct perf_event_attr){
		.type = type,
		.size = sizeof(*loads),
		.config = kind->config[DEMETER_LOADS],
		.sample_period = kind->period ?: params->sample_period,
		.sample_type = PERF_SAMPLE_ADDR | PERF_SAMPLE_DATA_SRC,
		.precise_ip = 2,
		.exclude_kernel = kind->filters,
	};
	*stores = *loads;
	stores->config = kind->config[DEMETER_STORES];
	stores->sample_period = stores->config ? params->store_period : 0;
	if (kind->filters) {
		loads->config1 = params->latency_threshold;
		/* hits in caches are left out by that */
		loads->sample_type = PERF_SAMPLE_ADDR;
	}
}

static int demeter_pmu_start(struct demeter_source *source)
{
	struct demeter_pmu *pmu = source->state;
	const struct demeter_pmu_kind *kind = pmu->kind;
	struct perf_event_attr keeper_attr;
	u32 type;
	int ret;

	if (boot_cpu_data.x86_vendor != kind->vendor)
		return -ENODEV;
	ret = demeter_pmu_type(kind->pmu, &type);
	if (ret)
		return ret;
	*pmu = (struct demeter_pmu){ .kind = kind };
	ret = demeter_pmu_alloc_cpus(pmu);
	if (ret)
		return ret;
	demeter_pmu_set_attrs(pmu, &source->ctx->params, type);
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
	return !mm_has_notifiers(t->mm);
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
		demeter_pmu_remove(c, DEMETER_STORES);
		demeter_pmu_no_stores(pmu, -EOPNOTSUPP);
	}
	for (int n = 0; n < NR_DEMETER_EVENTS; n++) {
		const bool waits = c->events[n] && !demeter_pmu_is_active(c->events[n]);

		c->idle[n] = waits ? c->idle[n] + 1 : 0;
		if (c->idle[n] < IDLE_EPOCHS || pmu->told_idle)
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

static void demeter_pmu_count(struct demeter_source *source)
{
	struct demeter_stats *stats = &source->ctx->stats;
	struct demeter_pmu *pmu = source->state;
	u64 all_samples = 0, all_ns = 0;
	int cpu;

	demeter_pmu_check(pmu);
	for_each_possible_cpu(cpu) {
		const struct demeter_pmu_cpu *c = per_cpu_ptr(pmu->cpus, cpu);
		const u64 records = READ_ONCE(c->records), timed = READ_ONCE(c->timed);

		all_samples += READ_ONCE(c->samples);
		if (timed)
			all_ns += div64_u64(READ_ONCE(c->timed_ns), timed) * records;
	}
	stats->samples += all_samples - pmu->samples;
	pmu->samples = all_samples;
	/* an estimate, which may become smaller */
	if (all_ns > pmu->cpu_ns) {
		stats->stage_ns[DEMETER_SAMPLE] += all_ns - pmu->cpu_ns;
		pmu->cpu_ns = all_ns;
	}
}

/*
 * MEM_TRANS_RETIRED.LOAD_LATENCY and MEM_INST_RETIRED.ALL_STORES, whose records say whether
 * the store hit the first-level cache; Intel SDM, volume 3, 20.9.4
 */
static const struct demeter_pmu_kind demeter_pmu_kind_pebs = {
	.config = { 0x1cd, 0x82d0 },
	.filters = true,
	.vendor = X86_VENDOR_INTEL,
};

static int demeter_pmu_init_pebs(struct demeter_source *source)
{
	return demeter_pmu_init(source, &demeter_pmu_kind_pebs);
}

const struct demeter_source_ops demeter_source_pebs = {
	.name = "pebs",
	.init = demeter_pmu_init_pebs,
	.exit = demeter_pmu_exit,
	.start = demeter_pmu_start,
	.stop = demeter_pmu_stop,
	.samples = demeter_pmu_samples,
	.drain = demeter_pmu_drain,
	.count = demeter_pmu_count,
};

/* Op sampling, counting ops (bit 19), of loads and stores; AMD PPR. Not run on hardware. */
static const struct demeter_pmu_kind demeter_pmu_kind_ibs = {
	.pmu = "ibs_op",
	.config = { 1 << 19 },
	.period = IBS_PERIOD,
	.vendor = X86_VENDOR_AMD,
};

static int demeter_pmu_init_ibs(struct demeter_source *source)
{
	return demeter_pmu_init(source, &demeter_pmu_kind_ibs);
}

const struct demeter_source_ops demeter_source_ibs = {
	.name = "ibs",
	.init = demeter_pmu_init_ibs,
	.exit = demeter_pmu_exit,
	.start = demeter_pmu_start,
	.stop = demeter_pmu_stop,
	.samples = demeter_pmu_samples,
	.drain = demeter_pmu_drain,
	.count = demeter_pmu_count,
};
