/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the exchange of pages share. Calls go from each file to those above it:
 *
 *	policy.c	which memory may be moved
 *	scan.c		on which nodes the pages of a process are
 *	migrate.c	moves pages to free memory
 *	split.c		makes base pages of a huge page
 *	frames.c	swaps what two frames hold and stand for
 *	unmapped.c	exchanges two folios that are taken off the page tables
 *	tables.c	finds and locks the two page tables of an exchange
 *	exchange.c	exchanges pages, base pages under the locks of their page tables
 *	evacuate.c	moves pages off a node that is to become smaller
 */
#ifndef _MM_PAGE_EXCHANGE_INTERNAL_H
#define _MM_PAGE_EXCHANGE_INTERNAL_H

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/page_exchange.h>
#include <linux/pagewalk.h>

/**
 * struct page_exchange_walk - A page of user memory whose page table is locked
 * @folio:	The folio that is mapped.
 * @vma:	The area in which it is mapped.
 * @walk:	The entry of the page table that maps it.
 */
struct page_exchange_walk {
	struct folio *folio;
	struct vm_area_struct *vma;
	struct folio_walk walk;
};

/**
 * struct page_exchange_tables - Two page tables, mapped and locked
 * @mm_a:	The mm of the first one.
 * @mm_b:	The mm of the second one; may be @mm_a.
 * @pmd_a:	Where the first one hangs.
 * @pmd_b:	Where the second one does.
 * @a:		Its entries.
 * @b:		Likewise.
 * @lock_a:	Its lock.
 * @lock_b:	Likewise; may be @lock_a.
 * @range_a:	Tells others that have translations of its addresses.
 * @range_b:	Likewise.
 */
struct page_exchange_tables {
	struct mm_struct *mm_a, *mm_b;
	pmd_t *pmd_a, *pmd_b;
	pte_t *a, *b;
	spinlock_t *lock_a, *lock_b;
	struct mmu_notifier_range range_a, range_b;
};

/* policy.c */
enum page_exchange_reason page_exchange_vma_reason(struct vm_area_struct *vma);
struct vm_area_struct *page_exchange_find_vma(struct mm_struct *mm, unsigned long addr,
					      struct vm_area_struct *last);
enum page_exchange_obstacle page_exchange_check_vma(struct mm_struct *mm, unsigned long addr);
enum page_exchange_reason page_exchange_owner_reason(struct mm_struct *mm);
bool page_exchange_walk_start(struct mm_struct *mm, unsigned long addr,
			      struct page_exchange_walk *page);
void page_exchange_walk_end(struct page_exchange_walk *page);

/* migrate.c */
struct folio *page_exchange_alloc(struct folio *from, unsigned long private);

/* frames.c */
bool page_exchange_swap_contents(struct folio *a, struct folio *b);
void page_exchange_swap_identity(struct folio *a, struct folio *b);

/* unmapped.c */
bool page_exchange_unmapped(struct mm_struct *mm_a, struct mm_struct *mm_b,
			    struct page_exchange *pair);

/* tables.c */
bool page_exchange_is_huge(struct mm_struct *mm, unsigned long addr);
bool page_exchange_tables_lock(struct page_exchange_tables *t, unsigned long a, unsigned long b);
void page_exchange_tables_unlock(struct page_exchange_tables *t);

/* Whether the pages of an area, whose mmap lock is held, may be moved. */
static inline bool page_exchange_vma_is_movable(struct vm_area_struct *vma)
{
	return page_exchange_vma_reason(vma) == PAGE_EXCHANGE_MOVABLE;
}

/* Whether the process that owns an mm lets its memory be moved. */
static inline bool page_exchange_owner_allows(struct mm_struct *mm)
{
	return page_exchange_owner_reason(mm) == PAGE_EXCHANGE_MOVABLE;
}

/*
 * What keeps a folio from being moved that is of a kind that may be. The only reference is the
 * mapping's; a page just added to a list has one more.
 */
static inline enum page_exchange_obstacle page_exchange_folio_obstacle(struct folio *folio)
{
	if (folio_mapcount(folio) != 1)
		return PAGE_EXCHANGE_FORKED;
	if (folio_maybe_dma_pinned(folio))
		return PAGE_EXCHANGE_PINNED;
	if (folio_test_swapcache(folio) || !folio_test_swapbacked(folio) ||
	    folio_ref_count(folio) != 1)
		return PAGE_EXCHANGE_BUSY;
	return PAGE_EXCHANGE_NO_OBSTACLE;
}

/*
 * Whether a frame whose only reference is frozen is still what it was when it was chosen.
 * Until the freeze, others may have marked it as poisoned or as lazily freed.
 */
static inline bool page_exchange_frame_is_sound(struct folio *folio)
{
	return folio_test_swapbacked(folio) && !folio_test_hwpoison(folio) &&
	       !(folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

#endif /* _MM_PAGE_EXCHANGE_INTERNAL_H */
