// SPDX-License-Identifier: GPL-2.0
/* On which nodes the pages of a file are, also those that nobody has mapped. */
#include <linux/pagemap.h>
#include <linux/xarray.h>

#include "../internal.h"
#include "internal.h"

/* Enters a folio, from page @index of its file on. It may be gone by now. */
static void page_exchange_scan_folio(struct page_exchange_scan *scan, unsigned long pfn,
				     pgoff_t index, unsigned int order)
{
	const unsigned int first = index % PTRS_PER_PTE;

	page_exchange_scan_pages(scan, pfn, first, min(1u << order, PTRS_PER_PTE - first));
	scan->huge |= order == PMD_ORDER;
}

/**
 * page_exchange_scan_file() - See where pages of a file are
 * @mapping:	The file, which cannot go away.
 * @start:	The offset to begin at, a multiple of PMD_SIZE.
 * @end:	The offset to end at, likewise, or ULONG_MAX.
 * @scan:	The scan.
 *
 * Return: 0 at the end, 1 if the scan is to go on at @scan->next.
 */
int page_exchange_scan_file(struct address_space *mapping, unsigned long start, unsigned long end,
			    struct page_exchange_scan *scan)
{
	XA_STATE(xas, &mapping->i_pages, start >> PAGE_SHIFT);
	struct folio *folio;

	rcu_read_lock();
	xas_for_each(&xas, folio, (end - 1) >> PAGE_SHIFT)
	{
		const unsigned int order = xas_get_order(&xas);
		const pgoff_t index = round_down(xas.xa_index, 1ul << order);
		unsigned long pfn;

		if (xas_retry(&xas, folio))
			continue;
		/* what is swapped out, or in persistent memory, has no folio, but takes time */
		pfn = xa_is_value(folio) ? 0 : folio_pfn(folio);
		if (scan->at != (index << PAGE_SHIFT & PMD_MASK)) {
			/* whoever is told of what was found may sleep */
			xas_pause(&xas);
			rcu_read_unlock();
			if (!page_exchange_scan_go_to(scan, index << PAGE_SHIFT,
						      PAGE_EXCHANGE_TABLE_STEPS))
				return 1;
			cond_resched();
			rcu_read_lock();
		}
		if (pfn)
			page_exchange_scan_folio(scan, pfn, index, order);
	}
	rcu_read_unlock();
	return 0;
}
