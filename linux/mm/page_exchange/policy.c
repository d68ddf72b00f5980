// SPDX-License-Identifier: GPL-2.0
/*
 * Which user memory may be moved, and to which nodes.
 *
 * Memory stays on nodes where its owner lets it be: those of the cpuset, and those that a policy
 * names, by mbind() or set_mempolicy(). It may change tiers where these are of both.
 */
#include <linux/blkdev.h>
#include <linux/cpuset.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/pagemap.h>
#include <linux/sched/task.h>
#include <linux/shmem_fs.h>

#include "internal.h"

/* Leaves of @nodes those that a policy allows. A preference forbids none. */
static void page_exchange_policy_limit(const struct mempolicy *policy, nodemask_t *nodes)
{
	if (policy && (policy->mode == MPOL_BIND || policy->mode == MPOL_INTERLEAVE ||
		       policy->mode == MPOL_WEIGHTED_INTERLEAVE))
		nodes_and(*nodes, *nodes, policy->nodes);
}

/**
 * page_exchange_owner_nodes() - Tell where the owner of an mm lets memory be
 * @mm:		The mm.
 * @owner:	Gets the nodes.
 */
void page_exchange_owner_nodes(struct mm_struct *mm, struct page_exchange_owner *owner)
{
	owner->cpuset = node_states[N_MEMORY];
	owner->policy = node_states[N_MEMORY];
#ifdef CONFIG_MEMCG
	struct task_struct *task;

	rcu_read_lock();
	task = rcu_dereference(mm->owner);
	if (task) {
		owner->cpuset = cpuset_mems_allowed(task);
		task_lock(task);
		page_exchange_policy_limit(task->mempolicy, &owner->policy);
		task_unlock(task);
	}
	rcu_read_unlock();
#endif
}

/**
 * page_exchange_vma_nodes() - Tell where private pages of an area may be
 * @vma:	The area, which cannot change.
 * @owner:	What the owner of its mm wants.
 * @nodes:	Gets the nodes.
 */
void page_exchange_vma_nodes(struct vm_area_struct *vma, const struct page_exchange_owner *owner,
			     nodemask_t *nodes)
{
	const struct mempolicy *policy = vma_policy(vma);

	*nodes = owner->cpuset;
	if (policy)
		page_exchange_policy_limit(policy, nodes);
	else
		nodes_and(*nodes, *nodes, owner->policy);
}

/**
 * page_exchange_shared_nodes() - Tell where the policy of shared memory lets pages be
 * @mapping:	The file, which cannot go away.
 * @index:	Number of the first page in it.
 * @n:		How many pages, which have different policies at times.
 * @nodes:	Nodes, of which those are left that are allowed.
 */
void page_exchange_shared_nodes(struct address_space *mapping, pgoff_t index, unsigned long n,
				nodemask_t *nodes)
{
	struct mempolicy *policy;

	if (!shmem_mapping(mapping))
		return;
	while (n--) {
		policy = mpol_shared_policy_lookup(&SHMEM_I(mapping->host)->policy, index++);
		page_exchange_policy_limit(policy, nodes);
		mpol_cond_put(policy);
	}
}

/*
 * Tells where an area lets pages of its file be. Policies of shared memory are asked by page;
 * others belong to the area, which is locked for that unless its mm is @locked. Returns false if
 * it cannot be locked.
 */
static bool page_exchange_area_nodes(struct vm_area_struct *vma, const struct mm_struct *locked,
				     nodemask_t *nodes)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page_exchange_owner owner;

	page_exchange_owner_nodes(mm, &owner);
	/* one that comes right now counts when pages are moved back that must not be there */
	if (!data_race(vma_policy(vma))) {
		nodes_and(*nodes, owner.cpuset, owner.policy);
		return true;
	}
	if (mm != locked && !mmap_read_trylock(mm))
		return false;
	page_exchange_vma_nodes(vma, &owner, nodes);
	if (mm != locked)
		mmap_read_unlock(mm);
	return true;
}

/*
 * Areas that are looked at for each one that may be asked: those of one process that have no policy
 * are passed over. A process has at most 65530 (vm.max_map_count).
 */
#define PASSED_PER_ASKED 16

/**
 * page_exchange_file_nodes() - Tell where pages of a file may be, as all say that have it mapped
 * @mapping:	The file, which cannot go away.
 * @locked:	A process whose mmap lock is held; NULL: none.
 * @most:	How many areas are asked; if there are more, or very many that need not be asked,
 *		no page may move.
 * @nodes:	Gets the nodes.
 * @is_aliased:	Gets whether there are other page tables that have its pages, such as a VM's:
 *		whoever uses them by these is not sampled.
 *
 * Return: whether that is known. Otherwise a process is changing its memory, and no page may move.
 */
