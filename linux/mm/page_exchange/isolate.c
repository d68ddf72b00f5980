// SPDX-License-Identifier: GPL-2.0
/*
 * Takes folios out of use for them to be moved. What keeps a folio from being moved is decided
 * here for all who move folios by migration, whatever kind of memory it is.
 *
 * Anonymous memory, shared or not, files, memory that is locked and huge pages of pools can all
 * be migrated. Those that are pinned cannot, and are left alone without being tried.
 */
#include <linux/hugetlb.h>
#include <linux/migrate.h>
#include <linux/rmap.h>

#include "../internal.h"
#include "internal.h"

/*
 * Whether somebody has used a folio lately of which the one who gives it up may not know: another
 * process, after a fork, or one that is not sampled, such as a VM.
 */
static bool page_exchange_is_used(const struct page_exchange_finder *f, struct folio *folio)
{
	unsigned long flags;

	/* page tables of a VM may have it, which cannot be asked about huge pages of pools */
	if (folio_test_hugetlb(folio))
		return f->mapping && f->is_aliased;
	if (!page_exchange_is_frames(f->space) && !(f->mapping && f->is_aliased) &&
	    (!folio_test_anon(folio) || !folio_likely_mapped_shared(folio)))
		return false;
	if (folio_mapped(folio) && folio_referenced(folio, 0, NULL, &flags))
		return true;
	return page_exchange_is_frames(f->space) && folio_test_clear_referenced(folio);
}

/* What keeps a folio from going to nodes of @to; with @spare one that is used stays as well. */
static enum page_exchange_obstacle
page_exchange_obstacle_of(const struct page_exchange_finder *f,
			  const struct page_exchange_found *found, const nodemask_t *to, bool spare)
{
	struct folio *folio = found->folio;

	if (node_isset(folio_nid(folio), *to))
		/* somebody else has moved it */
		return PAGE_EXCHANGE_GONE;
	if (folio_is_zone_device(folio) || folio_test_hwpoison(folio) ||
	    (folio_test_large(folio) && folio_test_has_hwpoisoned(folio)) ||
	    !nodes_intersects(found->nodes, *to))
		return PAGE_EXCHANGE_REFUSED;
	if (folio_maybe_dma_pinned(folio))
		return PAGE_EXCHANGE_PINNED;
	if (folio_test_writeback(folio) || folio == f->page)
		return PAGE_EXCHANGE_BUSY;
	if (!spare)
		return PAGE_EXCHANGE_NO_OBSTACLE;
	/* a process's is known by whoever asks for its memory */
	if ((f->mapping || !f->space->mm) && page_exchange_folio_is_protected(folio))
		return PAGE_EXCHANGE_REFUSED;
	return page_exchange_is_used(f, folio) ? PAGE_EXCHANGE_FORKED : PAGE_EXCHANGE_NO_OBSTACLE;
}

/*
 * Splits a folio of which too little is wanted for the whole to be moved. It has a reference,
 * and is another one afterwards. Returns whether that was done.
 */
static bool page_exchange_split_found(struct page_exchange_finder *f, unsigned long addr,
				      struct page_exchange_found *found)
{
	bool done = false;

	if (folio_trylock(found->folio)) {
		done = !split_folio(found->folio);
		folio_unlock(found->folio);
	}
	folio_put(found->folio);
	found->folio = NULL;
	return done && page_exchange_find(f, addr, found) == PAGE_EXCHANGE_NO_OBSTACLE;
}

/*
 * Whether a large folio, all of which is not mapped by one entry, is moved as it is: if at least
 * half of it is wanted, and all of it still in use.
 */
static bool page_exchange_is_wanted(const struct page_exchange_found *found,
				    const unsigned long *addrs, unsigned int n)
{
	const long pages = folio_nr_pages(found->folio);
	const unsigned long end = addrs[0] + pages * PAGE_SIZE;
	long wanted = 1;

	if (pages == 1 || found->is_whole || folio_test_hugetlb(found->folio))
		return true;
	if (pages > PAGE_EXCHANGE_SET || folio_test_partially_mapped(found->folio))
		return false;
	while (wanted < n && addrs[wanted] > addrs[wanted - 1] && addrs[wanted] < end)
		wanted++;
	return wanted >= pages / 2;
}

/* Whether a node is in all three. */
static bool page_exchange_have_common(const nodemask_t *a, const nodemask_t *b, const nodemask_t *c)
{
	nodemask_t both;

	nodes_and(both, *a, *b);
	return nodes_intersects(both, *c);
}

static bool page_exchange_has_taken(const struct page_exchange_set *set, unsigned int i,
				    const struct folio *folio)
{
	return i && set->folios[i - 1] == folio;
}

