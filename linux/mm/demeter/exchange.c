// SPDX-License-Identifier: GPL-2.0
/*
 * Exchange pages of user memory in place.
 *
 * Two pages trade places: contents are swapped between the frames, and each
 * mapping is redirected to the other's frame. No page is allocated and none is
 * freed, so free memory does not dip and no reclaim wakes (paper, section 4.3:
 * balanced relocation).
 *
 * Base pages, nearly all of them, are anonymous and mapped once. For those the
 * owner of the address knows all there is to know: under the locks of the two
 * page tables the entries are cleared, translations are flushed once for a
 * batch, and with its only reference frozen nobody else can come across a page
 * while its contents and its metadata change. That takes no walk of the
 * reverse map, no isolation from the LRU and no migration entries; lists,
 * charges and counters stay with the frames, which is why the pages of a pair
 * must belong to the same memory cgroup.
 *
 * Huge pages are left where they are: copying them takes too long for a page table
 * lock.
 *
 * Everything here may race with anything the owner of the memory does. What
 * cannot be moved is left as it was, with a reason.
 */
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/ksm.h>
#include <linux/memcontrol.h>
#include <linux/memory-tiers.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/page_exchange.h>
#include <linux/page_idle.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include <asm/tlbflush.h>

#include "../internal.h"

/* Pairs per hold of the page table locks: some 100 us of copying. */
#define BATCH 32

/* A pair whose entries have been cleared, and what they were. */
struct cleared {
	struct page_exchange *pair;
	struct folio *folio_a, *folio_b;
	pte_t pte_a, pte_b;
};

static bool vma_is_movable(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) &&
	       !(vma->vm_flags & (VM_LOCKED | VM_PFNMAP | VM_MIXEDMAP | VM_IO | VM_HUGETLB));
}

/* The vma of @addr, @last if it is that one. */
static struct vm_area_struct *movable_vma(struct mm_struct *mm, unsigned long addr,
					  struct vm_area_struct *last)
{
	struct vm_area_struct *vma = last;

	if (!vma || addr < vma->vm_start || addr >= vma->vm_end)
		vma = vma_lookup(mm, addr);
	return vma && vma_is_movable(vma) ? vma : NULL;
}

static pmd_t *pmd_of(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || pud_leaf(*pud) || pud_bad(*pud))
		return NULL;
	return pmd_offset(pud, addr);
}

/* Whether the page that is mapped by @pte at @addr can be exchanged now. */
static enum page_exchange_result look_at(struct vm_area_struct *vma, unsigned long addr, pte_t pte,
					 struct folio **folio)
{
	if (!pte_present(pte))
		return PAGE_EXCHANGE_GONE;
	*folio = vm_normal_folio(vma, addr, pte);
	if (!*folio || folio_test_large(*folio) || !folio_test_anon(*folio) ||
	    folio_test_ksm(*folio) || folio_test_mlocked(*folio) ||
	    folio_test_unevictable(*folio) || folio_test_hwpoison(*folio))
		return PAGE_EXCHANGE_REFUSED;
	/* one mapping and its reference; a page just added to a list has one more */
	if (folio_test_swapcache(*folio) || !folio_test_swapbacked(*folio) ||
	    folio_mapcount(*folio) != 1 || folio_ref_count(*folio) != 1)
		return PAGE_EXCHANGE_BUSY;
	return PAGE_EXCHANGED;
}

/* What says something about the contents, not about the frame. */
static void swap_flag(struct folio *a, struct folio *b, unsigned int flag)
{
	const bool had_a = test_bit(flag, folio_flags(a, 0));
	const bool had_b = test_bit(flag, folio_flags(b, 0));

	/* others may change other bits of the word */
	if (had_a == had_b)
		return;
	assign_bit(flag, folio_flags(a, 0), had_b);
	assign_bit(flag, folio_flags(b, 0), had_a);
}

static void swap_identity(struct folio *a, struct folio *b)
{
	const bool exclusive_a = PageAnonExclusive(&a->page);
	const bool exclusive_b = PageAnonExclusive(&b->page);

	swap(a->mapping, b->mapping);
	swap(a->index, b->index);
	swap_flag(a, b, PG_dirty);
	swap_flag(a, b, PG_referenced);
	if (exclusive_a != exclusive_b) {
		if (exclusive_b) {
			SetPageAnonExclusive(&a->page);
			ClearPageAnonExclusive(&b->page);
		} else {
			ClearPageAnonExclusive(&a->page);
			SetPageAnonExclusive(&b->page);
		}
	}
#ifdef CONFIG_PAGE_IDLE_FLAG
	if (folio_test_idle(a) != folio_test_idle(b)) {
		if (folio_test_idle(a)) {
			folio_clear_idle(a);
			folio_set_idle(b);
		} else {
			folio_set_idle(a);
			folio_clear_idle(b);
		}
	}
#endif
}

