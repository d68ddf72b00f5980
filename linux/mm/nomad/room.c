// SPDX-License-Identifier: GPL-2.0
/*
 * Room in the fast tier. As for NUMA balancing, promotion stops where a node has no more free
 * memory than its high watermark, and kswapd demotes until the promotion watermark is reached.
 */
#include <linux/memcontrol.h>
#include <linux/mmzone.h>

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
 *
 * kswapd goes by how many pages of a node are active, which is counted when somebody asks, or every
 * few seconds. When most have become active since, it finds nothing to demote and gives the node
 * up. So let it be counted now.
 *
 * May sleep.
 */
void nomad_make_room(int nid)
{
	struct pglist_data *pgdat = NODE_DATA(nid);

	mem_cgroup_flush_stats(NULL);
	for (int z = pgdat->nr_zones - 1; z >= 0; z--) {
		if (managed_zone(&pgdat->node_zones[z])) {
			wakeup_kswapd_to_promote(&pgdat->node_zones[z], 0);
			return;
		}
	}
}
