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
 * charges and counters stay with the frames. Huge pages, and pages of different
 * memory cgroups, are exchanged in another way: see unmapped.c.
 *
 * Everything here may race with anything the owner of the memory does. What
 * cannot be moved is left as it was, with a reason.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/page_exchange.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>

#include <asm/tlbflush.h>

#include "../internal.h"
#include "frames.h"
#include "unmapped.h"
#include "user_pages.h"

/* Pairs per hold of the page table locks: some 100 us of copying. */
#define BATCH 32

/* A result for a while: the pages are charged to different memory cgroups. */
#define OTHER_CGROUP 0xff

/* A pair whose entries have been cleared, and what they were. */
struct cleared {
	struct page_exchange *pair;
	struct folio *folio_a, *folio_b;
	pte_t pte_a, pte_b;
};

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

/* Whether the page that is mapped by @ptep at @addr can be exchanged now. */
static enum page_exchange_result look_at(struct vm_area_struct *vma, unsigned long addr,
					 pte_t *ptep, struct folio **folio)
{
	const pte_t pte = ptep_get(ptep);

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

/* Locked, and nobody can take a reference: a pin that was taken earlier is seen. */
static bool hold(struct folio *folio)
{
	if (!folio_trylock(folio))
		return false;
	if (folio_ref_freeze(folio, 1)) {
		if (frame_is_sound(folio))
			return true;
		folio_ref_unfreeze(folio, 1);
	}
	folio_unlock(folio);
	return false;
}

static void let_go(struct folio *folio)
{
	folio_ref_unfreeze(folio, 1);
	folio_unlock(folio);
}

/* The two frames are off their page tables and no CPU can reach them. */
static bool swap_frames(struct page_exchange *pair, struct folio *a, struct folio *b)
{
	bool done;

	if (!hold(a)) {
		pair->result_a = PAGE_EXCHANGE_BUSY;
		return false;
	}
	if (!hold(b)) {
		let_go(a);
		pair->result_b = PAGE_EXCHANGE_BUSY;
		return false;
	}
	done = exchange_contents(a, b);
	if (done) {
		exchange_identity(a, b);
	} else {
		pair->result_a = PAGE_EXCHANGE_REFUSED;
		pair->result_b = PAGE_EXCHANGE_REFUSED;
	}
	let_go(b);
	let_go(a);
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
		pair->result_a = vma_a ? look_at(vma_a, pair->a, entry(t->a, pair->a), &c->folio_a)
				       : check_vma(t->mm_a, pair->a);
		pair->result_b = vma_b ? look_at(vma_b, pair->b, entry(t->b, pair->b), &c->folio_b)
				       : check_vma(t->mm_b, pair->b);
		if (pair->result_a || pair->result_b)
			continue;
		if (c->folio_a == c->folio_b) {
			pair->result_b = PAGE_EXCHANGE_REFUSED;
			continue;
		}
		if (folio_memcg(c->folio_a) != folio_memcg(c->folio_b)) {
			pair->result_b = OTHER_CGROUP;
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

		if (swap_frames(pair, c->folio_a, c->folio_b)) {
			pte_a = redirect(c->pte_a, c->folio_a, c->folio_b);
			pte_b = redirect(c->pte_b, c->folio_b, c->folio_a);
			done++;
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

/* Whether a huge page is mapped there. What lies below other mappings is not looked at. */
static bool is_huge(struct mm_struct *mm, unsigned long addr)
{
	const pmd_t *pmd = pmd_of(mm, addr);
	const pmd_t value = pmd ? pmdp_get_lockless((pmd_t *)pmd) : __pmd(0);

	return pmd_present(value) && pmd_leaf(value);
}

/*
 * Exchange as many of the next pairs as go together. Returns how many that are. Both
 * mmap locks are held.
 */
static unsigned int exchange_next(struct mm_struct *mm_a, struct mm_struct *mm_b,
				  struct page_exchange *pairs, unsigned int n, unsigned int *done)
{
	unsigned int run = 1;
	bool huge_a, huge_b;

	pairs->result_a = check_vma(mm_a, pairs->a);
	pairs->result_b = check_vma(mm_b, pairs->b);
	if (pairs->result_a || pairs->result_b)
		return 1;
	pairs->result_a = PAGE_EXCHANGE_GONE;
	pairs->result_b = PAGE_EXCHANGE_GONE;
	huge_a = is_huge(mm_a, pairs->a);
	huge_b = is_huge(mm_b, pairs->b);
	/* a huge page that was split or has just become one is not what was meant */
	if (huge_a != pairs->huge || huge_b != pairs->huge)
		return 1;
	if (huge_a) {
		*done += exchange_unmapped(mm_a, mm_b, pairs);
		return 1;
	}
	while (run < BATCH && run < n && !pairs[run].huge && same_table(pairs->a, pairs[run].a) &&
	       same_table(pairs->b, pairs[run].b))
		run++;
	*done += exchange_run(mm_a, mm_b, pairs, run);
	for (unsigned int i = 0; i < run; i++)
		if (pairs[i].result_b == OTHER_CGROUP)
			*done += exchange_unmapped(mm_a, mm_b, &pairs[i]);
	return run;
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
 * may sleep, but does not wait for an mmap lock. For huge pages an address is that
 * of the huge page; they trade places with each other only.
 *
 * Return: how many pairs were exchanged.
 */
unsigned int exchange_user_pages(struct mm_struct *mm_a, struct mm_struct *mm_b,
				 struct page_exchange *pairs, unsigned int n)
{
	unsigned int run, done = 0;

	for (unsigned int i = 0; i < n; i++) {
		pairs[i].result_a = PAGE_EXCHANGE_GONE;
		pairs[i].result_b = PAGE_EXCHANGE_GONE;
	}
	/* pages that were touched just now wait to get onto a list */
	lru_add_drain();
	for (unsigned int i = 0; i < n; i += run) {
		if (!lock_both(mm_a, mm_b))
			break;
		run = exchange_next(mm_a, mm_b, &pairs[i], n - i, &done);
		if (mm_b != mm_a)
			mmap_read_unlock(mm_b);
		mmap_read_unlock(mm_a);
		cond_resched();
	}
	return done;
}
EXPORT_SYMBOL_GPL(exchange_user_pages);
