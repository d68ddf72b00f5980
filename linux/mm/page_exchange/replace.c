// SPDX-License-Identifier: GPL-2.0
/*
 * Exchanges pages of which not both are mapped by one process only: pages leave for the other
 * node, and others move to where these were.
 *
 * As many pages leave each node as come to it, or there is room for more. While they are on their
 * way, some more free memory of the one node is in use than what others may rely on, by a set at
 * most; none is reclaimed.
 */
#include <linux/slab.h>

#include "../internal.h"
#include "internal.h"

/**
 * struct page_exchange_swap - Pairs that are exchanged at once
 * @a:		The folios that take the place of others.
 * @b:		Those whose place they take.
 * @pairs:	The pairs, by the numbers of their addresses in @a and @b.
 */
struct page_exchange_swap {
	struct page_exchange_set a;
	struct page_exchange_set b;
	struct page_exchange *pairs[PAGE_EXCHANGE_SET];
};

/* Picks the next pairs that go by migration. Returns how many were looked at. */
static unsigned int page_exchange_pick(struct page_exchange_swap *s, struct page_exchange *pairs,
				       unsigned int n)
{
	unsigned int i;

	page_exchange_set_init(&s->a);
	page_exchange_set_init(&s->b);
	for (i = 0; i < n && s->a.n < PAGE_EXCHANGE_SET; i++) {
		if (!pairs[i].by_migration)
			continue;
		if (s->a.n && s->a.is_huge != pairs[i].huge)
			break;
		s->a.is_huge = pairs[i].huge;
		s->b.is_huge = pairs[i].huge;
		s->pairs[s->a.n] = &pairs[i];
		s->a.addrs[s->a.n++] = pairs[i].a;
		s->b.addrs[s->b.n++] = pairs[i].b;
	}
	return i;
}

/* Returns how many base pages there are in the folios that are isolated. */
static unsigned int page_exchange_isolated(const struct page_exchange_set *set)
{
	unsigned int pages = 0;

	for (unsigned int i = 0; i < set->n; i++)
		if (set->folios[i] && !(i && set->folios[i - 1] == set->folios[i]))
			pages += set->pages[i];
	return pages;
}

/* A page stays if its partner does, and so does a folio if that of one of its pages does. */
static void page_exchange_leave_out_alone(struct page_exchange_set *set,
					  const struct page_exchange_set *partners)
{
	for (unsigned int i = 0; i < set->n; i++)
		if (partners->obstacles[i])
			page_exchange_leave_out(set, i);
}

static bool page_exchange_has_moved(const struct page_exchange_set *set, unsigned int i)
{
	return set->folios[i] && !set->obstacles[i];
}

static void page_exchange_tell(const struct page_exchange_swap *s)
{
	for (unsigned int i = 0; i < s->a.n; i++) {
		struct page_exchange *pair = s->pairs[i];
		const bool moved_a = page_exchange_has_moved(&s->a, i);
		const bool moved_b = page_exchange_has_moved(&s->b, i);

		pair->exchanged = moved_a && moved_b;
		pair->only_a = moved_a && !moved_b;
		pair->only_b = moved_b && !moved_a;
		pair->obstacle_a = s->a.obstacles[i];
		pair->obstacle_b = s->b.obstacles[i];
		pair->a = s->a.addrs[i];
		pair->b = s->b.addrs[i];
	}
}

/*
 * Leaves out pairs of a huge page of a pool and of another one. What a pool gets back is of no use
 * to others, nor the reverse.
 */
static void page_exchange_keep_pools(struct page_exchange_swap *s)
{
	for (unsigned int i = 0; s->b.is_huge && i < s->b.n; i++) {
		const struct folio *a = s->a.folios[i], *b = s->b.folios[i];

		if (!a || !b || folio_test_hugetlb(a) == folio_test_hugetlb(b))
			continue;
		page_exchange_leave_out(&s->b, i);
		s->b.obstacles[i] = PAGE_EXCHANGE_BUSY;
	}
}

static void page_exchange_replace_found(struct page_exchange_swap *s,
					struct page_exchange_finder *a, nodemask_t *to_a,
					struct page_exchange_finder *b, nodemask_t *to_b)
{
	unsigned int left;

	page_exchange_isolate(&s->a, a, to_a, false);
	for (unsigned int i = 0; i < s->a.n; i++)
		if (s->a.obstacles[i])
			s->b.obstacles[i] = PAGE_EXCHANGE_NO_OBSTACLE;
	page_exchange_isolate(&s->b, b, to_b, true);
	page_exchange_keep_pools(s);
	left = page_exchange_move_set(&s->b, to_b, page_exchange_isolated(&s->a));
	page_exchange_leave_out_alone(&s->a, &s->b);
	page_exchange_move_set(&s->a, to_a, left);
	page_exchange_revise(&s->b, b);
	page_exchange_revise(&s->a, a);
}

static unsigned int page_exchange_replace_some(const struct page_exchange_side *a,
					       const struct page_exchange_side *b,
					       struct page_exchange_swap *s)
{
	struct page_exchange_finder find_a, find_b;
	unsigned int done = 0;

	s->a.is_physical = page_exchange_is_frames(&a->space);
	s->b.is_physical = page_exchange_is_frames(&b->space);
	if (page_exchange_finder_start(&find_a, &a->space))
		return 0;
	if (!page_exchange_finder_start_beside(&find_b, &b->space, &find_a)) {
		page_exchange_replace_found(s, &find_a, a->to, &find_b, b->to);
		page_exchange_finder_end(&find_b);
	}
	page_exchange_finder_end(&find_a);
	page_exchange_tell(s);
	for (unsigned int i = 0; i < s->a.n; i++)
		done += s->pairs[i]->exchanged;
	return done;
}

/**
 * page_exchange_replace() - Let pages trade places by migration
 * @a:		As for page_exchange_pairs().
 * @b:		Likewise.
 * @pairs:	The pairs, of which those are passed over that do not go by migration.
 * @n:		How many there are.
 *
 * Return: how many pairs were exchanged.
 */
unsigned int page_exchange_replace(const struct page_exchange_side *a,
				   const struct page_exchange_side *b, struct page_exchange *pairs,
				   unsigned int n)
{
	struct page_exchange_swap *s = NULL;
	unsigned int done = 0;

	for (unsigned int i = 0; i < n;) {
		if (!pairs[i].by_migration) {
			i++;
			continue;
		}
		if (!s)
			s = kmalloc(sizeof(*s), GFP_NOWAIT | __GFP_NOWARN);
		if (!s)
			break;
		i += page_exchange_pick(s, &pairs[i], n - i);
		done += page_exchange_replace_some(a, b, s);
		cond_resched();
	}
	kfree(s);
	return done;
}
