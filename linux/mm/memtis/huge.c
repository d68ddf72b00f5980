// SPDX-License-Identifier: GPL-2.0
/*
 * Splits huge pages whose samples fall on few of their base pages, and makes huge pages again of
 * those that are accessed evenly.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "memtis.h"

/* Huge pages that are made in a round: each needs free memory of 2 MiB. */
#define MAX_JOIN 4
/* Coolings from a split on until base pages are looked at. */
#define JOIN_COOLINGS 2

/**
 * struct memtis_choice - Huge pages that were chosen, the most skewed first
 * @n:		How many there are.
 * @most:	How many there may be.
 * @pages:	They.
 * @skew:	How skewed each is.
 */
struct memtis_choice {
	unsigned int n;
	unsigned int most;
	struct memtis_move pages[MEMTIS_MAX_SPLIT];
	u64 skew[MEMTIS_MAX_SPLIT];
};

/* Samples from which on a base page is hot. */
static unsigned int memtis_hot_count(const struct memtis *t)
{
	return max(1u << t->base_hot.hot >> MEMTIS_PAGE_SHIFT, 1u);
}

/* Enters a huge page where it belongs, if it does. */
static void memtis_choose(struct memtis_choice *c, struct memtis_mm *m, unsigned long addr,
			  u64 skew)
{
	unsigned int at = c->n;

	if (c->n == c->most && skew <= c->skew[c->n - 1])
		return;
	if (c->n < c->most)
		c->n++;
	else
		at--;
	for (; at && c->skew[at - 1] < skew; at--) {
		c->skew[at] = c->skew[at - 1];
		c->pages[at] = c->pages[at - 1];
	}
	c->skew[at] = skew;
	c->pages[at] = (struct memtis_move){ m, addr };
}

static void memtis_choose_skewed(struct memtis *t, struct memtis_choice *c)
{
	const unsigned int hot = memtis_hot_count(t);
	struct memtis_region *r;
	struct memtis_mm *m;
	unsigned long index;

	list_for_each_entry(m, &t->mms, list) {
		xa_for_each(&m->regions, index, r) {
			u64 skew = 0;

			memtis_region_cool(r, &t->heat);
			if (r->is_huge && r->counts && !test_bit(0, r->kept))
				skew = memtis_skew(r->counts, MEMTIS_REGION_PAGES, hot);
			if (skew)
				memtis_choose(c, m, r->addr, skew);
			cond_resched();
		}
	}
}

/* Notes that a region is no huge page any more, or that it could not be split. */
static void memtis_note_split(struct memtis *t, const struct memtis_move *page, bool is_split)
{
	struct memtis_region *r;

	mutex_lock(&t->lock);
	t->stats.splits += is_split;
	r = memtis_find_region(page->m, page->addr);
	if (r && is_split) {
		memtis_region_place(r, &t->heat, r->present, r->fast, false, r->grown);
		r->was_split = true;
		r->split = t->heat.cooling;
	} else if (r) {
		set_bit(0, r->kept);
	}
	mutex_unlock(&t->lock);
}

/**
 * memtis_split_some() - Split as many huge pages as ksampled has asked for
 * @t:		Memtis, whose round it is.
 */
void memtis_split_some(struct memtis *t)
{
	struct memtis_choice c = {};

	mutex_lock(&t->lock);
	c.most = min(t->nr_split, MEMTIS_MAX_SPLIT);
	t->nr_split -= c.most;
	if (c.most)
		memtis_choose_skewed(t, &c);
	mutex_unlock(&t->lock);
	for (unsigned int i = 0; i < c.n; i++) {
		const struct page_exchange_space space = { .mm = c.pages[i].m->mm };
		bool is_split;

		if (!mmget_not_zero(space.mm))
			continue;
		is_split = page_exchange_split(&space, c.pages[i].addr);
		mmput_async(space.mm);
		memtis_note_split(t, &c.pages[i], is_split);
		cond_resched();
	}
}

/* Whether a region that was split would do as well as a huge page. */
static bool memtis_is_joinable(struct memtis *t, struct memtis_region *r)
{
	if (!r->was_split || t->heat.cooling - r->split < JOIN_COOLINGS)
		return false;
	memtis_region_cool(r, &t->heat);
	return r->counts && bitmap_full(r->present, MEMTIS_REGION_PAGES) &&
	       (bitmap_full(r->fast, MEMTIS_REGION_PAGES) ||
		bitmap_empty(r->fast, MEMTIS_REGION_PAGES)) &&
	       memtis_is_uniform(r->counts, MEMTIS_REGION_PAGES, memtis_hot_count(t));
}

static unsigned int memtis_choose_uniform(struct memtis *t, struct memtis_move *pages)
{
	struct memtis_region *r;
	struct memtis_mm *m;
	unsigned long index;
	unsigned int n = 0;

	list_for_each_entry(m, &t->mms, list) {
		xa_for_each(&m->regions, index, r) {
			cond_resched();
			if (n == MAX_JOIN)
				return n;
			if (!memtis_is_joinable(t, r))
				continue;
			/* if it fails, it is tried again as much later */
			r->split = t->heat.cooling;
			pages[n++] = (struct memtis_move){ m, r->addr };
		}
	}
	return n;
}

/**
 * memtis_join_some() - Make huge pages of base pages that are accessed evenly
 * @t:		Memtis, whose round it is.
 */
void memtis_join_some(struct memtis *t)
{
	struct memtis_move pages[MAX_JOIN];
	unsigned int n;

	mutex_lock(&t->lock);
	n = memtis_choose_uniform(t, pages);
	mutex_unlock(&t->lock);
	for (unsigned int i = 0; i < n; i++) {
		struct mm_struct *mm = pages[i].m->mm;

		if (!mmget_not_zero(mm))
			continue;
		/* the next scan sees what has become of it */
		if (page_exchange_join(mm, pages[i].addr))
			t->stats.collapses++;
		else
			t->stats.failed_collapses++;
		mmput_async(mm);
		cond_resched();
	}
}
