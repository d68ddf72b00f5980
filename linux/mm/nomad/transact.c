// SPDX-License-Identifier: GPL-2.0
/*
 * Promotes a page by a transaction.
 *
 * The page stays mapped while it is copied, and whoever uses it is not kept waiting. Its dirty bit
 * is cleared before and looked at afterwards: if it was written meanwhile, the copy is thrown away,
 * and the page is tried again later. Otherwise the entry is redirected to the copy in one step,
 * without the permission to write, and the page becomes the copy's shadow.
 *
 * Whoever writes by other ways than the entry has to ask first (KVM and the like, by MMU
 * notifiers), or holds a reference on the page for that time (GUP). Some give it back without
 * making the folio dirty, so GUP does that itself for a page whose entry is clean, see
 * nomad_pinned_to_write(). So a copy counts only if the folio is not dirty either, and has no
 * references but those of its mapping and of the transaction, both before it is made and while the
 * entry is cleared.
 *
 * What is written in a page meanwhile and freed by MADV_FREE before the copy is done may be lost
 * rather than read: that is what MADV_FREE allows.
 */
#include <linux/memcontrol.h>
#include <linux/memory-tiers.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched/numa_balancing.h>
#include <linux/swap.h>

#include <asm/tlbflush.h>

#include "internal.h"

/* Of a page in a transaction: that of its mapping, and that of who has isolated it. */
#define NOMAD_REFS 2

/**
 * struct nomad_transaction - A page that is copied
 * @vma:	Where it is mapped; cannot change.
 * @pmd:	The page table.
 * @addr:	The address.
 * @slow:	The folio, isolated and locked.
 * @fast:	Its copy.
 * @pte:	The entry when the copy began, clean.
 */
struct nomad_transaction {
	struct vm_area_struct *vma;
	pmd_t *pmd;
	unsigned long addr;
	struct folio *slow;
	struct folio *fast;
	pte_t pte;
};

/* Areas whose pages are not private, must stay, or are mapped in other ways than usual. */
#define NOMAD_VM_NEVER                                                                        \
	(VM_SHARED | VM_MAYSHARE | VM_LOCKED | VM_PFNMAP | VM_MIXEDMAP | VM_IO | VM_HUGETLB | \
	 VM_SHADOW_STACK | VM_DROPPABLE)

static bool nomad_vma_allows(struct vm_area_struct *vma, const struct nomad_visit *visit,
			     int target)
{
	nodemask_t nodes;

	if (vma->vm_flags & NOMAD_VM_NEVER || !vma->anon_vma)
		return false;
	page_exchange_vma_nodes(vma, &visit->owner, &nodes);
	return node_isset(target, nodes);
}

static struct folio *nomad_alloc(int nid)
{
	const gfp_t gfp = ((GFP_HIGHUSER_MOVABLE | __GFP_THISNODE | __GFP_NOMEMALLOC |
			    __GFP_NORETRY | __GFP_NOWARN) &
			   ~__GFP_RECLAIM);

	return __folio_alloc_node(gfp, 0, nid);
}

/* Whether a folio that an entry maps is of the kind that is moved by transactions. */
static bool nomad_is_fit(struct folio *folio, pte_t pte)
{
	return folio_test_anon(folio) && !folio_test_large(folio) && !folio_test_ksm(folio) &&
	       folio_mapcount(folio) == 1 && folio_test_swapbacked(folio) &&
	       !folio_test_swapcache(folio) && !folio_test_writeback(folio) &&
	       !folio_test_mlocked(folio) && !folio_test_unevictable(folio) &&
	       !folio_test_hwpoison(folio) && !folio_is_zone_device(folio) &&
	       !folio_maybe_dma_pinned(folio) && !pte_uffd_wp(pte);
}

/* Locks the page table of a transaction; NULL: it is gone. */
static pte_t *nomad_lock_table(const struct nomad_transaction *t, spinlock_t **ptl)
{
	return pte_offset_map_lock(t->vma->vm_mm, t->pmd, t->addr, ptl);
}

