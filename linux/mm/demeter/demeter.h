/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Demeter: tiered memory managed by the kernel that uses it.
 *
 * Once per epoch, one kernel thread (core.c) goes through the stages of a pipeline:
 *
 *	find		find.c finds the processes that are in a scope (scope.c with scope_name.c,
 *			tree.c and claim.c), which become targets (target.c), and scan.c where
 *			their pages are;
 *	sample		a source (source.c: source_pmu.c, or source_damon.c with watch.c) hands over
 *			the addresses that were accessed, from rings of mm/tier_sampling, which is
 *			built in;
 *	classify	classify.c counts them per page (heat.c) and per range (range.c), and
 *			estimates how hot pages are;
 *	rank		plan.c decides from the ranking (rank.c) which pages change tiers;
 *	relocate	gather.c picks the pages, pair.c says which trade places, and
 *			relocate.c moves them by means of mm/page_exchange, which is
 *			built in.
 *
 * pace.c adapts how often samples are taken.
 *
 * ranker.c lets others use the ranking: when a node becomes smaller, from which evacuate.c
 * moves pages, and to tell what more fast memory would be worth.
 *
 * update.c keeps the ranking (rank.c) and the lists of granules by heat (index.c) up to date,
 * so that an epoch costs what has changed in it, whatever the size of memory.
 *
 * sysfs.c, sysfs_target.c and hold.c are the interface. A file calls only files below it:
 *
 *	core.c
 *	sysfs.c
 *	hold.c
 *	sysfs_target.c, ranker.c, pace.c
 *	evacuate.c
 *	relocate.c, classify.c, source.c
 *	gather.c, pair.c, plan.c, source_pmu.c, source_damon.c
 *	find.c, watch.c
 *	target.c
 *	claim.c, scan.c
 *	scope.c, update.c
 *	tree.c, scope_name.c
 *	granule.c, range.c, index.c, rank.c, unmanaged.c
 *	heat.c
 *
 * Lower files reach upper ones only through the callbacks of struct demeter_source_ops,
 * struct demeter_control and struct demeter_observer, through demeter_take_fn, and through
 * those that they hand to others: found() of struct page_exchange_scan, and those of DAMON, of
 * perf and of CPU hotplug.
 */
#ifndef _MM_DEMETER_DEMETER_H
#define _MM_DEMETER_DEMETER_H

#include <linux/completion.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/sched.h>

#include "heat.h"
#include "index.h"
#include "plan.h"
#include "range.h"
#include "rank.h"
#include "relocate.h"
#include "scope.h"
#include "source.h"
#include "target.h"

#define DEMETER_MAX_RANGES 65536
/* Samples that are taken from a ring at once. */
#define DEMETER_READ_SAMPLES 256
/* Files that can become managed in an epoch because they are read. */
#define DEMETER_MAX_READ 16
/* For so many epochs a file is remembered that is not found mapped. */
#define DEMETER_LOST_EPOCHS 16
/* Parts of address spaces that can be asked to be looked at in an epoch. */
#define DEMETER_MAX_ASKED 64

/**
 * struct demeter_params - What users can set; ranges and units in sysfs.c
 * @epoch_ms:	Length of an epoch.
 * @sample_period: Loads per sample.
 * @store_period: Stores per sample; 0: stores are not sampled.
 * @sample_rate: Most samples per second of the average CPU; to have no more, periods are made
 *		longer.
 * @latency_threshold: Least latency of a sampled load, in core cycles.
 * @split_threshold: Samples per CPU by which a range exceeds a neighbour to be split.
 * @merge_epochs: Epochs without samples until ranges are merged.
 * @max_ranges: Most ranges of a target.
 * @cool_epochs: Epochs after which counts of pages halve.
 * @backoff_epochs: Most epochs for which pages that could not be moved are left alone.
 * @relocate_percent: Most CPU time that relocation takes, in percent of one CPU.
 * @relocate_mib: Most MiB that change tiers in a second, either way.
 * @margin:	Classes of heat by which pages must differ to trade places.
 * @exchange_ns: Time that it takes to exchange two pages.
 * @tier_ns:	Time by which an access to the slow tier takes longer.
 * @page_counters: Whether pages are told apart; otherwise only granules of 2 MiB are.
 */
