/* SPDX-License-Identifier: GPL-2.0 */
/* Targets: the mms whose memory is managed. */
#ifndef _MM_DEMETER_TARGET_H
#define _MM_DEMETER_TARGET_H

#include <linux/hashtable.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/page_exchange.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "heat.h"
#include "range.h"
#include "unmanaged.h"

struct demeter_ctx;
struct demeter_owner;

/* Processes, and files: anybody may have as many of these mapped as they like. */
#define DEMETER_MAX_TARGETS 16384
#define DEMETER_MAX_FILES   4096
/* Of these, those that are reached through one process. */
#define DEMETER_MAX_OWN_FILES (DEMETER_MAX_FILES / 8)

/**
 * enum demeter_kind - What memory a target stands for
 * @DEMETER_PROCESS: What a process has for itself: anonymous memory, in its page tables.
 * @DEMETER_FILE:	The pages of a file that targets have mapped, or of memory that they share;
 *			all of them, whoever uses them.
 * @DEMETER_FRAMES: Pages of all other files, by where they are in physical memory.
 */
enum demeter_kind { DEMETER_PROCESS, DEMETER_FILE, DEMETER_FRAMES };

/**
 * struct demeter_target - Memory that is managed, of which the pages are ranked
 * @list:	In struct demeter_targets.
 * @awake:	In the list of those of struct demeter_targets that are awake; empty otherwise.
 * @by_key:	In the hash of struct demeter_targets.
 * @ctx:	The context.
 * @kobj:	Its folder in sysfs.
 * @kind:	What it stands for. What follows on processes is 0 for the other kinds.
 * @space:	What addresses mean. The target of a process keeps its mm from being freed, not from
 *		losing its users. That of a file keeps nothing: the mm is that of @via.
 * @is_reached: Whether it is known how to get at the memory; otherwise, of a file, nothing can be
 *		done with it at present.
 * @via:	For a file, the process that has it mapped by which it is reached; NULL: it is
 *		reached by one of its pages.
 * @lost:	Epoch in which @is_reached became false.
 * @nr_files:	For a process, how many files are reached through it.
 * @pid:	Pid of the process in which it was found.
 * @thread:	A thread of that process.
 * @comm:	Name of that process, or of the file.
 * @lock:	Protects @ranges and what is known in @unmanaged, which are read in sysfs without
 *		the lock of the context.
 * @ranges:	How much which addresses are accessed.
 * @granules:	struct demeter_granule by start / GRANULE_SIZE.
 * @sampling:	What the source in use keeps of it; NULL if that keeps nothing.
 * @last_sampled: Granule of the last sample, valid while samples are taken.
 * @is_sampled:	Whether its accesses are sampled. Otherwise nothing is known about its pages,
 *		and they stay where they are.
 * @is_protected: Whether memory.min or memory.low of its cgroup promise that memory to it.
 * @cgroup:	Number of that cgroup, from mm/page_exchange.
 * @scan:	Number of the last scan of a part of its pages.
 * @scan_from:	Address where its turn to be scanned goes on; 0: at the beginning.
 * @is_scanned:	Whether all of its pages have been looked at.
 * @has_missed:	Whether it maps files that could not be told apart when it was looked at last.
 * @is_stale:	Whether all of its granules are to be estimated anew.
 * @is_turn_stale: Whether they were when its turn to be estimated began.
 * @hindered:	Last epoch in which it was changing its memory when pages were to be moved.
 * @has_stuck:	Whether there are pages that could not be moved and are to be tried again.
 * @turn_pages:	Pages that it had when this turn began.
 * @turn_faults: Faults of its process up to then, about.
 * @turn_reclaimed: Pages that reclaim had moved in the whole system up to then.
 * @known_pages: Pages that it had when the last turn began that was brought to its end.
 * @known_faults: Faults of its process up to then.
 * @known_reclaimed: Pages that reclaim had moved up to then.
 * @update_from: Index of the granule where its turn to be estimated goes on; 0 likewise.
 * @scope:	Number of the scope that it is in; 0: it is to be dropped.
 * @samples:	Samples.
 * @pages:	Pages by tier, as the last scan found them.
 * @unmanaged:	Pages that are left alone, likewise.
 * @promoted:	Pages that went to the fast tier.
 * @demoted:	Pages that went to the slow tier.
 */
