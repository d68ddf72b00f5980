// SPDX-License-Identifier: GPL-2.0
/*
 * Which physical memory holds pages of files that are found nowhere else: cached, and mapped by
 * nobody whose memory is looked at.
 */
#include <linux/memory_hotplug.h>
#include <linux/pagemap.h>

#include "../internal.h"
#include "internal.h"

/* What a look at 2 MiB costs: a cache line for each page, unlike an entry of a page table. */
#define FRAMES_STEPS (8 * PAGE_EXCHANGE_TABLE_STEPS)

/**
 * page_exchange_file_of() - Tell which file a page of physical memory is of
 * @page:	The page, which is not locked and may be another's by the time this returns.
 *
 * Return: the file, which may be gone; NULL: the page is none that could be moved.
 */
const struct address_space *page_exchange_file_of(struct page *page)
{
	unsigned long mapping;

	if (!PageLRU(page))
		return NULL;
	mapping = (unsigned long)READ_ONCE(page_folio(page)->mapping);
	return mapping & PAGE_MAPPING_FLAGS ? NULL : (const struct address_space *)mapping;
}

static void page_exchange_scan_block(struct page_exchange_scan *scan, unsigned long pfn)
{
	for (unsigned int i = 0; i < PTRS_PER_PTE; i++) {
		/* it may be taken offline meanwhile */
		struct page *page = pfn_to_online_page(pfn + i);
		const struct address_space *mapping = page ? page_exchange_file_of(page) : NULL;

		if (mapping && !scan->is_known(scan, mapping))
			page_exchange_scan_pages(scan, pfn + i, i, 1);
	}
}

/**
 * page_exchange_scan_frames() - See which physical memory holds pages of files
 * @start:	The physical address to begin at, a multiple of PMD_SIZE.
 * @end:	The address to end at, likewise, or ULONG_MAX.
 * @scan:	The scan.
 *
 * Return: 0 at the end, 1 if the scan is to go on at @scan->next.
 */
int page_exchange_scan_frames(unsigned long start, unsigned long end,
			      struct page_exchange_scan *scan)
{
	const unsigned long last = min(PHYS_PFN(end), max_pfn);

	for (unsigned long pfn = PHYS_PFN(start); pfn < last; pfn += PTRS_PER_PTE) {
		cond_resched();
		if (!pfn_to_online_page(pfn))
			continue;
		if (!page_exchange_scan_go_to(scan, PFN_PHYS(pfn), FRAMES_STEPS))
			return 1;
		page_exchange_scan_block(scan, pfn);
	}
	return 0;
}
