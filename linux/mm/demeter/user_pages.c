// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of user memory: which can be moved, on which nodes they are, and moving them
 * to a node with free memory.
 *
 * Memory that its owner has a policy for, by mbind() or set_mempolicy(), or by a
 * cpuset, stays where that says: what NUMA balancing leaves alone is left alone here,
 * too.
 */
#include <linux/cpuset.h>
#include <linux/memory-tiers.h>
#include <linux/mempolicy.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/swap.h>

#include <asm/tlbflush.h>

#include "../internal.h"
#include "user_pages.h"

static bool policy_allows(const struct mempolicy *policy)
{
	return !policy ||
	       (policy->flags & MPOL_F_MOF && nodes_subset(node_states[N_MEMORY], policy->nodes));
}

static bool vma_is_movable(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) &&
	       !(vma->vm_flags & (VM_LOCKED | VM_PFNMAP | VM_MIXEDMAP | VM_IO | VM_HUGETLB)) &&
	       policy_allows(vma_policy(vma));
}

/**
 * movable_vma() - Find memory that may be moved
 * @mm:		Whose memory, with its mmap lock held.
 * @addr:	User address.
 * @last:	Where to look first, or NULL.
 *
 * Return: the vma of @addr, NULL if there is none or it is to stay where it is.
 */
struct vm_area_struct *movable_vma(struct mm_struct *mm, unsigned long addr,
				   struct vm_area_struct *last)
{
	struct vm_area_struct *vma = last;

	if (!vma || addr < vma->vm_start || addr >= vma->vm_end)
		vma = vma_lookup(mm, addr);
	return vma && vma_is_movable(vma) ? vma : NULL;
}

/**
 * check_vma() - Whether memory may be moved
 * @mm:		Whose memory, with its mmap lock held.
 * @addr:	User address.
 *
 * Return: PAGE_EXCHANGED if it may, or why not.
 */
enum page_exchange_result check_vma(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);

	if (!vma)
		return PAGE_EXCHANGE_GONE;
	return vma_is_movable(vma) ? PAGE_EXCHANGED : PAGE_EXCHANGE_REFUSED;
}

/**
 * user_page_start() - Find a page that may be moved
 * @mm:		Whose memory, with its mmap lock held.
 * @addr:	User address.
 * @page:	Gets what is there.
 *
 * Return: whether there is one. Then its page table is locked until user_page_end().
 */
bool user_page_start(struct mm_struct *mm, unsigned long addr, struct user_page *page)
{
	page->vma = movable_vma(mm, addr, NULL);
	page->folio = page->vma ? folio_walk_start(&page->walk, page->vma, addr, 0) : NULL;
	return page->folio;
}

/**
 * user_page_end() - Unlock a page table
 * @page:	What was found there.
 */
void user_page_end(struct user_page *page)
{
	folio_walk_end(&page->walk, page->vma);
}

/* Reserves are not ours, and nobody is to be woken. */
#define MIGRATE_GFP	  (GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM)
#define MIGRATE_GFP_FLAGS (__GFP_THISNODE | __GFP_NOWARN | __GFP_NOMEMALLOC | __GFP_NORETRY)

static unsigned long free_in_blocks(struct zone *zone, unsigned int order)
{
	unsigned long n = 0;

	if (!order)
		return zone_page_state(zone, NR_FREE_PAGES);
	for (; order < NR_PAGE_ORDERS; order++)
		/* only a hint, so without the zone's lock */
		n += data_race(zone->free_area[order].nr_free) << order;
	return n;
}

/**
 * room_for_user_pages() - How much of a node's free memory may be filled
 * @nid:	The node.
 * @order:	With pages of which order.
 *
 * What reclaim would defend, and as much again for allocations of others, stays free, and
 * so does what the allocator keeps for others: whoever fills only this wakes nobody.
 *
 * Return: in base pages.
 */
unsigned long room_for_user_pages(int nid, unsigned int order)
{
	unsigned long all = 0;

	for (int i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];
		const unsigned long unused = zone_page_state(zone, NR_FREE_PAGES);
		const unsigned long keep = 2 * high_wmark_pages(zone) + SWAP_CLUSTER_MAX +
					   zone->lowmem_reserve[gfp_zone(MIGRATE_GFP)] +
					   READ_ONCE(zone->nr_free_highatomic);

		if (managed_zone(zone) && unused > keep)
			all += min(unused - keep, free_in_blocks(zone, order));
	}
	return all;
}
EXPORT_SYMBOL_GPL(room_for_user_pages);

static struct folio *alloc_on_nodes(struct folio *from, unsigned long private)
{
	const unsigned int order = folio_order(from);
	nodemask_t *nodes = (nodemask_t *)private;
	int nid;

	for_each_node_mask(nid, *nodes)
		if (room_for_user_pages(nid, order) >> order)
			return __folio_alloc_node(MIGRATE_GFP | MIGRATE_GFP_FLAGS, order, nid);
	return NULL;
}