struct demeter_target {
	struct list_head list;
	struct list_head awake;
	struct hlist_node by_key;
	struct demeter_ctx *ctx;
	struct kobject kobj;
	enum demeter_kind kind;
	struct page_exchange_space space;
	bool is_reached;
	struct demeter_target *via;
	u64 lost;
	unsigned int nr_files;
	pid_t pid;
	struct pid *thread;
	char comm[TASK_COMM_LEN];
	struct mutex lock; /* see above */
	struct demeter_ranges ranges;
	struct xarray granules;
	void *sampling;
	struct demeter_granule *last_sampled;
	bool is_sampled;
	bool is_protected;
	unsigned int cgroup;
	bool is_scanned;
	bool has_missed;
	bool has_stuck;
	bool is_stale;
	bool is_turn_stale;
	u64 hindered;
	u32 scan;
	unsigned long scan_from;
	unsigned long turn_pages;
	unsigned long known_pages;
	u64 turn_faults;
	u64 known_faults;
	unsigned long turn_reclaimed;
	unsigned long known_reclaimed;
	unsigned long update_from;
	u64 scope;
	u64 samples;
	u64 pages[NR_DEMETER_TIERS];
	struct demeter_unmanaged unmanaged;
	u64 promoted;
	u64 demoted;
};

/**
 * struct demeter_targets - All targets
 * @list:	The targets, in the order in which they were found.
 * @awake:	Those that are looked at in each epoch: of the others nothing has been sampled
 *		for so long that nothing about them changes. They take turns.
 * @asleep:	How the heat of the ranges of those others scatters: how many there are, since
 *		none is hot.
 * @gone_turn:	The target whose turn it is to be dropped if its process has exited.
 * @nr:		How many there are.
 * @nr_files:	How many of them are those of files.
 * @last_pid:	Where the kernel was going to look for a free pid in the last epoch.
 * @pid_turn:	First pid of the processes whose turn it is to be looked at.
 * @by_key:	Finds them by their mm, or by their file.
 * @has_lost:	Whether files were lost, so that others are looked at who may have them mapped.
 * @frames:	The target of physical memory; NULL while stopped.
 */
struct demeter_targets {
	struct list_head list;
	struct list_head awake;
	struct demeter_group asleep;
	struct demeter_target *gone_turn;
	unsigned int nr;
	unsigned int nr_files;
	int last_pid;
	int pid_turn;
	DECLARE_HASHTABLE(by_key, 11);
	bool has_lost;
	struct demeter_target *frames;
};

/**
 * struct demeter_observer - Is told of targets that come and go
 * @added:	A target was added.
 * @removed:	A target was taken out of all lists. When nobody uses it any more, the
 *		observer frees it with demeter_target_free().
 */
struct demeter_observer {
	void (*added)(struct demeter_target *t);
	void (*removed)(struct demeter_target *t);
};

/**
 * struct demeter_found - A process that is in a scope and not a target yet
 * @mm:		Its mm, with a reference.
 * @scope:	Number of the scope.
 * @pid:	Its pid.
 * @thread:	The thread that has @mm, with a reference.
 * @comm:	Its name.
 */
struct demeter_found {
	struct mm_struct *mm;
	u64 scope;
	pid_t pid;
	struct pid *thread;
	char comm[TASK_COMM_LEN];
};

/**
 * struct demeter_file - A file that was found
 * @mapping:	The file, which may be gone.
 * @window:	User address where it is mapped, or physical address of one of its pages.
 * @samples:	Samples of that in this epoch.
 * @name:	Its name.
 */
struct demeter_file {
	const struct address_space *mapping;
	unsigned long window;
	unsigned int samples;
	char name[TASK_COMM_LEN];
};

/* target.c */
void demeter_targets_init(struct demeter_ctx *ctx);
struct demeter_target *demeter_target_of(struct demeter_ctx *ctx, const void *mm);
struct demeter_target *demeter_target_of_file(struct demeter_ctx *ctx, const void *mapping);
bool demeter_target_may_add_file(const struct demeter_target *via);
void demeter_target_add_file(struct demeter_ctx *ctx, struct demeter_target *via,
			     const struct demeter_file *file);
void demeter_target_lose(struct demeter_target *t);
int demeter_target_add_frames(struct demeter_ctx *ctx);
bool demeter_target_get(struct demeter_target *t);
void demeter_target_put(struct demeter_target *t);
unsigned long demeter_target_end(const struct demeter_target *t);
void demeter_target_add(struct demeter_ctx *ctx, const struct demeter_found *found);
void demeter_target_drop(struct demeter_target *t);
void demeter_target_expire(struct demeter_target *t);
bool demeter_target_has_expired(const struct demeter_target *t);
void demeter_target_free(struct demeter_target *t);

/* find.c */
int demeter_target_attach(struct demeter_ctx *ctx, struct demeter_owner *owner, const char *text);
int demeter_target_detach(struct demeter_ctx *ctx, struct demeter_owner *owner, const char *text);
void demeter_target_detach_all(struct demeter_ctx *ctx, struct demeter_owner *owner);
void demeter_targets_find(struct demeter_ctx *ctx, bool all);
void demeter_targets_clear(struct demeter_ctx *ctx);

#endif /* _MM_DEMETER_TARGET_H */
