// SPDX-License-Identifier: GPL-2.0
/* What two frames exchange once nobody can reach them. */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>

#include "frames.h"

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

/**
 * exchange_identity() - Let each folio be what the other was
 * @a:	A folio.
 * @b:	Another of the same size.
 *
 * Both are anonymous, unmapped, locked and with their references frozen. Lists,
 * charges and counters stay as they are.
 */
void exchange_identity(struct folio *a, struct folio *b)
{
	const bool exclusive_a = PageAnonExclusive(&a->page);
	const bool exclusive_b = PageAnonExclusive(&b->page);

	swap(a->mapping, b->mapping);
	swap(a->index, b->index);
	swap_flag(a, b, PG_dirty);
	swap_flag(a, b, PG_referenced);
#ifdef CONFIG_PAGE_IDLE_FLAG
	swap_flag(a, b, PG_idle);
	swap_flag(a, b, PG_young);
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
 * A page at a time, through a third one that stays in the cache: two pages that are
 * read and written line by line in turns are too much for some prefetchers.
 */
static DEFINE_PER_CPU(u64[PAGE_SIZE / sizeof(u64)], spare_page);

/* False, nothing changed and the failure reported when memory has lost what it held. */
static bool swap_page(struct page *a, struct page *b)
{
	void *x = kmap_local_page(a);
	void *y = kmap_local_page(b);
	struct page *lost = NULL;
	void *spare;

	preempt_disable();
	spare = this_cpu_ptr(spare_page);
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
 * exchange_contents() - Let each folio hold what the other did
 * @a:	A folio.
 * @b:	Another of the same size.
 *
 * Nobody can reach either. Sleeps between the pages of large ones only.
 *
 * Return: whether that was done; not, and nothing has changed, when memory has lost
 * what it held.
 */
bool exchange_contents(struct folio *a, struct folio *b)
{
	const long n = folio_nr_pages(a);

	for (long i = 0; i < n; i++) {
		if (!swap_page(folio_page(a, i), folio_page(b, i))) {
			/* what was read once can be read again, or its owner is told */
			while (i--)
				swap_page(folio_page(a, i), folio_page(b, i));
			return false;
		}
		if (n > 1)
			cond_resched();
	}
	return true;
}