struct demeter_params {
	unsigned int epoch_ms;
	unsigned int sample_period;
	unsigned int store_period;
	unsigned int sample_rate;
	unsigned int latency_threshold;
	unsigned int split_threshold;
	unsigned int merge_epochs;
	unsigned int max_ranges;
	unsigned int cool_epochs;
	unsigned int backoff_epochs;
	unsigned int relocate_percent;
	unsigned int relocate_mib;
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
 * struct demeter_stats - Counters since the module was loaded
 * @epochs:	Epochs.
 * @samples:	Samples taken, of targets and others.
 * @lost:	Samples that were overwritten before they were read.
 * @strays:	Samples of no target, or of memory that is not managed.
 * @promoted:	Pages that went to the fast tier, by exchange or migration.
 * @demoted:	Pages that went to the slow tier.
 * @exchanged:	Pairs of base pages that traded places; a pair of huge pages is 512.
 * @split:	Huge pages that were split for base pages to change tiers.
 * @busy:	Pages that could not be moved at the time.
 * @refused:	Pages that can never be moved.
 * @gone:	Pages that were not there any more.
 * @no_room:	Pages for which there was no free memory where they were to go.
 * @metadata:	Bytes of what is known about pages at present.
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
	u64 metadata;
	u64 stage_ns[NR_DEMETER_STAGES];
};

/**
 * struct demeter_control - Switches the management of memory on and off
 * @start:	Begins to manage memory. Returns 0 also if it was on, or an error.
 * @stop:	Leaves memory as it is from now on.
 *
 * Both are called with the lock of the context held.
 */
struct demeter_control {
	int (*start)(struct demeter_ctx *ctx);
	void (*stop)(struct demeter_ctx *ctx);
};

/**
 * struct demeter_holds - Who has Demeter on
 * @lock:	Lets one user at a time start or stop, and protects what follows. Taken before
 *		the lock of the context.
 * @control:	Functions to start and stop.
 * @misc:	The device /dev/demeter.
 * @admin:	Whether the administrator has it on.
 * @nr:		Open files of the device that have it on.
 * @wanted_source: While running, the source that is to be wanted again after that.
 */
struct demeter_holds {
	struct mutex lock; /* see above */
	const struct demeter_control *control;
	struct miscdevice misc;
	bool admin;
	unsigned int nr;
	struct demeter_source *wanted_source;
};

/**
 * struct demeter_sysfs - The interface in sysfs
 * @kobj:	The folder /sys/kernel/mm/demeter.
 * @released:	Completed when nobody uses @kobj any more.
 * @targets:	The folder of the folders of processes.
 * @files:	The folder of the folders of files.
 * @stats:	The folder of the counters.
 * @last_suffix:	Number in the last name of a folder that has a suffix.
 * @nr_targets:	Targets whose folders somebody may still use, and one until the exit.
 * @no_targets:	Completed when @nr_targets becomes 0.
 */
struct demeter_sysfs {
	struct kobject kobj;
	struct completion released;
	struct kobject *targets;
	struct kobject *files;
	struct kobject *stats;
	u64 last_suffix;
	atomic_t nr_targets;
	struct completion no_targets;
};

/**
 * struct demeter_granules - Where granules are allocated from
 * @cache:	Granules.
 * @counts:	Their counts of pages.
 */
struct demeter_granules {
	struct kmem_cache *cache;
	struct kmem_cache *counts;
};

/**
 * struct demeter_asked - A part of an address space that is to be scanned
 * @target:	The target.
 * @start:	First address, a multiple of GRANULE_SIZE.
 * @end:	Address behind the last one, likewise.
 */
struct demeter_asked {
	struct demeter_target *target;
	unsigned long start;
	unsigned long end;
};

