// SPDX-License-Identifier: GPL-2.0
/*
 * Room in the fast tier. As for NUMA balancing, promotion stops where a node has no more free
 * memory than its high watermark, and kswapd demotes until the promotion watermark is reached.
 */
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/mmzone.h>
#include <linux/swap.h>

#include "internal.h"

/**
 * nomad_has_room() - Tell whether a node has room for a page that is promoted
 * @nid:	The node.
 *
 * Return: whether it has.
 */
bool nomad_has_room(int nid)
{
	struct pglist_data *pgdat = NODE_DATA(nid);

	for (int z = pgdat->nr_zones - 1; z >= 0; z--) {
		struct zone *zone = &pgdat->node_zones[z];

		if (managed_zone(zone) &&
		    zone_watermark_ok(zone, 0, high_wmark_pages(zone) + 1, ZONE_MOVABLE, ALLOC_CMA))
			return true;
	}
	return false;
}

/**
 * nomad_make_room() - Ask kswapd for room
 * @nid:	A node without room.
 * @asked:	When kswapd was asked last although it had given up, in jiffies; for the caller to
 *		keep.
 *
 * kswapd goes by how many pages of a node are active, which is counted when somebody asks, or every
 * few seconds. When most have become active since, it finds nothing to demote and gives the node
 * up; and nobody reclaims from a fast node directly, which would tell it otherwise, as long as the
 * slow one has free memory. So let it be counted now, and once a second let kswapd try once more.
 *
 * May sleep.
 */
void nomad_make_room(int nid, unsigned long *asked)
{
	struct pglist_data *pgdat = NODE_DATA(nid);

	mem_cgroup_flush_stats(NULL);
	if (READ_ONCE(pgdat->kswapd_failures) >= MAX_RECLAIM_RETRIES &&
	    time_after(jiffies, *asked + HZ)) {
		WRITE_ONCE(pgdat->kswapd_failures, MAX_RECLAIM_RETRIES - 1);
		*asked = jiffies;
	}
	for (int z = pgdat->nr_zones - 1; z >= 0; z--) {
		if (managed_zone(&pgdat->node_zones[z])) {
			wakeup_kswapd(&pgdat->node_zones[z], 0, 0, ZONE_MOVABLE);
			return;
		}
	}
}
