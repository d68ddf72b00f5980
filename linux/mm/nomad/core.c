// SPDX-License-Identifier: GPL-2.0
/*
 * Nomad: tiers that are not exclusive (OSDI '24).
 *
 * A hint fault of memory tiering that finds a page of a slow node queues it and is done. The thread
 * of that node sees whether the page is accessed again, and promotes it. Its old copy is kept, so
 * that reclaim can demote it without copying it back.
 *
 * Faults, reclaim and all others come in by linux/nomad.h. They do nothing while the static key is
 * off; it is on from before the first page is queued until after the last shadow is gone.
 */
#define pr_fmt(fmt) "nomad: " fmt

#include <linux/kthread.h>
#include <linux/memory-tiers.h>
#include <linux/mutex.h>
#include <linux/rmap.h>
#include <linux/sched/cputime.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>

#include "internal.h"

/* Pages that are looked at, or moved, at once. */
#define NOMAD_BATCH 64

/**
 * struct nomad_node - A slow node
 * @nid:	Which.
 * @thread:	Promotes its pages; NULL: Nomad is off.
 * @wait:	Where it waits for candidates.
 * @lock:	Protects @queue. Page tables are not locked inside.
 * @queue:	The node's pages that hint faults have found. Without room while Nomad is off.
 */
struct nomad_node {
	int nid;
	struct task_struct *thread;
	wait_queue_head_t wait;
	spinlock_t lock; /* see above */
	struct nomad_queue queue;
};

DEFINE_STATIC_KEY_FALSE(nomad_key);

struct nomad_params nomad_params = {
	.check_ms = 20,
	.looks = NOMAD_MOST_LOOKS,
	.pending_ms = 2000,
	.retries = 3,
	.queue_pages = 16384,
	.shadow_percent = 30,
};

/* Whether Nomad is on. Likewise protects what parameters can be changed only while it is off. */
static DEFINE_MUTEX(nomad_lock);
static bool nomad_enabled;
/* Of each slow node that there was when Nomad was switched on; they stay. */
static struct nomad_node *nomad_nodes[MAX_NUMNODES];

/**
 * __nomad_takes() - Tell whether Nomad promotes a page that a hint fault has found
 * @folio:	Its folio, with the page table locked.
 * @target:	Where it is to go.
 *
 * Pages that are not anonymous, of large folios, or mapped more than once are migrated by the
 * fault as without Nomad.
 *
 * Return: whether it does.
 */
bool __nomad_takes(struct folio *folio, int target)
{
	const struct nomad_node *node = READ_ONCE(nomad_nodes[folio_nid(folio)]);

	return node && folio_use_access_time(folio) && node_is_toptier(target) &&
	       folio_test_anon(folio) && !folio_test_large(folio) && !folio_test_ksm(folio) &&
	       !folio_test_swapcache(folio) && folio_mapcount(folio) == 1;
}

/**
 * __nomad_queue() - Make a page a candidate
 * @mm:		Whose it is.
 * @addr:	Where it is mapped.
 * @pfn:	Its frame, whose page may be gone by now.
 * @target:	Where it is to go.
 */
void __nomad_queue(struct mm_struct *mm, unsigned long addr, unsigned long pfn, int target)
{
	struct nomad_node *node = READ_ONCE(nomad_nodes[pfn_to_nid(pfn)]);
	struct mm_struct *old = NULL;
	struct nomad_page *page;
	bool is_displaced;

	if (!node)
		return;
	spin_lock(&node->lock);
	page = nomad_queue_room(&node->queue, &is_displaced);
	if (page) {
		if (is_displaced)
			old = page->mm;
		mmgrab(mm);
		page->mm = mm;
		page->addr = addr & PAGE_MASK;
		page->pfn = pfn;
		page->target = target;
		nomad_queue_add(&node->queue, page, ktime_get_ns());
	}
	spin_unlock(&node->lock);
	if (old)
		mmdrop(old);
	if (!page)
		return;
	nomad_stat_add(NOMAD_STAT_QUEUED, 1);
	if (old)
		nomad_stat_add(NOMAD_STAT_DISPLACED, 1);
	if (wq_has_sleeper(&node->wait))
		wake_up(&node->wait);
}

/* Releases pages that have left the queues. */
static void nomad_release(struct nomad_node *node, struct list_head *pages)
{
	struct nomad_page *page, *next;

	list_for_each_entry(page, pages, list)
		mmdrop(page->mm);
	spin_lock(&node->lock);
	list_for_each_entry_safe(page, next, pages, list)
		nomad_queue_release(&node->queue, page);
	spin_unlock(&node->lock);
}