/**
 * struct demeter_pace - What happened that says how often samples are to be taken
 * @samples:	Samples at the end of the last epoch.
 * @lost:	Those of them that were lost.
 * @ns:		What sampling had taken then, of CPU time.
 * @pages:	Base pages that were ranked then.
 * @quiet_epochs: For how many epochs hardly anything has been moved.
 * @has_changed: Whether periods were changed at the end of the last epoch.
 */
struct demeter_pace {
	u64 samples;
	u64 lost;
	u64 ns;
	u64 pages;
	unsigned int quiet_epochs;
	bool has_changed;
};

/**
 * struct demeter_ctx - Everything that Demeter knows
 * @lock:	Protects all that follows but @holds and @sysfs, and what targets keep of
 *		themselves. The thread holds it for an epoch at a time. Files that show a
 *		parameter, a counter, the nodes or whether the thread runs read that without it.
 * @params:	Parameters.
 * @stats:	Counters.
 * @nodes_are_named: Whether users have said which nodes the following are.
 * @fast_nodes:	Nodes of the fast tier.
 * @slow_nodes:	Nodes of the slow tier.
 * @scopes:	Scopes whose processes are to be managed.
 * @targets:	The mms of these processes.
 * @observer:	Is told of targets; set before the first one is added.
 * @sources:	All sources; an array of source.c.
 * @wanted_source: The one that is to be used; NULL: the first that works.
 * @source:	The one in use; NULL while stopped.
 * @health:	What that has led to lately.
 * @thread:	Goes through the epochs; NULL while stopped.
 * @told_balanced: Whether the log says since the start that NUMA balancing is on.
 * @samples:	Room for DEMETER_READ_SAMPLES; like the following, NULL while stopped.
 * @places:	Room for as many places in files.
 * @nr_read:	How many there are of the following.
 * @read:	Files that the kernel has read in this epoch and that are not managed yet.
 * @rankings:	All pages that can be moved, by size.
 * @index:	The granules that have such pages, by heat.
 * @granules:	Caches that granules are allocated from.
 * @open:	Granules that are changing, and are not ranked meanwhile; none between epochs.
 * @all:	How the heat of ranges scatters.
 * @scan_turn:	The target whose turn it is to be scanned; NULL: the first one's.
 * @update_turn: The target whose turn it is to be estimated, likewise.
 * @nr_asked:	How many there are of the following.
 * @asked:	Parts of address spaces that are to be scanned.
 * @relocation:	State of relocate.c.
 * @pace:	State of pace.c.
 * @weight:	Weight of a sample: by how much periods are longer at present.
 * @noise_weight: Weight of the heaviest samples that still count for much: by it chance is told
 *		from heat. At least @weight, and halved as counts are.
 * @ranker:	Tells others which pages are hot.
 * @holds:	Who has Demeter on.
 * @sysfs:	The interface in sysfs.
 */
struct demeter_ctx {
	struct mutex lock; /* see above */
	struct demeter_params params;
	struct demeter_stats stats;
	bool nodes_are_named;
	nodemask_t fast_nodes;
	nodemask_t slow_nodes;
	struct demeter_scopes scopes;
	struct demeter_targets targets;
	const struct demeter_observer *observer;
	struct demeter_source *sources;
	struct demeter_source *wanted_source;
	struct demeter_source *source;
	struct demeter_health health;
	struct task_struct *thread;
	bool told_balanced;
	struct tier_sample *samples;
	struct page_exchange_place *places;
	unsigned int nr_read;
	struct demeter_file read[DEMETER_MAX_READ];
	struct demeter_ranking *rankings;
	struct demeter_index *index;
	struct demeter_granules granules;
	struct list_head open;
	struct demeter_group all;
	struct demeter_target *scan_turn;
	struct demeter_target *update_turn;
	unsigned int nr_asked;
	struct demeter_asked asked[DEMETER_MAX_ASKED];
	struct demeter_relocation *relocation;
	struct demeter_pace pace;
	unsigned int weight;
	unsigned int noise_weight;
	struct page_exchange_ranker ranker;
	struct demeter_holds holds;
	struct demeter_sysfs sysfs;
};

