/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exchange pages of user memory in place, and see on which nodes they are.
 *
 * The part of Demeter that needs the insides of mm/, and nothing else: what to
 * exchange is decided elsewhere. See mm/demeter/exchange.c.
 */
#ifndef _LINUX_PAGE_EXCHANGE_H
#define _LINUX_PAGE_EXCHANGE_H

#include <linux/nodemask.h>
#include <linux/pgtable.h>
#include <linux/types.h>

struct mm_struct;

/**
 * enum page_exchange_result - What came of one pair, or of one page
 * @PAGE_EXCHANGED:	It was moved.
 * @PAGE_EXCHANGE_GONE:	There is no such page, or not any more, or the process
 *			is changing its memory.
 * @PAGE_EXCHANGE_BUSY:	A page is pinned, locked, shared or in the swap cache
 *			at present.
 * @PAGE_EXCHANGE_REFUSED: A page is of a kind that is never moved: of a file,
 *			locked in memory, special, or with a place given to it by
 *			a policy.
 * @PAGE_EXCHANGE_NO_ROOM: There is no free memory for it where it was to go.
 */
enum page_exchange_result {
	PAGE_EXCHANGED,
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
 * @result_a:	What came of it, by the page at @a; see enum page_exchange_result.
 * @result_b:	Likewise by the page at @b. They were exchanged if both are
 *		PAGE_EXCHANGED. If one is, it was the other that could not be moved.
 */
struct page_exchange {
	unsigned long a;
	unsigned long b;
	bool huge;
	u8 result_a;
	u8 result_b;
};

unsigned int exchange_user_pages(struct mm_struct *mm_a, struct mm_struct *mm_b,
				 struct page_exchange *pairs, unsigned int n);
unsigned int migrate_user_pages(struct mm_struct *mm, const unsigned long *addrs, u8 *results,
				unsigned int n, nodemask_t *nodes);

unsigned long room_for_user_pages(int nid, unsigned int order);
bool split_user_page(struct mm_struct *mm, unsigned long addr);

/* What scan_user_pages() reports: a node, with this flag if the page is huge. */
#define USER_PAGE_HUGE 0x4000
#define USER_PAGE_NONE NUMA_NO_NODE

/**
 * struct user_page_scan - A look at the pages of an mm
 * @found:	Called for each 2 MiB in which something is mapped; more than once
 *		for those that vmas share, each time with all that was found there
 *		so far. May sleep. Ends the scan by returning a positive number.
 * @at:		The address that it is called for, a multiple of PMD_SIZE.
 * @nids:	Per page, its node and USER_PAGE_HUGE, or USER_PAGE_NONE where nothing
 *		is mapped that could be moved.
 * @span_start:	First frame of the node found last; the scan's own, as what follows.
 * @span_pages:	Frames of that node.
 * @span_nid:	Its number.
 * @distinct:	Whether frames of nodes do not lie among each other.
 */
struct user_page_scan {
	int (*found)(struct user_page_scan *scan, unsigned long at);
	unsigned long at;
	s16 nids[PTRS_PER_PTE];
	unsigned long span_start;
	unsigned long span_pages;
	s16 span_nid;
	bool distinct;
};

int scan_user_pages(struct mm_struct *mm, unsigned long start, struct user_page_scan *scan);
void forget_user_translations(struct mm_struct *mm);
bool node_is_fast(int nid);

#endif /* _LINUX_PAGE_EXCHANGE_H */
