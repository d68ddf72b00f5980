// SPDX-License-Identifier: GPL-2.0
/*
 * Exchanges pages of user memory in place.
 *
 * Two pages trade places: contents are swapped between the frames, and each
 * mapping is redirected to the other's frame. No page is allocated and none is
 * freed, so free memory does not dip and no reclaim wakes (paper, section 4.3:
 * balanced relocation).
 *
 * Base pages, nearly all of them, are anonymous and mapped once. The page table that
 * maps such a page is all that has to be changed: under the locks of the two
 * page tables the entries are cleared, translations are flushed once for a
 * batch, and with its only reference frozen nobody else can come across a page
 * while its contents and its metadata change. That takes no walk of the
 * reverse map, no isolation from the LRU and no migration entries; lists,
 * charges and counters stay with the frames. Huge pages, and pages of different
 * memory cgroups, are exchanged in another way: see unmapped.c.
 *
 * All else, such as pages of several processes, of files, or locked in memory, is exchanged by
 * migration: see replace.c.
 *
 * Everything here may race with anything the owner of the memory does. A page that
 * cannot be moved is left as it was, with its obstacle.
 */
#include <linux/export.h>
#include <linux/memcontrol.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>

#include <asm/tlbflush.h>

#include "../internal.h"
#include "internal.h"

/* Pairs per hold of the page table locks: some 100 us of copying. */
#define BATCH 32
/* Translations of so many addresses are flushed one by one. */
#define FLUSH_SIZE (32 * PAGE_SIZE)

/* A pair whose entries have been cleared, and what they were. */
struct page_exchange_cleared {
	struct page_exchange *pair;
	struct folio *folio_a, *folio_b;
	pte_t pte_a, pte_b;
};

/**
 * struct page_exchange_batch - Pairs that are exchanged under one hold of the locks
 * @cleared:	Those whose entries have been cleared.
 * @n:		How many these are.
 * @other_cgroup: Those that were left out because their pages are charged to different
 *		memory cgroups; by their number among all pairs.
 */
struct page_exchange_batch {
	struct page_exchange_cleared cleared[BATCH];
	unsigned int n;
	DECLARE_BITMAP(other_cgroup, BATCH);
};

/* Finds the folio that is mapped by @ptep at @addr, and what keeps it from being moved. */
static enum page_exchange_obstacle page_exchange_look_at(struct vm_area_struct *vma,
							 unsigned long addr, pte_t *ptep,
							 struct folio **folio)
{
	const pte_t pte = ptep_get(ptep);

	if (!pte_present(pte))
		return PAGE_EXCHANGE_GONE;
	*folio = vm_normal_folio(vma, addr, pte);
	if (!*folio || folio_test_hwpoison(*folio))
		return PAGE_EXCHANGE_REFUSED;
	/* pages of files are found in files */
	if (!folio_test_anon(*folio))
		return PAGE_EXCHANGE_GONE;
	if (folio_test_large(*folio))
		return PAGE_EXCHANGE_BY_MIGRATION;
	return page_exchange_folio_obstacle(*folio, 1);
}

/*
 * Locks a folio and freezes its only reference, so that nobody can take another. Fails if
 * somebody has taken one since it was looked at.
 */
static bool page_exchange_hold(struct folio *folio)
{
	if (!folio_trylock(folio))
		return false;
	if (folio_ref_freeze(folio, 1)) {
		if (page_exchange_frame_is_sound(folio))
			return true;
		folio_ref_unfreeze(folio, 1);
	}
	folio_unlock(folio);
	return false;
}

static void page_exchange_let_go(struct folio *folio)
{
	folio_ref_unfreeze(folio, 1);
	folio_unlock(folio);
}

