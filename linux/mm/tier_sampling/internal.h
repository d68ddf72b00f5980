/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of sampling share. Calls go from each file to those above it:
 *
 *	ring.c		rings of samples
 *	events.c	what can be counted
 *	cpu.c		what happens on a CPU
 *	sampler.c	sampling on all CPUs
 */
#ifndef _MM_TIER_SAMPLING_INTERNAL_H
#define _MM_TIER_SAMPLING_INTERNAL_H

#include <linux/tier_sampling.h>

/**
 * struct tier_sampling_cpu - Sampling on a CPU
 * @ring:	Samples that were not read yet.
 * @events:	The counters; NULL on a CPU that is offline, and where there is none.
 * @idle:	For how many checks each had to wait for its turn.
 * @samples:	How many samples there were.
 * @records:	How many there were with those that were left out.
 * @timed:	How many of them show how long a record takes.
 * @timed_ns:	How long those took.
 * @last:	When the last record was taken.
 * @blind:	Whether there was a record that did not say where the access hit.
 */
struct tier_sampling_cpu {
	struct tier_ring ring;
	struct perf_event *events[TIER_SAMPLER_EVENTS];
	unsigned int idle[TIER_SAMPLER_EVENTS];
	u64 samples;
	u64 records;
	u64 timed;
	u64 timed_ns;
	u64 last;
	bool blind;
};

/* cpu.c */
int tier_sampling_cpu_init(struct tier_sampling_cpu *c, unsigned int cpu);
void tier_sampling_cpu_exit(struct tier_sampling_cpu *c);
int tier_sampling_cpu_add(struct tier_sampling_cpu *c, unsigned int cpu, int n,
			  struct perf_event_attr *attrs);
void tier_sampling_cpu_set_periods(struct tier_sampling_cpu *c,
				   const struct perf_event_attr *attrs);
void tier_sampling_cpu_remove(struct tier_sampling_cpu *c, int n);
bool tier_sampling_cpu_has_counted(const struct tier_sampling_cpu *c, int n);
unsigned int tier_sampling_cpu_waits(struct tier_sampling_cpu *c, int n);
u64 tier_sampling_cpu_ns(const struct tier_sampling_cpu *c);

#endif /* _MM_TIER_SAMPLING_INTERNAL_H */