/*
 * A page at a time, through a third one that stays in the cache: two pages that are
 * read and written line by line in turns are too much for some prefetchers.
 */
static DEFINE_PER_CPU(u64[PAGE_SIZE / sizeof(u64)], spare_page);

/* False and nothing changed when memory has lost what it held. */
static bool swap_contents(struct page *a, struct page *b)
{
	void *x = kmap_local_page(a);
	void *y = kmap_local_page(b);
	bool done = false;
	void *spare;

	preempt_disable();
	spare = this_cpu_ptr(spare_page);
	if (!copy_mc_to_kernel(spare, x, PAGE_SIZE)) {
		done = !copy_mc_to_kernel(x, y, PAGE_SIZE);
		memcpy(done ? y : x, spare, PAGE_SIZE);
	}
	preempt_enable();
	kunmap_local(y);
	kunmap_local(x);
	return done;
}

/* The two frames are off their page tables and no CPU can reach them. */
static bool swap_frames(struct folio *a, struct folio *b)
{
	bool done = false;

	if (!folio_trylock(a))
		return false;
	if (!folio_trylock(b))
		goto unlock_a;
	/* from here on nobody can take a reference: a pin taken earlier is seen */
	if (!folio_ref_freeze(a, 1))
		goto unlock_b;
	if (folio_ref_freeze(b, 1)) {
		done = swap_contents(&a->page, &b->page);
		if (done)
			swap_identity(a, b);
		folio_ref_unfreeze(b, 1);
	}
	folio_ref_unfreeze(a, 1);
unlock_b:
	folio_unlock(b);
unlock_a:
	folio_unlock(a);
	return done;
}

static pte_t redirect(pte_t pte, struct folio *from, struct folio *to)
{
	return pte_advance_pfn(pte, folio_pfn(to) - folio_pfn(from));
}

/* Two page tables, mapped and locked. */
struct tables {
	struct mm_struct *mm_a, *mm_b;
	pte_t *a, *b;
};

static pte_t *entry(pte_t *table, unsigned long addr)
{
	return table + pte_index(addr);
}

/* Clear the entries of those pairs that can be exchanged. Returns how many. */
static unsigned int clear_entries(const struct tables *t, struct page_exchange *pairs,
				  unsigned int n, struct cleared *cleared)
{
	struct vm_area_struct *vma_a = NULL, *vma_b = NULL;
	unsigned int found = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct page_exchange *pair = &pairs[i];
		struct cleared *c = &cleared[found];

		vma_a = movable_vma(t->mm_a, pair->a, vma_a);
		vma_b = movable_vma(t->mm_b, pair->b, vma_b);
		pair->result_a = PAGE_EXCHANGE_REFUSED;
		pair->result_b = PAGE_EXCHANGE_REFUSED;
		if (vma_a)
			pair->result_a = look_at(vma_a, pair->a, ptep_get(entry(t->a, pair->a)),
						 &c->folio_a);
		if (vma_b)
			pair->result_b = look_at(vma_b, pair->b, ptep_get(entry(t->b, pair->b)),
						 &c->folio_b);
		if (pair->result_a || pair->result_b)
			continue;
		if (c->folio_a == c->folio_b ||
		    folio_memcg(c->folio_a) != folio_memcg(c->folio_b)) {
			pair->result_b = PAGE_EXCHANGE_REFUSED;
			continue;
		}
		c->pte_a = ptep_get_and_clear(t->mm_a, pair->a, entry(t->a, pair->a));
		c->pte_b = ptep_get_and_clear(t->mm_b, pair->b, entry(t->b, pair->b));
		c->pair = pair;
		found++;
	}
	return found;
}

/* Translations of all entries are gone. Returns how many pairs were exchanged. */
static unsigned int set_entries(const struct tables *t, const struct cleared *cleared,
				unsigned int n)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct cleared *c = &cleared[i];
		struct page_exchange *pair = c->pair;
		pte_t pte_a = c->pte_a, pte_b = c->pte_b;

		if (swap_frames(c->folio_a, c->folio_b)) {
			pte_a = redirect(c->pte_a, c->folio_a, c->folio_b);
			pte_b = redirect(c->pte_b, c->folio_b, c->folio_a);
			done++;
		} else {
			pair->result_a = PAGE_EXCHANGE_BUSY;
			pair->result_b = PAGE_EXCHANGE_BUSY;
		}
		set_pte_at(t->mm_a, pair->a, entry(t->a, pair->a), pte_a);
		set_pte_at(t->mm_b, pair->b, entry(t->b, pair->b), pte_b);
	}
	return done;
}

