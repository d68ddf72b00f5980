// SPDX-License-Identifier: GPL-2.0
/*
 * Gives shadows up when memory is short, before any page that is in use: when a node is about to
 * be reclaimed from, by kswapd or by whoever needs memory, before a process would be killed, and
 * where a range of memory is to be emptied.
 * Ten times as many as are asked for are freed, so that it is not the next allocation that comes
 * again. Shadows count as memory that is available (KReclaimable).
 */
#include <linux/memory.h>
#include <linux/mmzone.h>
#include <linux/oom.h>
#include <linux/page-isolation.h>
#include <linux/swap.h>

#include "internal.h"

/* Shadows are freed so many times what was asked for. */
#define NOMAD_RECLAIM_FACTOR 10

/**
 * nomad_may_keep() - Tell whether a slow folio may be kept as a shadow
 * @slow:	The folio.
 *
 * It may not if its node has enough of them or is short of memory, or if its frame is wanted:
 * shadows cannot be migrated.
 *
 * Return: whether it may.
 */
bool nomad_may_keep(struct folio *slow)
{
	const int nid = folio_nid(slow);
	const unsigned long most =
		mult_frac(node_present_pages(nid), READ_ONCE(nomad_params.shadow_percent), 100ul);
	struct zone *zone = folio_zone(slow);

	return nomad_shadow_count(nid) < most && !is_migrate_isolate_page(&slow->page) &&
	       !is_migrate_cma_page(&slow->page) &&
	       zone_watermark_ok(zone, 0, high_wmark_pages(zone), zone_idx(zone), 0);
}

/* How many pages a node lacks until none of its zones is short of memory. */
static unsigned long nomad_lack(struct pglist_data *pgdat)
{
	unsigned long lack = 0;

	for (int z = 0; z < pgdat->nr_zones; z++) {
		struct zone *zone = &pgdat->node_zones[z];
		const unsigned long free = zone_page_state(zone, NR_FREE_PAGES);

		if (managed_zone(zone) && free < high_wmark_pages(zone))
			lack += high_wmark_pages(zone) - free;
	}
	return lack;
}

static unsigned long nomad_reclaim_some(int nid, unsigned long n)
{
	const unsigned long freed = nomad_shadow_free(nid, n);

	if (freed)
		nomad_stat_add(NOMAD_STAT_SHADOW_RECLAIMED, freed);
	return freed;
}

/**
 * __nomad_reclaim() - Free shadows of a node that is short of memory
 * @pgdat:	The node.
 *
 * Return: how many pages were freed.
 */
unsigned long __nomad_reclaim(struct pglist_data *pgdat)
{
	if (!nomad_shadow_count(pgdat->node_id))
		return 0;
	return nomad_reclaim_some(pgdat->node_id,
				  NOMAD_RECLAIM_FACTOR * max(nomad_lack(pgdat), SWAP_CLUSTER_MAX));
}

/**
 * __nomad_make_movable() - Free all shadows of a node
 * @nid:	The node, in which contiguous memory is wanted: shadows cannot be migrated.
 */
void __nomad_make_movable(int nid)
{
	nomad_reclaim_some(nid, ULONG_MAX);
}

/**
 * nomad_reclaim_all() - Free all shadows
 *
 * Return: how many pages were freed.
 */
unsigned long nomad_reclaim_all(void)
{
	unsigned long freed = 0;
	int nid;

	for_each_node(nid) freed += nomad_reclaim_some(nid, ULONG_MAX);
	return freed;
}

/* Whoever is told of freed pages kills nobody. */
static int nomad_oom(struct notifier_block *block, unsigned long action, void *arg)
{
	unsigned long *freed = arg;

	*freed += nomad_reclaim_all();
	return NOTIFY_OK;
}

static struct notifier_block nomad_oom_block = { .notifier_call = nomad_oom };

/* Shadows cannot be moved out of memory that goes away, and no new ones are made in it. */
static int nomad_memory(struct notifier_block *block, unsigned long action, void *arg)
{
	const struct memory_notify *memory = arg;

	if (action == MEM_GOING_OFFLINE)
		nomad_reclaim_some(pfn_to_nid(memory->start_pfn), ULONG_MAX);
	return NOTIFY_OK;
}

/**
 * nomad_reclaim_init() - Be told when memory is short or goes away
 *
 * Return: 0 or an error.
 */
int __init nomad_reclaim_init(void)
{
	int ret = register_oom_notifier(&nomad_oom_block);

	return ret ?: hotplug_memory_notifier(nomad_memory, DEFAULT_CALLBACK_PRI);
}
