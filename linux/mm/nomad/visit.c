// SPDX-License-Identifier: GPL-2.0
/*
 * Enters the mm of a page, and looks whether the page was accessed.
 *
 * Queues do not keep an mm from ending, and nothing waits for its lock. Pages of one mm are mostly
 * next to each other in a queue, so that one stay serves many.
 */
#include <linux/mmu_notifier.h>
#include <linux/page_idle.h>
#include <linux/sched/mm.h>

#include <asm/tlbflush.h>

#include "internal.h"

/**
 * nomad_leave() - Leave an mm
 * @visit:	The stay. Afterwards it is in none.
 *
 * Flushes translations of pages that were looked at, so that their next access is noted. May
 * sleep, and may be what ends the mm.
 */
void nomad_leave(struct nomad_visit *visit)
{
	if (visit->is_inside) {
		if (visit->is_stale)
			flush_tlb_mm(visit->mm);
		mmap_read_unlock(visit->mm);
		mmput(visit->mm);
	}
	*visit = (struct nomad_visit){};
}

/**
 * nomad_visit() - Be in an mm
 * @visit:	The stay, which may be in another one.
 * @mm:		The mm, with a reference on the struct.
 *
 * Return: whether it is entered. Otherwise @visit has the obstacle.
 */
bool nomad_visit(struct nomad_visit *visit, struct mm_struct *mm)
{
	if (visit->mm == mm)
		return visit->is_inside;
	nomad_leave(visit);
	visit->mm = mm;
	visit->obstacle = NOMAD_GONE;
	if (!mmget_not_zero(mm))
		return false;
	if (!mmap_read_trylock(mm)) {
		mmput(mm);
		visit->obstacle = NOMAD_BUSY;
		return false;
	}
	visit->is_inside = true;
	page_exchange_owner_nodes(mm, &visit->owner);
	return true;
}

/* Clears the accessed bit, and says whether it was set. Idle page tracking is told. */
static bool nomad_was_accessed(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct folio *folio = vm_normal_folio(vma, addr, ptep_get(ptep));
	const bool young = ptep_clear_young_notify(vma, addr, ptep);

	if (folio && young)
		folio_set_young(folio);
	return young;
}

/**
 * nomad_look() - See whether a page was accessed since it was looked at last
 * @visit:	A stay in its mm.
 * @page:	The page.
 *
 * Return: NOMAD_ACCESSED, NOMAD_IDLE or NOMAD_GONE.
 */
enum nomad_outcome nomad_look(struct nomad_visit *visit, const struct nomad_page *page)
{
	struct vm_area_struct *vma = vma_lookup(visit->mm, page->addr);
	enum nomad_outcome outcome = NOMAD_GONE;
	pte_t *ptep, pte;
	spinlock_t *ptl; /* of the table */
	pmd_t *pmd;

	if (!vma || is_vm_hugetlb_page(vma))
		return NOMAD_GONE;
	pmd = mm_find_pmd(visit->mm, page->addr);
	ptep = pmd ? pte_offset_map_lock(visit->mm, pmd, page->addr, &ptl) : NULL;
	if (!ptep)
		return NOMAD_GONE;
	pte = ptep_get(ptep);
	if (pte_present(pte) && pte_pfn(pte) == page->pfn) {
		outcome = nomad_was_accessed(vma, page->addr, ptep) ? NOMAD_ACCESSED : NOMAD_IDLE;
		visit->is_stale |= outcome == NOMAD_ACCESSED;
	}
	pte_unmap_unlock(ptep, ptl);
	return outcome;
}