/*
 * Translations that a CPU may still use are those of the pairs; what they cost
 * again is little against a flush of each.
 */
static void flush(struct mm_struct *mm_a, struct mm_struct *mm_b)
{
	flush_tlb_mm(mm_a);
	if (mm_b != mm_a)
		flush_tlb_mm(mm_b);
}

static bool same_table(unsigned long x, unsigned long y)
{
	return (x & PMD_MASK) == (y & PMD_MASK);
}

static void notify_start(struct mmu_notifier_range *range, struct mm_struct *mm, unsigned long addr)
{
	addr &= PMD_MASK;
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, addr, addr + PMD_SIZE);
	mmu_notifier_invalidate_range_start(range);
}

/*
 * In the order of their addresses, as everybody who takes two at once.
 * A table may have become a huge page before it was locked.
 */
static bool lock_tables(struct mm_struct *mm_a, pmd_t *pmd_a, spinlock_t *a, struct mm_struct *mm_b,
			pmd_t *pmd_b, spinlock_t *b)
{
	spin_lock(a < b ? a : b);
	if (a != b)
		spin_lock_nested(a < b ? b : a, SINGLE_DEPTH_NESTING);
	return pmd_present(*pmd_a) && !pmd_leaf(*pmd_a) && pte_lockptr(mm_a, pmd_a) == a &&
	       pmd_present(*pmd_b) && !pmd_leaf(*pmd_b) && pte_lockptr(mm_b, pmd_b) == b;
}

static void unlock_tables(spinlock_t *a, spinlock_t *b)
{
	if (a != b)
		spin_unlock(a < b ? b : a);
	spin_unlock(a < b ? a : b);
}

/* Pairs whose addresses are in the same two page tables. Both mmap locks are held. */
static unsigned int exchange_run(struct mm_struct *mm_a, struct mm_struct *mm_b,
				 struct page_exchange *pairs, unsigned int n)
{
	pmd_t *pmd_a = pmd_of(mm_a, pairs->a), *pmd_b = pmd_of(mm_b, pairs->b);
	struct tables t = { .mm_a = mm_a, .mm_b = mm_b };
	struct mmu_notifier_range range_a, range_b;
	struct cleared cleared[BATCH];
	spinlock_t *lock_a, *lock_b;
	unsigned int found, done = 0;

	if (!pmd_a || !pmd_b)
		return 0;
	notify_start(&range_a, mm_a, pairs->a);
	notify_start(&range_b, mm_b, pairs->b);
	t.a = pte_offset_map_nolock(mm_a, pmd_a, pairs->a & PMD_MASK, &lock_a);
	if (!t.a)
		goto end;
	t.b = pte_offset_map_nolock(mm_b, pmd_b, pairs->b & PMD_MASK, &lock_b);
	if (!t.b)
		goto unmap_a;
	if (lock_tables(mm_a, pmd_a, lock_a, mm_b, pmd_b, lock_b)) {
		flush_tlb_batched_pending(mm_a);
		if (mm_b != mm_a)
			flush_tlb_batched_pending(mm_b);
		found = clear_entries(&t, pairs, n, cleared);
		if (found) {
			flush(mm_a, mm_b);
			done = set_entries(&t, cleared, found);
		}
	}
	unlock_tables(lock_a, lock_b);
	pte_unmap(t.b);
unmap_a:
	pte_unmap(t.a);
end:
	mmu_notifier_invalidate_range_end(&range_b);
	mmu_notifier_invalidate_range_end(&range_a);
	return done;
}

static bool lock_both(struct mm_struct *a, struct mm_struct *b)
{
	if (!mmap_read_trylock(a))
		return false;
	if (a == b || mmap_read_trylock(b))
		return true;
	mmap_read_unlock(a);
	return false;
}

/**
 * exchange_user_pages() - Let pages of user memory trade places
 * @mm_a:	Whose memory the addresses a of @pairs are.
 * @mm_b:	Whose memory the addresses b are; may be @mm_a.
 * @pairs:	The pairs, best sorted by address: neighbours in the same two page
 *		tables are handled together. Gets the results. No address may be
 *		there twice.
 * @n:		How many.
 *
 * The caller holds a reference on the users of both (mmget()) and no locks. It
 * may sleep, but does not wait for an mmap lock.
 *
 * Return: how many pairs were exchanged.
 */
