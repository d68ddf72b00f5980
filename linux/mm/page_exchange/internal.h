/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the exchange of pages share. Calls go from each file to those above it:
 *
 *	policy.c	which memory may be moved, and where to
 *	scan.c		on which nodes the pages of a process are
 *	scan_file.c	the same for a file
 *	scan_frames.c	the same for what is in physical memory
 *	find.c		which folio is at an address
 *	isolate.c	takes folios out of use to be moved, if nothing keeps them
 *	migrate.c	moves pages to free memory
 *	replace.c	moves pages to where others have left
 *	split.c		makes base pages of a huge page
 *	frames.c	swaps what two frames hold and stand for
 *	unmapped.c	exchanges two folios that are taken off the page tables
 *	tables.c	finds and locks the two page tables of an exchange
 *	exchange.c	exchanges pages, base pages under the locks of their page tables
 *	evacuate.c	moves pages off a node that is to become smaller
 */
#ifndef _MM_PAGE_EXCHANGE_INTERNAL_H
#define _MM_PAGE_EXCHANGE_INTERNAL_H

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/page_exchange.h>
#include <linux/pagewalk.h>

/* Addresses whose folios are moved at once. */
#define PAGE_EXCHANGE_SET 32u

/**
 * struct page_exchange_owner - Where the owner of an mm lets memory be
 * @cpuset:	Nodes of its cpuset, where all of it must be.
 * @policy:	Nodes of its policy, for areas that have none.
 */
struct page_exchange_owner {
	nodemask_t cpuset;
	nodemask_t policy;
};

/**
 * struct page_exchange_finder - Finds folios in a space
 * @space:	The space.
 * @owner:	What the owner of its mm wants.
 * @vma:	The area that was looked at last; of a file that is mapped, the one that maps it.
 * @mapping:	The file, if it is one: it cannot go away.
 * @page:	Its page that is locked, if it is not mapped; that stays where it is.
 * @has_page:	Whether this finder has locked it.
 * @flags:	What is to be restored then.
 * @nodes:	Nodes where pages of that area, or of the file, may be. In physical memory, of the
 *		file of the page that was found last.
 * @asked:	That file, which may be gone.
 * @is_aliased:	Whether there are other page tables that have its pages.
 * @last:	The folio that was taken last, and need not be asked about again; NULL: none.
 * @has_sharers: Whether others were asked about a page, whose memory may change meanwhile.
 */
struct page_exchange_finder {
	const struct page_exchange_space *space;
	struct page_exchange_owner owner;
	struct vm_area_struct *vma;
	struct address_space *mapping;
	struct folio *page;
	bool has_page;
	unsigned int flags;
	nodemask_t nodes;
	const struct address_space *asked;
	bool is_aliased;
	const struct folio *last;
	bool has_sharers;
};

/**
 * struct page_exchange_both - Finders of the two pages of pairs, both in page tables
 * @a:		Finds the one.
 * @b:		Finds the other.
 */
struct page_exchange_both {
	struct page_exchange_finder a;
	struct page_exchange_finder b;
};

/**
 * struct page_exchange_found - What is at an address
 * @folio:	The folio, with a reference.
 * @is_whole:	Whether the address stands for all of it: it is a huge page.
 * @nodes:	Nodes where it may be.
 */
struct page_exchange_found {
	struct folio *folio;
	bool is_whole;
	nodemask_t nodes;
};

/**
 * struct page_exchange_set - Folios that are moved at once
 * @n:		How many addresses there are.
 * @is_physical: Whether addresses are physical ones.
 * @is_huge:	Whether they are those of huge pages, all of them or none. These are not split if
 *there is no room.
 * @addrs:	The addresses; those that are in one folio are neighbours. Physical addresses become
 *		@news when their pages are moved.
 * @folios:	Of each the folio, if it is isolated. It may be gone once it has been moved.
 * @pages:	Of each how many base pages that had.
 * @news:	Of each its new physical address, if it is to have one.
 * @obstacles:	Of each what keeps it; enum page_exchange_obstacle.
 * @nodes:	Nodes where all folios may be that are isolated.
 * @list:	The folios that are isolated.
 * @rest:	Those of them that are not to be moved after all.
 */
