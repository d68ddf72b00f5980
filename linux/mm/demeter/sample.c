// SPDX-License-Identifier: GPL-2.0
/*
 * Sampling of data addresses by the PMU; see sample.h.
 *
 * A counter on each CPU, in user mode only, whatever runs there. With Intel's PEBS
 * records stay in the debug store until the processor runs another task or the
 * buffer is full, so there are hardly any interrupts and nobody polls. perf hands
 * every record to the handler below, with interrupts off and often the run queue
 * locked, or in an NMI: it takes a note and returns.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/fs.h>
#include <linux/kernel_read_file.h>
#include <linux/kstrtox.h>
#include <linux/perf_event.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include <asm/processor.h>

#include "sample.h"

/* Per CPU: more than two PEBS buffers of 64 KiB hold. */
#define RING_SAMPLES 8192

/*
 * Records of one batch follow one another within this. Two that do tell what a
 * record takes, the driver's part and ours; two that do not tell nothing.
 */
#define BATCH_GAP_NS 5000

const struct demeter_source demeter_sources[] = {
	{
		/* MEM_TRANS_RETIRED.LOAD_LATENCY; Intel SDM, volume 3, 20.9.4 */
		.name = "pebs",
		.config = 0x1cd,
		.has_latency = true,
		.filters = true,
		.precise = 2,
		.vendor = X86_VENDOR_INTEL,
	},
	{
		/* op sampling, counting ops (bit 19); AMD PPR. Not run on hardware. */
		.name = "ibs",
		.pmu = "ibs_op",
		.config = 1 << 19,
		.precise = 2,
		.vendor = X86_VENDOR_AMD,
	},
	{
		.name = "accessed",
		.accessed_bits = true,
	},
};
const unsigned int demeter_nr_sources = ARRAY_SIZE(demeter_sources);

struct cpu_sampler {
	struct demeter_ring ring;
	struct perf_event *event;
	u64 samples;
	u64 timed; /* samples that a time is known of */
	u64 timed_ns;
	u64 last;
};

static DEFINE_PER_CPU(struct cpu_sampler, samplers);
static struct perf_event_attr sampler_attr;
static struct perf_event *keeper;
static enum cpuhp_state hotplug_state;
static bool sampling; /* on all CPUs that were there in the beginning */

static void on_sample(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	struct cpu_sampler *s = this_cpu_ptr(&samplers);
	const u64 now = local_clock();

	if (now - s->last < BATCH_GAP_NS) {
		s->timed++;
		s->timed_ns += now - s->last;
	}
	s->last = now;
	s->samples++;
	/* a task that is exiting or of the kernel has no memory to manage */
	if (data->addr && data->addr < TASK_SIZE_MAX && current->mm)
		demeter_ring_write(&s->ring, current->mm, data->addr);
}

/* A CPU that comes online later must not fail to: it is not sampled then. */
static int sampler_online(unsigned int cpu)
{
	struct cpu_sampler *s = per_cpu_ptr(&samplers, cpu);
	struct perf_event *event;

	event = perf_event_create_kernel_counter(&sampler_attr, cpu, NULL, on_sample, NULL);
	if (IS_ERR(event)) {
		if (!sampling)
			return PTR_ERR(event);
		pr_warn("demeter: CPU %u is not sampled (%ld)\n", cpu, PTR_ERR(event));
		return 0;
	}
	s->event = event;
	return 0;
}

static int sampler_offline(unsigned int cpu)
{
	struct cpu_sampler *s = per_cpu_ptr(&samplers, cpu);

	if (s->event)
		perf_event_release_kernel(s->event);
	s->event = NULL;
	return 0;
}

/* The number by which perf knows a PMU. */
static int pmu_type(const char *name, u32 *type)
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

static void free_rings(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		demeter_ring_free(&per_cpu_ptr(&samplers, cpu)->ring);
}

