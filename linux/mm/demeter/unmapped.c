// SPDX-License-Identifier: GPL-2.0
/*
 * The exchange of two folios for which the locks of two page tables are not enough:
 * huge pages, whose copying takes too long to hold them, and pages of different
 * memory cgroups, whose charges change hands.
 *
 * Like in migration, both are taken off the LRU and replaced by migration entries, at
 * which whoever touches the memory meanwhile waits. Unlike in migration, no folio is
 * new: each takes the other's place, and the migration entries of one are resolved
 * to the other.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/rmap.h>

#include "../internal.h"
#include "frames.h"
#include "unmapped.h"
#include "user_pages.h"

/* A folio of a pair, isolated with a reference. */
struct side {
	struct folio *folio;
	struct anon_vma *anon_vma;
	bool busy; /* what kept the pair from being exchanged */
	bool partial; /* parts of it are not mapped any more */
	bool queued; /* to be split when memory is short */
};

static enum page_exchange_result isolate(struct mm_struct *mm, unsigned long addr, bool huge,
					 struct side *s)
{
	enum page_exchange_result result;
	struct user_page page;
	struct folio *folio;
	bool large, mapped_whole;

	if (!user_page_start(mm, addr, &page))
		return check_vma(mm, addr) ?: PAGE_EXCHANGE_GONE;
	folio = page.folio;
	large = folio_test_large(folio);
	mapped_whole = page.walk.level == FW_LEVEL_PMD;
	if (mapped_whole != huge)
		result = PAGE_EXCHANGE_GONE;
	else if ((large && !huge) || !folio_test_anon(folio) || folio_test_ksm(folio) ||
		 folio_test_mlocked(folio) || folio_test_unevictable(folio) ||
		 folio_test_hwpoison(folio) || (large && folio_test_has_hwpoisoned(folio)))
		result = PAGE_EXCHANGE_REFUSED;
	else if (folio_test_swapcache(folio) || !folio_test_swapbacked(folio) ||
		 folio_mapcount(folio) != 1 || folio_ref_count(folio) != 1 ||
		 !folio_isolate_lru(folio))
		result = PAGE_EXCHANGE_BUSY;
	else
		result = PAGE_EXCHANGED;
	user_page_end(&page);
	if (result == PAGE_EXCHANGED) {
		node_stat_mod_folio(folio, NR_ISOLATED_ANON, folio_nr_pages(folio));
		s->folio = folio;
	}
	return result;
}

static void put_back(struct folio *folio)
{
	node_stat_mod_folio(folio, NR_ISOLATED_ANON, -folio_nr_pages(folio));
	folio_putback_lru(folio);
}

/* Locks the folio and takes it off the page tables. False: nothing to be undone. */
static bool unmap(struct side *s)
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

/* Maps @to wherever the folio was mapped, which may be the folio itself. */
static void map(struct side *s, struct folio *to)
{
	remove_migration_ptes(s->folio, to, 0);
}

static void finish(struct side *s)
{
	folio_unlock(s->folio);
	put_anon_vma(s->anon_vma);
}

/*
 * A huge page may have been split and mapped by its parts meanwhile. Those that were
 * discarded then are still marked as belonging to one process only, and must not say so
 * of what the frame is to hold.
 */
static void forget_owners(struct folio *folio)
{
	for (long i = 0; i < folio_nr_pages(folio); i++)
		ClearPageAnonExclusive(folio_page(folio, i));
}

/* Takes the only reference, and what the queue has to say. */
static bool freeze(struct side *s)
{
	s->busy = folio_mapped(s->folio) || !folio_ref_freeze(s->folio, 1);
	if (s->busy)
		return false;
	if (!frame_is_sound(s->folio)) {
		folio_ref_unfreeze(s->folio, 1);
		s->busy = true;
		return false;
	}
	forget_owners(s->folio);
	s->partial = folio_test_large(s->folio) && folio_test_partially_mapped(s->folio);
	s->queued = folio_unqueue_deferred_split(s->folio);
	return true;
}

/* @queue: whose contents the folio has now. */
static void unfreeze(struct side *s, const struct side *queue)
{
	folio_ref_unfreeze(s->folio, 1);
	if (queue->queued)
		deferred_split_folio(s->folio, queue->partial);
}

/* Both are unmapped. */
static bool exchange_frozen(struct side *a, struct side *b)
{
	bool done = false;

	if (!freeze(a))
		return false;
	if (freeze(b)) {
		done = exchange_contents(a->folio, b->folio);
		a->busy = !done;
		b->busy = !done;
		if (done) {
			exchange_identity(a->folio, b->folio);
#ifdef CONFIG_MEMCG
			/* off the lists, off the queues, and of the same size */
			swap(a->folio->memcg_data, b->folio->memcg_data);
#endif
		}
		unfreeze(b, done ? a : b);
	}
	unfreeze(a, done ? b : a);
	return done;
}

static bool exchange_isolated(struct side *a, struct side *b)
{
	bool done = false;

	/* not the pair that was meant */
	if (a->folio == b->folio || folio_order(a->folio) != folio_order(b->folio)) {
		a->busy = true;
		b->busy = true;
		return false;
	}
	if (!unmap(a))
		return false;
	if (unmap(b)) {
		done = exchange_frozen(a, b);
		map(a, done ? b->folio : a->folio);
		map(b, done ? a->folio : b->folio);
		finish(b);
	} else {
		map(a, a->folio);
	}
	finish(a);
	return done;
}

/**
 * exchange_unmapped() - Let two pages trade places, one pair at a time
 * @mm_a:	Whose memory the address a of @pair is.
 * @mm_b:	Whose memory the address b is; may be @mm_a.
 * @pair:	The pair. For a huge page, the address is that of the huge page. Gets
 *		the results.
 *
 * Both mmap locks are held for reading, so that the memory is neither forked nor
 * moved meanwhile. May sleep.
 *
 * Return: whether they were exchanged.
 */
bool exchange_unmapped(struct mm_struct *mm_a, struct mm_struct *mm_b, struct page_exchange *pair)
{
	struct side a = {}, b = {};
	bool done = false;

	pair->result_a = isolate(mm_a, pair->a, pair->huge, &a);
	pair->result_b = isolate(mm_b, pair->b, pair->huge, &b);
	if (a.folio && b.folio) {
		done = exchange_isolated(&a, &b);
		if (a.busy)
			pair->result_a = PAGE_EXCHANGE_BUSY;
		if (b.busy)
			pair->result_b = PAGE_EXCHANGE_BUSY;
	}
	if (b.folio)
		put_back(b.folio);
	if (a.folio)
		put_back(a.folio);
	return done;
}
