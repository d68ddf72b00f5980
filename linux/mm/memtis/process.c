// SPDX-License-Identifier: GPL-2.0
/* Finds the processes that are managed, and sees where their pages are. */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "memtis.h"

/* Pids that are looked at in one hold of RCU, and in a round; threads of a process. */
#define FIND_PIDS    64
#define FIND_SHARE   1024
#define FIND_THREADS 64
/* Steps of a scan between two looks at whether others want the mmap lock. */
#define SCAN_STEPS 4096

/**
 * struct memtis_scan - A scan of a process
 * @scan:	The scan of its page tables.
 * @t:		Memtis.
 * @m:		The process.
 * @now:	When it was begun, in ns.
 */
struct memtis_scan {
	struct page_exchange_scan scan;
	struct memtis *t;
	struct memtis_mm *m;
	u64 now;
};

static unsigned long memtis_mm_index(const struct mm_struct *mm)
{
	return (unsigned long)mm / sizeof(void *);
}

/* Returns an mm with a reference if its process is to be managed and is not yet. */
static struct mm_struct *memtis_wants(struct memtis *t, struct task_struct *leader)
{
	struct mm_struct *mm = NULL;
	struct task_struct *task;
	unsigned int n = 0;

	/* the leader may have exited before its threads */
	for_each_thread(leader, task) {
		task_lock(task);
		if (task->mm && !(task->flags & (PF_KTHREAD | PF_EXITING)))
			mm = task->mm;
		if (mm && (get_mm_rss(mm) < (t->params.min_mib << (20 - PAGE_SHIFT)) ||
			   xa_load(&t->by_mm, memtis_mm_index(mm)))) {
			task_unlock(task);
			return NULL;
		}
		if (mm)
			mmgrab(mm);
		task_unlock(task);
		if (mm || ++n == FIND_THREADS)
			break;
	}
	return mm;
}

static void memtis_add(struct memtis *t, struct mm_struct *mm)
{
	struct memtis_mm *m = kzalloc(sizeof(*m), GFP_KERNEL | __GFP_NOWARN);
	int ret = -ENOMEM;

	if (m) {
		m->mm = mm;
		xa_init(&m->regions);
		ret = xa_insert(&t->by_mm, memtis_mm_index(mm), m, GFP_KERNEL | __GFP_NOWARN);
	}
	if (ret) {
		kfree(m);
		mmdrop(mm);
		return;
	}
	mutex_lock(&t->lock);
	list_add_tail(&m->list, &t->mms);
	mutex_unlock(&t->lock);
}

/* Looks at some processes, and goes on there in the next round. */
static void memtis_find(struct memtis *t)
{
	struct mm_struct *found[FIND_PIDS];

	for (unsigned int looked_at = 0; looked_at < FIND_SHARE; looked_at += FIND_PIDS) {
		bool is_last = false;
		unsigned int n = 0;

		rcu_read_lock();
		for (unsigned int i = 0; i < FIND_PIDS && !is_last; i++) {
			struct pid *pid = find_ge_pid(t->pid, &init_pid_ns);
			struct task_struct *leader = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;

			is_last = !pid;
			t->pid = pid ? pid_nr(pid) + 1 : 1;
			found[n] = leader ? memtis_wants(t, leader) : NULL;
			n += !!found[n];
		}
		rcu_read_unlock();
		for (unsigned int i = 0; i < n; i++)
			memtis_add(t, found[i]);
		cond_resched();
		if (is_last)
			break;
	}
}

static void memtis_forget_region(struct memtis *t, struct memtis_mm *m, struct memtis_region *r)
{
	xa_erase(&m->regions, r->addr / PMD_SIZE);
	memtis_region_exit(r, &t->heat);
	kfree(r);
}

/* Forgets regions that the last scan has not met; all: of a process that has none. */
static void memtis_forget_unmet(struct memtis *t, struct memtis_mm *m, bool all)
{
	struct memtis_region *r;
	unsigned long index;

	mutex_lock(&t->lock);
	xa_for_each(&m->regions, index, r) {
		if (all || r->scan != m->scan)
			memtis_forget_region(t, m, r);
		if (!need_resched())
			continue;
		mutex_unlock(&t->lock);
		cond_resched();
		mutex_lock(&t->lock);
	}
	mutex_unlock(&t->lock);
}

