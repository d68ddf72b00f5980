// SPDX-License-Identifier: GPL-2.0
/*
 * Moves pages of user memory to nodes that have free memory, as long as nobody would
 * have to reclaim some for others because of it.
 */
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/migrate.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>

#include "../internal.h"
#include "internal.h"

/* Takes no reserves and wakes nobody who reclaims. */
#define MIGRATE_GFP	  (GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM)
#define MIGRATE_GFP_FLAGS (__GFP_THISNODE | __GFP_NOWARN | __GFP_NOMEMALLOC | __GFP_NORETRY)

static unsigned long page_exchange_free_in_blocks(struct zone *zone, unsigned int order)
{
	unsigned long n = 0;

	if (!order)
		return zone_page_state(zone, NR_FREE_PAGES);
	for (; order < NR_PAGE_ORDERS; order++)
		/* read without the zone's lock: the sum is only a hint */
		n += data_race(zone->free_area[order].nr_free) << order;
	return n;
}

/**
 * page_exchange_free() - How much of a node's free memory nobody needs
 * @nid:	The node.
 * @order:	Order of the free pages that count.
 *
 * Leaves free what reclaim would defend, as much again for allocations of others, and
 * what the allocator keeps in reserve: whoever takes only this wakes nobody.
 *
 * Return: in base pages.
 */
unsigned long page_exchange_free(int nid, unsigned int order)
{
	unsigned long all = 0;

	for (int i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];
		const unsigned long unused = zone_page_state(zone, NR_FREE_PAGES);
		const unsigned long keep = 2 * high_wmark_pages(zone) + SWAP_CLUSTER_MAX +
					   zone->lowmem_reserve[gfp_zone(MIGRATE_GFP)] +
					   READ_ONCE(zone->nr_free_highatomic);

		if (managed_zone(zone) && unused > keep)
			all += min(unused - keep, page_exchange_free_in_blocks(zone, order));
	}
	return all;
}
EXPORT_SYMBOL_GPL(page_exchange_free);

/* Base pages of each node that somebody is about to take out of use */
static atomic_long_t page_exchange_reserved[MAX_NUMNODES];

/**
 * page_exchange_reserve() - Keep others from filling a node that is to become smaller
 * @nid:	The node.
 * @pages:	Base pages that are about to be taken out of use; replaces what was told before.
 */
void page_exchange_reserve(int nid, unsigned long pages)
{
	atomic_long_set(&page_exchange_reserved[nid], pages);
}
EXPORT_SYMBOL_GPL(page_exchange_reserve);

/**
 * page_exchange_room() - How much of a node's free memory may be filled
 * @nid:	The node.
 * @order:	Order of the pages that are to fill it.
 *
 * Leaves free what page_exchange_free() does, and what is reserved.
 *
 * Return: in base pages.
 */
unsigned long page_exchange_room(int nid, unsigned int order)
{
	const unsigned long reserved = atomic_long_read(&page_exchange_reserved[nid]);
	const unsigned long all = page_exchange_free(nid, order);

	return all > reserved ? all - reserved : 0;
}
EXPORT_SYMBOL_GPL(page_exchange_room);

/**
 * struct page_exchange_target - Where folios of a set go
 * @set:	The set, which says where all of them may be; gets what they become. NULL: there is
 *		nothing but the folios, which may be on all of the nodes.
 * @nodes:	The nodes.
 * @borrow:	Base pages that leave the nodes: so much may be used of what is left free to others.
 */
struct page_exchange_target {
	struct page_exchange_set *set;
	nodemask_t *nodes;
	unsigned int borrow;
};

static struct folio *page_exchange_alloc_huge(struct folio *from, int nid)
{
	struct hstate *h = folio_hstate(from);
	nodemask_t node = nodemask_of_node(nid);

	return alloc_hugetlb_folio_nodemask(
		h, nid, &node, (htlb_alloc_mask(h) & ~__GFP_RECLAIM) | MIGRATE_GFP_FLAGS, false);
}

/*
 * Whether a folio may go to a node, as far as its free memory is concerned. What is free in the
 * node's pool of huge pages is for others, unless as many come back to it.
 */
static bool page_exchange_has_room(const struct page_exchange_target *target, struct folio *from,
				   int nid)
{
	const unsigned int order = folio_order(from);

	if (target->borrow >= folio_nr_pages(from))
		return true;
#ifdef CONFIG_HUGETLB_PAGE
	if (folio_test_hugetlb(from) && READ_ONCE(folio_hstate(from)->free_huge_pages_node[nid]))
		return false;
#endif
	return page_exchange_room(nid, order) >> order;
}

