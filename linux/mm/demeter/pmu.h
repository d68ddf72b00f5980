/* SPDX-License-Identifier: GPL-2.0 */
/* Sampling by the PMU: what is counted, and what happens on a CPU. */
#ifndef _MM_DEMETER_PMU_H
#define _MM_DEMETER_PMU_H

#include <linux/perf_event.h>

#include "channel.h"

struct demeter_params;

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

/* pmu_kind.c */
extern const struct demeter_pmu_kind demeter_pmu_pebs;
extern const struct demeter_pmu_kind demeter_pmu_ibs;
int demeter_pmu_set_attrs(const struct demeter_pmu_kind *kind, const struct demeter_params *params,
			  struct perf_event_attr *attrs);

void demeter_pmu_set_periods(const struct demeter_pmu_kind *kind,
			     const struct demeter_params *params, unsigned int factor,
			     struct perf_event_attr *attrs);

/* pmu_cpu.c */
int demeter_pmu_cpu_init(struct demeter_pmu_cpu *c, unsigned int cpu);
void demeter_pmu_cpu_exit(struct demeter_pmu_cpu *c);
int demeter_pmu_cpu_add(struct demeter_pmu_cpu *c, unsigned int cpu, int n,
			struct perf_event_attr *attrs);
void demeter_pmu_cpu_set_periods(struct demeter_pmu_cpu *c, const struct perf_event_attr *attrs);
void demeter_pmu_cpu_remove(struct demeter_pmu_cpu *c, int n);
bool demeter_pmu_cpu_has_counted(const struct demeter_pmu_cpu *c, int n);
unsigned int demeter_pmu_cpu_waits(struct demeter_pmu_cpu *c, int n);
u64 demeter_pmu_cpu_ns(const struct demeter_pmu_cpu *c);

#endif /* _MM_DEMETER_PMU_H */
