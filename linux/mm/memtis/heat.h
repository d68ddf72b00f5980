/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How hot pages are: histograms in powers of two, and the thresholds that follow from them
 * (Memtis, SOSP '23, section 4.2). Only logic: nothing here knows a page.
 */
#ifndef _MM_MEMTIS_HEAT_H
#define _MM_MEMTIS_HEAT_H

#include <linux/types.h>

/* Bin n is of heat from 2^n on, below 2^(n + 1); bin 0 also of 0, the last one of all above. */
#define MEMTIS_BINS 16u
/* Samples of a huge page count as much as 2^9 times as many of each of its base pages. */
#define MEMTIS_PAGE_SHIFT 9

/**
 * struct memtis_histogram - Base pages by heat
 * @pages:	How many there are in each bin.
 */
struct memtis_histogram {
	unsigned long pages[MEMTIS_BINS];
};

/**
 * struct memtis_thresholds - What is hot, and what is cold
 * @hot:	First bin of hot pages.
 * @warm:	First bin of warm ones, at most @hot; below are cold ones, those of bin 0 at least.
 */
struct memtis_thresholds {
	unsigned int hot;
	unsigned int warm;
};

unsigned int memtis_bin(u64 heat);
void memtis_histogram_move(struct memtis_histogram *h, unsigned int from, unsigned int to,
			   unsigned long pages);
void memtis_thresholds_adapt(struct memtis_thresholds *t, const struct memtis_histogram *h,
			     unsigned long fast_pages);

#endif /* _MM_MEMTIS_HEAT_H */