static struct folio *page_exchange_alloc_on(struct folio *from, int nid)
{
	if (folio_test_hugetlb(from))
		return page_exchange_alloc_huge(from, nid);
	return __folio_alloc_node(MIGRATE_GFP | MIGRATE_GFP_FLAGS, folio_order(from), nid);
}

/* Enters where pages of physical memory go, all those that are in a folio. */
static void page_exchange_note_new(struct page_exchange_set *set, struct folio *from,
				   struct folio *to)
{
	for (unsigned int i = 0; i < set->n; i++) {
		const unsigned long offset = PHYS_PFN(set->addrs[i]) - folio_pfn(from);

		if (set->folios[i] && offset < folio_nr_pages(from))
			set->news[i] = PFN_PHYS(folio_pfn(to) + offset);
	}
}

/* Allocates what a folio becomes, for migrate_pages(). Reclaims nothing. */
static struct folio *page_exchange_alloc(struct folio *from, unsigned long private)
{
	struct page_exchange_target *target = (struct page_exchange_target *)private;
	struct folio *folio = NULL;
	int nid;

	for_each_node_mask(nid, *target->nodes) {
		if (target->set && !node_isset(nid, target->set->nodes))
			continue;
		if (page_exchange_has_room(target, from, nid))
			folio = page_exchange_alloc_on(from, nid);
		if (folio)
			break;
	}
	if (folio)
		target->borrow -= min(target->borrow, folio_nr_pages(from));
	if (folio && target->set && target->set->is_physical)
		page_exchange_note_new(target->set, from, folio);
	return folio;
}

/**
 * page_exchange_move_list() - Move folios to other nodes
 * @list:	The folios, which are isolated. Those that are not moved stay in it.
 * @nodes:	Where they go.
 * @mode:	How long to wait for them.
 *
 * Return: base pages moved.
 */
unsigned int page_exchange_move_list(struct list_head *list, nodemask_t *nodes,
				     enum migrate_mode mode)
{
	struct page_exchange_target target = { .nodes = nodes };
	unsigned int moved = 0;

	migrate_pages(list, page_exchange_alloc, NULL, (unsigned long)&target, mode,
		      MR_NUMA_MISPLACED, &moved);
	return moved;
}

/**
 * page_exchange_move_set() - Move folios of a set to other nodes, and put back the others
 * @set:	The set. Gets obstacles of those that were not moved, and physical addresses of
 *		those that were.
 * @nodes:	Where they go.
 * @borrow:	Base pages that leave those nodes for it. The others take free memory only.
 *
 * Large folios for which there is no room are split; huge pages are not.
 *
 * Return: base pages moved.
 */
unsigned int page_exchange_move_set(struct page_exchange_set *set, nodemask_t *nodes,
				    unsigned int borrow)
{
	struct page_exchange_target target = { .set = set, .nodes = nodes, .borrow = borrow };
	unsigned int moved = 0;
	int ret = 0;

	if (!list_empty(&set->list))
		ret = migrate_pages(&set->list, page_exchange_alloc, NULL, (unsigned long)&target,
				    MIGRATE_ASYNC, set->is_huge ? MR_NUMA_MISPLACED : MR_SYSCALL,
				    &moved);
	page_exchange_put_back(set, ret == -ENOMEM ? PAGE_EXCHANGE_NO_ROOM : PAGE_EXCHANGE_BUSY);
	for (unsigned int i = 0; set->is_physical && i < set->n; i++) {
		if (!set->folios[i] || set->obstacles[i])
			continue;
		if (set->news[i])
			set->addrs[i] = set->news[i];
		else
			/* nobody used it any more, and it was freed instead */
			set->obstacles[i] = PAGE_EXCHANGE_GONE;
	}
	return moved;
}

/* Moves a page to nodes where it may be. Returns how many base pages that were. */
static unsigned int page_exchange_move_back(unsigned long addr, bool huge, nodemask_t *nodes,
					    struct page_exchange_finder *f)
{
	struct page_exchange_set back;

	page_exchange_set_init(&back);
	back.n = 1;
	back.is_huge = huge;
	back.is_physical = page_exchange_is_frames(f->space);
	back.addrs[0] = addr;
	page_exchange_isolate(&back, f, nodes, false);
	return page_exchange_move_set(&back, nodes, UINT_MAX);
}

/**
 * page_exchange_revise() - Move pages back that must not be where they have gone
 * @set:	The set, which was moved. Those that move back have an obstacle.
 * @f:		Finds its pages.
 *
 * Meanwhile, a cpuset may have changed, or a policy: of files and of what is mapped by other
 * processes. The mmap lock of the one whose page tables are looked at keeps its own as they are.
 *
 * Return: how many base pages have moved back.
 */
