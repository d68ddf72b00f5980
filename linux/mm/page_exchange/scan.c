// SPDX-License-Identifier: GPL-2.0
/*
 * On which nodes the pages of user memory are, how much is left alone and why; which nodes are
 * fast, and who else moves pages.
 *
 * A scan reads page tables without locking them: a page may have moved or gone by the
 * time its node is reported, and whoever moves it looks again.
 */
#include <linux/export.h>
#include <linux/memory-tiers.h>
#include <linux/sched/mm.h>
#include <linux/sched/sysctl.h>

#include <asm/tlbflush.h>

#include "internal.h"

/* What a node is to a scan. */
enum page_exchange_kind { KIND_NONE, KIND_SLOW, KIND_FAST };

static enum page_exchange_kind page_exchange_node_kind(const struct page_exchange_scan *scan,
						       int nid)
{
	if (nid == NUMA_NO_NODE)
		return KIND_NONE;
	if (node_isset(nid, *scan->fast_nodes))
		return KIND_FAST;
	return node_isset(nid, *scan->slow_nodes) ? KIND_SLOW : KIND_NONE;
}

/*
 * The kind of node of a frame. Reads no struct page where the spans of nodes do not overlap:
 * neighbours are mostly of the node that was found last.
 */
static enum page_exchange_kind page_exchange_pfn_kind(struct page_exchange_scan *scan,
						      unsigned long pfn)
{
	int nid, found = NUMA_NO_NODE;

	if (pfn - scan->span_start < scan->span_pages)
		return scan->span_kind;
	for_each_node_state(nid, N_MEMORY) {
		if (pfn < node_start_pfn(nid) || pfn >= node_end_pfn(nid))
			continue;
		if (found != NUMA_NO_NODE)
			return page_exchange_node_kind(scan, page_to_nid(pfn_to_page(pfn)));
		found = nid;
	}
	if (found != NUMA_NO_NODE && scan->distinct) {
		scan->span_start = node_start_pfn(found);
		scan->span_pages = node_spanned_pages(found);
		scan->span_kind = page_exchange_node_kind(scan, found);
	}
	return page_exchange_node_kind(scan, found);
}

static bool page_exchange_spans_are_distinct(void)
{
	int a, b;

	for_each_node_state(a, N_MEMORY)
		for_each_node_state(b, N_MEMORY)
			if (a != b && node_start_pfn(a) < node_end_pfn(b) &&
			    node_start_pfn(b) < node_end_pfn(a))
				return false;
	return true;
}

/* Reports the 2 MiB that were looked at last, if something was found there. */
static void page_exchange_scan_report(struct page_exchange_scan *scan)
{
	if (scan->any)
		scan->found(scan);
	scan->any = false;
}

static void page_exchange_scan_leave(struct page_exchange_scan *scan,
				     enum page_exchange_reason reason, unsigned long n)
{
	if (scan->left)
		scan->left[reason] += n;
}

static void page_exchange_scan_huge(struct page_exchange_scan *scan, pmd_t pmd, unsigned int first,
				    unsigned int n)
{
	const enum page_exchange_kind kind = page_exchange_pfn_kind(scan, pmd_pfn(pmd));

	if (kind == KIND_NONE) {
		page_exchange_scan_leave(scan, PAGE_EXCHANGE_NODE, n);
		return;
	}
	scan->any = true;
	scan->huge = true;
	bitmap_set(scan->present, first, n);
	if (kind == KIND_FAST)
		bitmap_set(scan->fast, first, n);
}

/* The table is not locked, so entries may change meanwhile: what they say is a hint. */
static void page_exchange_scan_table(struct page_exchange_scan *scan, pte_t *table,
				     unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		const pte_t pte = ptep_get_lockless(table++);
		enum page_exchange_kind kind;

		if (!pte_present(pte) || is_zero_pfn(pte_pfn(pte)))
			continue;
		kind = page_exchange_pfn_kind(scan, pte_pfn(pte));
		if (kind == KIND_NONE) {
			page_exchange_scan_leave(scan, PAGE_EXCHANGE_NODE, 1);
			continue;
		}
		scan->any = true;
		__set_bit(i, scan->present);
		if (kind == KIND_FAST)
			__set_bit(i, scan->fast);
	}
}

/* Counts the pages of a table in an anonymous area that is left alone. */
static unsigned int page_exchange_count_table(pte_t *table, unsigned int n)
{
	unsigned int present = 0;

	for (unsigned int i = 0; i < n; i++) {
		const pte_t pte = ptep_get_lockless(table++);

		present += pte_present(pte) && !is_zero_pfn(pte_pfn(pte));
	}
	return present;
}