static void memtis_forget(struct memtis *t, struct memtis_mm *m)
{
	mutex_lock(&t->lock);
	xa_erase(&t->by_mm, memtis_mm_index(m->mm));
	list_del(&m->list);
	mutex_unlock(&t->lock);
	memtis_forget_unmet(t, m, true);
	xa_destroy(&m->regions);
	mmdrop(m->mm);
	kfree(m);
}

/**
 * memtis_find_region() - Find what is known of memory
 * @m:		The process.
 * @addr:	An address.
 *
 * The caller holds the lock.
 *
 * Return: the region; NULL: it is not known.
 */
struct memtis_region *memtis_find_region(const struct memtis_mm *m, unsigned long addr)
{
	return xa_load((struct xarray *)&m->regions, addr / PMD_SIZE);
}

static struct memtis_region *memtis_make_region(struct memtis *t, struct memtis_mm *m,
						unsigned long addr)
{
	struct memtis_region *r = kmalloc(sizeof(*r), GFP_NOWAIT | __GFP_NOWARN);

	if (!r)
		return NULL;
	memtis_region_init(r, &t->heat, addr);
	if (!xa_err(xa_store(&m->regions, addr / PMD_SIZE, r, GFP_NOWAIT | __GFP_NOWARN)))
		return r;
	memtis_region_exit(r, &t->heat);
	kfree(r);
	return NULL;
}

/* Called for each 2 MiB where there are pages. What there is no memory for is met again later. */
static void memtis_found(struct page_exchange_scan *scan)
{
	struct memtis_scan *s = container_of(scan, struct memtis_scan, scan);
	struct memtis *t = s->t;
	struct memtis_region *r;

	mutex_lock(&t->lock);
	r = memtis_find_region(s->m, scan->at) ?: memtis_make_region(t, s->m, scan->at);
	if (r) {
		r->scan = s->m->scan;
		memtis_region_cool(r, &t->heat);
		memtis_region_place(r, &t->heat, scan->present, scan->fast, scan->huge, s->now);
	}
	mutex_unlock(&t->lock);
}

/* Sees where the pages of a process are. */
static void memtis_scan(struct memtis *t, struct memtis_mm *m)
{
	const struct page_exchange_space space = { .mm = m->mm };
	struct memtis_scan s = {
		.scan = {
			.found = memtis_found,
			.fast_nodes = &t->fast,
			.slow_nodes = &t->slow,
		},
		.t = t,
		.m = m,
		.now = ktime_get_ns(),
	};
	unsigned long start = 0;
	int ret;

	m->scan++;
	do {
		s.scan.steps = SCAN_STEPS;
		ret = page_exchange_scan(&space, start, TASK_SIZE_MAX & PMD_MASK, &s.scan);
		start = s.scan.next;
		cond_resched();
	} while (ret > 0);
	/* somebody changes the memory, which is looked at again in the next round */
	if (ret != -EAGAIN)
		memtis_forget_unmet(t, m, ret == -EPERM);
}

/* Sees how much of the fast tier there is for the pages of processes: what they have, and room. */
static void memtis_measure(struct memtis *t)
{
	const unsigned long headroom = memtis_headroom(t);
	unsigned long fast = memtis_room(t), index;
	struct memtis_region *r;
	struct memtis_mm *m;

	mutex_lock(&t->lock);
	list_for_each_entry(m, &t->mms, list)
		xa_for_each(&m->regions, index, r) {
			fast += bitmap_weight(r->fast, MEMTIS_REGION_PAGES);
			cond_resched();
		}
	t->capacity = fast > headroom ? fast - headroom : 0;
	mutex_unlock(&t->lock);
}

/**
 * memtis_look() - See which processes there are, and where their pages are
 * @t:		Memtis, whose round it is.
 */
void memtis_look(struct memtis *t)
{
	struct memtis_mm *m, *next;

	memtis_find(t);
	list_for_each_entry_safe(m, next, &t->mms, list) {
		if (mmget_not_zero(m->mm)) {
			memtis_scan(t, m);
			mmput_async(m->mm);
		} else {
			memtis_forget(t, m);
		}
		cond_resched();
	}
	memtis_measure(t);
}

/**
 * memtis_forget_all() - Forget all processes
 * @t:		Memtis, of which no thread runs.
 */
void memtis_forget_all(struct memtis *t)
{
	struct memtis_mm *m, *next;

	list_for_each_entry_safe(m, next, &t->mms, list)
		memtis_forget(t, m);
}
