// SPDX-License-Identifier: GPL-2.0
/* Makes base pages of a huge page, so that each of them can be moved by itself. */
#include <linux/export.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "../internal.h"
#include "internal.h"

/* Gets a reference on the huge page at @addr; NULL if there is none that can be split. */
static struct folio *page_exchange_get_huge(struct mm_struct *mm, unsigned long addr)
{
	struct page_exchange_walk page;
	struct folio *folio = NULL;

	if (!page_exchange_walk_start(mm, addr, &page))
		return NULL;
	if (page.walk.level == FW_LEVEL_PMD && folio_test_anon(page.folio) &&
	    !folio_test_mlocked(page.folio) && !folio_likely_mapped_shared(page.folio)) {
		folio = page.folio;
		folio_get(folio);
	}
	page_exchange_walk_end(&page);
	return folio;
}

/**
 * page_exchange_split() - Make base pages of a huge page
 * @mm:		The mm.
 * @addr:	User address of the huge page.
 *
 * The caller holds a reference on the users of @mm and no locks. May sleep.
 *
 * Return: whether there was a huge page and it has been split.
 */
bool page_exchange_split(struct mm_struct *mm, unsigned long addr)
{
	struct folio *folio;
	bool done = false;

	if (!mmap_read_trylock(mm))
		return false;
	folio = page_exchange_get_huge(mm, addr);
	mmap_read_unlock(mm);
	if (!folio)
		return false;
	if (folio_trylock(folio)) {
		done = !split_folio(folio);
		folio_unlock(folio);
	}
	folio_put(folio);
	return done;
}
EXPORT_SYMBOL_GPL(page_exchange_split);
