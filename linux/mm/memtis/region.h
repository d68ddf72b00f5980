/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is known of 2 MiB of an address space: which pages are there, in which tier, and how often
 * they were sampled. Only logic: region.c touches no page.
 */
#ifndef _MM_MEMTIS_REGION_H
#define _MM_MEMTIS_REGION_H

#include <linux/bitmap.h>
#include <linux/pgtable.h>

#include "heat.h"

#define MEMTIS_REGION_PAGES PTRS_PER_PTE

/**
 * struct memtis_heat - How hot all pages are
 * @now:	Pages as they are: the base pages of a huge page are as hot as that.
 * @base:	As they would be if all were base pages.
 * @cooling:	How often counts have been halved.
 * @gone:	Pages whose counts were forgotten since they are not there any more.
 * @metadata:	Bytes of counts.
 */
struct memtis_heat {
	struct memtis_histogram now;
	struct memtis_histogram base;
	unsigned int cooling;
	u64 gone;
	u64 metadata;
};

/**
 * struct memtis_region - 2 MiB of an address space
 * @addr:	Its address.
 * @cooling:	Up to which cooling its counts have been halved.
 * @split:	When it was split, as a cooling; valid if @was_split.
 * @total:	Samples of all its pages, halved likewise.
 * @scan:	The scan that has met it last.
 * @grown:	When there were new pages last, in ns.
 * @is_huge:	Whether it is one huge page.
 * @was_split:	Whether it was one, and Memtis has split it.
 * @present:	Pages that are there and could be moved.
 * @fast:	Those of them in the fast tier.
 * @kept:	Those that must stay, as far as was known since the last cooling.
 * @counts:	Samples of each page; NULL: none.
 */
struct memtis_region {
	unsigned long addr;
	unsigned int cooling;
	unsigned int split;
	unsigned int total;
	unsigned int scan;
	u64 grown;
	bool is_huge;
	bool was_split;
	DECLARE_BITMAP(present, MEMTIS_REGION_PAGES);
	DECLARE_BITMAP(fast, MEMTIS_REGION_PAGES);
	DECLARE_BITMAP(kept, MEMTIS_REGION_PAGES);
	u16 *counts;
};

unsigned int memtis_region_base_bin(const struct memtis_region *r, unsigned int page);
unsigned int memtis_region_bin(const struct memtis_region *r, unsigned int page);
void memtis_region_init(struct memtis_region *r, struct memtis_heat *heat, unsigned long addr);
void memtis_region_exit(struct memtis_region *r, struct memtis_heat *heat);
void memtis_region_sample(struct memtis_region *r, struct memtis_heat *heat, unsigned int page);
void memtis_region_cool(struct memtis_region *r, struct memtis_heat *heat);
void memtis_region_place(struct memtis_region *r, struct memtis_heat *heat,
			 const unsigned long *present, const unsigned long *fast, bool is_huge,
			 u64 now);

#endif /* _MM_MEMTIS_REGION_H */
