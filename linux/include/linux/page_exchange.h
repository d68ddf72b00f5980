/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exchange pages of user memory in place, and see on which nodes they are.
 *
 * Demeter has two halves, and this header is the border between them:
 *
 *	mm/page_exchange/	is built in, because it needs the insides of mm/. It knows how
 *				pages are found and moved, and which of them must stay.
 *	mm/demeter/		is a module. It samples accesses and decides which pages are
 *				to be moved; it never touches a page, a folio or a page table.
 *
 * The tiered balloon (drivers/virtio/tiered_balloon/) empties nodes through it. It knows
 * nothing of Demeter, nor Demeter of it: who knows what is hot is a ranker.
 */
#ifndef _LINUX_PAGE_EXCHANGE_H
#define _LINUX_PAGE_EXCHANGE_H

#include <linux/nodemask.h>
#include <linux/pgtable.h>
#include <linux/types.h>

struct mm_struct;

/**
 * enum page_exchange_obstacle - What keeps a page from being moved
 * @PAGE_EXCHANGE_NO_OBSTACLE: Nothing keeps it. That does not say that it was moved.
 * @PAGE_EXCHANGE_GONE:	There is no such page, or not any more, or the process
 *			is changing its memory.
 * @PAGE_EXCHANGE_BUSY:	The page is pinned, locked, shared or in the swap cache
 *			at present.
 * @PAGE_EXCHANGE_REFUSED: The page is of a kind that is never moved: of a file,
 *			locked in memory, special, or with a place given to it by
 *			a policy.
 * @PAGE_EXCHANGE_NO_ROOM: The nodes where it was to go have no free memory for it.
 */
enum page_exchange_obstacle {
	PAGE_EXCHANGE_NO_OBSTACLE,
	PAGE_EXCHANGE_GONE,
	PAGE_EXCHANGE_BUSY,
	PAGE_EXCHANGE_REFUSED,
	PAGE_EXCHANGE_NO_ROOM,
};

/**
 * struct page_exchange - Two pages that trade places
 * @a:		User address of a page in the first mm.
 * @b:		User address of a page in the second mm.
 * @huge:	Whether they are huge pages; otherwise base pages.
 * @exchanged:	Whether they did.
 * @obstacle_a:	What kept the page at @a from being moved; enum page_exchange_obstacle. A page
 *		without an obstacle stays if its partner has one.
 * @obstacle_b:	Likewise for the page at @b.
 */
struct page_exchange {
	unsigned long a;
	unsigned long b;
	bool huge;
	bool exchanged;
	u8 obstacle_a;
	u8 obstacle_b;
};

unsigned int page_exchange_pairs(struct mm_struct *mm_a, struct mm_struct *mm_b,
				 struct page_exchange *pairs, unsigned int n);
unsigned int page_exchange_migrate(struct mm_struct *mm, const unsigned long *addrs, u8 *obstacles,
				   unsigned int n, nodemask_t *nodes);
unsigned long page_exchange_room(int nid, unsigned int order);
unsigned long page_exchange_free(int nid, unsigned int order);
void page_exchange_reserve(int nid, unsigned long pages);
bool page_exchange_split(struct mm_struct *mm, unsigned long addr);

/* What page_exchange_scan() reports of a page: its node, with this flag if it is huge. */
#define PAGE_EXCHANGE_SCAN_HUGE 0x4000
#define PAGE_EXCHANGE_SCAN_NONE NUMA_NO_NODE

/**
 * struct page_exchange_scan - A look at the pages of an mm
 * @found:	Called for each 2 MiB in which something is mapped. Where several vmas
 *		share 2 MiB it is called for each of them, each time with all that was
 *		found there so far. May sleep. Returns a positive number to end the scan.
 * @at:		The address that @found is called for, a multiple of PMD_SIZE.
 * @nids:	For each page its node and PAGE_EXCHANGE_SCAN_HUGE, or
 *		PAGE_EXCHANGE_SCAN_NONE where nothing is mapped that could be moved.
 * @span_start:	First frame of the node found last. This and the following fields belong
 *		to the scan.
 * @span_pages:	Frames of that node.
 * @span_nid:	Number of that node.
 * @distinct:	Whether the spans of frames of different nodes do not overlap.
 */
struct page_exchange_scan {
	int (*found)(struct page_exchange_scan *scan, unsigned long at);
	unsigned long at;
	s16 nids[PTRS_PER_PTE];
	unsigned long span_start;
	unsigned long span_pages;
	s16 span_nid;
	bool distinct;
};

int page_exchange_scan(struct mm_struct *mm, unsigned long start, struct page_exchange_scan *scan);
/**
 * struct page_exchange_heat - A point of the curve of heat
 * @pages:	Base pages that are at least that hot.
 * @heat:	Accesses per second to each of them that miss all caches, times 1024.
 */
struct page_exchange_heat {
	u64 pages;
	u64 heat;
};

/**
 * struct page_exchange_ranker - Whoever knows which pages are hot
 * @evacuate:	Moves up to about @pages base pages that can be spared first from the node @nid
 *		to nodes of @to. Returns how many were moved. May sleep.
 * @heat_curve:	Fills up to @n points of the curve of heat. Returns how many. May sleep.
 */
struct page_exchange_ranker {
	unsigned long (*evacuate)(struct page_exchange_ranker *ranker, int nid, unsigned long pages,
				  nodemask_t *to);
	unsigned int (*heat_curve)(struct page_exchange_ranker *ranker,
				   struct page_exchange_heat *curve, unsigned int n);
};

int page_exchange_register_ranker(struct page_exchange_ranker *ranker);
void page_exchange_unregister_ranker(struct page_exchange_ranker *ranker);
unsigned long page_exchange_evacuate(int nid, unsigned long pages, nodemask_t *to);
unsigned int page_exchange_heat_curve(struct page_exchange_heat *curve, unsigned int n);

void page_exchange_flush_tlb(struct mm_struct *mm);
bool page_exchange_node_is_fast(int nid);

#endif /* _LINUX_PAGE_EXCHANGE_H */