/* Swaps two frames that are off their page tables, so that no CPU can reach them. */
static bool page_exchange_swap_frames(struct page_exchange *pair, struct folio *a, struct folio *b)
{
	bool done;

	if (!page_exchange_hold(a)) {
		pair->obstacle_a = PAGE_EXCHANGE_BUSY;
		return false;
	}
	if (!page_exchange_hold(b)) {
		page_exchange_let_go(a);
		pair->obstacle_b = PAGE_EXCHANGE_BUSY;
		return false;
	}
	done = page_exchange_swap_contents(a, b);
	if (done) {
		page_exchange_swap_identity(a, b);
	} else {
		pair->obstacle_a = PAGE_EXCHANGE_REFUSED;
		pair->obstacle_b = PAGE_EXCHANGE_REFUSED;
	}
	page_exchange_let_go(b);
	page_exchange_let_go(a);
	return done;
}

static pte_t page_exchange_redirect(pte_t pte, struct folio *from, struct folio *to)
{
	return pte_advance_pfn(pte, folio_pfn(to) - folio_pfn(from));
}

static pte_t *page_exchange_entry(pte_t *table, unsigned long addr)
{
	return table + pte_index(addr);
}

/*
 * Decides what becomes of a pair, of whose pages it is known what keeps them. Returns whether it
 * can be exchanged here.
 */
static bool page_exchange_may_clear(const struct page_exchange_both *both,
				    struct page_exchange *pair,
				    const struct page_exchange_cleared *c)
{
	if (page_exchange_goes_by_migration(pair) || pair->obstacle_a || pair->obstacle_b)
		return false;
	if (c->folio_a == c->folio_b) {
		pair->obstacle_b = PAGE_EXCHANGE_REFUSED;
		return false;
	}
	/* somebody else has moved one of them */
	if (folio_nid(c->folio_a) == folio_nid(c->folio_b)) {
		pair->obstacle_a = PAGE_EXCHANGE_GONE;
		pair->obstacle_b = PAGE_EXCHANGE_GONE;
		return false;
	}
	if (!node_isset(folio_nid(c->folio_b), both->a.nodes))
		pair->obstacle_a = PAGE_EXCHANGE_REFUSED;
	if (!node_isset(folio_nid(c->folio_a), both->b.nodes))
		pair->obstacle_b = PAGE_EXCHANGE_REFUSED;
	return !pair->obstacle_a && !pair->obstacle_b;
}

/* Clears the entries of those pairs that can be exchanged. */
static void page_exchange_clear_entries(struct page_exchange_both *both,
					const struct page_exchange_tables *t,
					struct page_exchange *pairs, unsigned int n,
					struct page_exchange_batch *batch)
{
	for (unsigned int i = 0; i < n; i++) {
		struct page_exchange *pair = &pairs[i];
		struct page_exchange_cleared *c = &batch->cleared[batch->n];
		pte_t *ptep_a = page_exchange_entry(t->a, pair->a);
		pte_t *ptep_b = page_exchange_entry(t->b, pair->b);

		pair->obstacle_a =
			page_exchange_find_area(&both->a, pair->a)
				?: page_exchange_look_at(both->a.vma, pair->a, ptep_a, &c->folio_a);
		pair->obstacle_b =
			page_exchange_find_area(&both->b, pair->b)
				?: page_exchange_look_at(both->b.vma, pair->b, ptep_b, &c->folio_b);
		if (!page_exchange_may_clear(both, pair, c))
			continue;
		if (folio_memcg(c->folio_a) != folio_memcg(c->folio_b)) {
			__set_bit(i, batch->other_cgroup);
			continue;
		}
		c->pte_a = ptep_get_and_clear(t->mm_a, pair->a, ptep_a);
		c->pte_b = ptep_get_and_clear(t->mm_b, pair->b, ptep_b);
		c->pair = pair;
		batch->n++;
	}
}

/*
 * Swaps the frames and sets the entries that were cleared, after translations of all of
 * them have been flushed. Returns how many pairs were exchanged.
 */