static enum page_exchange_result isolate_page(struct mm_struct *mm, unsigned long addr,
					      const nodemask_t *nodes, struct list_head *list)
{
	enum page_exchange_result result;
	struct user_page page;
	struct folio *folio;

	if (!user_page_start(mm, addr, &page))
		return check_vma(mm, addr) ?: PAGE_EXCHANGE_GONE;
	folio = page.folio;
	/* a part of a large one would take the rest with it */
	if (!folio_test_anon(folio) ||
	    (folio_test_large(folio) && page.walk.level != FW_LEVEL_PMD) ||
	    folio_is_zone_device(folio) || folio_test_unevictable(folio) ||
	    node_isset(folio_nid(folio), *nodes))
		result = PAGE_EXCHANGE_REFUSED;
	else if (folio_likely_mapped_shared(folio) || !isolate_folio_to_list(folio, list))
		result = PAGE_EXCHANGE_BUSY;
	else
		result = PAGE_EXCHANGED;
	user_page_end(&page);
	return result;
}

/* Some pages that were isolated have not been moved, for a reason: find out which. */
static void find_left_behind(struct mm_struct *mm, const unsigned long *addrs, u8 *results,
			     unsigned int n, const nodemask_t *nodes,
			     enum page_exchange_result reason)
{
	const bool locked = mmap_read_trylock(mm);

	for (unsigned int i = 0; i < n; i++) {
		struct user_page page;

		if (results[i] != PAGE_EXCHANGED)
			continue;
		if (!locked || !user_page_start(mm, addrs[i], &page)) {
			results[i] = PAGE_EXCHANGE_GONE;
			continue;
		}
		if (!node_isset(folio_nid(page.folio), *nodes))
			results[i] = reason;
		user_page_end(&page);
	}
	if (locked)
		mmap_read_unlock(mm);
}

/**
 * migrate_user_pages() - Move pages of user memory to nodes with free memory
 * @mm:		Whose memory it is.
 * @addrs:	Their addresses; for a huge page that of the huge page.
 * @results:	Per address, what came of it: enum page_exchange_result.
 * @n:		How many.
 * @nodes:	Where to.
 *
 * For what has no partner to be exchanged with. Takes free pages only: neither
 * reclaims nor wakes anybody who does. The caller holds a reference on the users
 * of @mm and no locks. May sleep.
 *
 * Return: how many base pages were moved.
 */
unsigned int migrate_user_pages(struct mm_struct *mm, const unsigned long *addrs, u8 *results,
				unsigned int n, nodemask_t *nodes)
{
	unsigned int moved = 0;
	LIST_HEAD(list);
	int ret;

	memset(results, PAGE_EXCHANGE_GONE, n);
	lru_add_drain();
	if (!mmap_read_trylock(mm))
		return 0;
	for (unsigned int i = 0; i < n; i++)
		results[i] = isolate_page(mm, addrs[i], nodes, &list);
	mmap_read_unlock(mm);
	if (list_empty(&list))
		return 0;
	ret = migrate_pages(&list, alloc_on_nodes, NULL, (unsigned long)nodes, MIGRATE_ASYNC,
			    MR_NUMA_MISPLACED, &moved);
	if (!list_empty(&list)) {
		putback_movable_pages(&list);
		find_left_behind(mm, addrs, results, n, nodes,
				 ret == -ENOMEM ? PAGE_EXCHANGE_NO_ROOM : PAGE_EXCHANGE_BUSY);
	}
	return moved;
}
EXPORT_SYMBOL_GPL(migrate_user_pages);

/* A huge page, with a reference; NULL if it is none or could not be split. */
static struct folio *get_huge_page(struct mm_struct *mm, unsigned long addr)
{
	struct folio *folio = NULL;
	struct user_page page;

	if (!user_page_start(mm, addr, &page))
		return NULL;
	if (page.walk.level == FW_LEVEL_PMD && folio_test_anon(page.folio) &&
	    !folio_test_mlocked(page.folio) && !folio_likely_mapped_shared(page.folio)) {
		folio = page.folio;
		folio_get(folio);
	}
	user_page_end(&page);
	return folio;
}

/**
 * split_user_page() - Make base pages of a huge page
 * @mm:		Whose memory it is.
 * @addr:	Its address.
 *
 * The caller holds a reference on the users of @mm and no locks. May sleep.
 *
 * Return: whether there was a huge page and it has been split.
 */
bool split_user_page(struct mm_struct *mm, unsigned long addr)
{
	struct folio *folio;
	bool done = false;

	if (!mmap_read_trylock(mm))
		return false;
	folio = get_huge_page(mm, addr);
	mmap_read_unlock(mm);
	if (!folio)
		return false;
	if (folio_trylock(folio)) {
		done = !split_folio(folio);
		folio_unlock(folio);
	}
	folio_put(folio);
	return done;
}
EXPORT_SYMBOL_GPL(split_user_page);

/*
 * The node of a frame, without a look at its struct page where spans of nodes do not
 * overlap: neighbours are mostly of the node that was found last.
 */
