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

struct address_space;
struct file;
struct mm_struct;
struct page_exchange_owner;

/**
 * struct page_exchange_space - What addresses mean
 * @mm:		User addresses of this mm, where pages are in its page tables. NULL: physical
 *		addresses of pages that are not anonymous, mapped or not.
 * @mapping:	Offsets in this file instead, if not NULL. It is not looked at unless it is found
 *		at @window, where any part of it may be: it may be gone.
 * @window:	A user address of @mm where the file is mapped; without @mm, the physical address
 *		of one of its pages.
 */
struct page_exchange_space {
	struct mm_struct *mm;
	const struct address_space *mapping;
	unsigned long window;
};

/**
 * struct page_exchange_side - One side of an exchange
 * @space:	Where the pages are.
 * @to:		Nodes where they go.
 */
struct page_exchange_side {
	struct page_exchange_space space;
	nodemask_t *to;
};

/**
 * enum page_exchange_obstacle - What keeps a page from being moved
 * @PAGE_EXCHANGE_NO_OBSTACLE: Nothing keeps it. That does not say that it was moved.
 * @PAGE_EXCHANGE_GONE:	There is no such page, or not where it was thought to be.
 * @PAGE_EXCHANGE_FORKED: The page has been used lately by others than those who give it up, such
 *			as another process after a fork.
 * @PAGE_EXCHANGE_PINNED: The page is pinned, e.g. for a device.
 * @PAGE_EXCHANGE_BUSY:	The page is locked, being written, or used otherwise at present.
 * @PAGE_EXCHANGE_REFUSED: The page is of a kind that is never moved, such as a device's, or must
 *			not be where it was to go, by a policy, a cpuset, or what a cgroup was
 *			promised.
 * @PAGE_EXCHANGE_NO_ROOM: The nodes where it was to go have no free memory for it.
 * @PAGE_EXCHANGE_UNTRIED: Nothing is known, because the process is changing its memory.
 * @NR_PAGE_EXCHANGE_OBSTACLES: How many there are.
 */
enum page_exchange_obstacle {
	PAGE_EXCHANGE_NO_OBSTACLE,
	PAGE_EXCHANGE_GONE,
	PAGE_EXCHANGE_FORKED,
	PAGE_EXCHANGE_PINNED,
	PAGE_EXCHANGE_BUSY,
	PAGE_EXCHANGE_REFUSED,
	PAGE_EXCHANGE_NO_ROOM,
	PAGE_EXCHANGE_UNTRIED,
	NR_PAGE_EXCHANGE_OBSTACLES,
};

/**
 * enum page_exchange_reason - Why a scan leaves memory alone
 * @PAGE_EXCHANGE_MOVABLE: It does not: pages could be moved.
 * @PAGE_EXCHANGE_POLICY: A policy of the area or of the process keeps it in one tier.
 * @PAGE_EXCHANGE_CPUSET: The cpuset of the process does.
 * @PAGE_EXCHANGE_FILE:	It is a device's, or of a file in persistent memory (DAX).
 * @PAGE_EXCHANGE_NODE:	It is on a node that was not looked for.
 * @PAGE_EXCHANGE_HUGETLB: It is of hugetlbfs, in huge pages of another size than others have.
 * @PAGE_EXCHANGE_SPECIAL: It is a device's or another part of no page, likewise.
 * @NR_PAGE_EXCHANGE_REASONS: How many there are.
 */
enum page_exchange_reason {
	PAGE_EXCHANGE_MOVABLE,
	PAGE_EXCHANGE_POLICY,
	PAGE_EXCHANGE_CPUSET,
	PAGE_EXCHANGE_FILE,
	PAGE_EXCHANGE_NODE,
	PAGE_EXCHANGE_HUGETLB,
	PAGE_EXCHANGE_SPECIAL,
	NR_PAGE_EXCHANGE_REASONS,
};

/**
 * struct page_exchange - Two pages that trade places
 * @a:		Address of a page on the first side.
 * @b:		Address of a page on the second side.
 * @huge:	Whether they are huge pages; otherwise base pages.
 * @exchanged:	Whether they did.
 * @only_a:	Whether that at @a has come, but that at @b has not left.
 * @only_b:	Whether that at @b has left, but that at @a has not come.
 * @by_migration: Whether they do so by migration. Belongs to the exchange.
 * @obstacle_a:	What kept the page at @a from being moved; enum page_exchange_obstacle. A page
 *		without an obstacle stays if its partner has one.
 * @obstacle_b:	Likewise for the page at @b.
 */
struct page_exchange {
	unsigned long a;
	unsigned long b;
	bool huge;
	bool exchanged;
	bool only_a;
	bool only_b;
	bool by_migration;
	u8 obstacle_a;
	u8 obstacle_b;
};