struct page_exchange_set {
	unsigned int n;
	bool is_physical;
	bool is_huge;
	unsigned long addrs[PAGE_EXCHANGE_SET];
	struct folio *folios[PAGE_EXCHANGE_SET];
	unsigned int pages[PAGE_EXCHANGE_SET];
	unsigned long news[PAGE_EXCHANGE_SET];
	u8 obstacles[PAGE_EXCHANGE_SET];
	nodemask_t nodes;
	struct list_head list;
	struct list_head rest;
};

/**
 * struct page_exchange_tables - Two page tables, mapped and locked
 * @mm_a:	The mm of the first one.
 * @mm_b:	The mm of the second one; may be @mm_a.
 * @pmd_a:	Where the first one hangs.
 * @pmd_b:	Where the second one does.
 * @a:		Its entries.
 * @b:		Likewise.
 * @lock_a:	Its lock.
 * @lock_b:	Likewise; may be @lock_a.
 * @range_a:	Tells others that have translations of its addresses.
 * @range_b:	Likewise.
 */
struct page_exchange_tables {
	struct mm_struct *mm_a, *mm_b;
	pmd_t *pmd_a, *pmd_b;
	pte_t *a, *b;
	spinlock_t *lock_a, *lock_b;
	struct mmu_notifier_range range_a, range_b;
};

/* policy.c */
void page_exchange_owner_nodes(struct mm_struct *mm, struct page_exchange_owner *owner);
void page_exchange_vma_nodes(struct vm_area_struct *vma, const struct page_exchange_owner *owner,
			     nodemask_t *nodes);
void page_exchange_shared_nodes(struct address_space *mapping, pgoff_t index, unsigned long n,
				nodemask_t *nodes);
bool page_exchange_file_nodes(struct address_space *mapping, const struct mm_struct *locked,
			      unsigned int most, nodemask_t *nodes, bool *is_aliased);
enum page_exchange_reason page_exchange_vma_reason(struct vm_area_struct *vma);
bool page_exchange_vma_is_file(struct vm_area_struct *vma);
bool page_exchange_nodes_are_both(const nodemask_t *nodes, const struct page_exchange_scan *scan);
bool page_exchange_folio_is_protected(struct folio *folio);

/* scan.c */
bool page_exchange_scan_go_to(struct page_exchange_scan *scan, unsigned long addr,
			      unsigned int steps);
void page_exchange_scan_pages(struct page_exchange_scan *scan, unsigned long pfn,
			      unsigned int first, unsigned int n);

/* scan_file.c */
int page_exchange_scan_file(struct address_space *mapping, unsigned long start, unsigned long end,
			    struct page_exchange_scan *scan);

/* scan_frames.c */
const struct address_space *page_exchange_file_of(struct page *page);
int page_exchange_scan_frames(unsigned long start, unsigned long end,
			      struct page_exchange_scan *scan);

/* find.c */
bool page_exchange_is_frames(const struct page_exchange_space *space);
int page_exchange_finder_start(struct page_exchange_finder *f,
			       const struct page_exchange_space *space);
int page_exchange_finder_start_beside(struct page_exchange_finder *f,
				      const struct page_exchange_space *space,
				      const struct page_exchange_finder *first);
bool page_exchange_finder_ask(struct page_exchange_finder *f);
void page_exchange_finder_end(const struct page_exchange_finder *f);
enum page_exchange_obstacle page_exchange_find_area(struct page_exchange_finder *f,
						    unsigned long addr);
enum page_exchange_obstacle page_exchange_find(struct page_exchange_finder *f, unsigned long addr,
					       struct page_exchange_found *found);

/* isolate.c */
void page_exchange_isolate(struct page_exchange_set *set, struct page_exchange_finder *f,
			   const nodemask_t *to, bool spare);
void page_exchange_leave_out(struct page_exchange_set *set, unsigned int i);
void page_exchange_put_back(struct page_exchange_set *set, enum page_exchange_obstacle obstacle);