/* Counts the private copies of pages of a file. Only their struct pages tell them apart. */
static unsigned int page_exchange_count_copies(struct vm_area_struct *vma, pmd_t *pmd,
					       unsigned long addr, unsigned int n)
{
	unsigned int copies = 0;
	pte_t *table, *pte;
	spinlock_t *ptl; /* of the table */

	table = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!table)
		return 0;
	pte = table;
	for (unsigned int i = 0; i < n; i++, pte++, addr += PAGE_SIZE) {
		const pte_t entry = ptep_get(pte);
		struct page *page = pte_present(entry) ? vm_normal_page(vma, addr, entry) : NULL;

		copies += page && PageAnon(page);
	}
	pte_unmap_unlock(table, ptl);
	return copies;
}

/*
 * Whether the scan may go on to another 2 MiB, which takes so many steps. It always may to the
 * first, so that it gets on, and within one, however many areas share it.
 */
static bool page_exchange_scan_step(struct page_exchange_scan *scan, unsigned long addr,
				    unsigned int steps)
{
	const unsigned long at = addr & PMD_MASK;

	if (scan->first == ULONG_MAX)
		scan->first = at;
	if (!scan->steps && scan->first != at) {
		scan->next = at;
		return false;
	}
	scan->steps -= min(scan->steps, steps);
	return true;
}

/* Goes on to another 2 MiB. Several areas may share them. Returns whether it may. */
static bool page_exchange_scan_go_to(struct page_exchange_scan *scan, unsigned long addr,
				     unsigned int steps)
{
	if (scan->at == (addr & PMD_MASK))
		return true;
	page_exchange_scan_report(scan);
	if (!page_exchange_scan_step(scan, addr, steps))
		return false;
	scan->at = addr & PMD_MASK;
	scan->huge = false;
	bitmap_zero(scan->present, PTRS_PER_PTE);
	bitmap_zero(scan->fast, PTRS_PER_PTE);
	return true;
}

static int page_exchange_scan_pmd(pmd_t *pmd, unsigned long addr, unsigned long next,
				  struct mm_walk *walk)
{
	struct page_exchange_scan *scan = walk->private;
	const unsigned int n = (next - addr) >> PAGE_SHIFT;
	spinlock_t *ptl = pmd_trans_huge_lock(pmd, walk->vma);
	pmd_t huge = ptl ? *pmd : __pmd(0);
	pte_t *table;

	if (ptl)
		spin_unlock(ptl);
	if (!page_exchange_scan_go_to(scan, addr, ptl ? 1 : PAGE_EXCHANGE_TABLE_STEPS))
		return 1;
	if (ptl) {
		if (!pmd_present(huge) || is_huge_zero_pmd(huge))
			return 0;
		if (!scan->reason)
			page_exchange_scan_huge(scan, huge, pte_index(addr), n);
		else if (scan->reason != PAGE_EXCHANGE_FILE)
			page_exchange_scan_leave(scan, scan->reason, n);
		return 0;
	}
	if (scan->reason == PAGE_EXCHANGE_FILE) {
		page_exchange_scan_leave(scan, scan->reason,
					 page_exchange_count_copies(walk->vma, pmd, addr, n));
		cond_resched();
		return 0;
	}
	table = pte_offset_map(pmd, addr);
	if (!table)
		return 0;
	if (scan->reason)
		page_exchange_scan_leave(scan, scan->reason, page_exchange_count_table(table, n));
	else
		page_exchange_scan_table(scan, table, pte_index(addr), n);
	pte_unmap(table);
	cond_resched();
	return 0;
}

/*
 * Whether an area that is left alone is walked for its pages to be counted. The kernel itself
 * counts those of files and of shared memory, but not private copies, which only areas with
 * reverse maps have.
 */
static bool page_exchange_scan_counts(struct page_exchange_scan *scan, struct vm_area_struct *vma)
{
	if (!scan->left)
		return false;
	switch (scan->reason) {
	case PAGE_EXCHANGE_LOCKED:
	case PAGE_EXCHANGE_POLICY:
		return true;
	case PAGE_EXCHANGE_FILE:
	case PAGE_EXCHANGE_SHMEM:
		scan->reason = PAGE_EXCHANGE_FILE;
		return vma->anon_vma;
	default:
		return false;
	}
}

