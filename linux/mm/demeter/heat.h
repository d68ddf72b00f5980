/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Estimates how hot pages are: from counts of samples to heats that can be compared.
 * Pure logic, without locks.
 *
 * Ranges cannot separate what lies within 2 MiB, and small hot objects scattered
 * over the heap are the paper's weak spot. So samples are counted per page, too.
 * But there are few of them, and most differences between pages are chance: a page
 * that was sampled once is hardly hotter than its neighbours that were not.
 *
 * How much a count says is learned from how the counts scatter (empirical Bayes,
 * e.g. Efron and Morris, "Stein's paradox in statistics", 1977). Samples of pages
 * that are equally hot follow a Poisson distribution, whose variance is its mean.
 * What counts scatter beyond that is a difference in heat. The estimate of a page lies
 * between its own count and the mean of its granule, by the share of the variance that
 * is not chance; that of a granule likewise between its own mean and that of its range;
 * and that of a range between its own and that of all.
 */
#ifndef _MM_DEMETER_HEAT_H
#define _MM_DEMETER_HEAT_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/pgtable.h>
#include <linux/types.h>

#define GRANULE_SIZE  PMD_SIZE
#define GRANULE_PAGES PTRS_PER_PTE

struct demeter_target;

enum demeter_tier { DEMETER_SLOW, DEMETER_FAST, NR_DEMETER_TIERS };

/* Pages are told apart in granules of at least so many samples. */
#define HEAT_TELLS_PAGES 4

/*
 * A sample adds this to the count of its page, times its weight: how many times as many accesses
 * it stands for as the parameters say. Counts halve as they cool.
 */
#define HEAT_SAMPLE 32
/* The weight of a page's own count when nothing else counts. */
#define HEAT_WHOLE 65536
/* Heats are counts with this many binary places. */
#define HEAT_SHIFT 8

/**
 * struct demeter_granule - Pages that share a page table, or a huge page
 * @start:	First address.
 * @target:	The target that it belongs to.
 * @open:	In the list of granules that are changing; empty while it is ranked.
 * @count:	Samples of each page, HEAT_SAMPLE times their weight each; 0 of pages that are not
 *		present. NULL as long as there are so few that they say nothing about single pages.
 * @sum_sq:	Sum of the squares of @count.
 * @sum:	Sum of the counts of its pages.
 * @fresh:	Samples that have not been added to its range yet.
 * @cooled:	Number of the last cooling that counts and @mean have gone through.
 * @nr_present:	Pages that are mapped and could be moved.
 * @nr_fast:	Pages of @nr_present that are in the fast tier.
 * @by_heat:	For each tier in which it has pages that may be moved, in the list of those
 *		whose hottest such page (slow tier) or coldest (fast tier) is of one class.
 * @mean:	Estimated heat of its pages on average.
 * @weight:	Weight of a page's own count against @mean, in 1/65536.
 * @scan:	Number of the last scan that has found it.
 * @retry:	Epoch in which @stuck pages are to be tried again.
 * @nr_backoffs: How often in a row its pages could not be moved.
 * @stuck_by:	What kept the last one of @stuck; enum page_exchange_obstacle.
 * @is_ranked:	Whether the ranking and the group of its range count it.
 * @huge:	Whether it is one huge page.
 * @keeps_fast:	Whether its pages of the fast tier are to stay there.
 * @present:	Which pages @nr_present counts.
 * @fast:	Which pages @nr_fast counts.
 * @stuck:	Pages that could not be moved, and are left alone for a while.
 *
 * A sample needs the first 64 bytes, and @present only if pages are missing.
 */
struct demeter_granule {
	unsigned long start;
	struct demeter_target *target;
	struct list_head open;
	u16 *count;
	u64 sum_sq;
	u32 sum;
	u32 fresh;
	u32 cooled;
	u16 nr_present;
	u16 nr_fast;
	struct list_head by_heat[NR_DEMETER_TIERS];
	u32 mean;
	u32 weight;
	u32 scan;
	u32 retry;
	u8 nr_backoffs;
	u8 stuck_by;
	bool is_ranked;
	bool huge;
	bool keeps_fast;
	DECLARE_BITMAP(present, GRANULE_PAGES);
	DECLARE_BITMAP(fast, GRANULE_PAGES);
	DECLARE_BITMAP(stuck, GRANULE_PAGES);
};

/**
 * struct demeter_group - Members that each stand for some pages, and their counts
 * @members:	How many members there are.
 * @pages:	Pages of all members.
 * @pages_sq:	Sum of the squares of the members' numbers of pages.
 * @sum:	Sum of all counts.
 * @sum_sq:	Sum of the members' count^2 / pages, with GROUP_SHIFT binary places.
 * @mean:	Estimated: heat of a page.
 * @noise:	Estimated: variance of a page's count by chance, GROUP_SHIFT places.
 * @real:	Estimated: variance between members that is not by chance, likewise.
 */
struct demeter_group {
	u32 members;
	u64 pages;
	u64 pages_sq;
	u64 sum;
	u64 sum_sq;
	u32 mean;
	u64 noise;
	u64 real;
};

#define GROUP_SHIFT 4

void demeter_group_add(struct demeter_group *group, u32 pages, u64 count);
void demeter_group_remove(struct demeter_group *group, u32 pages, u64 count, unsigned int coolings);
void demeter_group_merge(struct demeter_group *group, const struct demeter_group *other);
void demeter_group_cool(struct demeter_group *group);
void demeter_group_estimate(struct demeter_group *group, unsigned int weight);
u32 demeter_group_weight(const struct demeter_group *group, u32 pages);
u32 demeter_group_member(const struct demeter_group *group, u32 pages, u64 count, u32 prior);

void demeter_granule_set(struct demeter_granule *g, unsigned int page, u16 count);
void demeter_granule_sample(struct demeter_granule *g, unsigned int page, unsigned int weight);
void demeter_granule_cool(struct demeter_granule *g, unsigned int times);
void demeter_granule_estimate(struct demeter_granule *g, u32 mean, unsigned int weight);

/**
 * demeter_granule_has() - Whether a page is there
 * @g:		The granule.
 * @page:	Number of the page in it.
 *
 * Return: whether it is.
 */
static inline bool demeter_granule_has(const struct demeter_granule *g, unsigned int page)
{
	return g->nr_present == GRANULE_PAGES || test_bit(page, g->present);
}

/**
 * demeter_granule_movable() - Tell which pages may be moved
 * @g:		The granule.
 * @word:	Number of a word of its bitmaps.
 *
 * Return: the pages of that word.
 */
static inline unsigned long demeter_granule_movable(const struct demeter_granule *g,
						    unsigned int word)
{
	const unsigned long movable = g->present[word] & ~g->stuck[word];

	return g->keeps_fast ? movable & ~g->fast[word] : movable;
}

/**
 * demeter_page_heat() - Tell the estimated heat of a page
 * @g:		The page's granule, which has been estimated.
 * @page:	Number of the page in the granule.
 *
 * Return: the heat, HEAT_SAMPLE << HEAT_SHIFT for each sample that is still
 * remembered.
 */
static inline u32 demeter_page_heat(const struct demeter_granule *g, unsigned int page)
{
	s64 more;

	/* which is so for granules that have no counts */
	if (!g->weight)
		return g->mean;
	more = ((s64)g->count[page] << HEAT_SHIFT) - g->mean;
	return g->mean + ((more * g->weight) >> 16);
}

#endif /* _MM_DEMETER_HEAT_H */