/* Looks at those candidates that are due. Returns whether there may be more. */
static bool nomad_judge_some(struct nomad_node *node)
{
	struct nomad_page *page, *next;
	struct nomad_visit visit = {};
	unsigned int expired = 0, n;
	LIST_HEAD(taken);
	LIST_HEAD(gone);

	spin_lock(&node->lock);
	n = nomad_queue_take_due(&node->queue, ktime_get_ns(), NOMAD_BATCH, &taken);
	spin_unlock(&node->lock);
	list_for_each_entry(page, &taken, list) {
		if (nomad_visit(&visit, page->mm))
			page->outcome = nomad_look(&visit, page);
		else
			page->outcome = visit.obstacle;
	}
	nomad_leave(&visit);
	spin_lock(&node->lock);
	list_for_each_entry_safe(page, next, &taken, list) {
		if (nomad_queue_judge(&node->queue, page, &nomad_params, ktime_get_ns()))
			continue;
		list_move(&page->list, &gone);
		expired++;
	}
	spin_unlock(&node->lock);
	nomad_release(node, &gone);
	nomad_stat_add(NOMAD_STAT_LOOKS, n);
	nomad_stat_add(NOMAD_STAT_EXPIRED, expired);
	return n == NOMAD_BATCH;
}

static void nomad_count_outcome(const struct nomad_page *page, bool is_queued)
{
	if (page->outcome == NOMAD_WRITTEN)
		nomad_stat_add(NOMAD_STAT_ABORTS, 1);
	else if (page->outcome == NOMAD_BUSY)
		nomad_stat_add(NOMAD_STAT_BUSY, 1);
	if (page->outcome == NOMAD_WRITTEN || page->outcome == NOMAD_BUSY)
		nomad_stat_add(NOMAD_STAT_RETRIES, is_queued);
	if (page->outcome != NOMAD_MOVED)
		nomad_stat_add(NOMAD_STAT_EXPIRED, !is_queued);
}

/* Moves up to @most pages that are pending. Returns how many were tried before room ran out. */
static unsigned int nomad_promote_some(struct nomad_node *node, unsigned int most)
{
	struct nomad_page *page, *next;
	struct nomad_visit visit = {};
	unsigned int tried = 0;
	bool is_full = false;
	LIST_HEAD(taken);
	LIST_HEAD(gone);

	spin_lock(&node->lock);
	nomad_queue_take_pending(&node->queue, most, &taken);
	spin_unlock(&node->lock);
	list_for_each_entry(page, &taken, list) {
		if (is_full)
			page->outcome = NOMAD_NO_ROOM;
		else if (nomad_visit(&visit, page->mm))
			page->outcome = nomad_transact(&visit, page);
		else
			page->outcome = visit.obstacle;
		if (page->outcome == NOMAD_NO_ROOM && !is_full) {
			nomad_make_room(page->target);
			is_full = true;
		}
		tried += !is_full;
		/* whoever changes the process' memory goes first */
		if (visit.is_inside && mmap_lock_is_contended(visit.mm))
			nomad_leave(&visit);
		cond_resched();
	}
	nomad_leave(&visit);
	spin_lock(&node->lock);
	list_for_each_entry_safe(page, next, &taken, list) {
		bool is_queued =
			nomad_queue_tried(&node->queue, page, &nomad_params, ktime_get_ns());

		nomad_count_outcome(page, is_queued);
		if (!is_queued)
			list_move(&page->list, &gone);
	}
	spin_unlock(&node->lock);
	nomad_release(node, &gone);
	nomad_stat_add(NOMAD_STAT_NO_ROOM, is_full);
	return tried;
}

static void nomad_judge(struct nomad_node *node)
{
	const u64 since = task_sched_runtime(current);

	while (nomad_judge_some(node) && !kthread_should_stop())
		cond_resched();
	nomad_stat_add(NOMAD_STAT_JUDGE_NS, task_sched_runtime(current) - since);
}

/* Tries each page once that is pending, the hottest first, until there is no room. */
static void nomad_promote(struct nomad_node *node)
{
	const u64 since = task_sched_runtime(current);
	unsigned int left = READ_ONCE(node->queue.nr_pending);

	/* pages that were used just now may not be on an LRU list yet */
	if (left)
		lru_add_drain();
	while (left && !kthread_should_stop()) {
		const unsigned int n = min(left, NOMAD_BATCH);

		if (nomad_promote_some(node, n) < n)
			break;
		left -= n;
	}
	nomad_stat_add(NOMAD_STAT_PROMOTE_NS, task_sched_runtime(current) - since);
}

static bool nomad_is_busy(const struct nomad_node *node)
{
	return READ_ONCE(node->queue.nr_candidates) || READ_ONCE(node->queue.nr_pending);
}

static int nomad_thread(void *arg)
{
	struct nomad_node *node = arg;

	while (!kthread_should_stop()) {
		wait_event_idle(node->wait, kthread_should_stop() || nomad_is_busy(node));
		wait_event_idle_timeout(node->wait, kthread_should_stop(),
					msecs_to_jiffies(READ_ONCE(nomad_params.check_ms)));
		nomad_judge(node);
		nomad_promote(node);
	}
	return 0;
}

