/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memtis: tiered memory managed by the distribution of accesses (SOSP '23).
 *
 * ksampled polls samples of loads that miss all caches, and of stores, and counts them per page and
 * per huge page (region.c). From time to time it finds what is hot, so that it just fits into the
 * fast tier (heat.c), halves all counts, and changes the period of samples so that they cost no
 * more than a share of a CPU (period.c).
 *
 * kmemtisd of each fast node sees which pages there are (process.c), splits huge pages of which
 * only some base pages are hot (skew.c, huge.c), and makes room: cold pages go to the slow tier.
 * kmemtisd of each slow node promotes hot pages (move.c). Nothing is done in faults of processes.
 *
 * A file calls only files below it:
 *
 *	core.c		the module
 *	sysfs.c		the interface
 *	control.c	what is switched on and off, and the threads of nodes
 *	move.c, huge.c, sample.c
 *	process.c
 *	region.c, heat.c, period.c, skew.c
 */
#ifndef _MM_MEMTIS_MEMTIS_H
#define _MM_MEMTIS_MEMTIS_H

#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/page_exchange.h>
#include <linux/tier_sampling.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "heat.h"
#include "period.h"
#include "region.h"
#include "skew.h"

/* Samples that are taken from a ring at once. */
#define MEMTIS_READ_SAMPLES 256
/* Huge pages that are split in a round, at most. */
#define MEMTIS_MAX_SPLIT 64

/**
 * struct memtis_params - What users can set; ranges in sysfs.c
 * @load_period: Least number of loads per sample.
 * @store_period: Likewise of stores; 0: stores are not sampled.
 * @cpu_permille: Share of a CPU that sampling may cost, in a thousandth.
 * @poll_ms:	How often samples are looked for, in ms.
 * @cool_samples: Samples after which counts are halved; 0: as many as there are pages.
 * @adapt_samples: Samples after which thresholds are found anew; 0: a twentieth of that.
 * @wake_ms:	How often pages are moved, in ms.
 * @headroom_permille: Share of the fast tier that is kept free, in a thousandth.
 * @split_permille: How much better the hit ratio must become for huge pages to be split, in a
 *		thousandth of samples; 1000: none is.
 * @min_mib:	Memory of processes that are managed, at least, in MiB.
 */
struct memtis_params {
	unsigned int load_period;
	unsigned int store_period;
	unsigned int cpu_permille;
	unsigned int poll_ms;
	unsigned int cool_samples;
	unsigned int adapt_samples;
	unsigned int wake_ms;
	unsigned int headroom_permille;
	unsigned int split_permille;
	unsigned int min_mib;
};

/**
 * struct memtis_stats - Counters since the module was loaded
 * @samples:	Samples that were counted.
 * @lost:	Samples that were overwritten before they were read.
 * @strays:	Samples of other processes, or of memory that is not known.
 * @coolings:	How often counts were to be halved.
 * @adaptations: How often thresholds were found.
 * @promoted:	Base pages that went to the fast tier.
 * @demoted:	Base pages that went to the slow tier.
 * @busy:	Pages that could not be moved at the time.
 * @kept:	Pages that had to stay.
 * @no_room:	Pages for which there was no free memory where they were to go.
 * @splits:	Huge pages that were split.
 * @collapses:	Huge pages that were made again of those.
 * @failed_collapses: Those that could not be.
 * @ksampled_ns: CPU time of ksampled.
 * @sample_ns:	Estimate of the CPU time of taking samples.
 * @scan_ns:	CPU time of seeing where pages are.
 * @migrate_ns:	CPU time of choosing and moving pages.
 */
struct memtis_stats {
	u64 samples;
	u64 lost;
	u64 strays;
	u64 coolings;
	u64 adaptations;
	u64 promoted;
	u64 demoted;
	u64 busy;
	u64 kept;
	u64 no_room;
	u64 splits;
	u64 collapses;
	u64 failed_collapses;
	u64 ksampled_ns;
	u64 sample_ns;
	u64 scan_ns;
	u64 migrate_ns;
};

/**
 * struct memtis_mm - A process that is managed
 * @list:	All of them.
 * @mm:		Its mm. There is a reference on the struct, not on its users.
 * @regions:	What is known of its memory, by address / PMD_SIZE.
 * @scan:	Number of the last scan of it.
 */
struct memtis_mm {
	struct list_head list;
	struct mm_struct *mm;
	struct xarray regions;
	unsigned int scan;
};

/**
 * struct memtis_pace - What ksampled has done since it was last looked at
 * @at:		When that was, in ns.
 * @busy_ns:	What it had cost by then.
 * @factor:	By how much periods are longer than the least ones.
 * @cooled:	Samples at the last cooling.
 * @adapted:	Samples when thresholds were last found.
 * @permille:	What it has cost of a CPU lately, in a thousandth.
 */
struct memtis_pace {
	u64 at;
	u64 busy_ns;
	unsigned int factor;
	u64 cooled;
	u64 adapted;
	unsigned int permille;
};

/**
 * struct memtis_node - The thread of a node
 * @thread:	The thread; NULL: none.
 * @wait:	Where it waits.
 * @is_woken:	Whether it has been told to look at once.
 */
struct memtis_node {
	struct task_struct *thread;
	wait_queue_head_t wait;
	bool is_woken;
};

/**
 * struct memtis_move - A page that is to be moved
 * @m:		Whose it is.
 * @addr:	Where.
 */
struct memtis_move {
	struct memtis_mm *m;
	unsigned long addr;
};

/**
 * struct memtis - Everything that Memtis knows
 * @control:	Lets one user at a time switch it on or off, or set what may not change meanwhile.
 * @round:	Held by the thread of a node for a round; protects what follows, down to @max_moves.
 *		Taken before @lock.
 * @mms:	Processes that are managed. To change it, @lock is held as well.
 * @looked:	When processes and their pages were looked at last, in ns.
 * @pid:	Pid from which on processes are looked for.
 * @moves:	Room for @max_moves.
 * @max_moves:	Most pages that move in a round, either way.
 * @lock:	Protects all that follows, and the regions of processes. Taken inside of mmap locks;
 *		nobody waits for memory while it is held.
 * @by_mm:	The processes by their mm.
 * @heat:	How hot all their pages are.
 * @hot:	What is hot, as pages are.
 * @base_hot:	What would be, if all pages were base pages.
 * @capacity:	Base pages that the fast tier has for them.
 * @hits:	Samples since huge pages were last thought about.
 * @nr_split:	How many of these are to be split.
 * @pace:	State of ksampled.
 * @sampler:	Samples; valid while it is on.
 * @samples:	Room of ksampled.
 * @counted:	What of the sampler's counters is in @stats.
 * @ksampled:	The thread; NULL while Memtis is off.
 * @fast:	Nodes of the fast tier.
 * @slow:	Nodes of the slow tier.
 * @fast_pages:	Base pages of the fast tier.
 * @pages:	Base pages of both.
 * @params:	Parameters; read without a lock.
 * @stats:	Counters; read without a lock.
 * @nodes:	Threads.
 * @kobj:	The folder in sysfs.
 */
struct memtis {
	struct mutex control; /* see above */
	struct mutex round; /* see above */
	struct list_head mms;
	u64 looked;
	int pid;
	struct memtis_move *moves;
	unsigned int max_moves;
	struct mutex lock; /* see above */
	struct xarray by_mm;
	struct memtis_heat heat;
	struct memtis_thresholds hot;
	struct memtis_thresholds base_hot;
	unsigned long capacity;
	struct memtis_hits hits;
	unsigned int nr_split;
	struct memtis_pace pace;
	struct tier_sampler sampler;
	struct tier_sample samples[MEMTIS_READ_SAMPLES];
	struct tier_sampler_count counted;
	struct task_struct *ksampled;
	nodemask_t fast;
	nodemask_t slow;
	unsigned long fast_pages;
	unsigned long pages;
	struct memtis_params params;
	struct memtis_stats stats;
	struct memtis_node nodes[MAX_NUMNODES];
	struct kobject *kobj;
};

extern struct memtis memtis;

/* How many samples there are between two coolings, and between two adaptations. */
static inline unsigned int memtis_cool_samples(const struct memtis *t)
{
	return READ_ONCE(t->params.cool_samples) ?: max(t->pages, 1024ul);
}

static inline unsigned int memtis_adapt_samples(const struct memtis *t)
{
	return READ_ONCE(t->params.adapt_samples) ?: max(memtis_cool_samples(t) / 20, 64u);
}

/* process.c */
struct memtis_region *memtis_find_region(const struct memtis_mm *m, unsigned long addr);
void memtis_look(struct memtis *t);
void memtis_forget_all(struct memtis *t);

/* sample.c */
int memtis_sample_start(struct memtis *t);
void memtis_sample_stop(struct memtis *t);

/* huge.c */
void memtis_split_some(struct memtis *t);
void memtis_join_some(struct memtis *t);

/* move.c */
unsigned long memtis_headroom(const struct memtis *t);
unsigned long memtis_room(const struct memtis *t);
bool memtis_demote(struct memtis *t);
bool memtis_promote(struct memtis *t);

/* control.c */
int memtis_set_enabled(struct memtis *t, bool on);

/* sysfs.c */
int memtis_sysfs_init(struct memtis *t);
void memtis_sysfs_exit(struct memtis *t);

#endif /* _MM_MEMTIS_MEMTIS_H */
