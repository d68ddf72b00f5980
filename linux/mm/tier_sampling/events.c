// SPDX-License-Identifier: GPL-2.0
/* What can be sampled, and by which PMU. */
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/kernel_read_file.h>
#include <linux/kstrtox.h>

#include <asm/processor.h>

#include "internal.h"

/*
 * Ops per sample of IBS. Each one interrupts, whatever it hits, so that it is the rate of ops
 * that bounds the cost: at 8 ops a cycle and 4 GHz there are no more than 61000 samples a
 * second, less than perf's limit. perf takes multiples of 16 only.
 */
#define IBS_PERIOD 524288

/**
 * struct tier_event_kind - How an event is counted
 * @pmu:	The PMU's name under /sys/bus/event_source/devices; NULL for that of the
 *		processor's cores.
 * @config:	As in struct perf_event_attr.
 * @period:	Events per sample, where users cannot choose; else 0.
 * @says_where:	Whether only its records tell what missed all caches.
 * @vendor:	Vendor of the processors that have it: X86_VENDOR_*.
 */
struct tier_event_kind {
	const char *pmu;
	u64 config;
	u64 period;
	bool says_where;
	u8 vendor;
};

/* Intel SDM, volume 3, 20.9.4, and perfmon events of Ice Lake servers; AMD PPR, not run. */
static const struct tier_event_kind tier_event_kinds[NR_TIER_EVENTS] = {
	/* MEM_TRANS_RETIRED.LOAD_LATENCY */
	[TIER_EVENT_LOAD_LATENCY] = { .config = 0x1cd, .vendor = X86_VENDOR_INTEL },
	/* MEM_INST_RETIRED.ALL_STORES */
	[TIER_EVENT_STORES] = { .config = 0x82d0, .says_where = true, .vendor = X86_VENDOR_INTEL },
	/* MEM_LOAD_L3_MISS_RETIRED.LOCAL_DRAM */
	[TIER_EVENT_LOADS_DRAM] = { .config = 0x1d3, .vendor = X86_VENDOR_INTEL },
	/* MEM_LOAD_L3_MISS_RETIRED.REMOTE_DRAM */
	[TIER_EVENT_LOADS_REMOTE_DRAM] = { .config = 0x2d3, .vendor = X86_VENDOR_INTEL },
	/* MEM_LOAD_RETIRED.LOCAL_PMM */
	[TIER_EVENT_LOADS_PMEM] = { .config = 0x80d1, .vendor = X86_VENDOR_INTEL },
	/* op sampling, counting ops (bit 19) */
	[TIER_EVENT_OPS] = { .pmu = "ibs_op",
			     .config = 1 << 19,
			     .period = IBS_PERIOD,
			     .says_where = true,
			     .vendor = X86_VENDOR_AMD },
};

/* Finds the number by which perf knows a PMU. */
static int tier_event_type(const char *name, u32 *type)
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

/**
 * tier_event_attr() - Say how an event is sampled
 * @event:	The event.
 * @attr:	Gets it, with a period only if that cannot be chosen.
 *
 * Return: 0, -ENODEV if the machine has no such PMU.
 */
int tier_event_attr(enum tier_event event, struct perf_event_attr *attr)
{
	const struct tier_event_kind *kind = &tier_event_kinds[event];
	u32 type;
	int ret;

	if (boot_cpu_data.x86_vendor != kind->vendor)
		return -ENODEV;
	ret = tier_event_type(kind->pmu, &type);
	if (ret)
		return ret;
	*attr = (struct perf_event_attr){
		.type = type,
		.size = sizeof(*attr),
		.config = kind->config,
		.sample_period = kind->period,
		.sample_type = PERF_SAMPLE_ADDR | (kind->says_where ? PERF_SAMPLE_DATA_SRC : 0),
		.precise_ip = 2,
	};
	return 0;
}
EXPORT_SYMBOL_GPL(tier_event_attr);
