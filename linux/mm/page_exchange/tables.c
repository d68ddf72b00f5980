// SPDX-License-Identifier: GPL-2.0
/* Finds and locks the two page tables whose entries are exchanged. */

#include <asm/tlbflush.h>

#include "../internal.h"
#include "internal.h"

static pmd_t *page_exchange_pmd(struct mm_struct *mm, unsigned long addr)
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

/**
 * page_exchange_is_huge() - Whether a huge page is mapped at an address
 * @mm:		The mm, with its mmap lock held.
 * @addr:	User address.
 *
 * Return: whether one is.
 */
bool page_exchange_is_huge(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = page_exchange_pmd(mm, addr);
	const pmd_t value = pmd ? pmdp_get_lockless(pmd) : __pmd(0);

	return pmd_present(value) && pmd_leaf(value);
}

static void page_exchange_notify_start(struct mmu_notifier_range *range, struct mm_struct *mm,
				       unsigned long addr)
{
	addr &= PMD_MASK;
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, addr, addr + PMD_SIZE);
	mmu_notifier_invalidate_range_start(range);
}

/*
 * Locks two page tables, that whose lock has the lower address first.
 *
 * Why this cannot deadlock: the caller holds both mmap locks for reading. fork() and mremap()
 * take two such locks in other orders, but hold the mmap lock of the memory that they copy or
 * move for writing, so they exclude the caller. userfaultfd's move uses the same order as here
 * (double_pt_lock()). All others take the lock of one table of PTEs at a time. Some hold the
 * lock of a PMD outside of it (khugepaged), but nobody takes one inside.
 */
static void page_exchange_lock_tables(spinlock_t *a, spinlock_t *b)
{
	spin_lock(a < b ? a : b);
	if (a != b)
		spin_lock_nested(a < b ? b : a, SINGLE_DEPTH_NESTING);
}

static void page_exchange_unlock_tables(spinlock_t *a, spinlock_t *b)
{
	if (a != b)
		spin_unlock(a < b ? b : a);
	spin_unlock(a < b ? a : b);
}

static bool page_exchange_table_is_current(struct mm_struct *mm, pmd_t *pmd, spinlock_t *lock)
{
	return pmd_present(*pmd) && !pmd_leaf(*pmd) && pte_lockptr(mm, pmd) == lock;
}

/*
 * Whether two page tables that are locked are still those of @t: before it was locked, one may
 * have been freed or have become a huge page.
 */
static bool page_exchange_tables_are_current(const struct page_exchange_tables *t)
{
	return page_exchange_table_is_current(t->mm_a, t->pmd_a, t->lock_a) &&
	       page_exchange_table_is_current(t->mm_b, t->pmd_b, t->lock_b);
}

static bool page_exchange_tables_map(struct page_exchange_tables *t, unsigned long a,
				     unsigned long b)
{
	t->a = pte_offset_map_nolock(t->mm_a, t->pmd_a, a & PMD_MASK, &t->lock_a);
	if (!t->a)
		return false;
	t->b = pte_offset_map_nolock(t->mm_b, t->pmd_b, b & PMD_MASK, &t->lock_b);
	if (t->b)
		return true;
	pte_unmap(t->a);
	return false;
}

static void page_exchange_tables_unmap(const struct page_exchange_tables *t)
{
	pte_unmap(t->b);
	pte_unmap(t->a);
}

static void page_exchange_notify_end(struct page_exchange_tables *t)
{
	mmu_notifier_invalidate_range_end(&t->range_b);
	mmu_notifier_invalidate_range_end(&t->range_a);
}

/**
 * page_exchange_tables_lock() - Find, map and lock two page tables
 * @t:		Has the two mms, whose mmap locks are held for reading. Gets the rest.
 * @a:		User address of the first mm.
 * @b:		User address of the second one.
 *
 * Return: whether there are such tables. Then page_exchange_tables_unlock() undoes it, and until
 * then no CPU has translations left over from entries that others have cleared before.
 */
bool page_exchange_tables_lock(struct page_exchange_tables *t, unsigned long a, unsigned long b)
{
	t->pmd_a = page_exchange_pmd(t->mm_a, a);
	t->pmd_b = page_exchange_pmd(t->mm_b, b);
	if (!t->pmd_a || !t->pmd_b)
		return false;
	page_exchange_notify_start(&t->range_a, t->mm_a, a);
	page_exchange_notify_start(&t->range_b, t->mm_b, b);
	if (!page_exchange_tables_map(t, a, b))
		goto end;
	page_exchange_lock_tables(t->lock_a, t->lock_b);
	if (page_exchange_tables_are_current(t)) {
		flush_tlb_batched_pending(t->mm_a);
		if (t->mm_b != t->mm_a)
			flush_tlb_batched_pending(t->mm_b);
		return true;
	}
	page_exchange_unlock_tables(t->lock_a, t->lock_b);
	page_exchange_tables_unmap(t);
end:
	page_exchange_notify_end(t);
	return false;
}

/**
 * page_exchange_tables_unlock() - Undo page_exchange_tables_lock()
 * @t:		The tables.
 */
void page_exchange_tables_unlock(struct page_exchange_tables *t)
{
	page_exchange_unlock_tables(t->lock_a, t->lock_b);
	page_exchange_tables_unmap(t);
	page_exchange_notify_end(t);
}