unsigned int page_exchange_pairs(const struct page_exchange_side *a,
				 const struct page_exchange_side *b, struct page_exchange *pairs,
				 unsigned int n);
unsigned int page_exchange_migrate(const struct page_exchange_space *space, unsigned long *addrs,
				   u8 *obstacles, unsigned int n, bool huge, nodemask_t *nodes);
unsigned int page_exchange_migrate_borrowing(const struct page_exchange_space *space,
					     unsigned long *addrs, u8 *obstacles, unsigned int n,
					     bool huge, nodemask_t *nodes, unsigned int borrow);
unsigned long page_exchange_room(int nid, unsigned int order);
unsigned long page_exchange_free(int nid, unsigned int order);
void page_exchange_reserve(int nid, unsigned long pages);
bool page_exchange_split(const struct page_exchange_space *space, unsigned long addr);
bool page_exchange_join(struct mm_struct *mm, unsigned long addr);

/**
 * struct page_exchange_place - A place in a file
 * @addr:	User address where it is mapped, or physical address.
 * @mapping:	The file, which may be gone by now; NULL: none is mapped there.
 * @offset:	Offset in it.
 */
struct page_exchange_place {
	unsigned long addr;
	const struct address_space *mapping;
	unsigned long offset;
};

/* Steps that a table of base pages takes; a huge page takes one, and so does an area. */
#define PAGE_EXCHANGE_TABLE_STEPS 8

/**
 * struct page_exchange_scan - A look at the pages of a space
 * @found:	Called for each 2 MiB in which something is that could be moved. The mmap lock is
 *		held, mostly.
 * @file:	Called for each area of an mm that maps a file, or memory that is shared, with its
 *		file and its first address. The mmap lock is held.
 * @is_known:	Whether a file's pages are found elsewhere, so that a scan of physical memory is
 *		to pass them over. The file may be gone.
 * @fast_nodes:	Nodes whose pages are looked for, and reported to be @fast.
 * @slow_nodes:	Other nodes whose pages are looked for.
 * @steps:	How many steps the scan may take. It always looks at the first 2 MiB in which
 *		there is an area, and ends between two calls of @found.
 * @left:	Base pages that are left alone by enum page_exchange_reason, to which the scan adds
 *		those that it comes across; page_exchange_count_rest() adds the others. NULL if
 *		they are not to be counted: then areas that are left alone cost no walk.
 * @next:	Where to go on if there were too few steps, a multiple of PMD_SIZE.
 * @at:		The address that @found is called for, a multiple of PMD_SIZE.
 * @present:	Pages that are mapped there and could be moved.
 * @fast:	Those of them that are on @fast_nodes.
 * @huge:	Whether they are one huge page.
 * @any:	Whether there are any. This and the following fields belong to the scan.
 * @reason:	Why the area that is looked at is left alone.
 * @owner:	What the owner of the mm wants.
 * @area:	The 2 MiB in which the area begins that was looked at last.
 * @first:	The first 2 MiB that were looked at.
 * @distinct:	Whether the spans of frames of different nodes do not overlap.
 * @span_kind:	What the node of the frame found last is to the scan.
 * @span_start:	First frame of that node.
 * @span_pages:	Frames of that node.
 */
struct page_exchange_scan {
	void (*found)(struct page_exchange_scan *scan);
	void (*file)(struct page_exchange_scan *scan, struct file *file, unsigned long window);
	bool (*is_known)(struct page_exchange_scan *scan, const struct address_space *mapping);
	const nodemask_t *fast_nodes;
	const nodemask_t *slow_nodes;
	unsigned int steps;
	unsigned long *left;
	unsigned long next;
	unsigned long at;
	DECLARE_BITMAP(present, PTRS_PER_PTE);
	DECLARE_BITMAP(fast, PTRS_PER_PTE);
	bool huge;
	bool any;
	u8 reason;
	const struct page_exchange_owner *owner;
	unsigned long area;
	unsigned long first;
	bool distinct;
	u8 span_kind;
	unsigned long span_start;
	unsigned long span_pages;
};

int page_exchange_scan(const struct page_exchange_space *space, unsigned long start,
		       unsigned long end, struct page_exchange_scan *scan);
void page_exchange_count_rest(struct mm_struct *mm, struct page_exchange_scan *scan);
unsigned long page_exchange_resident(const struct page_exchange_space *space);
void page_exchange_resolve(struct mm_struct *mm, struct page_exchange_place *places,
			   unsigned int n);

bool page_exchange_owner_is_protected(struct mm_struct *mm);
unsigned int page_exchange_owner_cgroup(struct mm_struct *mm);

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
bool page_exchange_is_balanced(void);
unsigned long page_exchange_reclaimed(void);

#endif /* _LINUX_PAGE_EXCHANGE_H */
