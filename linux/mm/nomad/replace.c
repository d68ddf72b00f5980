// SPDX-License-Identifier: GPL-2.0
/* Lets one folio take another's place in a page table. */
#include <linux/memcontrol.h>
#include <linux/migrate.h>
#include <linux/rmap.h>

#include "internal.h"

/**
 * nomad_replace() - Let a folio stand for what another stood for
 * @vma:	The area that maps @from, whose entry has been cleared and flushed. The page table
 *		is locked.
 * @addr:	Where.
 * @from:	The folio that was mapped there: anonymous, of one page, mapped nowhere else,
 *		locked, on no LRU list, and without references, which are frozen.
 * @to:		A folio with the same contents that nobody else knows, locked. Its one reference
 *		becomes that of the mapping, and it gets @from's charge.
 *
 * The caller sets the entry. Afterwards, @from is of nobody. What was dirty is so again: neither
 * of them is in the swap cache, so the contents are nowhere else.
 */
void nomad_replace(struct vm_area_struct *vma, unsigned long addr, struct folio *from,
		   struct folio *to)
{
	/* after a fork whose child has ended, that it is exclusive is found at its first write */
	const rmap_t how = PageAnonExclusive(&from->page) ? RMAP_EXCLUSIVE : RMAP_NONE;

	to->mapping = from->mapping;
	to->index = from->index;
	__folio_set_swapbacked(to);
	folio_remove_rmap_pte(from, &from->page, vma);
	folio_migrate_flags(to, from);
	folio_set_dirty(to);
	ClearPageAnonExclusive(&from->page);
	from->mapping = NULL;
	folio_add_anon_rmap_pte(to, &to->page, vma, addr, how);
}