/* Empties the queues. From then on nothing is queued. */
static void nomad_drain(struct nomad_node *node)
{
	struct nomad_page *pages, *page;
	LIST_HEAD(gone);

	spin_lock(&node->lock);
	while ((page = nomad_queue_drain(&node->queue)))
		list_move(&page->list, &gone);
	pages = node->queue.pages;
	nomad_queue_init(&node->queue, NULL, 0);
	spin_unlock(&node->lock);
	list_for_each_entry(page, &gone, list)
		mmdrop(page->mm);
	kvfree(pages);
}

static void nomad_stop_node(struct nomad_node *node)
{
	if (node->thread)
		kthread_stop(node->thread);
	node->thread = NULL;
	nomad_drain(node);
}

static struct nomad_node *nomad_get_node(int nid)
{
	struct nomad_node *node = nomad_nodes[nid];

	if (node)
		return node;
	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return NULL;
	node->nid = nid;
	init_waitqueue_head(&node->wait);
	spin_lock_init(&node->lock);
	nomad_queue_init(&node->queue, NULL, 0);
	/* faults see it as it is now */
	smp_store_release(&nomad_nodes[nid], node);
	return node;
}

static int nomad_start_node(int nid)
{
	const unsigned int n = nomad_params.queue_pages;
	struct nomad_node *node = nomad_get_node(nid);
	struct task_struct *thread;
	struct nomad_page *pages;

	pages = node ? kvcalloc(n, sizeof(*pages), GFP_KERNEL) : NULL;
	if (!pages)
		return -ENOMEM;
	spin_lock(&node->lock);
	nomad_queue_init(&node->queue, pages, n);
	spin_unlock(&node->lock);
	thread = kthread_create_on_node(nomad_thread, node, nid, "knomadd/%d", nid);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	node->thread = thread;
	wake_up_process(thread);
	return 0;
}

static void nomad_stop(void)
{
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		if (nomad_nodes[nid])
			nomad_stop_node(nomad_nodes[nid]);
	/* no thread makes new ones */
	nomad_reclaim_all();
	static_branch_disable(&nomad_key);
	nomad_enabled = false;
}

static int nomad_start(void)
{
	bool is_fast = false, is_slow = false;
	int nid, ret = 0;

	for_each_node_state(nid, N_MEMORY) {
		is_fast |= node_is_toptier(nid);
		is_slow |= !node_is_toptier(nid);
	}
	if (!is_fast || !is_slow) {
		pr_err("all memory is of one tier\n");
		return -ENODEV;
	}
	nomad_enabled = true;
	static_branch_enable(&nomad_key);
	for_each_node_state(nid, N_MEMORY) {
		if (!node_is_toptier(nid))
			ret = nomad_start_node(nid);
		if (ret)
			break;
	}
	if (ret)
		nomad_stop();
	return ret;
}

/**
 * nomad_set_enabled() - Switch Nomad on or off
 * @on:		Whether it is to be on. When it goes off, shadows are freed.
 *
 * Return: 0 or an error: -ENODEV without two tiers, -ENOMEM. Then it is off.
 */
int nomad_set_enabled(bool on)
{
	int ret = 0;

	mutex_lock(&nomad_lock);
	if (on && !nomad_enabled)
		ret = nomad_start();
	else if (!on && nomad_enabled)
		nomad_stop();
	mutex_unlock(&nomad_lock);
	return ret;
}

/**
 * nomad_is_enabled() - Tell whether Nomad is on
 *
 * Return: whether it is.
 */
bool nomad_is_enabled(void)
{
	return READ_ONCE(nomad_enabled);
}

/**
 * nomad_set_param() - Change a parameter
 * @param:	Which, of nomad_params.
 * @value:	Its value, which has been checked.
 * @only_off:	Whether it can be changed only while Nomad is off.
 *
 * Return: 0, or -EBUSY: Nomad is on.
 */
int nomad_set_param(unsigned int *param, unsigned int value, bool only_off)
{
	int ret = 0;

	mutex_lock(&nomad_lock);
	if (only_off && nomad_enabled)
		ret = -EBUSY;
	else
		WRITE_ONCE(*param, value);
	mutex_unlock(&nomad_lock);
	return ret;
}

/**
 * nomad_queued() - Tell how many pages are queued
 * @candidates:	Gets how many candidates there are.
 * @pending:	Gets how many pages are pending.
 */
void nomad_queued(unsigned long *candidates, unsigned long *pending)
{
	*candidates = 0;
	*pending = 0;
	for (int nid = 0; nid < MAX_NUMNODES; nid++) {
		const struct nomad_node *node = READ_ONCE(nomad_nodes[nid]);

		if (!node)
			continue;
		*candidates += READ_ONCE(node->queue.nr_candidates);
		*pending += READ_ONCE(node->queue.nr_pending);
	}
}

static int __init nomad_init(void)
{
	int ret;

	nomad_shadow_init();
	ret = nomad_reclaim_init();
	return ret ?: nomad_sysfs_init();
}
late_initcall(nomad_init);
