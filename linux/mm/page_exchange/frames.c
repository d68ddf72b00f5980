// SPDX-License-Identifier: GPL-2.0
/*
 * Swaps what two frames hold and what they stand for, once nobody can reach them. What
 * belongs to a frame itself stays with it: its place in lists, its charge, its counters.
 */
#include <linux/highmem.h>
#include <linux/nomad.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>

#include "internal.h"

/* Swaps a flag that says something about the contents. */
static void page_exchange_swap_flag(struct folio *a, struct folio *b, unsigned int flag)
{
	const bool had_a = test_bit(flag, folio_flags(a, 0));
	const bool had_b = test_bit(flag, folio_flags(b, 0));

	/* others may change other bits of the word, so change nothing in vain */
	if (had_a == had_b)
		return;
	assign_bit(flag, folio_flags(a, 0), had_b);
	assign_bit(flag, folio_flags(b, 0), had_a);
}

/**
 * page_exchange_swap_identity() - Let each folio be what the other was
 * @a:	A folio.
 * @b:	Another of the same size.
 *
 * Both are anonymous, unmapped, locked and with their references frozen. Lists,
 * charges and counters stay as they are.
 */
void page_exchange_swap_identity(struct folio *a, struct folio *b)
{
	const bool exclusive_a = PageAnonExclusive(&a->page);
	const bool exclusive_b = PageAnonExclusive(&b->page);

	/* their contents are others now */
	nomad_unmapped(a);
	nomad_unmapped(b);
	swap(a->mapping, b->mapping);
	swap(a->index, b->index);
	page_exchange_swap_flag(a, b, PG_dirty);
	page_exchange_swap_flag(a, b, PG_referenced);
#ifdef CONFIG_PAGE_IDLE_FLAG
	page_exchange_swap_flag(a, b, PG_idle);
	page_exchange_swap_flag(a, b, PG_young);
#endif
	if (exclusive_a != exclusive_b) {
		if (exclusive_b) {
			SetPageAnonExclusive(&a->page);
			ClearPageAnonExclusive(&b->page);
		} else {
			ClearPageAnonExclusive(&a->page);
			SetPageAnonExclusive(&b->page);
		}
	}
}

/*
 * Pages are swapped one at a time through a third page that stays in the cache. Reading
 * and writing two pages line by line in turns is more streams than some prefetchers follow.
 */
static DEFINE_PER_CPU(u64[PAGE_SIZE / sizeof(u64)], page_exchange_spare);

/*
 * Swaps the contents of two pages. Where the memory of one has lost what it held, reports
 * the failure, leaves both as they were and returns false.
 */
static bool page_exchange_swap_page(struct page *a, struct page *b)
{
	void *x = kmap_local_page(a);
	void *y = kmap_local_page(b);
	struct page *lost = NULL;
	void *spare;

	preempt_disable();
	spare = this_cpu_ptr(page_exchange_spare);
	if (copy_mc_to_kernel(spare, x, PAGE_SIZE)) {
		lost = a;
	} else {
		if (copy_mc_to_kernel(x, y, PAGE_SIZE))
			lost = b;
		memcpy(lost ? x : y, spare, PAGE_SIZE);
	}
	preempt_enable();
	kunmap_local(y);
	kunmap_local(x);
	/* as copying for a process does: see copy_mc_user_highpage() */
	if (lost)
		memory_failure_queue(page_to_pfn(lost), 0);
	return !lost;
}

/**
 * page_exchange_swap_contents() - Let each folio hold what the other did
 * @a:	A folio.
 * @b:	Another of the same size.
 *
 * Nobody can reach either. Sleeps between the pages of large folios only.
 *
 * Return: whether that was done. If not, memory has lost what it held, the failure is
 * reported, and nothing has changed.
 */
bool page_exchange_swap_contents(struct folio *a, struct folio *b)
{
	const long n = folio_nr_pages(a);

	for (long i = 0; i < n; i++) {
		if (!page_exchange_swap_page(folio_page(a, i), folio_page(b, i))) {
			/*
			 * Pages that could be read once can be read again; if not, their
			 * owner is told by the report of the failure.
			 */
			while (i--)
				page_exchange_swap_page(folio_page(a, i), folio_page(b, i));
			return false;
		}
		if (n > 1)
			cond_resched();
	}
	return true;
}