static unsigned int page_exchange_set_entries(const struct page_exchange_tables *t,
					      const struct page_exchange_batch *batch)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < batch->n; i++) {
		const struct page_exchange_cleared *c = &batch->cleared[i];
		struct page_exchange *pair = c->pair;
		pte_t pte_a = c->pte_a, pte_b = c->pte_b;

		if (page_exchange_swap_frames(pair, c->folio_a, c->folio_b)) {
			pte_a = page_exchange_redirect(c->pte_a, c->folio_a, c->folio_b);
			pte_b = page_exchange_redirect(c->pte_b, c->folio_b, c->folio_a);
			pair->exchanged = true;
			done++;
		}
		set_pte_at(t->mm_a, pair->a, page_exchange_entry(t->a, pair->a), pte_a);
		set_pte_at(t->mm_b, pair->b, page_exchange_entry(t->b, pair->b), pte_b);
	}
	return done;
}

/* Finds the addresses of an mm whose entries were cleared. */
static void page_exchange_span(const struct page_exchange_batch *batch, bool second,
			       unsigned long *start, unsigned long *end)
{
	*start = ULONG_MAX;
	*end = 0;
	for (unsigned int i = 0; i < batch->n; i++) {
		const struct page_exchange *pair = batch->cleared[i].pair;
		const unsigned long addr = second ? pair->b : pair->a;

		*start = min(*start, addr);
		*end = max(*end, addr + PAGE_SIZE);
	}
}

/*
 * Flushes the translations of the entries that were cleared. Where these are far apart, all of
 * an mm are, which costs less than a flush for each: few of those that are lost besides are
 * looked up again.
 */
static void page_exchange_flush_both(const struct page_exchange_tables *t,
				     const struct page_exchange_batch *batch)
{
	unsigned long start_a, end_a, start_b, end_b;

	page_exchange_span(batch, false, &start_a, &end_a);
	page_exchange_span(batch, true, &start_b, &end_b);
	if (t->mm_a == t->mm_b && (end_a - start_a > FLUSH_SIZE || end_b - start_b > FLUSH_SIZE)) {
		flush_tlb_mm(t->mm_a);
		return;
	}
	flush_tlb_mm_range(t->mm_a, start_a, end_a, PAGE_SHIFT, false);
	flush_tlb_mm_range(t->mm_b, start_b, end_b, PAGE_SHIFT, false);
}

static bool page_exchange_same_table(unsigned long x, unsigned long y)
{
	return (x & PMD_MASK) == (y & PMD_MASK);
}

/*
 * Exchanges pairs whose addresses are in the same two page tables, but for those whose pages
 * are charged to different memory cgroups, or must be migrated.
 */
static unsigned int page_exchange_run(struct page_exchange_both *both, struct page_exchange *pairs,
				      unsigned int n, struct page_exchange_batch *batch)
{
	struct page_exchange_tables t = {
		.mm_a = both->a.space->mm,
		.mm_b = both->b.space->mm,
	};
	unsigned int done = 0;

	if (!page_exchange_tables_lock(&t, pairs->a, pairs->b))
		return 0;
	page_exchange_clear_entries(both, &t, pairs, n, batch);
	if (batch->n) {
		page_exchange_flush_both(&t, batch);
		done = page_exchange_set_entries(&t, batch);
	}
	page_exchange_tables_unlock(&t);
	return done;
}

