// SPDX-License-Identifier: GPL-2.0
/*
 * Which user memory may be moved.
 *
 * Memory that its owner has a policy for, by mbind() or set_mempolicy(), or by a
 * cpuset, stays where that says: what NUMA balancing leaves alone is left alone here,
 * too.
 */
#include <linux/cpuset.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/sched/task.h>

#include "internal.h"

static bool page_exchange_policy_allows(const struct mempolicy *policy)
{
	return !policy ||
	       (policy->flags & MPOL_F_MOF && nodes_subset(node_states[N_MEMORY], policy->nodes));
}

/**
 * page_exchange_vma_reason() - Tell why pages of an area are left alone
 * @vma:	The area, with its mmap lock held.
 *
 * What kind of memory it is comes before what its owner has asked for: only the latter can be
 * taken back.
 *
 * Return: PAGE_EXCHANGE_MOVABLE if they may be moved, or the first reason.
 */
enum page_exchange_reason page_exchange_vma_reason(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_HUGETLB)
		return PAGE_EXCHANGE_HUGETLB;
	if (vma->vm_flags & VM_PFNMAP)
		return PAGE_EXCHANGE_SPECIAL;
	if (!vma_is_anonymous(vma))
		return vma_is_shmem(vma) ? PAGE_EXCHANGE_SHMEM : PAGE_EXCHANGE_FILE;
	/* drivers put pages there that count as those of files */
	if (vma->vm_flags & (VM_MIXEDMAP | VM_IO))
		return PAGE_EXCHANGE_FILE;
	if (vma->vm_flags & VM_LOCKED)
		return PAGE_EXCHANGE_LOCKED;
	return page_exchange_policy_allows(vma_policy(vma)) ? PAGE_EXCHANGE_MOVABLE
							    : PAGE_EXCHANGE_POLICY;
}

/**
 * page_exchange_find_vma() - Find an area whose pages may be moved
 * @mm:		The mm, with its mmap lock held.
 * @addr:	User address.
 * @last:	The area that is looked at first, or NULL.
 *
 * Return: the vma of @addr, NULL if there is none or its pages must stay.
 */
struct vm_area_struct *page_exchange_find_vma(struct mm_struct *mm, unsigned long addr,
					      struct vm_area_struct *last)
{
	struct vm_area_struct *vma = last;

	if (!vma || addr < vma->vm_start || addr >= vma->vm_end)
		vma = vma_lookup(mm, addr);
	return vma && page_exchange_vma_is_movable(vma) ? vma : NULL;
}

/**
 * page_exchange_check_vma() - See what keeps the pages of an area from being moved
 * @mm:		The mm, with its mmap lock held.
 * @addr:	User address.
 *
 * Return: PAGE_EXCHANGE_GONE if there is no area, PAGE_EXCHANGE_REFUSED if its pages must
 * stay, PAGE_EXCHANGE_NO_OBSTACLE if it keeps none of them. Nothing is said about the page.
 */
enum page_exchange_obstacle page_exchange_check_vma(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);

	if (!vma)
		return PAGE_EXCHANGE_GONE;
	return page_exchange_vma_is_movable(vma) ? PAGE_EXCHANGE_NO_OBSTACLE
						 : PAGE_EXCHANGE_REFUSED;
}

/**
 * page_exchange_owner_reason() - Tell why all memory of a process is left alone
 * @mm:		Its mm.
 *
 * Return: PAGE_EXCHANGE_POLICY or PAGE_EXCHANGE_CPUSET if the task that owns @mm has one that
 * keeps its memory on some nodes, otherwise PAGE_EXCHANGE_MOVABLE.
 */
enum page_exchange_reason page_exchange_owner_reason(struct mm_struct *mm)
{
	enum page_exchange_reason reason = PAGE_EXCHANGE_MOVABLE;
#ifdef CONFIG_MEMCG
	struct task_struct *owner;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	if (owner) {
		const nodemask_t nodes = cpuset_mems_allowed(owner);

		task_lock(owner);
		if (!page_exchange_policy_allows(owner->mempolicy))
			reason = PAGE_EXCHANGE_POLICY;
		else if (!nodes_subset(node_states[N_MEMORY], nodes))
			reason = PAGE_EXCHANGE_CPUSET;
		task_unlock(owner);
	}
	rcu_read_unlock();
#endif
	return reason;
}

/**
 * page_exchange_owner_is_protected() - Whether a process is to keep its memory
 * @mm:		Its mm.
 *
 * Return: whether the memory cgroup that is charged for @mm, or one that it is in, uses no more
 * than memory.min or memory.low promise it. What reclaim leaves alone then is not demoted either.
 */
bool page_exchange_owner_is_protected(struct mm_struct *mm)
{
	bool is = false;
#ifdef CONFIG_MEMCG
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm);

	for (struct mem_cgroup *m = memcg; m && !mem_cgroup_is_root(m); m = parent_mem_cgroup(m)) {
		const unsigned long promised =
			max(READ_ONCE(m->memory.min), READ_ONCE(m->memory.low));

		is |= promised && page_counter_read(&m->memory) <= promised;
	}
	mem_cgroup_put(memcg);
#endif
	return is;
}
EXPORT_SYMBOL_GPL(page_exchange_owner_is_protected);

/**
 * page_exchange_owner_cgroup() - Tell which memory cgroup a process is in
 * @mm:		Its mm.
 *
 * Return: a number that others have only if they are charged to the same cgroup, for as long as
 * that exists.
 */
unsigned int page_exchange_owner_cgroup(struct mm_struct *mm)
{
	unsigned int id = 0;
#ifdef CONFIG_MEMCG
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm);

	id = mem_cgroup_id(memcg);
	mem_cgroup_put(memcg);
#endif
	return id;
}
EXPORT_SYMBOL_GPL(page_exchange_owner_cgroup);

/**
 * page_exchange_walk_start() - Find a page in an area whose pages may be moved
 * @mm:		The mm, with its mmap lock held.
 * @addr:	User address.
 * @page:	Gets what is mapped there.
 *
 * Return: whether something is. Then its page table is locked until
 * page_exchange_walk_end().
 */
bool page_exchange_walk_start(struct mm_struct *mm, unsigned long addr,
			      struct page_exchange_walk *page)
{
	page->vma = page_exchange_find_vma(mm, addr, NULL);
	page->folio = page->vma ? folio_walk_start(&page->walk, page->vma, addr, 0) : NULL;
	return page->folio;
}

/**
 * page_exchange_walk_end() - Unlock a page table
 * @page:	What was found there.
 */
void page_exchange_walk_end(struct page_exchange_walk *page)
{
	folio_walk_end(&page->walk, page->vma);
}
