/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's own tiering costs: CPU time by stage, and flushes of the TLB.
 *
 * NUMA balancing and reclaim do their work in many places, most of them in the context of the
 * process whose memory it is. Each place has a timer here; mm/tier_stage.c adds up and shows
 * what they count in /sys/kernel/mm/tier_stage. Without CONFIG_TIER_STAGE, nothing is left of it.
 */
#ifndef _LINUX_TIER_STAGE_H
#define _LINUX_TIER_STAGE_H

#include <linux/cleanup.h>
#include <linux/percpu.h>
#include <linux/types.h>

/**
 * enum tier_count - What is counted, since boot
 * @TIER_HINT_FAULTS_NS: CPU time of NUMA hint faults, without the promotions in them.
 * @TIER_SCAN_NS: CPU time of scans that make entries of page tables fault.
 * @TIER_PROMOTE_NS: CPU time of migrations after hint faults.
 * @TIER_DEMOTE_NS: CPU time of demotions by reclaim.
 * @TIER_TLB_SINGLE: Invalidations of single pages, of users and of the kernel, on all CPUs.
 * @TIER_TLB_FULL: Flushes of all entries, of a process or of all, on all CPUs.
 * @TIER_TLB_REMOTE: Times that other CPUs were asked to flush.
 * @NR_TIER_COUNTS: How many there are.
 */
enum tier_count {
	TIER_HINT_FAULTS_NS,
	TIER_SCAN_NS,
	TIER_PROMOTE_NS,
	TIER_DEMOTE_NS,
	TIER_TLB_SINGLE,
	TIER_TLB_FULL,
	TIER_TLB_REMOTE,
	NR_TIER_COUNTS,
};

/**
 * struct tier_timer - Adds the CPU time of a block of code to a sum
 * @begin:	CPU time of the task at the begin, or since the pause, in ns.
 * @sum:	Which sum; one of those in ns.
 *
 * CLASS(tier_timer, name)(sum) declares one that runs until the end of the block, however that
 * is left. Only the task that has begun it may end it.
 */
struct tier_timer {
	u64 begin;
	enum tier_count sum;
};

#ifdef CONFIG_TIER_STAGE

DECLARE_PER_CPU(u64[NR_TIER_COUNTS], tier_counts);

static inline void tier_count(enum tier_count which, u64 n)
{
	this_cpu_add(tier_counts[which], n);
}

struct tier_timer tier_timer_begin(enum tier_count sum);
void tier_timer_pause(struct tier_timer *timer);
void tier_timer_resume(struct tier_timer *timer);

#else

static inline void tier_count(enum tier_count which, u64 n)
{
}

static inline struct tier_timer tier_timer_begin(enum tier_count sum)
{
	return (struct tier_timer){};
}

static inline void tier_timer_pause(struct tier_timer *timer)
{
}

static inline void tier_timer_resume(struct tier_timer *timer)
{
}

#endif /* CONFIG_TIER_STAGE */

DEFINE_CLASS(tier_timer, struct tier_timer, tier_timer_pause(&_T), tier_timer_begin(sum),
	     enum tier_count sum)

#endif /* _LINUX_TIER_STAGE_H */
