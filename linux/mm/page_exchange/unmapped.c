// SPDX-License-Identifier: GPL-2.0
/*
 * The exchange of two folios for which the locks of two page tables are not enough:
 * huge pages, whose copying takes too long to hold them, and pages of different
 * memory cgroups, whose charges change hands.
 *
 * As in migration, both are taken off the LRU and replaced by migration entries, at
 * which whoever touches the memory meanwhile waits. Unlike in migration, no folio is
 * new: each takes the other's place, and the migration entries of one are resolved
 * to the other.
 */
#include <linux/memcontrol.h>
#include <linux/rmap.h>

#include "../internal.h"
#include "internal.h"

/**
 * struct page_exchange_half - A folio of a pair, isolated with a reference
 * @folio:	The folio.
 * @anon_vma:	Where it is mapped, with a reference.
 * @busy:	Whether it kept the pair from being exchanged.
 * @partial:	Whether parts of it are not mapped any more.
 * @queued:	Whether it was queued to be split when memory is short.
 */
struct page_exchange_half {
	struct folio *folio;
	struct anon_vma *anon_vma;
	bool busy;
	bool partial;
	bool queued;
};

/* Takes a folio off its list, if it can be exchanged here. */
static enum page_exchange_obstacle page_exchange_take_off(struct page_exchange_finder *f,
							  unsigned long addr, bool huge,
							  struct page_exchange_half *s)
{
	enum page_exchange_obstacle obstacle;
	struct page_exchange_found found;
	struct folio *folio;

	obstacle = page_exchange_find(f, addr, &found);
	if (obstacle)
		return obstacle;
	folio = found.folio;
	if (found.is_whole != huge)
		obstacle = PAGE_EXCHANGE_GONE;
	else if (folio_test_hwpoison(folio) ||
		 (folio_test_large(folio) && folio_test_has_hwpoisoned(folio)))
		obstacle = PAGE_EXCHANGE_REFUSED;
	else if (folio_test_large(folio) && !huge)
		obstacle = PAGE_EXCHANGE_BY_MIGRATION;
	else
		/* this has a reference, too */
		obstacle = page_exchange_folio_obstacle(folio, 2);
	if (obstacle == PAGE_EXCHANGE_NO_OBSTACLE && !folio_isolate_lru(folio))
		obstacle = PAGE_EXCHANGE_BUSY;
	if (obstacle == PAGE_EXCHANGE_NO_OBSTACLE) {
		node_stat_mod_folio(folio, NR_ISOLATED_ANON, folio_nr_pages(folio));
		s->folio = folio;
	}
	folio_put(folio);
	return obstacle;
}

static void page_exchange_put_on(struct folio *folio)
{
	node_stat_mod_folio(folio, NR_ISOLATED_ANON, -folio_nr_pages(folio));
	folio_putback_lru(folio);
}

/* Locks the folio and takes it off the page tables. Undoes everything if it returns false. */
static bool page_exchange_unmap(struct page_exchange_half *s)
{
	s->busy = true;
	if (!folio_trylock(s->folio))
		return false;
	s->anon_vma = folio_get_anon_vma(s->folio);
	if (s->anon_vma) {
		try_to_migrate(s->folio, 0);
		s->busy = false;
		return true;
	}
	folio_unlock(s->folio);
	return false;
}

/* Maps @to wherever the folio of @s was mapped, which may be that folio itself. */
static void page_exchange_map(struct page_exchange_half *s, struct folio *to)
{
	remove_migration_ptes(s->folio, to, 0);
}

/* Undoes the lock and the reference of page_exchange_unmap(). */
static void page_exchange_finish(struct page_exchange_half *s)
{
	folio_unlock(s->folio);
	put_anon_vma(s->anon_vma);
}

/*
 * Clears the marks that say that a page belongs to one process only. Where a huge page was
 * split and mapped by its parts meanwhile, and some of these were discarded, they keep the
 * mark; it must not hold for what the frame gets.
 */
static void page_exchange_clear_exclusive(struct folio *folio)
{
	for (long i = 0; i < folio_nr_pages(folio); i++)
		ClearPageAnonExclusive(folio_page(folio, i));
}