/* Whether a physical address is in the folio that was taken last. That is not found any more. */
static bool page_exchange_is_in_last(const struct page_exchange_set *set, unsigned int i)
{
	return set->is_physical && i && set->folios[i - 1] &&
	       PHYS_PFN(set->addrs[i]) - folio_pfn(set->folios[i - 1]) < set->pages[i - 1];
}

static enum page_exchange_obstacle page_exchange_take(struct page_exchange_finder *f,
						      struct page_exchange_set *set, unsigned int i,
						      const nodemask_t *to, bool spare)
{
	enum page_exchange_obstacle obstacle;
	struct page_exchange_found found;

	if (page_exchange_is_in_last(set, i)) {
		set->folios[i] = set->folios[i - 1];
		set->pages[i] = set->pages[i - 1];
		return PAGE_EXCHANGE_NO_OBSTACLE;
	}
	f->last = i ? set->folios[i - 1] : NULL;
	obstacle = page_exchange_find(f, set->addrs[i], &found);
	f->last = NULL;
	if (obstacle)
		return obstacle;
	/* a huge page that was split, or has just become one, is not what was meant */
	if (found.is_whole != set->is_huge) {
		folio_put(found.folio);
		return PAGE_EXCHANGE_GONE;
	}
	if (page_exchange_has_taken(set, i, found.folio)) {
		set->folios[i] = found.folio;
		set->pages[i] = set->pages[i - 1];
		folio_put(found.folio);
		return PAGE_EXCHANGE_NO_OBSTACLE;
	}
	obstacle = page_exchange_obstacle_of(f, &found, to, spare);
	/* it may go to other nodes only than those that were taken before: another time */
	if (!obstacle && !page_exchange_have_common(&set->nodes, &found.nodes, to))
		obstacle = PAGE_EXCHANGE_BUSY;
	if (!obstacle && !page_exchange_is_wanted(&found, &set->addrs[i], set->n - i) &&
	    !page_exchange_split_found(f, set->addrs[i], &found))
		obstacle = PAGE_EXCHANGE_BUSY;
	if (!found.folio)
		return obstacle;
	if (!obstacle) {
		set->folios[i] = found.folio;
		set->pages[i] = folio_nr_pages(found.folio);
		if (isolate_folio_to_list(found.folio, &set->list)) {
			nodes_and(set->nodes, set->nodes, found.nodes);
		} else {
			set->folios[i] = NULL;
			obstacle = PAGE_EXCHANGE_BUSY;
		}
	}
	folio_put(found.folio);
	return obstacle;
}

/**
 * page_exchange_isolate() - Take folios out of use
 * @set:	Has addresses, and for those whose obstacle is PAGE_EXCHANGE_UNTRIED gets their
 *		folios and obstacles. Each folio that has none is isolated.
 * @f:		Finds them.
 * @to:		Nodes where the folios are to go.
 * @spare:	Whether folios stay that were used lately by those who do not say so.
 *
 * page_exchange_put_back() puts back those that stay.
 */
void page_exchange_isolate(struct page_exchange_set *set, struct page_exchange_finder *f,
			   const nodemask_t *to, bool spare)
{
	const bool is_known = page_exchange_finder_ask(f);

	for (unsigned int i = 0; i < set->n; i++) {
		if (set->obstacles[i] != PAGE_EXCHANGE_UNTRIED)
			continue;
		set->obstacles[i] = is_known ? page_exchange_take(f, set, i, to, spare)
					     : PAGE_EXCHANGE_BUSY;
		cond_resched();
	}
}

/**
 * page_exchange_leave_out() - Decide not to move a folio that was isolated
 * @set:	The set.
 * @i:		Number of its address, or of one of them, which are neighbours.
 */
void page_exchange_leave_out(struct page_exchange_set *set, unsigned int i)
{
	struct folio *folio = set->folios[i];

	if (!folio)
		return;
	list_move(&folio->lru, &set->rest);
	while (page_exchange_has_taken(set, i, folio))
		i--;
	while (i < set->n && set->folios[i] == folio)
		set->folios[i++] = NULL;
}

/**
 * page_exchange_put_back() - Put folios back into use that were not moved
 * @set:	The set, whose folios have been moved, or not. Those addresses whose folios were not
 *		get @obstacle.
 * @obstacle:	What kept them.
 */
void page_exchange_put_back(struct page_exchange_set *set, enum page_exchange_obstacle obstacle)
{
	struct folio *left;

	/* what is in the list has a reference; all others may be gone */
	list_for_each_entry(left, &set->list, lru) {
		for (unsigned int i = 0; i < set->n; i++) {
			const struct folio *folio = set->folios[i];

			if (folio && (unsigned long)(&left->page - &folio->page) < set->pages[i])
				set->obstacles[i] = obstacle;
		}
	}
	putback_movable_pages(&set->list);
	putback_movable_pages(&set->rest);
}
