/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which huge pages are worth being split, and which base pages worth being one huge page (Memtis,
 * section 4.3). Only logic.
 */
#ifndef _MM_MEMTIS_SKEW_H
#define _MM_MEMTIS_SKEW_H

#include <linux/types.h>

/**
 * struct memtis_hits - Samples of a window of time
 * @samples:	All of them.
 * @real:	Those of pages that were in the fast tier.
 * @base:	Those of pages that would have been there if all pages were base pages.
 * @huge:	Those of huge pages.
 */
struct memtis_hits {
	u64 samples;
	u64 real;
	u64 base;
	u64 huge;
};

unsigned int memtis_nr_split(const struct memtis_hits *hits, unsigned int huge_pages,
			     unsigned int gain_permille);
u64 memtis_skew(const u16 *counts, unsigned int n, unsigned int hot);
bool memtis_is_uniform(const u16 *counts, unsigned int n, unsigned int hot);

#endif /* _MM_MEMTIS_SKEW_H */
