/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Demeter: tiered memory managed by the kernel that uses it.
 *
 * Data flows one way, once per epoch, in one kernel thread (core.c):
 *
 *	sample.c	the PMU samples user addresses into per-CPU rings (channel.c);
 *	accessed.c	without such a PMU, DAMON does by means of accessed bits
 *	target.c	whose memory is managed; samples find their target
 *	range.c, heat.c	classify: how hot ranges and pages are
 *	rank.c		which pages are to change tiers
 *	relocate.c	moves them by means of mm/page_exchange, which is built in
 *
 * sysfs.c is the interface. Everything below is protected by demeter_lock, which
 * the thread holds for an epoch at a time.
 */
#ifndef _MM_DEMETER_DEMETER_H
#define _MM_DEMETER_DEMETER_H

#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "accessed.h"
#include "heat.h"
#include "range.h"
#include "rank.h"
#include "sample.h"

#define DEMETER_MAX_RANGES  65536
#define DEMETER_MAX_TARGETS 4096
/* Of those, by a thread each, if accessed bits are the source. */
#define DEMETER_MAX_WATCHED 64

/**
 * struct demeter_params - What users can set; ranges and units in sysfs.c
 * @epoch_ms:	Length of an epoch.
 * @sample_period: Events per sample.
 * @latency_threshold: Least latency of a sampled load, in core cycles.
 * @split_threshold: Samples per CPU by which a range exceeds a neighbour to be split.
 * @merge_epochs: Epochs without samples until ranges are merged.
 * @max_ranges: Of a target.
 * @cool_epochs: Epochs after which counts of pages halve.
 * @backoff_epochs: Epochs for which pages that could not be moved are left alone.
 * @batch_pages: Most pages promoted in an epoch.
 * @margin:	Classes of heat by which pages must differ to trade places.
 * @exchange_ns: What moving a pair of pages takes.
 * @tier_ns:	By how much an access to the slow tier takes longer.
 * @page_counters: Whether pages are told apart; otherwise only 2 MiB granules.
 */
struct demeter_params {
	unsigned int epoch_ms;
	unsigned int sample_period;
	unsigned int latency_threshold;
	unsigned int split_threshold;
	unsigned int merge_epochs;
	unsigned int max_ranges;
	unsigned int cool_epochs;
	unsigned int backoff_epochs;
	unsigned int batch_pages;
	unsigned int margin;
	unsigned int exchange_ns;
	unsigned int tier_ns;
	unsigned int page_counters;
};

enum demeter_stage {
	DEMETER_SAMPLE,
	DEMETER_CLASSIFY,
	DEMETER_RANK,
	DEMETER_RELOCATE,
	NR_DEMETER_STAGES,
};

/**
 * struct demeter_stats - What was done, since the module was loaded
 * @epochs:	Epochs.
 * @samples:	Samples taken, of targets and others.
 * @lost:	Samples that were overwritten before they were read.
 * @strays:	Samples of no target, or of memory that is not managed.
 * @promoted:	Pages that went to the fast tier, by exchange or migration.
 * @demoted:	Pages that went to the slow tier.
 * @exchanged:	Pairs of base pages that traded places; a pair of huge pages is 512.
 * @split:	Huge pages that were split for base pages to change tiers.
 * @busy:	Pages that could not be moved then.
 * @refused:	Pages that cannot be moved.
 * @gone:	Pages that were not there any more.
 * @no_room:	Pages for which there was no free memory where they were to go.
 * @stage_ns:	CPU time by stage.
 */
struct demeter_stats {
	u64 epochs;
	u64 samples;
	u64 lost;
	u64 strays;
	u64 promoted;
	u64 demoted;
	u64 exchanged;
	u64 split;
	u64 busy;
	u64 refused;
	u64 gone;
	u64 no_room;
	u64 stage_ns[NR_DEMETER_STAGES];
};

/**
 * struct demeter_target - A process, or rather its memory
 * @list:	In demeter_targets.
 * @by_mm:	Where it is found by its mm.
 * @kobj:	Its folder in sysfs, which frees it in the end.
 * @mm:		Its memory, which the target keeps from being freed, not from exiting.
 * @pid:	Of the process that had it first.
 * @thread:	A thread of that.
 * @comm:	Name of that.
 * @lock:	Against changes of the order of @ranges while they are read in sysfs.
 * @ranges:	How hot which addresses are.
 * @granules:	struct demeter_granule by start / GRANULE_SIZE.
 * @watch:	What samples it, if accessed bits are the source and it is one of them.
 * @last_sampled: Granule of the last sample, while samples are taken.
 * @scan:	Number of the last scan of its pages.
 * @scan_from:	Where the next scan goes on; 0: at the beginning.
 * @scope:	Number of the scope that it is in; 0: it is to be dropped.
 * @samples:	Samples.
 * @pages:	Pages by tier, as of the last scan.
 * @promoted:	Pages that went to the fast tier.
 * @demoted:	Pages that went to the slow tier.
 */
struct demeter_target {
	struct list_head list;
	struct hlist_node by_mm;
	struct kobject kobj;
	struct mm_struct *mm;
	pid_t pid;
	struct pid *thread;
	char comm[TASK_COMM_LEN];
	struct mutex lock; /* see above */
	struct demeter_ranges ranges;
	struct xarray granules;
	struct demeter_watch *watch;
	struct demeter_granule *last_sampled;
	u32 scan;
	unsigned long scan_from;
	u64 scope;
	u64 samples;
	u64 pages[NR_DEMETER_TIERS];
	u64 promoted;
	u64 demoted;
};

/* A page that is to change tiers. */
struct demeter_candidate {
	struct demeter_target *target;
	struct demeter_granule *granule;
	unsigned long addr;
};

extern struct mutex demeter_lock;
extern struct demeter_params demeter_params;
extern struct demeter_stats demeter_stats;
extern struct list_head demeter_targets;
extern nodemask_t demeter_fast_nodes, demeter_slow_nodes;

/* core.c */
int demeter_start(void);
void demeter_stop(void);
bool demeter_is_running(void);
const struct demeter_source *demeter_source_chosen(void);
int demeter_choose_source(const char *name);

/* target.c: whom to manage */
int demeter_scope_add(const char *text);
int demeter_scope_remove(const char *text);
ssize_t demeter_scope_show(char *buf);
void demeter_targets_find(void);
void demeter_targets_clear(void);
void demeter_targets_scan(void);
struct demeter_target *demeter_target_of(const void *mm);

/* relocate.c */
int demeter_relocate_init(void);
void demeter_relocate_exit(void);
void demeter_relocate_begin(void);
void demeter_relocate(enum demeter_size size, const struct demeter_plan *plan);
void demeter_split(struct demeter_split split);
u64 demeter_free_fast_pages(enum demeter_size size);

/* sysfs.c */
int demeter_sysfs_init(void);
void demeter_sysfs_exit(void);
void demeter_sysfs_add_target(struct demeter_target *t);
void demeter_sysfs_remove_target(struct demeter_target *t);

#endif /* _MM_DEMETER_DEMETER_H */
