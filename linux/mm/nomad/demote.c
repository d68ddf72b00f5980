// SPDX-License-Identifier: GPL-2.0
/*
 * Demotes a page to its shadow. The page has not been written since the shadow was made, so that
 * all it takes is to redirect its entry, and the page is free. It gets no shadow there; its first
 * write makes it writable again, as after a fork whose child has ended.
 */
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/swap.h>

#include "internal.h"

/* Of a page that is demoted: that of its mapping, and that of reclaim, which has isolated it. */
#define NOMAD_REFS 2

/* Whether an entry, whose table is locked, is the only use of a folio, and has not been written. */
static bool nomad_is_idle(struct folio *folio, pte_t pte)
{
	return pte_present(pte) && pte_pfn(pte) == folio_pfn(folio) && !pte_write(pte) &&
	       !pte_dirty(pte) && !pte_protnone(pte) && !pte_uffd_wp(pte) &&
	       folio_mapcount(folio) == 1 && folio_test_swapbacked(folio) &&
	       !folio_test_swapcache(folio) && !folio_test_ksm(folio) &&
	       !folio_test_mlocked(folio) && !folio_test_hwpoison(folio) &&
	       folio_ref_count(folio) == NOMAD_REFS;
}

/* Redirects an entry to the shadow of its folio. Returns whether it was done. */
static bool nomad_redirect(struct folio *fast, struct vm_area_struct *vma, unsigned long addr,
			   pte_t *ptep)
{
	struct folio *slow;
	bool done = false;
	pte_t pte;

	if (vma->vm_flags & VM_LOCKED || !nomad_is_idle(fast, ptep_get(ptep)))
		return false;
	slow = nomad_shadow_take(fast);
	if (!slow)
		return false;
	pte = ptep_clear_flush(vma, addr, ptep);
	if (!pte_dirty(pte) && !folio_test_hwpoison(slow) && folio_trylock(slow)) {
		done = folio_ref_freeze(fast, NOMAD_REFS);
		if (!done)
			folio_unlock(slow);
	}
	if (done) {
		nomad_replace(vma, addr, fast, slow);
		folio_ref_unfreeze(fast, 1);
		pte = pte_advance_pfn(pte, folio_pfn(slow) - folio_pfn(fast));
	}
	set_pte_at(vma->vm_mm, addr, ptep, pte);
	if (done) {
		folio_unlock(slow);
		folio_add_lru(slow);
	} else {
		folio_put(slow);
		nomad_stat_add(NOMAD_STAT_SHADOWS_DROPPED, 1);
	}
	return done;
}

/* Called for each area where the folio may be mapped, until it returns false. */
static bool nomad_demote_one(struct folio *folio, struct vm_area_struct *vma, unsigned long addr,
			     void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, addr, 0);
	struct mmu_notifier_range range;
	bool *done = arg;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (page_vma_mapped_walk(&pvmw)) {
		*done = pvmw.pte && nomad_redirect(folio, vma, pvmw.address, pvmw.pte);
		page_vma_mapped_walk_done(&pvmw);
	}
	mmu_notifier_invalidate_range_end(&range);
	return !*done;
}

/* Demotes a folio that has been isolated. Its lock is not held. */
static bool nomad_demote_folio(struct folio *folio)
{
	bool done = false;
	struct rmap_walk_control rwc = {
		.rmap_one = nomad_demote_one,
		.arg = &done,
	};

	if (!nomad_has_shadow(folio) || !folio_trylock(folio))
		return false;
	if (folio_mapped(folio) && folio_test_anon(folio))
		rmap_walk(folio, &rwc);
	folio_unlock(folio);
	return done;
}

/**
 * __nomad_demote() - Demote those folios of a list that have shadows
 * @folios:	Isolated folios that reclaim demotes. Those that were demoted are taken off.
 *
 * May sleep.
 *
 * Return: how many were demoted.
 */
unsigned int __nomad_demote(struct list_head *folios)
{
	struct folio *folio, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(folio, next, folios, lru) {
		if (nomad_demote_folio(folio)) {
			list_del(&folio->lru);
			folio_put(folio);
			n++;
		}
		cond_resched();
	}
	if (n)
		nomad_stat_add(NOMAD_STAT_DEMOTED_REMAP, n);
	return n;
}

/**
 * __nomad_count_copies() - Count what reclaim has demoted by copying
 * @pages:	How many pages.
 */
void __nomad_count_copies(unsigned int pages)
{
	nomad_stat_add(NOMAD_STAT_DEMOTED_COPY, pages);
}
