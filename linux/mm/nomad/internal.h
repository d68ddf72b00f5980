/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of Nomad share. Calls go from each file to those above it:
 *
 *	queue.c		what becomes of pages that hint faults have found
 *	stats.c		counters
 *	shadow.c	the index of shadows
 *	reclaim.c	gives shadows up when memory is short
 *	room.c		room in the fast tier
 *	replace.c	lets one folio take another's place in a page table
 *	visit.c		enters the mm of a page, and looks whether the page was accessed
 *	transact.c	promotes a page by a transaction
 *	demote.c	demotes a page to its shadow
 *	core.c		the threads, and what is switched on and off
 *	sysfs.c		the interface
 *
 * Locks, from the outside: mmap lock, anon_vma, folio, page table, index of shadows (or the
 * queues of a node).
 */
#ifndef _MM_NOMAD_INTERNAL_H
#define _MM_NOMAD_INTERNAL_H

#include <linux/mm.h>
#include <linux/nomad.h>

#include "../internal.h"
#include "../page_exchange/internal.h"
#include "queue.h"

/**
 * enum nomad_stat - What is counted since boot
 * @NOMAD_STAT_QUEUED:	Candidates that hint faults have found.
 * @NOMAD_STAT_LOOKS:	Looks at candidates.
 * @NOMAD_STAT_DISPLACED: Pages that others took the place of in full queues.
 * @NOMAD_STAT_EXPIRED:	Pages that left the queues and were not promoted.
 * @NOMAD_STAT_PROMOTED: Pages that were promoted.
 * @NOMAD_STAT_ABORTS:	Transactions that were aborted since the page was written.
 * @NOMAD_STAT_BUSY:	Transactions that failed since somebody used the page otherwise.
 * @NOMAD_STAT_RETRIES:	Pages that were queued again after either.
 * @NOMAD_STAT_NO_ROOM:	Rounds that ended since the fast tier had no room.
 * @NOMAD_STAT_SHADOWS_MADE: Shadows that were made.
 * @NOMAD_STAT_SHADOWS_DROPPED: Shadows whose page was written, unmapped or migrated.
 * @NOMAD_STAT_SHADOW_RECLAIMED: Shadows that were freed since memory was short.
 * @NOMAD_STAT_WRITE_FAULTS: First writes to pages that had shadows.
 * @NOMAD_STAT_DEMOTED_REMAP: Pages that reclaim has demoted to their shadows.
 * @NOMAD_STAT_DEMOTED_COPY: Pages that reclaim has demoted by copying.
 * @NOMAD_STAT_JUDGE_NS: CPU time for looks, in ns.
 * @NOMAD_STAT_PROMOTE_NS: CPU time for promotions, in ns.
 * @NR_NOMAD_STATS:	How many there are.
 */
enum nomad_stat {
	NOMAD_STAT_QUEUED,
	NOMAD_STAT_LOOKS,
	NOMAD_STAT_DISPLACED,
	NOMAD_STAT_EXPIRED,
	NOMAD_STAT_PROMOTED,
	NOMAD_STAT_ABORTS,
	NOMAD_STAT_BUSY,
	NOMAD_STAT_RETRIES,
	NOMAD_STAT_NO_ROOM,
	NOMAD_STAT_SHADOWS_MADE,
	NOMAD_STAT_SHADOWS_DROPPED,
	NOMAD_STAT_SHADOW_RECLAIMED,
	NOMAD_STAT_WRITE_FAULTS,
	NOMAD_STAT_DEMOTED_REMAP,
	NOMAD_STAT_DEMOTED_COPY,
	NOMAD_STAT_JUDGE_NS,
	NOMAD_STAT_PROMOTE_NS,
	NR_NOMAD_STATS,
};

/**
 * struct nomad_visit - A stay in an mm
 * @mm:		The mm; NULL: none.
 * @is_inside:	Whether its mmap lock is held for reading, and a reference on its users.
 * @obstacle:	Otherwise, why not: NOMAD_GONE or NOMAD_BUSY.
 * @owner:	Where its owner lets memory be.
 * @is_stale:	Whether CPUs may have translations of pages whose accessed bit was cleared.
 */
struct nomad_visit {
	struct mm_struct *mm;
	bool is_inside;
	enum nomad_outcome obstacle;
	struct page_exchange_owner owner;
	bool is_stale;
};

/* stats.c */
void nomad_stat_add(enum nomad_stat stat, unsigned long n);
unsigned long nomad_stat_read(enum nomad_stat stat);

/* shadow.c */
void nomad_shadow_init(void);
bool nomad_shadow_add(struct folio *fast, struct folio *slow);
struct folio *nomad_shadow_take(struct folio *fast);
unsigned long nomad_shadow_free(int nid, unsigned long n);
unsigned long nomad_shadow_count(int nid);

/* reclaim.c */
bool nomad_may_keep(struct folio *slow);
unsigned long nomad_reclaim_all(void);
int nomad_reclaim_init(void);

/* room.c */
bool nomad_has_room(int nid);
void nomad_make_room(int nid);

/* replace.c */
void nomad_replace(struct vm_area_struct *vma, unsigned long addr, struct folio *from,
		   struct folio *to);

/* visit.c */
bool nomad_visit(struct nomad_visit *visit, struct mm_struct *mm);
void nomad_leave(struct nomad_visit *visit);
enum nomad_outcome nomad_look(struct nomad_visit *visit, const struct nomad_page *page);

/* transact.c */
enum nomad_outcome nomad_transact(struct nomad_visit *visit, const struct nomad_page *page);

/* core.c */
extern struct nomad_params nomad_params;
int nomad_set_enabled(bool on);
bool nomad_is_enabled(void);
int nomad_set_param(unsigned int *param, unsigned int value, bool only_off);
void nomad_queued(unsigned long *candidates, unsigned long *pending);

/* sysfs.c */
int nomad_sysfs_init(void);

#endif /* _MM_NOMAD_INTERNAL_H */