/**
 * demeter_sampling_start() - Sample on all CPUs, also those that come later
 * @source:	What to sample.
 * @period:	Events per sample.
 * @latency:	Least latency of a sampled access in core cycles, if @source has that.
 *
 * Return: 0, -ENODEV if the machine does not have the PMU, -EOPNOTSUPP or another
 * error of perf if that cannot do it.
 */
int demeter_sampling_start(const struct demeter_source *source, u64 period, u64 latency)
{
	struct perf_event_attr keeper_attr;
	int cpu, ret;
	u32 type;

	if (boot_cpu_data.x86_vendor != source->vendor)
		return -ENODEV;
	ret = pmu_type(source->pmu, &type);
	if (ret)
		return ret;
	sampler_attr = (struct perf_event_attr){
		.type = type,
		.size = sizeof(sampler_attr),
		.config = source->config,
		.config1 = source->has_latency ? latency : 0,
		.sample_period = period,
		.sample_type = PERF_SAMPLE_ADDR,
		.precise_ip = source->precise,
		.exclude_kernel = source->filters,
		.pinned = 1,
	};
	for_each_possible_cpu(cpu) {
		struct cpu_sampler *s = per_cpu_ptr(&samplers, cpu);

		*s = (struct cpu_sampler){};
		ret = demeter_ring_init(&s->ring, RING_SAMPLES, cpu_to_node(cpu));
		if (ret)
			goto free;
	}
	/*
	 * The first event of its kind makes perf change code, for which it needs the lock of
	 * hotplug. This one never counts.
	 */
	keeper_attr = sampler_attr;
	keeper_attr.disabled = 1;
	keeper = perf_event_create_kernel_counter(&keeper_attr, cpumask_first(cpu_online_mask),
						  NULL, on_sample, NULL);
	if (IS_ERR(keeper)) {
		ret = PTR_ERR(keeper);
		goto free;
	}
	cpus_read_lock();
	ret = cpuhp_setup_state_cpuslocked(CPUHP_AP_ONLINE_DYN, "mm/demeter:online", sampler_online,
					   sampler_offline);
	sampling = ret >= 0;
	cpus_read_unlock();
	if (ret < 0)
		goto release;
	hotplug_state = ret;
	return 0;
release:
	perf_event_release_kernel(keeper);
free:
	free_rings();
	return ret;
}

/**
 * demeter_sampling_stop() - End what demeter_sampling_start() has begun
 */
void demeter_sampling_stop(void)
{
	cpuhp_remove_state(hotplug_state);
	sampling = false;
	perf_event_release_kernel(keeper);
	free_rings();
}

/**
 * demeter_sampling_counts() - What sampling has done
 *
 * Return: samples, and an estimate of the CPU time that they took, of all CPUs
 * since the start.
 */
struct demeter_sample_counts demeter_sampling_counts(void)
{
	struct demeter_sample_counts counts = {};
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct cpu_sampler *s = per_cpu_ptr(&samplers, cpu);
		const u64 samples = READ_ONCE(s->samples), timed = READ_ONCE(s->timed);

		counts.samples += samples;
		if (timed)
			counts.cpu_ns += div64_u64(READ_ONCE(s->timed_ns), timed) * samples;
	}
	return counts;
}

/**
 * demeter_sampling_read() - Take samples
 * @cpu:	Where to go on; -1 in the beginning.
 * @samples:	Gets them.
 * @max:	How many at the most.
 * @lost:	Is increased by how many came too fast.
 *
 * Return: how many; 0 when all CPUs' samples have been taken.
 */
u32 demeter_sampling_read(int *cpu, struct demeter_sample *samples, u32 max, u64 *lost)
{
	if (*cpu < 0)
		*cpu = cpumask_first(cpu_possible_mask);
	for (; *cpu < nr_cpu_ids; *cpu = cpumask_next(*cpu, cpu_possible_mask)) {
		const u32 n =
			demeter_ring_read(&per_cpu_ptr(&samplers, *cpu)->ring, samples, max, lost);

		if (n)
			return n;
	}
	return 0;
}