/* Takes the only reference and takes the folio off the queue of deferred splits. */
static bool page_exchange_freeze(struct page_exchange_half *s)
{
	s->busy = folio_mapped(s->folio) || !folio_ref_freeze(s->folio, 1);
	if (s->busy)
		return false;
	if (!page_exchange_frame_is_sound(s->folio)) {
		folio_ref_unfreeze(s->folio, 1);
		s->busy = true;
		return false;
	}
	page_exchange_clear_exclusive(s->folio);
	s->partial = folio_test_large(s->folio) && folio_test_partially_mapped(s->folio);
	s->queued = folio_unqueue_deferred_split(s->folio);
	return true;
}

/* Queues the folio for a split if @contents, whose contents it has now, was queued. */
static void page_exchange_unfreeze(struct page_exchange_half *s,
				   const struct page_exchange_half *contents)
{
	folio_ref_unfreeze(s->folio, 1);
	if (contents->queued)
		deferred_split_folio(s->folio, contents->partial);
}

/* Exchanges two folios that are unmapped and locked. */
static bool page_exchange_frozen(struct page_exchange_half *a, struct page_exchange_half *b)
{
	bool done = false;

	if (!page_exchange_freeze(a))
		return false;
	if (page_exchange_freeze(b)) {
		done = page_exchange_swap_contents(a->folio, b->folio);
		a->busy = !done;
		b->busy = !done;
		if (done) {
			page_exchange_swap_identity(a->folio, b->folio);
#ifdef CONFIG_MEMCG
			/* they are on no list and no queue, and of the same size */
			swap(a->folio->memcg_data, b->folio->memcg_data);
#endif
		}
		page_exchange_unfreeze(b, done ? a : b);
	}
	page_exchange_unfreeze(a, done ? b : a);
	return done;
}

static bool page_exchange_isolated(struct page_exchange_half *a, struct page_exchange_half *b)
{
	bool done = false;

	/* the memory has changed since the pair was chosen */
	if (a->folio == b->folio || folio_order(a->folio) != folio_order(b->folio)) {
		a->busy = true;
		b->busy = true;
		return false;
	}
	if (!page_exchange_unmap(a))
		return false;
	if (page_exchange_unmap(b)) {
		done = page_exchange_frozen(a, b);
		page_exchange_map(a, done ? b->folio : a->folio);
		page_exchange_map(b, done ? a->folio : b->folio);
		page_exchange_finish(b);
	} else {
		page_exchange_map(a, a->folio);
	}
	page_exchange_finish(a);
	return done;
}

/**
 * page_exchange_unmapped() - Let two pages trade places, one pair at a time
 * @both:	Finds them.
 * @pair:	The pair. For a huge page, the address is that of the huge page. Gets
 *		whether it was exchanged, the obstacles, and whether it is to go by migration.
 *
 * The finders hold both mmap locks for reading, so that the memory is neither forked nor
 * moved meanwhile. May sleep.
 *
 * Return: whether they were exchanged.
 */
bool page_exchange_unmapped(struct page_exchange_both *both, struct page_exchange *pair)
{
	struct page_exchange_half a = {}, b = {};

	pair->obstacle_a = page_exchange_take_off(&both->a, pair->a, pair->huge, &a);
	pair->obstacle_b = page_exchange_take_off(&both->b, pair->b, pair->huge, &b);
	if (!page_exchange_goes_by_migration(pair) && a.folio && b.folio) {
		if (!node_isset(folio_nid(b.folio), both->a.nodes))
			pair->obstacle_a = PAGE_EXCHANGE_REFUSED;
		else if (!node_isset(folio_nid(a.folio), both->b.nodes))
			pair->obstacle_b = PAGE_EXCHANGE_REFUSED;
		else
			pair->exchanged = page_exchange_isolated(&a, &b);
		if (a.busy)
			pair->obstacle_a = PAGE_EXCHANGE_BUSY;
		if (b.busy)
			pair->obstacle_b = PAGE_EXCHANGE_BUSY;
	}
	if (b.folio)
		page_exchange_put_on(b.folio);
	if (a.folio)
		page_exchange_put_on(a.folio);
	return pair->exchanged;
}
