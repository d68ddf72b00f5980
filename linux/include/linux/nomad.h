/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rest of mm/ tells Nomad, and asks it: see mm/nomad/internal.h.
 *
 * A fast page that Nomad has promoted may have a shadow: the slow page that it was copied from.
 * As long as it has one, both hold the same, and the fast page is mapped, but not to be written.
 * All that is here costs a jump that is not taken while Nomad is off.
 */
#ifndef _LINUX_NOMAD_H
#define _LINUX_NOMAD_H

#include <linux/jump_label.h>
#include <linux/mm.h>

#ifdef CONFIG_NOMAD

DECLARE_STATIC_KEY_FALSE(nomad_key);

bool __nomad_takes(struct folio *folio, int target);
void __nomad_queue(struct mm_struct *mm, unsigned long addr, unsigned long pfn, int target);
void __nomad_drop(struct folio *folio, bool is_written);
unsigned int __nomad_demote(struct list_head *folios);
void __nomad_count_copies(unsigned int pages);
unsigned long __nomad_reclaim(struct pglist_data *pgdat);
void __nomad_make_movable(int nid);

static inline bool nomad_is_on(void)
{
	return static_branch_unlikely(&nomad_key);
}

/* Whether a folio has a shadow. The bit is a hint if the folio is not anonymous. */
static inline bool nomad_has_shadow(const struct folio *folio)
{
	return nomad_is_on() && test_bit(PG_arch_1, &folio->flags) && folio_test_anon(folio);
}

/* Whether the page that a hint fault has found is promoted by Nomad, if at all. */
static inline bool nomad_takes(struct folio *folio, int target)
{
	return nomad_is_on() && __nomad_takes(folio, target);
}

/* Makes a page that nomad_takes() a candidate. Holds no lock of a page table. */
static inline void nomad_queue(struct mm_struct *mm, unsigned long addr, unsigned long pfn,
			       int target)
{
	__nomad_queue(mm, addr, pfn, target);
}

/* Drops the shadow of a folio that is about to be written, with its page table locked. */
static inline void nomad_before_write(struct folio *folio)
{
	if (nomad_has_shadow(folio))
		__nomad_drop(folio, true);
}

/*
 * Whether a page that an entry lets be written may be copied by a transaction, which must hear of
 * whoever gets it for writing: nomad_pinned_to_write().
 */
static inline bool nomad_may_copy(pte_t pte)
{
	return nomad_is_on() && !pte_dirty(pte);
}

/*
 * Tells transactions that somebody will write to a folio without its entry, with its page table
 * locked.
 */
static inline void nomad_pinned_to_write(struct folio *folio, pte_t pte)
{
	nomad_before_write(folio);
	if (nomad_may_copy(pte) && folio_test_anon(folio) && !folio_test_dirty(folio))
		folio_mark_dirty(folio);
}

/* Drops the shadow of a folio that has lost its last mapping. */
static inline void nomad_unmapped(struct folio *folio)
{
	if (nomad_has_shadow(folio))
		__nomad_drop(folio, false);
}

/* Demotes those isolated folios of a list that have shadows. Returns how many those were. */
static inline unsigned int nomad_demote(struct list_head *folios)
{
	return nomad_is_on() ? __nomad_demote(folios) : 0;
}

/* Counts pages that were demoted by copying them. */
static inline void nomad_count_copies(unsigned int pages)
{
	if (nomad_is_on())
		__nomad_count_copies(pages);
}

/* Frees shadows of a node that is short of memory. Returns how many. */
static inline unsigned long nomad_reclaim(struct pglist_data *pgdat)
{
	return nomad_is_on() ? __nomad_reclaim(pgdat) : 0;
}

/* Frees all shadows of a node, in which contiguous memory is wanted. */
static inline void nomad_make_movable(int nid)
{
	if (nomad_is_on())
		__nomad_make_movable(nid);
}

#else /* !CONFIG_NOMAD */

static inline bool nomad_has_shadow(const struct folio *folio)
{
	return false;
}

static inline bool nomad_takes(struct folio *folio, int target)
{
	return false;
}

static inline void nomad_queue(struct mm_struct *mm, unsigned long addr, unsigned long pfn,
			       int target)
{
}

static inline void nomad_before_write(struct folio *folio)
{
}

static inline bool nomad_may_copy(pte_t pte)
{
	return false;
}

static inline void nomad_pinned_to_write(struct folio *folio, pte_t pte)
{
}

static inline void nomad_unmapped(struct folio *folio)
{
}

static inline unsigned int nomad_demote(struct list_head *folios)
{
	return 0;
}

static inline void nomad_count_copies(unsigned int pages)
{
}

static inline unsigned long nomad_reclaim(struct pglist_data *pgdat)
{
	return 0;
}

static inline void nomad_make_movable(int nid)
{
}

#endif /* CONFIG_NOMAD */

#endif /* _LINUX_NOMAD_H */
