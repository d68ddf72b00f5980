// SPDX-License-Identifier: GPL-2.0
/*
 * Moves pages of user memory to nodes that have free memory, as long as nobody would
 * have to reclaim some for others because of it.
 */
#include <linux/export.h>
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
 * page_exchange_alloc() - Allocate where pages go
 * @from:	The folio that is to be moved.
 * @private:	Pointer to the nodemask_t of the nodes where it may go.
 *
 * For migrate_pages().
 *
 * Return: a folio, or NULL if there is no free memory that nobody has to reclaim any for.
 */
struct folio *page_exchange_alloc(struct folio *from, unsigned long private)
{
	const unsigned int order = folio_order(from);
	nodemask_t *nodes = (nodemask_t *)private;
	int nid;

	for_each_node_mask(nid, *nodes)
		if (page_exchange_room(nid, order) >> order)
			return __folio_alloc_node(MIGRATE_GFP | MIGRATE_GFP_FLAGS, order, nid);
	return NULL;
}

static enum page_exchange_obstacle page_exchange_isolate_for_migration(struct mm_struct *mm,
								       unsigned long addr,
								       const nodemask_t *nodes,
								       struct list_head *list)
{
	enum page_exchange_obstacle obstacle;
	struct page_exchange_walk page;
	struct folio *folio;

	if (!page_exchange_walk_start(mm, addr, &page))
		return page_exchange_check_vma(mm, addr) ?: PAGE_EXCHANGE_GONE;
	folio = page.folio;
	/* a large folio of which this is only a part would move as a whole */
	if (!folio_test_anon(folio) ||
	    (folio_test_large(folio) && page.walk.level != FW_LEVEL_PMD) ||
	    folio_is_zone_device(folio) || folio_test_unevictable(folio))
		obstacle = PAGE_EXCHANGE_REFUSED;
	else if (node_isset(folio_nid(folio), *nodes))
		/* somebody else has moved it */
		obstacle = PAGE_EXCHANGE_GONE;
	else if (folio_likely_mapped_shared(folio))
		obstacle = PAGE_EXCHANGE_FORKED;
	else if (!isolate_folio_to_list(folio, list))
		obstacle = PAGE_EXCHANGE_BUSY;
	else
		obstacle = PAGE_EXCHANGE_NO_OBSTACLE;
	page_exchange_walk_end(&page);
	return obstacle;
}

/*
 * Migration has left some of the isolated pages where they were, and said why, but not
 * which: find those that are still there and give them @obstacle, unless they are pinned.
 */
static void page_exchange_find_left_behind(struct mm_struct *mm, const unsigned long *addrs,
					   u8 *obstacles, unsigned int n, const nodemask_t *nodes,
					   enum page_exchange_obstacle obstacle)
{
	const bool locked = mmap_read_trylock(mm);

	for (unsigned int i = 0; i < n; i++) {
		struct page_exchange_walk page;

		if (obstacles[i] != PAGE_EXCHANGE_NO_OBSTACLE)
			continue;
		if (!locked) {
			obstacles[i] = PAGE_EXCHANGE_UNTRIED;
			continue;
		}
		if (!page_exchange_walk_start(mm, addrs[i], &page)) {
			obstacles[i] = PAGE_EXCHANGE_GONE;
			continue;
		}
		if (!node_isset(folio_nid(page.folio), *nodes))
			obstacles[i] = folio_maybe_dma_pinned(page.folio) ? PAGE_EXCHANGE_PINNED
									  : obstacle;
		page_exchange_walk_end(&page);
	}
	if (locked)
		mmap_read_unlock(mm);
}

/**
 * page_exchange_migrate() - Move pages of user memory to nodes with free memory
 * @mm:		The mm.
 * @addrs:	User addresses of the pages; for a huge page that of the huge page.
 * @obstacles:	Gets for each address what kept its page from being moved: enum
 *		page_exchange_obstacle. Pages that were moved have none; but if some were left
 *		behind while the process was changing its memory, all are PAGE_EXCHANGE_UNTRIED.
 * @n:		How many addresses there are.
 * @nodes:	The nodes where the pages are to go.
 *
 * Takes free pages only: neither reclaims nor wakes anybody who does. The caller holds a
 * reference on the users of @mm and no locks. May sleep.
 *
 * Return: how many base pages were moved.
 */
unsigned int page_exchange_migrate(struct mm_struct *mm, const unsigned long *addrs, u8 *obstacles,
				   unsigned int n, nodemask_t *nodes)
{
	unsigned int moved = 0;
	LIST_HEAD(list);
	int ret;

	memset(obstacles, PAGE_EXCHANGE_UNTRIED, n);
	lru_add_drain();
	if (!page_exchange_owner_allows(mm)) {
		memset(obstacles, PAGE_EXCHANGE_REFUSED, n);
		return 0;
	}
	if (!mmap_read_trylock(mm))
		return 0;
	for (unsigned int i = 0; i < n; i++)
		obstacles[i] = page_exchange_isolate_for_migration(mm, addrs[i], nodes, &list);
	mmap_read_unlock(mm);
	if (list_empty(&list))
		return 0;
	ret = migrate_pages(&list, page_exchange_alloc, NULL, (unsigned long)nodes, MIGRATE_ASYNC,
			    MR_NUMA_MISPLACED, &moved);
	if (!list_empty(&list)) {
		putback_movable_pages(&list);
		page_exchange_find_left_behind(mm, addrs, obstacles, n, nodes,
					       ret == -ENOMEM ? PAGE_EXCHANGE_NO_ROOM
							      : PAGE_EXCHANGE_BUSY);
	}
	return moved;
}
EXPORT_SYMBOL_GPL(page_exchange_migrate);
