// SPDX-License-Identifier: GPL-2.0
/* The PMUs that sample data addresses, and what they are told to count. */
#include <linux/fs.h>
#include <linux/kernel_read_file.h>
#include <linux/kstrtox.h>

#include <asm/processor.h>

#include "demeter.h"
#include "pmu.h"

/*
 * Ops per sample of IBS. Each one interrupts, whatever it hits, so that it is the rate of ops
 * that bounds the cost: at 8 ops a cycle and 4 GHz there are no more than 61000 samples a
 * second, less than perf's limit. perf takes multiples of 16 only.
 */
#define IBS_PERIOD 524288

/*
 * MEM_TRANS_RETIRED.LOAD_LATENCY and MEM_INST_RETIRED.ALL_STORES, whose records say whether
 * the store hit the first-level cache; Intel SDM, volume 3, 20.9.4
 */
const struct demeter_pmu_kind demeter_pmu_pebs = {
	.config = { 0x1cd, 0x82d0 },
	.filters = true,
	.vendor = X86_VENDOR_INTEL,
};

/* Op sampling, counting ops (bit 19), of loads and stores; AMD PPR. Not run on hardware. */
const struct demeter_pmu_kind demeter_pmu_ibs = {
	.pmu = "ibs_op",
	.config = { 1 << 19 },
	.period = IBS_PERIOD,
	.vendor = X86_VENDOR_AMD,
};

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

/**
 * demeter_pmu_set_periods() - Say how often samples are taken
 * @kind:	The PMU.
 * @params:	The parameters.
 * @factor:	By how much periods are longer than these say.
 * @attrs:	The NR_DEMETER_EVENTS events. Without a period, there is no event of stores.
 */
void demeter_pmu_set_periods(const struct demeter_pmu_kind *kind,
			     const struct demeter_params *params, unsigned int factor,
			     struct perf_event_attr *attrs)
{
	const u64 period = kind->period ?: params->sample_period;

	attrs[DEMETER_LOADS].sample_period = period * factor;
	attrs[DEMETER_STORES].sample_period =
		attrs[DEMETER_STORES].config ? (u64)params->store_period * factor : 0;
}

/**
 * demeter_pmu_set_attrs() - Say what is counted
 * @kind:	The PMU.
 * @params:	The parameters.
 * @attrs:	Gets NR_DEMETER_EVENTS events.
 *
 * Return: 0, -ENODEV if the machine has no such PMU.
 */
int demeter_pmu_set_attrs(const struct demeter_pmu_kind *kind, const struct demeter_params *params,
			  struct perf_event_attr *attrs)
{
	struct perf_event_attr *loads = &attrs[DEMETER_LOADS];
	struct perf_event_attr *stores = &attrs[DEMETER_STORES];
	u32 type;
	int ret;

	if (boot_cpu_data.x86_vendor != kind->vendor)
		return -ENODEV;
	ret = demeter_pmu_type(kind->pmu, &type);
	if (ret)
		return ret;
	*loads = (struct perf_event_attr){
		.type = type,
		.size = sizeof(*loads),
		.config = kind->config[DEMETER_LOADS],
		.sample_type = PERF_SAMPLE_ADDR | PERF_SAMPLE_DATA_SRC,
		.precise_ip = 2,
	};
	*stores = *loads;
	stores->config = kind->config[DEMETER_STORES];
	if (kind->filters) {
		loads->config1 = params->latency_threshold;
		/* hits in caches are left out by that */
		loads->sample_type = PERF_SAMPLE_ADDR;
	}
	demeter_pmu_set_periods(kind, params, 1, attrs);
	return 0;
}