/* Areas cost a step for each 2 MiB that they begin in: a process may have tens of thousands. */
static int page_exchange_scan_test(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct page_exchange_scan *scan = walk->private;
	const unsigned long at = start & PMD_MASK;

	if (scan->area != at && scan->at != at) {
		if (!page_exchange_scan_step(scan, start, 1))
			return -EINTR;
		scan->area = at;
	}
	scan->reason = page_exchange_vma_reason(walk->vma);
	if (scan->reason == PAGE_EXCHANGE_SPECIAL && scan->left && start == walk->vma->vm_start) {
		/* it is not walked: what it maps has no pages. A scan that goes on passes it */
		if (!page_exchange_scan_go_to(scan, start, 1))
			return -EINTR;
		page_exchange_scan_leave(scan, scan->reason, (end - start) >> PAGE_SHIFT);
	}
	return scan->reason && !page_exchange_scan_counts(scan, walk->vma);
}

static const struct mm_walk_ops page_exchange_scan_ops = {
	.pmd_entry = page_exchange_scan_pmd,
	.test_walk = page_exchange_scan_test,
	.walk_lock = PGWALK_RDLOCK,
};

/**
 * page_exchange_scan() - See where pages of user memory are
 * @mm:		The mm.
 * @start:	The address to begin at, a multiple of PMD_SIZE.
 * @end:	The address to end at, likewise, or TASK_SIZE.
 * @scan:	Says what to look for, what to call, and how long to go on; see struct
 *		page_exchange_scan.
 *
 * The caller holds a reference on the users of @mm and no locks. Does not wait
 * for the mmap lock. May sleep.
 *
 * Return: 0 at the end, 1 if the scan is to go on at @scan->next because it has taken all its
 * steps, -EAGAIN if somebody else holds the mmap lock, -EPERM if a policy or a cpuset says
 * where the memory is to be.
 */
int page_exchange_scan(struct mm_struct *mm, unsigned long start, unsigned long end,
		       struct page_exchange_scan *scan)
{
	int ret;

	if (!page_exchange_owner_allows(mm))
		return -EPERM;
	scan->at = ULONG_MAX;
	scan->area = ULONG_MAX;
	scan->first = ULONG_MAX;
	scan->any = false;
	scan->span_pages = 0;
	scan->distinct = page_exchange_spans_are_distinct();
	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	end = min(end, mm->task_size);
	ret = start < end ? walk_page_range(mm, start, end, &page_exchange_scan_ops, scan) : 0;
	mmap_read_unlock(mm);
	page_exchange_scan_report(scan);
	return !!ret;
}
EXPORT_SYMBOL_GPL(page_exchange_scan);

/**
 * page_exchange_count_rest() - Count memory that scans do not go through
 * @mm:		The mm, all of which has been scanned.
 * @left:	Base pages that are left alone by enum page_exchange_reason, as scans have counted
 *		them. If the owner of @mm wants all of them left alone, they count for that.
 */
void page_exchange_count_rest(struct mm_struct *mm, unsigned long *left)
{
	const enum page_exchange_reason reason = page_exchange_owner_reason(mm);

	if (reason) {
		memset(left, 0, NR_PAGE_EXCHANGE_REASONS * sizeof(*left));
		left[reason] = get_mm_counter_sum(mm, MM_ANONPAGES);
	}
	left[PAGE_EXCHANGE_FILE] += get_mm_counter_sum(mm, MM_FILEPAGES);
	left[PAGE_EXCHANGE_SHMEM] += get_mm_counter_sum(mm, MM_SHMEMPAGES);
#ifdef CONFIG_HUGETLB_PAGE
	left[PAGE_EXCHANGE_HUGETLB] += atomic_long_read(&mm->hugetlb_usage);
#endif
}
EXPORT_SYMBOL_GPL(page_exchange_count_rest);

/**
 * page_exchange_flush_tlb() - Drop all cached translations of an mm
 * @mm:		The mm.
 *
 * The processor sets an accessed bit when it loads a translation. Whoever has cleared
 * accessed bits flushes, so that the next access sets them again.
 */
void page_exchange_flush_tlb(struct mm_struct *mm)
{
	flush_tlb_mm(mm);
}
EXPORT_SYMBOL_GPL(page_exchange_flush_tlb);

/**
 * page_exchange_node_is_fast() - Whether a node belongs to the first memory tier
 * @nid:	The node.
 *
 * Return: whether it does, among the kernel's memory tiers.
 */
bool page_exchange_node_is_fast(int nid)
{
	return node_is_toptier(nid);
}
EXPORT_SYMBOL_GPL(page_exchange_node_is_fast);

/**
 * page_exchange_is_balanced() - Whether NUMA balancing moves pages, too
 *
 * Return: whether it is on, in any of its modes (kernel.numa_balancing).
 */
bool page_exchange_is_balanced(void)
{
	return sysctl_numa_balancing_mode != NUMA_BALANCING_DISABLED;
}
EXPORT_SYMBOL_GPL(page_exchange_is_balanced);