/* Ends what nomad_begin() has begun, after the folio has been replaced or has not. */
static void nomad_end(struct folio *slow)
{
	node_stat_mod_folio(slow, NR_ISOLATED_ANON, -1);
	folio_unlock(slow);
}

/* Clears the dirty bit and flushes, so that a write sets it. Notes for the folio if it was set. */
static void nomad_make_clean(struct nomad_transaction *t, pte_t *ptep)
{
	const pte_t old = ptep_modify_prot_start(t->vma, t->addr, ptep);

	t->pte = pte_mkclean(old);
	/* it was to be found by a hint fault: this is as good */
	if (pte_protnone(old))
		t->pte = pte_modify(t->pte, t->vma->vm_page_prot);
	ptep_modify_prot_commit(t->vma, t->addr, ptep, old, t->pte);
	flush_tlb_page(t->vma, t->addr);
}

/* Isolates and locks the page, and makes it clean. */
static enum nomad_outcome nomad_begin(struct nomad_transaction *t, unsigned long pfn)
{
	enum nomad_outcome outcome = NOMAD_GONE;
	struct folio *slow;
	spinlock_t *ptl; /* of the table */
	pte_t *ptep, pte;

	ptep = nomad_lock_table(t, &ptl);
	if (!ptep)
		return NOMAD_GONE;
	pte = ptep_get(ptep);
	if (!pte_present(pte) || pte_pfn(pte) != pfn)
		goto unlock;
	slow = vm_normal_folio(t->vma, t->addr, pte);
	if (!slow || !nomad_is_fit(slow, pte) || node_is_toptier(folio_nid(slow)))
		goto unlock;
	outcome = NOMAD_BUSY;
	if (folio_ref_count(slow) != 1 || !folio_trylock(slow))
		goto unlock;
	if (!folio_isolate_lru(slow)) {
		folio_unlock(slow);
		goto unlock;
	}
	node_stat_mod_folio(slow, NR_ISOLATED_ANON, 1);
	/* its contents are nowhere else, so it is dirty again whatever happens: nomad_abort() */
	folio_clear_dirty(slow);
	nomad_make_clean(t, ptep);
	/* whoever got it by the entry as it was, dirty, may write to it from now on */
	if (folio_ref_count(slow) != NOMAD_REFS) {
		folio_set_dirty(slow);
		nomad_end(slow);
		folio_putback_lru(slow);
		goto unlock;
	}
	t->slow = slow;
	outcome = NOMAD_MOVED;
unlock:
	pte_unmap_unlock(ptep, ptl);
	return outcome;
}

static void nomad_abort(const struct nomad_transaction *t)
{
	folio_set_dirty(t->slow);
	nomad_end(t->slow);
	folio_putback_lru(t->slow);
	folio_put(t->fast);
}

static bool nomad_is_unchanged(pte_t a, pte_t b)
{
	return pte_same(pte_mkold(a), pte_mkold(b));
}

/* Freezes the references of a folio whose entry has been cleared, unless it was written. */
static enum nomad_outcome nomad_freeze(struct folio *folio, pte_t pte)
{
	if (!folio_ref_freeze(folio, NOMAD_REFS))
		return NOMAD_BUSY;
	if (!pte_dirty(pte) && !folio_test_dirty(folio) && folio_test_swapbacked(folio) &&
	    !folio_test_hwpoison(folio))
		return NOMAD_MOVED;
	folio_ref_unfreeze(folio, NOMAD_REFS);
	return pte_dirty(pte) || folio_test_dirty(folio) ? NOMAD_WRITTEN : NOMAD_BUSY;
}

/*
 * Puts the copy in the place of the page, whose references are frozen. Returns the entry for it,
 * and whether the page has become its shadow; else it is to be freed.
 */
