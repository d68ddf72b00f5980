// SPDX-License-Identifier: GPL-2.0
/* What is known of 2 MiB of an address space; see region.h. */
#include <linux/slab.h>

#include "region.h"

/**
 * memtis_region_base_bin() - Find the bin of a page, as a base page
 * @r:		The region.
 * @page:	The page.
 *
 * Return: the bin.
 */
unsigned int memtis_region_base_bin(const struct memtis_region *r, unsigned int page)
{
	return r->counts ? memtis_bin((u64)r->counts[page] << MEMTIS_PAGE_SHIFT) : 0;
}

/**
 * memtis_region_bin() - Find the bin of a page, as it is
 * @r:		The region.
 * @page:	The page.
 *
 * Return: the bin; that of the huge page if it is one.
 */
unsigned int memtis_region_bin(const struct memtis_region *r, unsigned int page)
{
	return r->is_huge ? memtis_bin(r->total) : memtis_region_base_bin(r, page);
}

static void memtis_region_count(struct memtis_region *r, struct memtis_heat *heat, bool add)
{
	const unsigned long one = add ? 1 : -1ul;
	unsigned int page;

	if (!r->counts && !r->total) {
		const unsigned long n = one * bitmap_weight(r->present, MEMTIS_REGION_PAGES);

		heat->now.pages[0] += n;
		heat->base.pages[0] += n;
		return;
	}
	for_each_set_bit(page, r->present, MEMTIS_REGION_PAGES) {
		heat->now.pages[memtis_region_bin(r, page)] += one;
		heat->base.pages[memtis_region_base_bin(r, page)] += one;
	}
}

static void memtis_region_drop_counts(struct memtis_region *r, struct memtis_heat *heat)
{
	if (r->counts)
		heat->metadata -= MEMTIS_REGION_PAGES * sizeof(*r->counts);
	kfree(r->counts);
	r->counts = NULL;
}

/**
 * memtis_region_init() - Begin to know a region, in which no pages are known
 * @r:		The region.
 * @heat:	How hot all pages are.
 * @addr:	Its address.
 */
void memtis_region_init(struct memtis_region *r, struct memtis_heat *heat, unsigned long addr)
{
	*r = (struct memtis_region){ .addr = addr, .cooling = heat->cooling };
	heat->metadata += sizeof(*r);
}

/**
 * memtis_region_exit() - Forget a region
 * @r:		The region, whose memory the caller frees.
 * @heat:	How hot all pages are.
 */
void memtis_region_exit(struct memtis_region *r, struct memtis_heat *heat)
{
	memtis_region_count(r, heat, false);
	memtis_region_drop_counts(r, heat);
	heat->metadata -= sizeof(*r);
}

static bool memtis_region_has_counts(struct memtis_region *r, struct memtis_heat *heat)
{
	if (r->counts)
		return true;
	r->counts = kcalloc(MEMTIS_REGION_PAGES, sizeof(*r->counts), GFP_NOWAIT | __GFP_NOWARN);
	if (r->counts)
		heat->metadata += MEMTIS_REGION_PAGES * sizeof(*r->counts);
	return r->counts;
}

/**
 * memtis_region_sample() - Count a sample
 * @r:		The region.
 * @heat:	How hot all pages are.
 * @page:	The page. If it is not known to be there, it is new, and its sample counts later.
 *
 * Without memory, the sample is not counted.
 */
void memtis_region_sample(struct memtis_region *r, struct memtis_heat *heat, unsigned int page)
{
	const bool is_present = test_bit(page, r->present);
	unsigned int bin, base_bin;

	memtis_region_cool(r, heat);
	/* in between, the histogram holds, since a page without a sample is in bin 0 either way */
	if (r->total == UINT_MAX || !memtis_region_has_counts(r, heat))
		return;
	bin = memtis_region_bin(r, page);
	base_bin = memtis_region_base_bin(r, page);
	r->total++;
	if (r->counts[page] < U16_MAX)
		r->counts[page]++;
	if (!is_present)
		return;
	memtis_histogram_move(&heat->now, bin, memtis_region_bin(r, page),
			      r->is_huge ? MEMTIS_REGION_PAGES : 1);
	memtis_histogram_move(&heat->base, base_bin, memtis_region_base_bin(r, page), 1);
}

/**
 * memtis_region_cool() - Halve counts as often as all are to be
 * @r:		The region.
 * @heat:	How hot all pages are.
 *
 * Is done when somebody looks at the region. Pages that had to stay may be tried again.
 */
void memtis_region_cool(struct memtis_region *r, struct memtis_heat *heat)
{
	const unsigned int times = min(heat->cooling - r->cooling, 31u);

	if (!times)
		return;
	r->cooling = heat->cooling;
	bitmap_zero(r->kept, MEMTIS_REGION_PAGES);
	if (!r->counts)
		return;
	memtis_region_count(r, heat, false);
	r->total >>= times;
	for (unsigned int page = 0; page < MEMTIS_REGION_PAGES; page++)
		r->counts[page] >>= times;
	if (!r->total)
		memtis_region_drop_counts(r, heat);
	memtis_region_count(r, heat, true);
}

/* Forgets the counts of pages that are not there any more: what comes in their place is new. */
static void memtis_region_forget(struct memtis_region *r, struct memtis_heat *heat,
				 const unsigned long *present)
{
	unsigned int page;

	for_each_set_bit(page, r->present, MEMTIS_REGION_PAGES) {
		if (test_bit(page, present))
			continue;
		heat->gone++;
		if (!r->counts)
			continue;
		r->total -= min_t(unsigned int, r->total, r->counts[page]);
		r->counts[page] = 0;
	}
}

/**
 * memtis_region_place() - Note which pages there are, and where
 * @r:		The region.
 * @heat:	How hot all pages are.
 * @present:	Pages that are there and could be moved.
 * @fast:	Those of them in the fast tier.
 * @is_huge:	Whether they are one huge page.
 * @now:	The time in ns.
 */
void memtis_region_place(struct memtis_region *r, struct memtis_heat *heat,
			 const unsigned long *present, const unsigned long *fast, bool is_huge,
			 u64 now)
{
	bitmap_copy(r->fast, fast, MEMTIS_REGION_PAGES);
	if (is_huge == r->is_huge && bitmap_equal(present, r->present, MEMTIS_REGION_PAGES))
		return;
	memtis_region_count(r, heat, false);
	if (!bitmap_subset(present, r->present, MEMTIS_REGION_PAGES))
		r->grown = now;
	memtis_region_forget(r, heat, present);
	bitmap_copy(r->present, present, MEMTIS_REGION_PAGES);
	r->is_huge = is_huge;
	if (is_huge)
		r->was_split = false;
	memtis_region_count(r, heat, true);
}
