// SPDX-License-Identifier: GPL-2.0
/*
 * On which nodes the pages of user memory are, and which nodes are fast.
 *
 * A scan reads page tables without locking them: a page may have moved or gone by the
 * time its node is reported, and whoever moves it looks again.
 */
#include <linux/export.h>
#include <linux/memory-tiers.h>
#include <linux/sched/mm.h>

#include <asm/tlbflush.h>

#include "internal.h"

/*
 * The node of a frame. Reads no struct page where the spans of nodes do not overlap:
 * neighbours are mostly of the node that was found last.
 */
static s16 page_exchange_pfn_node(struct page_exchange_scan *scan, unsigned long pfn)
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

static int page_exchange_scan_pmd(pmd_t *pmd, unsigned long addr, unsigned long next,
				  struct mm_walk *walk)
{
	struct page_exchange_scan *scan = walk->private;
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
			const s16 nid = page_exchange_pfn_node(scan, pmd_pfn(*pmd)) |
					PAGE_EXCHANGE_SCAN_HUGE;

			for (; addr != next; addr += PAGE_SIZE)
				*nids++ = nid;
		}
		spin_unlock(ptl);
	} else {
		/* not locked, so entries may change meanwhile: what they say is a hint */
		table = pte_offset_map(pmd, addr);
		if (!table)
			return 0;
		for (ptep = table; addr != next; addr += PAGE_SIZE, ptep++, nids++) {
			const pte_t pte = ptep_get_lockless(ptep);

			if (pte_present(pte) && !is_zero_pfn(pte_pfn(pte)))
				*nids = page_exchange_pfn_node(scan, pte_pfn(pte));
		}
		pte_unmap(table);
	}
	cond_resched();
	return scan->found(scan, scan->at);
}

static int page_exchange_scan_test(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	return !page_exchange_vma_is_movable(walk->vma);
}

static const struct mm_walk_ops page_exchange_scan_ops = {
	.pmd_entry = page_exchange_scan_pmd,
	.test_walk = page_exchange_scan_test,
	.walk_lock = PGWALK_RDLOCK,
};

/**
 * page_exchange_scan() - See where pages of user memory are
 * @mm:		The mm.
 * @start:	The address to begin at.
 * @scan:	Says what to call for each page table that maps pages which could be
 *		moved; see struct page_exchange_scan.
 *
 * The caller holds a reference on the users of @mm and no locks. Does not wait
 * for the mmap lock. May sleep.
 *
 * Return: 0 at the end of the address space, what @scan returned when it did not
 * return 0, -EAGAIN if somebody else holds the mmap lock, -EPERM if a policy or a cpuset
 * says where the memory is to be.
 */
int page_exchange_scan(struct mm_struct *mm, unsigned long start, struct page_exchange_scan *scan)
{
	int ret;

	if (!page_exchange_owner_allows(mm))
		return -EPERM;
	scan->at = ULONG_MAX;
	scan->span_pages = 0;
	scan->distinct = page_exchange_spans_are_distinct();
	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	ret = walk_page_range(mm, start, mm->task_size, &page_exchange_scan_ops, scan);
	mmap_read_unlock(mm);
	return ret;
}
EXPORT_SYMBOL_GPL(page_exchange_scan);

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
