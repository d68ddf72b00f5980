// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out which nodes make up the tiers, and in which tier the pages of each target are,
 * which is kept in granules of 2 MiB.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "demeter.h"

/* Granules that are looked at in one hold of the mmap lock. */
#define SCAN_GRANULES 64
/* Areas of an address space that are further apart are covered by separate ranges. */
#define AREA_GAP SZ_1G

/**
 * struct demeter_scan - A scan of a target
 * @scan:	The scan of its page tables.
 * @target:	The target.
 * @area_start:	First address of an area whose ranges are not made yet.
 * @area_end:	Address behind that area; 0 if there is none.
 * @left:	Granules that may still be looked at until the mmap lock is let go.
 * @last_at:	Address of the granule that was looked at last.
 * @tiers:	Tier of each node; NR_DEMETER_TIERS if it is in none.
 */
struct demeter_scan {
	struct page_exchange_scan scan;
	struct demeter_target *target;
	unsigned long area_start;
	unsigned long area_end;
	unsigned int left;
	unsigned long last_at;
	u8 tiers[MAX_NUMNODES];
};

/**
 * demeter_scan_find_tiers() - Find the nodes of the tiers, unless users have named them
 * @ctx:	The context, of which the nodes are set.
 *
 * Return: 0, -ENODEV with the reason in the log if there are not two tiers.
 */
int demeter_scan_find_tiers(struct demeter_ctx *ctx)
{
	nodemask_t *fast = &ctx->fast_nodes, *slow = &ctx->slow_nodes;
	int nid;

	if (nodes_empty(*fast) && nodes_empty(*slow)) {
		for_each_node_state(nid, N_MEMORY) {
			if (page_exchange_node_is_fast(nid))
				node_set(nid, *fast);
			else
				node_set(nid, *slow);
		}
	}
	if (nodes_empty(*fast) || nodes_empty(*slow) || nodes_intersects(*fast, *slow)) {
		pr_err("needs nodes of two memory tiers; fast: %*pbl, slow: %*pbl\n",
		       nodemask_pr_args(fast), nodemask_pr_args(slow));
		return -ENODEV;
	}
	return 0;
}

/* Finds the granule of an address, or makes it; NULL without memory. */
static struct demeter_granule *demeter_scan_granule(struct demeter_target *t, unsigned long addr)
{
	const unsigned long index = addr / GRANULE_SIZE;
	struct demeter_granule *g = xa_load(&t->granules, index);

	if (g)
		return g;
	g = kzalloc(sizeof(*g), GFP_KERNEL | __GFP_NOWARN);
	if (!g)
		return NULL;
	g->start = index * GRANULE_SIZE;
	if (xa_err(xa_store(&t->granules, index, g, GFP_KERNEL | __GFP_NOWARN))) {
		kfree(g);
		return NULL;
	}
	return g;
}

/* Takes over in which tier the pages of a granule are. */
static void demeter_scan_note_pages(struct demeter_granule *g, const struct demeter_scan *s)
{
	g->nr_present = 0;
	g->nr_fast = 0;
	g->huge = s->scan.nids[0] != PAGE_EXCHANGE_SCAN_NONE &&
		  s->scan.nids[0] & PAGE_EXCHANGE_SCAN_HUGE;
	for (unsigned int word = 0; word < BITS_TO_LONGS(GRANULE_PAGES); word++) {
		unsigned long present = 0, fast = 0;

		for (unsigned int bit = 0; bit < BITS_PER_LONG; bit++) {
			const unsigned int i = word * BITS_PER_LONG + bit;
			const s16 nid = s->scan.nids[i];
			u8 tier = NR_DEMETER_TIERS;

			if (nid != PAGE_EXCHANGE_SCAN_NONE)
				tier = s->tiers[nid & ~PAGE_EXCHANGE_SCAN_HUGE];
			if (tier < NR_DEMETER_TIERS) {
				present |= 1ul << bit;
				fast |= (unsigned long)tier << bit;
			} else if (g->count[i]) {
				demeter_granule_set(g, i, 0);
			}
		}
		g->present[word] = present;
		g->fast[word] = fast;
		g->nr_present += hweight_long(present);
		g->nr_fast += hweight_long(fast);
	}
}