static s16 pfn_node(struct user_page_scan *scan, unsigned long pfn)
{
	int nid, found = NUMA_NO_NODE;

	if (pfn - scan->span_start < scan->span_pages)
		return scan->span_nid;
	for_each_node_state(nid, N_MEMORY) {
		if (pfn < node_start_pfn(nid) || pfn >= node_end_pfn(nid))
			continue;
		if (found != NUMA_NO_NODE)
			return page_to_nid(pfn_to_page(pfn));
		found = nid;
	}
	if (found != NUMA_NO_NODE && scan->distinct) {
		scan->span_start = node_start_pfn(found);
		scan->span_pages = node_spanned_pages(found);
		scan->span_nid = found;
	}
	return found;
}

static bool spans_are_distinct(void)
{
	int a, b;

	for_each_node_state(a, N_MEMORY)
		for_each_node_state(b, N_MEMORY)
			if (a != b && node_start_pfn(a) < node_end_pfn(b) &&
			    node_start_pfn(b) < node_end_pfn(a))
				return false;
	return true;
}

static int scan_pmd(pmd_t *pmd, unsigned long addr, unsigned long next, struct mm_walk *walk)
{
	struct user_page_scan *scan = walk->private;
	s16 *nids = &scan->nids[pte_index(addr)];
	spinlock_t *ptl = pmd_trans_huge_lock(pmd, walk->vma);
	pte_t *table, *ptep;

	if (scan->at != (addr & PMD_MASK)) {
		memset(scan->nids, 0xff, sizeof(scan->nids));
		scan->at = addr & PMD_MASK;
		nids = &scan->nids[pte_index(addr)];
	}
	if (ptl) {
		if (pmd_present(*pmd) && !is_huge_zero_pmd(*pmd)) {
			const s16 nid = pfn_node(scan, pmd_pfn(*pmd)) | USER_PAGE_HUGE;

			for (; addr != next; addr += PAGE_SIZE)
				*nids++ = nid;
		}
		spin_unlock(ptl);
	} else {
		/* entries may change meanwhile: what they say is a hint */
		table = pte_offset_map(pmd, addr);
		if (!table)
			return 0;
		for (ptep = table; addr != next; addr += PAGE_SIZE, ptep++, nids++) {
			const pte_t pte = ptep_get_lockless(ptep);

			if (pte_present(pte) && !is_zero_pfn(pte_pfn(pte)))
				*nids = pfn_node(scan, pte_pfn(pte));
		}
		pte_unmap(table);
	}
	cond_resched();
	return scan->found(scan, scan->at);
}

static int scan_test(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	return !vma_is_movable(walk->vma);
}

static const struct mm_walk_ops scan_ops = {
	.pmd_entry = scan_pmd,
	.test_walk = scan_test,
	.walk_lock = PGWALK_RDLOCK,
};

/* Whether whose memory it is has left it to others where it lies. */
static bool owner_allows(struct mm_struct *mm)
{
	bool allowed = true;
#ifdef CONFIG_MEMCG
	struct task_struct *owner;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	if (owner) {
		const nodemask_t nodes = cpuset_mems_allowed(owner);

		task_lock(owner);
		allowed = policy_allows(owner->mempolicy) &&
			  nodes_subset(node_states[N_MEMORY], nodes);
		task_unlock(owner);
	}
	rcu_read_unlock();
#endif
	return allowed;
}

/**
 * scan_user_pages() - See where pages of user memory are
 * @mm:		Whose memory it is.
 * @start:	Where to begin.
 * @scan:	What to call for each page table that maps pages which could be
 *		moved; see there.
 *
 * The caller holds a reference on the users of @mm and no locks. Does not wait
 * for the mmap lock. May sleep.
 *
 * Return: 0 at the end of the address space, what @scan returned when it did not
 * return 0, -EAGAIN if the mmap lock could not be had, -EPERM if a policy or a cpuset
 * says where the memory is to be.
 */
int scan_user_pages(struct mm_struct *mm, unsigned long start, struct user_page_scan *scan)
{
	int ret;

	if (!owner_allows(mm))
		return -EPERM;
	scan->at = ULONG_MAX;
	scan->span_pages = 0;
	scan->distinct = spans_are_distinct();
	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	ret = walk_page_range(mm, start, mm->task_size, &scan_ops, scan);
	mmap_read_unlock(mm);
	return ret;
}
EXPORT_SYMBOL_GPL(scan_user_pages);

/**
 * forget_user_translations() - Let the processor look up again what it accesses
 * @mm:	Whose memory.
 *
 * So that accessed bits that have been cleared get set again.
 */
void forget_user_translations(struct mm_struct *mm)
{
	flush_tlb_mm(mm);
}
EXPORT_SYMBOL_GPL(forget_user_translations);

/**
 * node_is_fast() - Whether a node belongs to the first of the kernel's memory tiers
 * @nid:	The node.
 */
bool node_is_fast(int nid)
{
	return node_is_toptier(nid);
}
EXPORT_SYMBOL_GPL(node_is_fast);