static pte_t nomad_install(const struct nomad_transaction *t, pte_t pte, bool *is_kept)
{
	struct folio *slow = t->slow, *fast = t->fast;

	nomad_replace(t->vma, t->addr, slow, fast);
	folio_ref_unfreeze(slow, 1);
	nomad_end(slow);
	*is_kept = nomad_may_keep(slow) && nomad_shadow_add(fast, slow);
	pte = pte_advance_pfn(pte, folio_pfn(fast) - folio_pfn(slow));
	return *is_kept ? pte_wrprotect(pte) : pte;
}

/* Redirects the entry to the copy, if nobody has written to the page. */
static enum nomad_outcome nomad_commit(const struct nomad_transaction *t)
{
	enum nomad_outcome outcome;
	bool is_kept = false;
	spinlock_t *ptl; /* of the table */
	pte_t *ptep, pte;

	ptep = nomad_lock_table(t, &ptl);
	if (!ptep)
		return NOMAD_GONE;
	pte = ptep_get(ptep);
	if (!nomad_is_unchanged(pte, t->pte)) {
		outcome = pte_present(pte) && pte_dirty(pte) ? NOMAD_WRITTEN : NOMAD_BUSY;
		pte_unmap_unlock(ptep, ptl);
		return outcome;
	}
	pte = ptep_clear_flush(t->vma, t->addr, ptep);
	outcome = nomad_freeze(t->slow, pte);
	if (outcome == NOMAD_MOVED)
		pte = nomad_install(t, pte, &is_kept);
	set_pte_at(t->vma->vm_mm, t->addr, ptep, pte);
	if (outcome == NOMAD_MOVED) {
		folio_unlock(t->fast);
		folio_add_lru(t->fast);
		lruvec_stat_mod_folio(t->fast, PGPROMOTE_SUCCESS, 1);
	}
	pte_unmap_unlock(ptep, ptl);
	if (outcome != NOMAD_MOVED)
		return outcome;
	count_vm_numa_event(NUMA_PAGE_MIGRATE);
	nomad_stat_add(NOMAD_STAT_PROMOTED, 1);
	if (is_kept)
		nomad_stat_add(NOMAD_STAT_SHADOWS_MADE, 1);
	else
		folio_put(t->slow);
	return outcome;
}

static enum nomad_outcome nomad_copy(struct nomad_transaction *t, unsigned long pfn)
{
	enum nomad_outcome outcome = nomad_begin(t, pfn);

	if (outcome != NOMAD_MOVED) {
		folio_put(t->fast);
		return outcome;
	}
	/* nobody knows it yet */
	__folio_set_locked(t->fast);
	outcome = folio_mc_copy(t->fast, t->slow) ? NOMAD_GONE : nomad_commit(t);
	if (outcome != NOMAD_MOVED) {
		folio_unlock(t->fast);
		nomad_abort(t);
	}
	return outcome;
}

/**
 * nomad_transact() - Promote a page
 * @visit:	A stay in its mm.
 * @page:	The page.
 *
 * May sleep.
 *
 * Return: NOMAD_MOVED: it was promoted; otherwise why not: NOMAD_GONE, NOMAD_BUSY, NOMAD_WRITTEN
 * or NOMAD_NO_ROOM.
 */
enum nomad_outcome nomad_transact(struct nomad_visit *visit, const struct nomad_page *page)
{
	struct nomad_transaction t = {
		.vma = vma_lookup(visit->mm, page->addr),
		.addr = page->addr,
	};
	struct mmu_notifier_range range;
	enum nomad_outcome outcome;

	if (!t.vma || !nomad_vma_allows(t.vma, visit, page->target))
		return NOMAD_GONE;
	/* without an area, page tables may be freed under the lock that is held */
	t.pmd = mm_find_pmd(visit->mm, page->addr);
	if (!t.pmd)
		return NOMAD_GONE;
	if (!nomad_has_room(page->target))
		return NOMAD_NO_ROOM;
	t.fast = nomad_alloc(page->target);
	if (!t.fast)
		return NOMAD_NO_ROOM;
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, visit->mm, t.addr, t.addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	outcome = nomad_copy(&t, page->pfn);
	mmu_notifier_invalidate_range_end(&range);
	return outcome;
}