unsigned int page_exchange_revise(struct page_exchange_set *set, struct page_exchange_finder *f)
{
	unsigned int moved = 0;

	if (f->space->mm && !f->space->mapping && !f->has_sharers)
		return 0;
	/* who cannot be asked right now is not known to mind */
	if (!page_exchange_finder_ask(f))
		return 0;
	for (unsigned int i = 0; i < set->n; i++) {
		struct page_exchange_found found;
		unsigned int back;
		bool may_stay;

		if (!set->folios[i] || set->obstacles[i] ||
		    page_exchange_find(f, set->addrs[i], &found))
			continue;
		may_stay = node_isset(folio_nid(found.folio), found.nodes);
		folio_put(found.folio);
		if (may_stay)
			continue;
		back = page_exchange_move_back(set->addrs[i], set->is_huge, &found.nodes, f);
		if (!back)
			continue;
		moved += back;
		/* in physical memory, it is somewhere else now */
		set->obstacles[i] = set->is_physical ? PAGE_EXCHANGE_GONE : PAGE_EXCHANGE_REFUSED;
	}
	return moved;
}

static unsigned int page_exchange_migrate_some(const struct page_exchange_space *space,
					       unsigned long *addrs, u8 *obstacles, unsigned int n,
					       bool huge, nodemask_t *nodes, unsigned int borrow)
{
	struct page_exchange_finder f;
	struct page_exchange_set set;
	unsigned int moved;

	page_exchange_set_init(&set);
	set.n = n;
	set.is_huge = huge;
	set.is_physical = page_exchange_is_frames(space);
	memcpy(set.addrs, addrs, n * sizeof(*addrs));
	memcpy(obstacles, set.obstacles, n);
	if (page_exchange_finder_start(&f, space))
		return 0;
	page_exchange_isolate(&set, &f, nodes, false);
	moved = page_exchange_move_set(&set, nodes, borrow);
	moved -= min(moved, page_exchange_revise(&set, &f));
	page_exchange_finder_end(&f);
	memcpy(obstacles, set.obstacles, n);
	memcpy(addrs, set.addrs, n * sizeof(*addrs));
	return moved;
}

/**
 * page_exchange_migrate() - Move pages to nodes with free memory
 * @space:	Where the pages are.
 * @addrs:	Addresses of the pages, best sorted; for a huge page that of the huge page. A
 *		physical address becomes that where the page has gone.
 * @obstacles:	Gets for each address what kept its page from being moved: enum
 *		page_exchange_obstacle. Pages that were moved have none.
 * @n:		How many addresses there are.
 * @huge:	Whether they are those of huge pages; otherwise of base pages.
 * @nodes:	The nodes where the pages are to go.
 *
 * Takes free pages only: neither reclaims nor wakes anybody who does. The caller holds a
 * reference on the users of the mm and no locks. May sleep.
 *
 * Return: how many base pages were moved.
 */
unsigned int page_exchange_migrate(const struct page_exchange_space *space, unsigned long *addrs,
				   u8 *obstacles, unsigned int n, bool huge, nodemask_t *nodes)
{
	return page_exchange_migrate_borrowing(space, addrs, obstacles, n, huge, nodes, 0);
}
EXPORT_SYMBOL_GPL(page_exchange_migrate);

/**
 * page_exchange_migrate_borrowing() - Move pages to nodes, some of which leave room for that later
 * @space:	As for page_exchange_migrate().
 * @addrs:	Likewise.
 * @obstacles:	Likewise.
 * @n:		Likewise.
 * @huge:	Likewise.
 * @nodes:	Likewise.
 * @borrow:	Base pages that the caller is going to move away from @nodes: so much may be used of
 *		what is left free to others, down to the min watermark.
 *
 * Return: how many base pages were moved.
 */
unsigned int page_exchange_migrate_borrowing(const struct page_exchange_space *space,
					     unsigned long *addrs, u8 *obstacles, unsigned int n,
					     bool huge, nodemask_t *nodes, unsigned int borrow)
{
	unsigned int moved = 0;

	lru_add_drain();
	for (unsigned int i = 0; i < n; i += PAGE_EXCHANGE_SET) {
		moved += page_exchange_migrate_some(space, addrs + i, obstacles + i,
						    min(n - i, PAGE_EXCHANGE_SET), huge, nodes,
						    borrow - min(borrow, moved));
		cond_resched();
	}
	return moved;
}
EXPORT_SYMBOL_GPL(page_exchange_migrate_borrowing);
