// SPDX-License-Identifier: GPL-2.0
/*
 * On which nodes the pages of user memory are, how much is left alone and why; which nodes are
 * fast, and who else moves pages.
 *
 * A scan reads page tables without locking them: a page may have moved or gone by the
 * time its node is reported, and whoever moves it looks again.
 */
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/memory-tiers.h>
#include <linux/memory_hotplug.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/sysctl.h>

#include <asm/tlbflush.h>

#include "internal.h"

/* GiB of a huge pages' area without any that make up a step. */
#define HOLES_PER_STEP 8

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

/**
 * page_exchange_scan_pages() - Enter pages that a scan has come across
 * @scan:	The scan.
 * @pfn:	Frame of the first one; the others follow.
 * @first:	Its number in the 2 MiB that the scan is at.
 * @n:		How many there are.
 */
void page_exchange_scan_pages(struct page_exchange_scan *scan, unsigned long pfn,
			      unsigned int first, unsigned int n)
{
	const enum page_exchange_kind kind = page_exchange_pfn_kind(scan, pfn);

	if (kind == KIND_NONE) {
		page_exchange_scan_leave(scan, PAGE_EXCHANGE_NODE, n);
		return;
	}
	scan->any = true;
	bitmap_set(scan->present, first, n);
	if (kind == KIND_FAST)
		bitmap_set(scan->fast, first, n);
}

static void page_exchange_scan_huge(struct page_exchange_scan *scan, unsigned long pfn,
				    unsigned int first, unsigned int n)
{
	if (scan->reason) {
		page_exchange_scan_leave(scan, scan->reason, n);
		return;
	}
	page_exchange_scan_pages(scan, pfn, first, n);
	scan->huge = true;
}

