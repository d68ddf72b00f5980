// SPDX-License-Identifier: GPL-2.0
/* Histograms of heat, and thresholds; see heat.h. */
#include <linux/log2.h>
#include <linux/minmax.h>

#include "heat.h"

/**
 * memtis_bin() - Find the bin of a page
 * @heat:	Its heat: samples of a huge page, or 2^MEMTIS_PAGE_SHIFT times those of a base page.
 *
 * Return: the bin.
 */
unsigned int memtis_bin(u64 heat)
{
	return heat ? min_t(unsigned int, ilog2(heat), MEMTIS_BINS - 1) : 0;
}

/**
 * memtis_histogram_move() - Note that pages are of another bin
 * @h:		The histogram.
 * @from:	The bin where they were.
 * @to:		The bin where they are.
 * @pages:	How many base pages.
 */
void memtis_histogram_move(struct memtis_histogram *h, unsigned int from, unsigned int to,
			   unsigned long pages)
{
	h->pages[from] -= pages;
	h->pages[to] += pages;
}

/**
 * memtis_thresholds_adapt() - Find what is hot, so that it fits into the fast tier
 * @t:		Gets the thresholds.
 * @h:		The histogram.
 * @fast_pages:	Base pages that the fast tier has for these pages.
 *
 * The hottest bins that fit together are hot. If they leave more than a tenth of the fast tier,
 * pages of the bin below are warm: they stay where they are, so that pages whose heat is near the
 * threshold do not go to and fro. What was not sampled at all is cold. If the hottest bin does not
 * fit, it is hot all the same: as many of its pages as there is room for.
 */
void memtis_thresholds_adapt(struct memtis_thresholds *t, const struct memtis_histogram *h,
			     unsigned long fast_pages)
{
	unsigned int hot = MEMTIS_BINS;
	unsigned long sum = 0;

	while (hot && sum + h->pages[hot - 1] <= fast_pages)
		sum += h->pages[--hot];
	t->hot = clamp(hot, 1u, MEMTIS_BINS - 1);
	t->warm = sum < fast_pages - fast_pages / 10 ? max(t->hot - 1, 1u) : t->hot;
}
