/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Samples of the data addresses that are accessed, for designs that manage tiered memory.
 *
 * A sampler has perf count events on all CPUs, and notes the address of every n-th. Samples go
 * through rings on their way to whoever classifies them. Each ring has one writer, a CPU or a
 * thread, and one reader. Nobody takes a lock and nobody waits: a reader that is too slow loses
 * the oldest samples, and learns how many.
 */
#ifndef _LINUX_TIER_SAMPLING_H
#define _LINUX_TIER_SAMPLING_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/cpuhotplug.h>
#include <linux/list.h>
#include <linux/perf_event.h>
#include <linux/types.h>

/**
 * struct tier_sample - An access to memory
 * @owner:	The mm that accessed it. It may be gone: it is compared, never dereferenced.
 * @addr:	User address.
 */
struct tier_sample {
	const void *owner;
	unsigned long addr;
};

/**
 * struct tier_ring - Samples of one writer
 * @slots:	The samples; @size of them, a power of two.
 * @size:	How many samples fit.
 * @written:	How many samples were ever written.
 * @read:	How many samples were ever read or lost. Only the reader uses it.
 */
struct tier_ring {
	struct tier_sample *slots;
	u32 size;
	u64 written ____cacheline_aligned;
	u64 read ____cacheline_aligned;
};

int tier_ring_init(struct tier_ring *ring, u32 size, int nid);
void tier_ring_free(struct tier_ring *ring);
u32 tier_ring_read(struct tier_ring *ring, struct tier_sample *samples, u32 max, u64 *lost);

/**
 * tier_ring_write() - Add a sample, over the oldest one if there is no room
 * @ring:	The ring, which nobody else writes into.
 * @owner:	The mm that accessed it; NULL: the kernel did.
 * @addr:	User address; of the kernel, physical address.
 *
 * May be called in any context, also in an NMI, but must not be interrupted by
 * itself.
 */
static inline void tier_ring_write(struct tier_ring *ring, const void *owner, unsigned long addr)
{
	const u64 n = ring->written;
	struct tier_sample *slot = &ring->slots[n & (ring->size - 1)];

	/* whoever sees this slot change also sees that the sample before it was counted */
	smp_wmb();
	WRITE_ONCE(slot->owner, owner);
	WRITE_ONCE(slot->addr, addr);
	/* whoever sees the sample counted also sees it written: see tier_ring_read() */
	smp_store_release(&ring->written, n + 1);
}

/* Events that a sampler can count. */
#define TIER_SAMPLER_EVENTS 4

/**
 * enum tier_event - What can be sampled
 * @TIER_EVENT_LOAD_LATENCY: Loads that take so many core cycles or more (config1).
 * @TIER_EVENT_STORES:	Stores; records say whether they hit the first-level cache.
 * @TIER_EVENT_LOADS_DRAM: Loads that miss all caches and hit DRAM of the socket.
 * @TIER_EVENT_LOADS_REMOTE_DRAM: Likewise, other DRAM; memory behind CXL counts as such.
 * @TIER_EVENT_LOADS_PMEM: Likewise, persistent memory of the socket.
 * @TIER_EVENT_OPS:	All accesses, by AMD IBS, at a period that cannot be chosen.
 * @NR_TIER_EVENTS:	How many there are.
 */
enum tier_event {
	TIER_EVENT_LOAD_LATENCY,
	TIER_EVENT_STORES,
	TIER_EVENT_LOADS_DRAM,
	TIER_EVENT_LOADS_REMOTE_DRAM,
	TIER_EVENT_LOADS_PMEM,
	TIER_EVENT_OPS,
	NR_TIER_EVENTS,
};

struct tier_sampling_cpu;

/**
 * struct tier_sampler - Sampling on all CPUs
 * @name:	Whose it is, in the log.
 * @nr:		How many events there are. Set by the owner, as is all before it and @attrs.
 * @names:	Of each event, what it counts, in the log.
 * @attrs:	The events; those without a period are not counted. All but the first may fail to
 *		be counted.
 * @cpus:	Per CPU. This and what follows belongs to the sampler.
 * @keeper:	A counter that never counts; see tier_sampler_start().
 * @hotplug_state: State that tells of CPUs which come and go.
 * @hotplug_node: Ties this to that state.
 * @error:	Error of the first CPU that could not be sampled in the beginning.
 * @started:	Whether the beginning is over. Both belong to the lock of CPU hotplug.
 * @told:	Of each event, whether the log says already that it is not counted.
 * @told_idle:	Whether it says that others use the counters.
 */
struct tier_sampler {
	const char *name;
	unsigned int nr;
	const char *names[TIER_SAMPLER_EVENTS];
	struct perf_event_attr attrs[TIER_SAMPLER_EVENTS];
	struct tier_sampling_cpu __percpu *cpus;
	struct perf_event *keeper;
	enum cpuhp_state hotplug_state;
	struct hlist_node hotplug_node;
	int error;
	bool started;
	bool told[TIER_SAMPLER_EVENTS];
	bool told_idle;
};

/**
 * struct tier_sampler_count - What a sampler has counted since it was started
 * @samples:	Samples.
 * @ns:		Estimate of the CPU time that they took; it may become smaller.
 */
struct tier_sampler_count {
	u64 samples;
	u64 ns;
};

/* events.c */
int tier_event_attr(enum tier_event event, struct perf_event_attr *attr);

/* sampler.c */
int tier_sampler_start(struct tier_sampler *sampler);
void tier_sampler_stop(struct tier_sampler *sampler);
bool tier_sampler_update_periods(struct tier_sampler *sampler);
u32 tier_sampler_read(struct tier_sampler *sampler, unsigned int cpu, struct tier_sample *samples,
		      u32 max, u64 *lost);
void tier_sampler_check(struct tier_sampler *sampler);
struct tier_sampler_count tier_sampler_count(struct tier_sampler *sampler);
void tier_sampler_health(struct tier_sampler *sampler, unsigned int n, unsigned int *sampled,
			 unsigned int *waiting);

#endif /* _LINUX_TIER_SAMPLING_H */