/* The table is not locked, so entries may change meanwhile: what they say is a hint. */
static void page_exchange_scan_table(struct page_exchange_scan *scan, pte_t *table,
				     unsigned int first, unsigned int n)
{
	for (unsigned int i = first; i < first + n; i++) {
		const pte_t pte = ptep_get_lockless(table++);

		if (pte_present(pte) && !is_zero_pfn(pte_pfn(pte)))
			page_exchange_scan_pages(scan, pte_pfn(pte), i, 1);
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

/* Enters the private copies of pages of a file. Only their struct pages tell them apart. */
static void page_exchange_scan_copies(struct page_exchange_scan *scan, struct vm_area_struct *vma,
				      pmd_t *pmd, unsigned long addr, unsigned int n)
{
	pte_t *table, *pte;
	spinlock_t *ptl; /* of the table */

	table = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (!table)
		return;
	pte = table;
	for (unsigned int i = 0; i < n; i++, pte++, addr += PAGE_SIZE) {
		const pte_t entry = ptep_get(pte);
		struct page *page = pte_present(entry) ? vm_normal_page(vma, addr, entry) : NULL;

		if (!page || !PageAnon(page))
			continue;
		if (scan->reason)
			page_exchange_scan_leave(scan, scan->reason, 1);
		else
			page_exchange_scan_pages(scan, page_to_pfn(page), pte_index(addr), 1);
	}
	pte_unmap_unlock(table, ptl);
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

/**
 * page_exchange_scan_go_to() - Go on to another 2 MiB
 * @scan:	The scan.
 * @addr:	An address in them. Several areas may share them.
 * @steps:	How many steps that takes.
 *
 * Return: whether the scan may go on.
 */
bool page_exchange_scan_go_to(struct page_exchange_scan *scan, unsigned long addr,
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
	if (page_exchange_vma_is_file(walk->vma)) {
		if (!ptl)
			page_exchange_scan_copies(scan, walk->vma, pmd, addr, n);
		cond_resched();
		return 0;
	}
	if (ptl) {
		if (pmd_present(huge) && !is_huge_zero_pmd(huge))
			page_exchange_scan_huge(scan, pmd_pfn(huge), pte_index(addr), n);
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

#ifdef CONFIG_HUGETLB_PAGE
/*
 * Scans a part of a private area of a pool's huge pages. walk_page_range() would go through an area
 * without pages, for which nobody needs any memory, 2 MiB by 2 MiB. Returns whether it may go on.
 */
static bool page_exchange_scan_pool(struct page_exchange_scan *scan, struct vm_area_struct *vma,
				    unsigned long start, unsigned long end)
{
	unsigned int holes = 0;

	for (unsigned long addr = start; addr < end;) {
		pte_t *entry = hugetlb_walk(vma, addr, PMD_SIZE);
		pte_t pte;

		cond_resched();
		if (!entry) {
			addr = (addr & PUD_MASK) + PUD_SIZE;
			if (++holes % HOLES_PER_STEP == 0 &&
			    !page_exchange_scan_step(scan, addr, 1))
				return false;
			continue;
		}
		if (!page_exchange_scan_go_to(scan, addr, 1))
			return false;
		pte = huge_ptep_get(vma->vm_mm, addr, entry);
		/* what is not a private copy is found in the file */
		if (pte_present(pte) && PageAnon(pfn_to_page(pte_pfn(pte))))
			page_exchange_scan_huge(scan, pte_pfn(pte), 0, PTRS_PER_PTE);
		addr += PMD_SIZE;
	}
	return true;
}
#else
static bool page_exchange_scan_pool(struct page_exchange_scan *scan, struct vm_area_struct *vma,
				    unsigned long start, unsigned long end)
{
	return true;
}
#endif

/* Why the pages of an area are left alone, which is walked for them to be counted all the same. */
static enum page_exchange_reason page_exchange_scan_reason(const struct page_exchange_scan *scan,
							   struct vm_area_struct *vma)
{
	nodemask_t nodes;

	page_exchange_vma_nodes(vma, scan->owner, &nodes);
	return page_exchange_nodes_are_both(&nodes, scan) ? PAGE_EXCHANGE_MOVABLE
							  : PAGE_EXCHANGE_POLICY;
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
	if (scan->reason) {
		/* it is not walked: it may have no pages. A scan that goes on passes it */
		if (!scan->left || start != walk->vma->vm_start)
			return 1;
		if (!page_exchange_scan_go_to(scan, start, 1))
			return -EINTR;
		page_exchange_scan_leave(scan, scan->reason, (end - start) >> PAGE_SHIFT);
		return 1;
	}
	if (page_exchange_vma_is_file(walk->vma)) {
		if (scan->file)
			scan->file(scan, walk->vma->vm_file, start);
		if (!walk->vma->anon_vma)
			return 1;
	}
	scan->reason = page_exchange_scan_reason(scan, walk->vma);
	if (scan->reason && !scan->left)
		return 1;
	if (!is_vm_hugetlb_page(walk->vma))
		return 0;
	return page_exchange_scan_pool(scan, walk->vma, start, end) ? 1 : -EINTR;
}

static const struct mm_walk_ops page_exchange_scan_ops = {
	.pmd_entry = page_exchange_scan_pmd,
	.test_walk = page_exchange_scan_test,
	.walk_lock = PGWALK_RDLOCK,
};

static int page_exchange_scan_mm(struct mm_struct *mm, unsigned long start, unsigned long end,
				 struct page_exchange_scan *scan)
{
	struct page_exchange_owner owner;
	int ret;

	page_exchange_owner_nodes(mm, &owner);
	if (!page_exchange_nodes_are_both(&owner.cpuset, scan))
		return -EPERM;
	scan->owner = &owner;
	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	end = min(end, mm->task_size);
	ret = start < end ? walk_page_range(mm, start, end, &page_exchange_scan_ops, scan) : 0;
	mmap_read_unlock(mm);
	return !!ret;
}

static int page_exchange_scan_mapped(const struct page_exchange_space *space, unsigned long start,
				     unsigned long end, struct page_exchange_scan *scan)
{
	struct page_exchange_finder f;
	int ret;

	ret = page_exchange_finder_start(&f, space);
	if (ret)
		return ret;
	if (!page_exchange_finder_ask(&f))
		ret = -EAGAIN;
	else if (!page_exchange_nodes_are_both(&f.nodes, scan))
		ret = -EPERM;
	else
		ret = page_exchange_scan_file(f.mapping, start, end, scan);
	page_exchange_finder_end(&f);
	return ret;
}

/**
 * page_exchange_scan() - See where pages of user memory are
 * @space:	Where to look.
 * @start:	The address to begin at, a multiple of PMD_SIZE.
 * @end:	The address to end at, likewise, or beyond the last one.
 * @scan:	Says what to look for, what to call, and how long to go on; see struct
 *		page_exchange_scan.
 *
 * The caller holds a reference on the users of the mm and no locks. Does not wait
 * for the mmap lock. May sleep.
 *
 * Return: 0 at the end, 1 if the scan is to go on at @scan->next because it has taken all its
 * steps, -EAGAIN if somebody else holds a lock, -ESTALE if a file is not found where it was,
 * -EPERM if a policy or a cpuset keeps the memory in one tier.
 */
int page_exchange_scan(const struct page_exchange_space *space, unsigned long start,
		       unsigned long end, struct page_exchange_scan *scan)
{
	int ret;

	scan->at = ULONG_MAX;
	scan->area = ULONG_MAX;
	scan->first = ULONG_MAX;
	scan->any = false;
	scan->reason = PAGE_EXCHANGE_MOVABLE;
	scan->span_pages = 0;
	scan->distinct = page_exchange_spans_are_distinct();
	if (page_exchange_is_frames(space))
		ret = page_exchange_scan_frames(start, end, scan);
	else if (space->mapping)
		ret = page_exchange_scan_mapped(space, start, end, scan);
	else
		ret = page_exchange_scan_mm(space->mm, start, end, scan);
	page_exchange_scan_report(scan);
	return ret;
}
EXPORT_SYMBOL_GPL(page_exchange_scan);

/**
 * page_exchange_count_rest() - Count memory that scans do not go through
 * @mm:		The mm, all of which has been scanned.
 * @scan:	The scan. If a cpuset keeps all of the mm where it is, all is left alone for that.
 */
void page_exchange_count_rest(struct mm_struct *mm, struct page_exchange_scan *scan)
{
	struct page_exchange_owner owner;

	page_exchange_owner_nodes(mm, &owner);
	if (page_exchange_nodes_are_both(&owner.cpuset, scan))
		return;
	memset(scan->left, 0, NR_PAGE_EXCHANGE_REASONS * sizeof(*scan->left));
	scan->left[PAGE_EXCHANGE_CPUSET] = get_mm_counter_sum(mm, MM_ANONPAGES);
}
EXPORT_SYMBOL_GPL(page_exchange_count_rest);

/**
 * page_exchange_resident() - Tell how much memory is in a space
 * @space:	The space. The caller holds a reference on the users of its mm.
 *
 * Return: base pages, about; 0 if that is not known at present.
 */
unsigned long page_exchange_resident(const struct page_exchange_space *space)
{
	struct page_exchange_finder f;
	unsigned long n;

	if (page_exchange_is_frames(space))
		return global_node_page_state(NR_FILE_PAGES);
	if (!space->mapping)
		return get_mm_counter(space->mm, MM_ANONPAGES);
	if (page_exchange_finder_start(&f, space))
		return 0;
	n = READ_ONCE(f.mapping->nrpages);
	page_exchange_finder_end(&f);
	return n;
}
EXPORT_SYMBOL_GPL(page_exchange_resident);

/* Nothing is locked: the page may be another's by now, and its file be gone. */
static void page_exchange_resolve_frame(struct page_exchange_place *place)
{
	struct page *page = pfn_to_online_page(PHYS_PFN(place->addr));

	place->mapping = page ? page_exchange_file_of(page) : NULL;
	if (place->mapping)
		place->offset = (READ_ONCE(page_folio(page)->index) +
				 folio_page_idx(page_folio(page), page))
				<< PAGE_SHIFT;
}

/**
 * page_exchange_resolve() - Find which places of files are at addresses
 * @mm:		The mm whose addresses they are, with a reference on its users; NULL: they are
 *		physical addresses.
 * @places:	The addresses. Get their files and offsets.
 * @n:		How many there are.
 *
 * Does not wait for the mmap lock.
 */
void page_exchange_resolve(struct mm_struct *mm, struct page_exchange_place *places, unsigned int n)
{
	struct vm_area_struct *vma = NULL;

	for (unsigned int i = 0; i < n; i++)
		places[i].mapping = NULL;
	if (!mm) {
		for (unsigned int i = 0; i < n; i++)
			page_exchange_resolve_frame(&places[i]);
		return;
	}
	if (!mmap_read_trylock(mm))
		return;
	for (unsigned int i = 0; i < n; i++) {
		struct page_exchange_place *place = &places[i];

		if (!vma || place->addr < vma->vm_start || place->addr >= vma->vm_end)
			vma = vma_lookup(mm, place->addr);
		if (!vma || !page_exchange_vma_is_file(vma))
			continue;
		place->mapping = vma->vm_file->f_mapping;
		place->offset = place->addr - vma->vm_start + (vma->vm_pgoff << PAGE_SHIFT);
	}
	mmap_read_unlock(mm);
}
EXPORT_SYMBOL_GPL(page_exchange_resolve);

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

/**
 * page_exchange_reclaimed() - Tell how many pages reclaim has moved to the slow tier
 *
 * Return: base pages, in the whole system since it was booted.
 */
unsigned long page_exchange_reclaimed(void)
{
	return global_node_page_state(PGDEMOTE_KSWAPD) + global_node_page_state(PGDEMOTE_DIRECT) +
	       global_node_page_state(PGDEMOTE_KHUGEPAGED);
}
EXPORT_SYMBOL_GPL(page_exchange_reclaimed);
