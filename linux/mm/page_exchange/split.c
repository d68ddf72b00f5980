// SPDX-License-Identifier: GPL-2.0
/* Makes base pages of a huge page, so that each of them can be moved by itself, and the reverse. */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "../internal.h"
#include "internal.h"

/**
 * page_exchange_split() - Make base pages of a huge page
 * @space:	Where it is.
 * @addr:	Address of the huge page.
 *
 * The caller holds a reference on the users of the mm and no locks. May sleep. Huge pages of
 * pools, and those of several processes, stay as they are.
 *
 * Return: whether there was a huge page and it has been split.
 */
bool page_exchange_split(const struct page_exchange_space *space, unsigned long addr)
{
	struct page_exchange_found found;
	struct page_exchange_finder f;
	enum page_exchange_obstacle obstacle;
	bool done = false;

	if (page_exchange_finder_start(&f, space))
		return false;
	obstacle = page_exchange_find(&f, addr, &found);
	page_exchange_finder_end(&f);
	if (obstacle)
		return false;
	if (found.is_whole && !folio_test_hugetlb(found.folio) &&
	    !(folio_test_anon(found.folio) && folio_likely_mapped_shared(found.folio)) &&
	    folio_trylock(found.folio)) {
		done = !split_folio(found.folio);
		folio_unlock(found.folio);
	}
	folio_put(found.folio);
	return done;
}
EXPORT_SYMBOL_GPL(page_exchange_split);

/**
 * page_exchange_join() - Make a huge page of base pages
 * @mm:		Where they are.
 * @addr:	Address of the first one, a multiple of PMD_SIZE.
 *
 * The caller holds a reference on the users of the mm and no locks. May sleep, reclaim and wait for
 * other CPUs, as madvise(MADV_COLLAPSE) does, on which the memory has as much to say.
 *
 * Return: whether there is a huge page now.
 */
bool page_exchange_join(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma, *prev;
	bool done = false;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_end - addr >= PMD_SIZE)
		done = !madvise_collapse(vma, &prev, addr, addr + PMD_SIZE);
	mmap_read_unlock(mm);
	return done;
}
EXPORT_SYMBOL_GPL(page_exchange_join);