/* migrate.c */
unsigned int page_exchange_move_list(struct list_head *list, nodemask_t *nodes,
				     enum migrate_mode mode);
unsigned int page_exchange_move_set(struct page_exchange_set *set, nodemask_t *nodes,
				    unsigned int borrow);
unsigned int page_exchange_revise(struct page_exchange_set *set, struct page_exchange_finder *f);

/* replace.c */
unsigned int page_exchange_replace(const struct page_exchange_side *a,
				   const struct page_exchange_side *b, struct page_exchange *pairs,
				   unsigned int n);

/* frames.c */
bool page_exchange_swap_contents(struct folio *a, struct folio *b);
void page_exchange_swap_identity(struct folio *a, struct folio *b);

/* unmapped.c */
bool page_exchange_unmapped(struct page_exchange_both *both, struct page_exchange *pair);

/* tables.c */
bool page_exchange_is_huge(struct mm_struct *mm, unsigned long addr);
bool page_exchange_tables_lock(struct page_exchange_tables *t, unsigned long a, unsigned long b);
void page_exchange_tables_unlock(struct page_exchange_tables *t);

/* Prepares a set without addresses. Obstacles say that nothing was tried. */
static inline void page_exchange_set_init(struct page_exchange_set *set)
{
	set->n = 0;
	set->is_physical = false;
	set->is_huge = false;
	nodes_setall(set->nodes);
	memset(set->folios, 0, sizeof(set->folios));
	memset(set->news, 0, sizeof(set->news));
	memset(set->obstacles, PAGE_EXCHANGE_UNTRIED, sizeof(set->obstacles));
	INIT_LIST_HEAD(&set->list);
	INIT_LIST_HEAD(&set->rest);
}

/* Not an obstacle: the folio is one that cannot be exchanged in place. */
#define PAGE_EXCHANGE_BY_MIGRATION NR_PAGE_EXCHANGE_OBSTACLES

/*
 * What keeps an anonymous folio from being exchanged in place. It has @refs references, of which
 * the mapping has one; a page just added to a list has one more.
 */
static inline enum page_exchange_obstacle page_exchange_folio_obstacle(struct folio *folio,
								       int refs)
{
	if (folio_test_hugetlb(folio) || folio_mapcount(folio) != 1 || folio_test_ksm(folio) ||
	    folio_test_mlocked(folio) || folio_test_unevictable(folio) ||
	    folio_test_swapcache(folio) || !folio_test_swapbacked(folio))
		return PAGE_EXCHANGE_BY_MIGRATION;
	if (folio_maybe_dma_pinned(folio))
		return PAGE_EXCHANGE_PINNED;
	return folio_ref_count(folio) == refs ? PAGE_EXCHANGE_NO_OBSTACLE : PAGE_EXCHANGE_BUSY;
}

/* Whether a pair goes by migration, as nothing else keeps either of its pages; notes it if so. */
static inline bool page_exchange_goes_by_migration(struct page_exchange *pair)
{
	const bool a = pair->obstacle_a == PAGE_EXCHANGE_BY_MIGRATION;
	const bool b = pair->obstacle_b == PAGE_EXCHANGE_BY_MIGRATION;

	if (a)
		pair->obstacle_a = PAGE_EXCHANGE_UNTRIED;
	if (b)
		pair->obstacle_b = PAGE_EXCHANGE_UNTRIED;
	pair->by_migration = (a && (b || !pair->obstacle_b)) || (b && !pair->obstacle_a);
	if (a && !pair->by_migration)
		pair->obstacle_a = PAGE_EXCHANGE_NO_OBSTACLE;
	if (b && !pair->by_migration)
		pair->obstacle_b = PAGE_EXCHANGE_NO_OBSTACLE;
	return pair->by_migration;
}

/*
 * Whether a frame whose only reference is frozen is still what it was when it was chosen.
 * Until the freeze, others may have marked it as poisoned or as lazily freed.
 */
static inline bool page_exchange_frame_is_sound(struct folio *folio)
{
	return folio_test_swapbacked(folio) && !folio_test_hwpoison(folio) &&
	       !(folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

#endif /* _MM_PAGE_EXCHANGE_INTERNAL_H */