bool page_exchange_file_nodes(struct address_space *mapping, const struct mm_struct *locked,
			      unsigned int most, nodemask_t *nodes, bool *is_aliased)
{
	struct vm_area_struct *vma;
	struct mm_struct *last = NULL;
	unsigned int n = 0, seen = 0;
	bool is_known = true;

	*is_aliased = false;
	*nodes = node_states[N_MEMORY];
	/* a file system holds on to buffers of its device, and each try interrupts all CPUs */
	if (sb_is_blkdev_sb(mapping->host->i_sb)) {
		nodes_clear(*nodes);
		return true;
	}
	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, 0, ULONG_MAX)
	{
		nodemask_t some = NODE_MASK_NONE;

		if (++seen > PASSED_PER_ASKED * most) {
			nodes_clear(*nodes);
			break;
		}
		/* without a lock: likewise */
		if (vma->vm_mm == last && !data_race(vma_policy(vma)))
			continue;
		/* an area with a policy does not speak for those without */
		last = data_race(vma_policy(vma)) ? NULL : vma->vm_mm;
		*is_aliased |= mm_has_notifiers(vma->vm_mm);
		if (++n <= most)
			is_known = page_exchange_area_nodes(vma, locked, &some);
		nodes_and(*nodes, *nodes, some);
		if (n > most || !is_known)
			break;
	}
	i_mmap_unlock_read(mapping);
	return is_known;
}

/**
 * page_exchange_vma_reason() - Tell why no page of an area is ever moved
 * @vma:	The area, with its mmap lock held.
 *
 * Return: PAGE_EXCHANGE_MOVABLE, or what kind of memory it is.
 */
enum page_exchange_reason page_exchange_vma_reason(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_HUGETLB && huge_page_size(hstate_vma(vma)) != PMD_SIZE)
		return PAGE_EXCHANGE_HUGETLB;
	if (vma->vm_flags & VM_PFNMAP)
		return PAGE_EXCHANGE_SPECIAL;
	/* drivers put pages there that count as those of files */
	if (vma->vm_flags & (VM_MIXEDMAP | VM_IO) || vma_is_dax(vma))
		return PAGE_EXCHANGE_FILE;
	return PAGE_EXCHANGE_MOVABLE;
}

/**
 * page_exchange_vma_is_file() - Whether pages of an area are found in a file, not in page tables
 * @vma:	The area, with its mmap lock held.
 *
 * Private copies of a file's pages are in page tables all the same.
 *
 * Return: whether they are.
 */
bool page_exchange_vma_is_file(struct vm_area_struct *vma)
{
	return vma->vm_file && !vma_is_anonymous(vma) &&
	       (vma->vm_flags & VM_MAYSHARE || !is_vm_hugetlb_page(vma));
}

/**
 * page_exchange_nodes_are_both() - Whether memory may change tiers
 * @nodes:	Nodes where it may be.
 * @scan:	Says which nodes are of which tier.
 *
 * Return: whether they are of both tiers.
 */
bool page_exchange_nodes_are_both(const nodemask_t *nodes, const struct page_exchange_scan *scan)
{
	return nodes_intersects(*nodes, *scan->fast_nodes) &&
	       nodes_intersects(*nodes, *scan->slow_nodes);
}

#ifdef CONFIG_MEMCG
/* Whether a memory cgroup, or one that it is in, uses no more than what is promised to it. */
static bool page_exchange_is_protected(struct mem_cgroup *memcg)
{
	for (struct mem_cgroup *m = memcg; m && !mem_cgroup_is_root(m); m = parent_mem_cgroup(m)) {
		const unsigned long promised =
			max(READ_ONCE(m->memory.min), READ_ONCE(m->memory.low));

		if (promised && page_counter_read(&m->memory) <= promised)
			return true;
	}
	return false;
}
#endif

/**
 * page_exchange_folio_is_protected() - Whether a folio's cgroup is to keep its memory
 * @folio:	The folio, with a reference.
 *
 * Return: as page_exchange_owner_is_protected() for the cgroup that the folio is charged to.
 */
bool page_exchange_folio_is_protected(struct folio *folio)
{
	bool is = false;
#ifdef CONFIG_MEMCG
	rcu_read_lock();
	is = page_exchange_is_protected(folio_memcg_check(folio));
	rcu_read_unlock();
#endif
	return is;
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

	is = page_exchange_is_protected(memcg);
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
