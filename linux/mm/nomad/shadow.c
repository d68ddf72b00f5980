// SPDX-License-Identifier: GPL-2.0
/*
 * The index of shadows.
 *
 * A shadow is the slow folio from which a fast one was promoted. It is on no LRU list, mapped
 * nowhere, charged to nobody, and its only reference is that of the index, where it is found by
 * the frame of the fast folio. That has the bit PG_arch_1, which on x86 no anonymous page has
 * otherwise, so that most pages need not be looked up.
 *
 * Both hold the same, which is kept so as follows. The entry that maps the fast folio was clean
 * and not writable when the shadow was made, and all who make it writable drop the shadow before,
 * under the lock of the page table: nomad_before_write(). A fork leaves more such entries. When
 * the last one goes, the shadow is dropped, too: nomad_unmapped(). So whoever finds a shadow under
 * the lock of the index knows that the fast folio is mapped, and cannot be freed until the lock is
 * released.
 */
#include <linux/xarray.h>

#include "internal.h"

/* Shadows that are freed at once. */
#define NOMAD_BATCH 32

/**
 * struct nomad_shadows - Shadows on a node, under the lock of the index
 * @list:	The shadows, the oldest first.
 * @nr:		How many these are.
 */
struct nomad_shadows {
	struct list_head list;
	unsigned long nr;
};

/* Its lock protects all shadows. */
static DEFINE_XARRAY(nomad_index);
static struct nomad_shadows nomad_shadows[MAX_NUMNODES];

/**
 * nomad_shadow_init() - Prepare the lists of shadows
 */
void __init nomad_shadow_init(void)
{
	for (unsigned int nid = 0; nid < MAX_NUMNODES; nid++)
		INIT_LIST_HEAD(&nomad_shadows[nid].list);
}

/* Takes the shadow of a frame out of the index, which is locked. */
static struct folio *nomad_shadow_take_locked(unsigned long pfn)
{
	struct folio *slow = __xa_erase(&nomad_index, pfn);

	if (!slow)
		return NULL;
	clear_bit(PG_arch_1, &pfn_folio(pfn)->flags);
	list_del(&slow->lru);
	slow->index = 0;
	nomad_shadows[folio_nid(slow)].nr--;
	node_stat_mod_folio(slow, NR_KERNEL_MISC_RECLAIMABLE, -1);
	return slow;
}

/**
 * nomad_shadow_add() - Make a folio the shadow of another
 * @fast:	The folio that was promoted. The page table that is going to map it is locked.
 * @slow:	What it was copied from, with one reference, which the index takes over.
 *
 * Return: whether it is. Otherwise there is no memory for the index, and nothing has changed.
 */
bool nomad_shadow_add(struct folio *fast, struct folio *slow)
{
	const unsigned long pfn = folio_pfn(fast);
	struct nomad_shadows *shadows = &nomad_shadows[folio_nid(slow)];
	bool added;

	xa_lock(&nomad_index);
	added = !xa_is_err(__xa_store(&nomad_index, pfn, slow, GFP_NOWAIT | __GFP_NOWARN));
	if (added) {
		slow->index = pfn;
		list_add_tail(&slow->lru, &shadows->list);
		shadows->nr++;
		node_stat_mod_folio(slow, NR_KERNEL_MISC_RECLAIMABLE, 1);
		set_bit(PG_arch_1, &fast->flags);
	}
	xa_unlock(&nomad_index);
	return added;
}

/**
 * nomad_shadow_take() - Take a folio's shadow
 * @fast:	The folio, with the page table locked that maps it.
 *
 * Return: the shadow, whose reference is the caller's now; NULL: there is none any more.
 */
struct folio *nomad_shadow_take(struct folio *fast)
{
	struct folio *slow;

	xa_lock(&nomad_index);
	slow = nomad_shadow_take_locked(folio_pfn(fast));
	xa_unlock(&nomad_index);
	return slow;
}

/**
 * __nomad_drop() - Free the shadow of a folio
 * @folio:	The folio, with the page table locked that maps it or did so last.
 * @is_written:	Whether that is since it is going to be written.
 */
void __nomad_drop(struct folio *folio, bool is_written)
{
	struct folio *slow = nomad_shadow_take(folio);

	if (!slow)
		return;
	folio_put(slow);
	nomad_stat_add(NOMAD_STAT_SHADOWS_DROPPED, 1);
	if (is_written)
		nomad_stat_add(NOMAD_STAT_WRITE_FAULTS, 1);
}

/* Takes the oldest shadows of a node out of the index. */
static unsigned int nomad_shadow_take_oldest(int nid, struct folio **slow, unsigned int n)
{
	struct nomad_shadows *shadows = &nomad_shadows[nid];
	unsigned int taken = 0;

	xa_lock(&nomad_index);
	while (taken < n && !list_empty(&shadows->list)) {
		struct folio *oldest = list_first_entry(&shadows->list, struct folio, lru);

		slow[taken++] = nomad_shadow_take_locked(oldest->index);
	}
	xa_unlock(&nomad_index);
	return taken;
}

/**
 * nomad_shadow_free() - Free shadows, the oldest first
 * @nid:	The node where they are.
 * @n:		How many, at most.
 *
 * May sleep.
 *
 * Return: how many were freed.
 */
unsigned long nomad_shadow_free(int nid, unsigned long n)
{
	struct folio *slow[NOMAD_BATCH];
	unsigned long freed = 0;

	while (freed < n) {
		unsigned int taken =
			nomad_shadow_take_oldest(nid, slow, min(n - freed, NOMAD_BATCH));

		for (unsigned int i = 0; i < taken; i++)
			folio_put(slow[i]);
		freed += taken;
		if (!taken)
			break;
		cond_resched();
	}
	return freed;
}

/**
 * nomad_shadow_count() - Tell how many shadows there are
 * @nid:	On which node.
 *
 * Return: how many.
 */
unsigned long nomad_shadow_count(int nid)
{
	return READ_ONCE(nomad_shadows[nid].nr);
}
