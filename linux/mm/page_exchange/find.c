// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the folio that is at an address: in the page tables of a process, in a file, or in
 * physical memory.
 */
#include <linux/hugetlb.h>
#include <linux/memory_hotplug.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>

#include "../internal.h"
#include "internal.h"

/*
 * Areas that map a file and are asked for their nodes; beyond that it stays where it is. In
 * physical memory, where files are found page by page, fewer are.
 */
#define FILE_AREAS  4096
#define FRAME_AREAS 256
/* Processes that are asked where a page may be that they share; beyond that it stays. */
#define SHARERS 1024

/**
 * page_exchange_is_frames() - Whether addresses of a space are physical ones
 * @space:	The space.
 *
 * Return: whether they are.
 */
bool page_exchange_is_frames(const struct page_exchange_space *space)
{
	return !space->mm && !space->mapping;
}

/* Gets a reference on what is in a frame, if that may be reclaimed. */
static struct folio *page_exchange_get_frame(unsigned long addr)
{
	struct page *page = pfn_to_online_page(PHYS_PFN(addr));
	struct folio *folio;

	if (!page || !PageLRU(page))
		return NULL;
	folio = page_folio(page);
	if (!folio_try_get(folio))
		return NULL;
	if (page_folio(page) == folio && folio_test_lru(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

/* Keeps a file from going away by the lock of one of its pages, which cannot be moved then. */
static int page_exchange_hold_file(struct page_exchange_finder *f)
{
	struct folio *folio = page_exchange_get_frame(f->space->window);
	int ret = -ESTALE;

	if (!folio)
		return -ESTALE;
	if (folio_trylock(folio)) {
		if (folio->mapping == f->space->mapping) {
			f->page = folio;
			f->has_page = true;
			/*
			 * To reclaim memory might take its lock, also by writing to swap space
			 * that is in this file.
			 */
			f->flags = memalloc_noio_save();
			f->mapping = folio->mapping;
			return 0;
		}
		folio_unlock(folio);
	} else {
		ret = -EAGAIN;
	}
	folio_put(folio);
	return ret;
}

/**
 * page_exchange_finder_start() - Prepare to find folios
 * @f:		Gets what they have in common.
 * @space:	Where their addresses are. The caller has a reference on the users of its mm.
 *
 * Does not wait for any lock.
 *
 * Return: 0: they can be found until page_exchange_finder_end(); -EAGAIN if the process is
 * changing its memory, or the page of a file is locked, -ESTALE if the file is not found where
 * it was.
 */
int page_exchange_finder_start(struct page_exchange_finder *f,
			       const struct page_exchange_space *space)
{
	f->space = space;
	f->vma = NULL;
	f->mapping = NULL;
	f->page = NULL;
	f->has_page = false;
	f->nodes = node_states[N_MEMORY];
	f->asked = NULL;
	f->is_aliased = false;
	f->last = NULL;
	f->has_sharers = false;
	if (!space->mm)
		return space->mapping ? page_exchange_hold_file(f) : 0;
	if (!mmap_read_trylock(space->mm))
		return -EAGAIN;
	/* a cpuset that changes takes this lock before it looks where pages are */
	page_exchange_owner_nodes(space->mm, &f->owner);
	if (!space->mapping)
		return 0;
	f->vma = vma_lookup(space->mm, space->window);
	if (f->vma && page_exchange_vma_is_file(f->vma) && !page_exchange_vma_reason(f->vma) &&
	    f->vma->vm_file->f_mapping == space->mapping) {
		f->mapping = f->vma->vm_file->f_mapping;
		return 0;
	}
	mmap_read_unlock(space->mm);
	return -ESTALE;
}

/**
 * page_exchange_finder_start_beside() - Prepare to find folios of the other side of pairs
 * @f:		Gets what they have in common.
 * @space:	Where their addresses are.
 * @first:	The finder of the one side, which ends after this one.
 *
 * Return: as page_exchange_finder_start(). A page of a file that @first has locked serves both.
 */
int page_exchange_finder_start_beside(struct page_exchange_finder *f,
				      const struct page_exchange_space *space,
				      const struct page_exchange_finder *first)
{
	if (!first->page || space->mm || space->mapping != first->mapping)
		return page_exchange_finder_start(f, space);
	*f = *first;
	f->space = space;
	f->has_page = false;
	return 0;
}

/**
 * page_exchange_finder_ask() - Ask where pages may be, before they are found to be moved
 * @f:		The finder. For page tables, that is asked for each area, and for physical memory
 *		for each file.
 *
 * Return: whether that is known. Otherwise none is moved at present.
 */
bool page_exchange_finder_ask(struct page_exchange_finder *f)
{
	f->asked = NULL;
	return !f->mapping || page_exchange_file_nodes(f->mapping, f->space->mm, FILE_AREAS,
						       &f->nodes, &f->is_aliased);
}

/**
 * page_exchange_finder_end() - Undo page_exchange_finder_start()
 * @f:		The finder.
 */
void page_exchange_finder_end(const struct page_exchange_finder *f)
{
	if (f->space->mm)
		mmap_read_unlock(f->space->mm);
	if (f->has_page) {
		memalloc_noio_restore(f->flags);
		folio_unlock(f->page);
		folio_put(f->page);
	}
}

/* Asks where a page of a file may be that was found in physical memory. */
static enum page_exchange_obstacle page_exchange_ask_frame(struct page_exchange_finder *f,
							   struct page_exchange_found *found)
{
	enum page_exchange_obstacle obstacle = PAGE_EXCHANGE_GONE;
	struct folio *folio = found->folio;
	bool is_known = true;

	/* keeps its file from going away */
	if (!folio_trylock(folio))
		return PAGE_EXCHANGE_BUSY;
	if (folio->mapping && !folio_test_anon(folio)) {
		if (folio->mapping != f->asked)
			is_known = page_exchange_file_nodes(folio->mapping, NULL, FRAME_AREAS,
							    &f->nodes, &f->is_aliased);
		f->asked = is_known ? folio->mapping : NULL;
		found->nodes = f->nodes;
		page_exchange_shared_nodes(folio->mapping, folio->index, folio_nr_pages(folio),
					   &found->nodes);
		obstacle = is_known ? PAGE_EXCHANGE_NO_OBSTACLE : PAGE_EXCHANGE_BUSY;
	}
	folio_unlock(folio);
	return obstacle;
}

/* Gives up what was found, if something keeps it. */
static enum page_exchange_obstacle page_exchange_give_up(struct page_exchange_found *found,
							 enum page_exchange_obstacle obstacle)
{
	if (obstacle) {
		folio_put(found->folio);
		found->folio = NULL;
	}
	return obstacle;
}

static enum page_exchange_obstacle page_exchange_find_frame(struct page_exchange_finder *f,
							    unsigned long addr,
							    struct page_exchange_found *found)
{
	found->folio = page_exchange_get_frame(addr);
	if (!found->folio)
		return PAGE_EXCHANGE_GONE;
	return page_exchange_give_up(found, page_exchange_ask_frame(f, found));
}

static enum page_exchange_obstacle page_exchange_find_in_file(struct page_exchange_finder *f,
							      pgoff_t index,
							      struct page_exchange_found *found)
{
	struct folio *folio = filemap_get_folio(f->mapping, index);
	unsigned long pages;

	if (IS_ERR(folio))
		return PAGE_EXCHANGE_GONE;
	found->folio = folio;
	found->is_whole = folio_order(folio) == PMD_ORDER;
	/* of files, the number of a folio's first page is a multiple of its size */
	pages = folio_nr_pages(folio);
	page_exchange_shared_nodes(f->mapping, round_down(index, pages), pages, &found->nodes);
	return PAGE_EXCHANGE_NO_OBSTACLE;
}

/**
 * page_exchange_find_area() - Find the area of an address in page tables
 * @f:		Gets the area, and the nodes where its pages may be.
 * @addr:	User address.
 *
 * Return: PAGE_EXCHANGE_NO_OBSTACLE, PAGE_EXCHANGE_GONE if there is none, PAGE_EXCHANGE_REFUSED
 * if its pages are never moved.
 */
enum page_exchange_obstacle page_exchange_find_area(struct page_exchange_finder *f,
						    unsigned long addr)
{
	if (!f->vma || addr < f->vma->vm_start || addr >= f->vma->vm_end) {
		f->vma = vma_lookup(f->space->mm, addr);
		if (!f->vma)
			return PAGE_EXCHANGE_GONE;
		page_exchange_vma_nodes(f->vma, &f->owner, &f->nodes);
	}
	return page_exchange_vma_reason(f->vma) ? PAGE_EXCHANGE_REFUSED : PAGE_EXCHANGE_NO_OBSTACLE;
}

/**
 * struct page_exchange_sharers - Where those who map a folio let it be
 * @locked:	The process whose mmap lock is held.
 * @nodes:	The nodes.
 * @n:		How many areas were asked.
 * @is_known:	Whether all could be asked.
 */
struct page_exchange_sharers {
	const struct mm_struct *locked;
	nodemask_t nodes;
	unsigned int n;
	bool is_known;
};

static bool page_exchange_ask_sharer(struct folio *folio, struct vm_area_struct *vma,
				     unsigned long addr, void *arg)
{
	struct page_exchange_sharers *s = arg;
	const bool lock = vma->vm_mm != s->locked;
	struct page_exchange_owner owner;
	nodemask_t nodes;

	/* without the lock, the policy of the area may be freed */
	if (++s->n > SHARERS || (lock && !mmap_read_trylock(vma->vm_mm))) {
		s->is_known = false;
		return false;
	}
	page_exchange_owner_nodes(vma->vm_mm, &owner);
	page_exchange_vma_nodes(vma, &owner, &nodes);
	if (lock)
		mmap_read_unlock(vma->vm_mm);
	nodes_and(s->nodes, s->nodes, nodes);
	return true;
}

/*
 * Asks all areas that map a private folio where it may be: those of others, after a fork or because
 * it was merged, and each that maps a part of a large one.
 */
static enum page_exchange_obstacle page_exchange_ask_sharers(struct page_exchange_finder *f,
							     struct page_exchange_found *found)
{
	struct page_exchange_sharers s = {
		.locked = f->space->mm,
		.nodes = found->nodes,
		.is_known = true,
	};
	struct rmap_walk_control walk = {
		.rmap_one = page_exchange_ask_sharer,
		.arg = &s,
		.anon_lock = folio_lock_anon_vma_read,
	};

	f->has_sharers = true;
	if (!folio_trylock(found->folio))
		return PAGE_EXCHANGE_BUSY;
	rmap_walk(found->folio, &walk);
	folio_unlock(found->folio);
	found->nodes = s.nodes;
	return s.is_known ? PAGE_EXCHANGE_NO_OBSTACLE : PAGE_EXCHANGE_BUSY;
}

static enum page_exchange_obstacle page_exchange_find_mapped(struct page_exchange_finder *f,
							     unsigned long addr,
							     struct page_exchange_found *found)
{
	const enum page_exchange_obstacle obstacle = page_exchange_find_area(f, addr);
	struct folio_walk walk;
	struct folio *folio;

	if (obstacle)
		return obstacle;
	found->nodes = f->nodes;
	folio = folio_walk_start(&walk, f->vma, addr, 0);
	if (!folio)
		return PAGE_EXCHANGE_GONE;
	/* pages of files are found in files */
	if (folio_test_anon(folio)) {
		folio_get(folio);
		found->folio = folio;
		found->is_whole = walk.level == FW_LEVEL_PMD;
	}
	folio_walk_end(&walk, f->vma);
	if (!found->folio)
		return PAGE_EXCHANGE_GONE;
	/* a single mapping is that of this area; a fork would need the mmap lock */
	if (folio_mapcount(found->folio) == 1 || found->folio == f->last)
		return PAGE_EXCHANGE_NO_OBSTACLE;
	return page_exchange_give_up(found, page_exchange_ask_sharers(f, found));
}

/**
 * page_exchange_find() - Find the folio at an address
 * @f:		Where to look.
 * @addr:	The address.
 * @found:	Gets the folio, with a reference, and where it may be.
 *
 * Return: PAGE_EXCHANGE_NO_OBSTACLE, PAGE_EXCHANGE_GONE if there is none, PAGE_EXCHANGE_REFUSED
 * if it is of an area whose pages stay.
 */
enum page_exchange_obstacle page_exchange_find(struct page_exchange_finder *f, unsigned long addr,
					       struct page_exchange_found *found)
{
	*found = (struct page_exchange_found){ .nodes = f->nodes };
	if (page_exchange_is_frames(f->space))
		return page_exchange_find_frame(f, addr, found);
	if (f->mapping)
		return page_exchange_find_in_file(f, addr >> PAGE_SHIFT, found);
	return page_exchange_find_mapped(f, addr, found);
}