unsigned int exchange_user_pages(struct mm_struct *mm_a, struct mm_struct *mm_b,
				 struct page_exchange *pairs, unsigned int n)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < n; i++) {
		pairs[i].result_a = PAGE_EXCHANGE_GONE;
		pairs[i].result_b = PAGE_EXCHANGE_GONE;
	}
	/* pages that were touched just now wait to get onto a list */
	lru_add_drain();
	for (unsigned int i = 0; i < n;) {
		struct page_exchange *pair = &pairs[i];
		unsigned int run = 1;

		if (!lock_both(mm_a, mm_b))
			break;
		/* what lies below other mappings may be no page table */
		if (!movable_vma(mm_a, pair->a, NULL) || !movable_vma(mm_b, pair->b, NULL)) {
			pair->result_a = PAGE_EXCHANGE_REFUSED;
			pair->result_b = PAGE_EXCHANGE_REFUSED;
		} else {
			while (run < BATCH && i + run < n &&
			       same_table(pair->a, pairs[i + run].a) &&
			       same_table(pair->b, pairs[i + run].b))
				run++;
			done += exchange_run(mm_a, mm_b, pair, run);
		}
		if (mm_b != mm_a)
			mmap_read_unlock(mm_b);
		mmap_read_unlock(mm_a);
		i += run;
		cond_resched();
	}
	return done;
}
EXPORT_SYMBOL_GPL(exchange_user_pages);

/* Reserves are not ours, and nobody is to be woken. */
#define MIGRATE_GFP	  (GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM)
#define MIGRATE_GFP_FLAGS (__GFP_THISNODE | __GFP_NOWARN | __GFP_NOMEMALLOC | __GFP_NORETRY)

static enum page_exchange_result isolate_page(struct mm_struct *mm, unsigned long addr, int nid,
					      struct list_head *list)
{
	struct vm_area_struct *vma = movable_vma(mm, addr, NULL);
	enum page_exchange_result result;
	struct folio_walk fw;
	struct folio *folio;

	if (!vma)
		return PAGE_EXCHANGE_REFUSED;
	folio = folio_walk_start(&fw, vma, addr, 0);
	if (!folio)
		return PAGE_EXCHANGE_GONE;
	/* a large one would be allocated with reclaim */
	if (!folio_test_anon(folio) || folio_test_large(folio) || folio_is_zone_device(folio) ||
	    folio_test_unevictable(folio) || folio_nid(folio) == nid)
		result = PAGE_EXCHANGE_REFUSED;
	else if (folio_likely_mapped_shared(folio) || !isolate_folio_to_list(folio, list))
		result = PAGE_EXCHANGE_BUSY;
	else
		result = PAGE_EXCHANGED;
	folio_walk_end(&fw, vma);
	return result;
}

/**
 * migrate_user_pages() - Move pages of user memory to a node with free memory
 * @mm:		Whose memory it is.
 * @addrs:	Their addresses.
 * @results:	Per address, what came of it: enum page_exchange_result.
 * @n:		How many.
 * @nid:	Where to.
 *
 * For what has no partner to be exchanged with. Takes free pages only: neither
 * reclaims nor wakes anybody who does. The caller holds a reference on the users
 * of @mm and no locks. May sleep.
 *
 * Return: how many base pages were moved.
 */
unsigned int migrate_user_pages(struct mm_struct *mm, const unsigned long *addrs, u8 *results,
				unsigned int n, int nid)
{
	struct migration_target_control control = {
		.nid = nid,
		.gfp_mask = MIGRATE_GFP | MIGRATE_GFP_FLAGS,
		.reason = MR_NUMA_MISPLACED,
	};
	unsigned int moved = 0;
	LIST_HEAD(list);

	memset(results, PAGE_EXCHANGE_GONE, n);
	lru_add_drain();
	if (!mmap_read_trylock(mm))
		return 0;
	for (unsigned int i = 0; i < n; i++)
		results[i] = isolate_page(mm, addrs[i], nid, &list);
	mmap_read_unlock(mm);
	if (list_empty(&list))
		return 0;
	migrate_pages(&list, alloc_migration_target, NULL, (unsigned long)&control, MIGRATE_ASYNC,
		      MR_NUMA_MISPLACED, &moved);
	if (!list_empty(&list))
		putback_movable_pages(&list);
	return moved;
}
EXPORT_SYMBOL_GPL(migrate_user_pages);

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
 * return 0, -EAGAIN if the mmap lock could not be had.
 */
int scan_user_pages(struct mm_struct *mm, unsigned long start, struct user_page_scan *scan)
{
	int ret;

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
 * node_is_fast() - Whether a node belongs to the first of the kernel's memory tiers
 * @nid:	The node.
 */
bool node_is_fast(int nid)
{
	return node_is_toptier(nid);
}
EXPORT_SYMBOL_GPL(node_is_fast);
