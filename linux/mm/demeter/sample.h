/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sampling: counters of data addresses on all CPUs, and the rings that they fill.
 * The first stage of the pipeline.
 */
#ifndef _MM_DEMETER_SAMPLE_H
#define _MM_DEMETER_SAMPLE_H

#include "channel.h"

/**
 * struct demeter_source - A kind of event that samples data addresses
 * @name:	What users call it.
 * @pmu:	Name of its PMU under /sys/bus/event_source/devices; NULL for that of
 *		the processor's cores.
 * @config:	Of struct perf_event_attr.
 * @has_latency: Whether config1 is a threshold of latency in cycles.
 * @filters:	Whether the PMU can be told to leave the kernel out.
 * @precise:	precise_ip of struct perf_event_attr.
 * @vendor:	X86_VENDOR_*, of which processors it is.
 * @accessed_bits: Whether it is no event of a PMU: see accessed.h.
 */
struct demeter_source {
	const char *name;
	const char *pmu;
	u64 config;
	bool has_latency;
	bool filters;
	unsigned int precise;
	u8 vendor;
	bool accessed_bits;
};

/* Of all CPUs; see demeter_sampling_counts(). */
struct demeter_sample_counts {
	u64 samples;
	u64 cpu_ns;
};

extern const struct demeter_source demeter_sources[];
extern const unsigned int demeter_nr_sources;

int demeter_sampling_start(const struct demeter_source *source, u64 period, u64 latency);
void demeter_sampling_stop(void);
struct demeter_sample_counts demeter_sampling_counts(void);
u32 demeter_sampling_read(int *cpu, struct demeter_sample *samples, u32 max, u64 *lost);

#endif /* _MM_DEMETER_SAMPLE_H */