static inline bool demeter_is_running(const struct demeter_ctx *ctx)
{
	return ctx->thread;
}

/**
 * demeter_target_is_gone() - Whether there is no memory any more for which a target stands
 * @t:		The target.
 *
 * Return: whether its process has exited, or its file has not been found mapped for a while.
 */
static inline bool demeter_target_is_gone(const struct demeter_target *t)
{
	switch (t->kind) {
	case DEMETER_PROCESS:
		return !atomic_read(&t->space.mm->mm_users);
	case DEMETER_FILE:
		return !t->is_reached && t->ctx->stats.epochs - t->lost > DEMETER_LOST_EPOCHS;
	default:
		return false;
	}
}

/* granule.c */
int demeter_granules_init(struct demeter_granules *granules);
void demeter_granules_exit(struct demeter_granules *granules);
struct demeter_granule *demeter_granule_make(struct demeter_target *t, unsigned long at);
void demeter_granule_tell_pages(struct demeter_granule *g);
void demeter_granule_forget_pages(struct demeter_granule *g);
void demeter_granule_place(struct demeter_granule *g, const unsigned long *present,
			   const unsigned long *fast);
void demeter_granule_leave(struct demeter_granule *g, unsigned int page);
void demeter_granule_enter(struct demeter_granule *g, unsigned int page, enum demeter_tier tier);
void demeter_granule_free(struct demeter_granule *g);

/* update.c */
struct demeter_target *demeter_update_turn(struct demeter_ctx *ctx, struct demeter_target **turn);
void demeter_update_pass_turn(struct demeter_ctx *ctx, struct demeter_target **turn);
void demeter_update_wake(struct demeter_target *t);
void demeter_update_all_of(struct demeter_target *t);
void demeter_update_open(struct demeter_granule *g);
void demeter_update_age(struct demeter_target *t);
void demeter_update_some(struct demeter_ctx *ctx);
void demeter_update_group(struct demeter_ctx *ctx);
void demeter_update_groups(struct demeter_ctx *ctx);
void demeter_update_close(struct demeter_ctx *ctx);
void demeter_update_cool(struct demeter_ctx *ctx);
void demeter_update_sleep(struct demeter_ctx *ctx);
void demeter_update_forget(struct demeter_granule *g);

/* scan.c */
int demeter_scan_find_tiers(struct demeter_ctx *ctx);
void demeter_scan_follow_tiers(struct demeter_ctx *ctx);
void demeter_scan_targets(struct demeter_ctx *ctx);
void demeter_scan_again(struct demeter_ctx *ctx);
void demeter_scan_ask_around(struct demeter_target *t, unsigned long addr);
void demeter_scan_forget(struct demeter_target *t);

/* pace.c */
void demeter_pace_reset(struct demeter_ctx *ctx);
void demeter_pace_update(struct demeter_ctx *ctx, u64 moved);

/* classify.c */
void demeter_classify_samples(struct demeter_ctx *ctx);
void demeter_classify_age(struct demeter_ctx *ctx);
void demeter_classify_estimate(struct demeter_ctx *ctx);

/* ranker.c */
int demeter_ranker_init(struct demeter_ctx *ctx);
void demeter_ranker_exit(struct demeter_ctx *ctx);

/* hold.c */
void demeter_holds_init(struct demeter_ctx *ctx, const struct demeter_control *control);
int demeter_holds_open(struct demeter_ctx *ctx);
void demeter_holds_close(struct demeter_ctx *ctx);
int demeter_holds_set_admin(struct demeter_ctx *ctx, bool on);

/* sysfs.c */
int demeter_sysfs_init(struct demeter_ctx *ctx);
void demeter_sysfs_exit(struct demeter_ctx *ctx);

/* sysfs_target.c */
extern const struct demeter_observer demeter_sysfs_observer;

#endif /* _MM_DEMETER_DEMETER_H */