/* Covers the area by ranges. */
static void demeter_scan_cover(struct demeter_scan *s)
{
	if (!s->area_end)
		return;
	mutex_lock(&s->target->lock);
	demeter_ranges_cover(&s->target->ranges, s->area_start, s->area_end);
	mutex_unlock(&s->target->lock);
}

/*
 * Called for each vma that has a part of a granule. Ends the scan before the granule
 * that would be one too many, so that it goes on from there.
 */
static int demeter_scan_found(struct page_exchange_scan *scan, unsigned long at)
{
	struct demeter_scan *s = container_of(scan, struct demeter_scan, scan);
	struct demeter_granule *g;

	if (at != s->last_at) {
		if (!s->left)
			return 1;
		s->left--;
		s->last_at = at;
	}
	/* a page table that maps nothing any more */
	if (!memchr_inv(scan->nids, 0xff, sizeof(scan->nids)))
		return 0;
	/* without memory the granule stays unmanaged this time */
	g = demeter_scan_granule(s->target, at);
	if (!g)
		return 0;
	g->scan = s->target->scan;
	demeter_scan_note_pages(g, s);
	if (!s->area_end || at > s->area_end + AREA_GAP) {
		demeter_scan_cover(s);
		s->area_start = at;
	}
	s->area_end = at + GRANULE_SIZE;
	return 0;
}

/* Frees granules that the scan has not met, and counts the pages of the others. */
static void demeter_scan_finish(struct demeter_target *t)
{
	struct demeter_granule *g;
	unsigned long index;

	t->scan_from = 0;
	t->pages[DEMETER_FAST] = 0;
	t->pages[DEMETER_SLOW] = 0;
	xa_for_each(&t->granules, index, g) {
		if (g->scan != t->scan) {
			xa_erase(&t->granules, index);
			kfree(g);
			continue;
		}
		t->pages[DEMETER_FAST] += g->nr_fast;
		t->pages[DEMETER_SLOW] += g->nr_present - g->nr_fast;
	}
}

static void demeter_scan_target(struct demeter_target *t, struct demeter_scan *s)
{
	int ret;

	if (!mmget_not_zero(t->mm))
		return;
	/* otherwise the last scan was interrupted by -EAGAIN, and this one goes on */
	if (!t->scan_from)
		t->scan++;
	s->target = t;
	s->area_end = 0;
	do {
		s->left = SCAN_GRANULES;
		s->last_at = ULONG_MAX;
		ret = page_exchange_scan(t->mm, t->scan_from, &s->scan);
		if (ret > 0)
			t->scan_from = s->scan.at;
	} while (ret > 0);
	mmput_async(t->mm);
	demeter_scan_cover(s);
	if (ret == -EAGAIN)
		return;
	/* a policy has come that keeps all pages where they are: drop all granules */
	if (ret < 0)
		t->scan++;
	demeter_scan_finish(t);
}

/**
 * demeter_scan_targets() - See where the pages of all targets are
 * @ctx:	The context.
 *
 * A target whose process is changing its memory right now keeps the granules of the last scan.
 */
void demeter_scan_targets(struct demeter_ctx *ctx)
{
	struct demeter_scan *s = kmalloc(sizeof(*s), GFP_KERNEL | __GFP_NOWARN);
	struct demeter_target *t;

	if (!s)
		return;
	s->scan.found = demeter_scan_found;
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		s->tiers[nid] = node_isset(nid, ctx->fast_nodes)   ? DEMETER_FAST
				: node_isset(nid, ctx->slow_nodes) ? DEMETER_SLOW
								   : NR_DEMETER_TIERS;
	list_for_each_entry(t, &ctx->targets.list, list)
		demeter_scan_target(t, s);
	kfree(s);
}

/**
 * demeter_scan_forget() - Free the granules of a target
 * @t:		The target.
 */
void demeter_scan_forget(struct demeter_target *t)
{
	struct demeter_granule *g;
	unsigned long index;

	xa_for_each(&t->granules, index, g)
		kfree(g);
	xa_destroy(&t->granules);
}