/* Exchanges as many of the next pairs as go together and returns how many that are. */
static unsigned int page_exchange_next(struct page_exchange_both *both, struct page_exchange *pairs,
				       unsigned int n, unsigned int *done)
{
	struct page_exchange_batch batch;
	unsigned int run = 1;
	bool huge_a, huge_b;

	pairs->obstacle_a = page_exchange_find_area(&both->a, pairs->a);
	pairs->obstacle_b = page_exchange_find_area(&both->b, pairs->b);
	if (pairs->obstacle_a || pairs->obstacle_b)
		return 1;
	pairs->obstacle_a = PAGE_EXCHANGE_GONE;
	pairs->obstacle_b = PAGE_EXCHANGE_GONE;
	huge_a = page_exchange_is_huge(both->a.space->mm, pairs->a);
	huge_b = page_exchange_is_huge(both->b.space->mm, pairs->b);
	/* a huge page that was split, or has just become one, is not what was meant */
	if (huge_a != pairs->huge || huge_b != pairs->huge)
		return 1;
	if (huge_a) {
		*done += page_exchange_unmapped(both, pairs);
		return 1;
	}
	while (run < BATCH && run < n && !pairs[run].huge &&
	       page_exchange_same_table(pairs->a, pairs[run].a) &&
	       page_exchange_same_table(pairs->b, pairs[run].b))
		run++;
	for (unsigned int i = 1; i < run; i++) {
		pairs[i].obstacle_a = PAGE_EXCHANGE_GONE;
		pairs[i].obstacle_b = PAGE_EXCHANGE_GONE;
	}
	batch.n = 0;
	bitmap_zero(batch.other_cgroup, BATCH);
	*done += page_exchange_run(both, pairs, run, &batch);
	for (unsigned int i = 0; i < run; i++)
		if (test_bit(i, batch.other_cgroup))
			*done += page_exchange_unmapped(both, &pairs[i]);
	return run;
}

/* Exchanges pairs that are in page tables, but for those that go by migration. */
static unsigned int page_exchange_in_tables(const struct page_exchange_side *a,
					    const struct page_exchange_side *b,
					    struct page_exchange *pairs, unsigned int n)
{
	struct page_exchange_both both;
	unsigned int run, done = 0;

	for (unsigned int i = 0; i < n; i += run) {
		if (page_exchange_finder_start(&both.a, &a->space))
			break;
		if (page_exchange_finder_start(&both.b, &b->space)) {
			page_exchange_finder_end(&both.a);
			break;
		}
		run = page_exchange_next(&both, &pairs[i], n - i, &done);
		page_exchange_finder_end(&both.b);
		page_exchange_finder_end(&both.a);
		cond_resched();
	}
	return done;
}

static bool page_exchange_is_in_tables(const struct page_exchange_side *side)
{
	return side->space.mm && !side->space.mapping;
}

/**
 * page_exchange_pairs() - Let pages trade places
 * @a:		Where the addresses a of @pairs are, and where their pages go.
 * @b:		Where the addresses b are, and where their pages go. Pages stay that others use
 *		which are not known to whoever gives them up: they are taken for the colder ones.
 * @pairs:	The pairs, best sorted by address: neighbours in the same two page
 *		tables are handled together. Gets which were exchanged, and the
 *		obstacles. No address may be there twice. Physical addresses become those
 *		where the pages have gone.
 * @n:		How many pairs there are.
 *
 * The caller holds a reference on the users of both (mmget()) and no locks. It
 * may sleep, but does not wait for an mmap lock. For huge pages an address is that
 * of the huge page; they trade places with each other only.
 *
 * Return: how many pairs were exchanged.
 */
unsigned int page_exchange_pairs(const struct page_exchange_side *a,
				 const struct page_exchange_side *b, struct page_exchange *pairs,
				 unsigned int n)
{
	const bool in_tables = page_exchange_is_in_tables(a) && page_exchange_is_in_tables(b);
	unsigned int done = 0;

	for (unsigned int i = 0; i < n; i++) {
		pairs[i].exchanged = false;
		pairs[i].only_a = false;
		pairs[i].only_b = false;
		pairs[i].by_migration = !in_tables;
		pairs[i].obstacle_a = PAGE_EXCHANGE_UNTRIED;
		pairs[i].obstacle_b = PAGE_EXCHANGE_UNTRIED;
	}
	/* pages that were touched just now wait on this CPU to get onto a list */
	lru_add_drain();
	if (in_tables)
		done = page_exchange_in_tables(a, b, pairs, n);
	return done + page_exchange_replace(a, b, pairs, n);
}
EXPORT_SYMBOL_GPL(page_exchange_pairs);
