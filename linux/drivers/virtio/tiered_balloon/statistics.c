// SPDX-License-Identifier: GPL-2.0
/* The state of the guest as the device asks for it. */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/psi.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "balloon.h"

static u64 tb_node_state(int nid, enum node_stat_item item)
{
	return max(atomic_long_read(&NODE_DATA(nid)->vm_stat[item]), 0L);
}

static u64 tb_all_nodes_state(enum node_stat_item item)
{
	u64 all = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		all += tb_node_state(nid, item);
	return all;
}

static void tb_statistics_of_node(struct tb_node *node, struct virtio_tb_node_statistics *s)
{
	u64 total = 0, unused = 0;

	spin_lock(&node->lock);
	s->ballooned = cpu_to_le64(node->held);
	s->target = cpu_to_le64(node->target);
	s->evacuated = cpu_to_le64(node->evacuated);
	spin_unlock(&node->lock);
	if (node->nid == NUMA_NO_NODE)
		return;
	for (int i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &NODE_DATA(node->nid)->node_zones[i];

		total += zone_managed_pages(zone);
		unused += zone_page_state(zone, NR_FREE_PAGES);
	}
	s->total = cpu_to_le64(total);
	s->free = cpu_to_le64(unused);
	s->cache = cpu_to_le64(tb_node_state(node->nid, NR_FILE_PAGES));
}

static void tb_statistics_of_events(struct virtio_tb_statistics *s)
{
	unsigned long *events = kcalloc(NR_VM_EVENT_ITEMS, sizeof(*events), GFP_KERNEL);
	u64 promoted = tb_all_nodes_state(PGPROMOTE_SUCCESS);
	u64 demoted = tb_all_nodes_state(PGDEMOTE_KSWAPD) + tb_all_nodes_state(PGDEMOTE_DIRECT) +
		      tb_all_nodes_state(PGDEMOTE_KHUGEPAGED);

	if (events) {
		all_vm_events(events);
		s->reclaimed = cpu_to_le64(events[PGSTEAL_ANON] + events[PGSTEAL_FILE]);
#ifdef CONFIG_SWAP
		s->swapped_out = cpu_to_le64(events[PSWPOUT]);
#endif
		s->major_faults = cpu_to_le64(events[PGMAJFAULT]);
		s->oom_kills = cpu_to_le64(events[OOM_KILL]);
#if IS_ENABLED(CONFIG_DEMETER)
		promoted += events[DEMETER_PROMOTE];
		demoted += events[DEMETER_DEMOTE];
#endif
		kfree(events);
	}
	s->promoted = cpu_to_le64(promoted);
	s->demoted = cpu_to_le64(demoted);
}

static void tb_statistics_of_pressure(struct virtio_tb_statistics *s)
{
#ifdef CONFIG_PSI
	s->psi_some_us = cpu_to_le64(div_u64(psi_system.total[PSI_AVGS][PSI_MEM_SOME], 1000));
	s->psi_full_us = cpu_to_le64(div_u64(psi_system.total[PSI_AVGS][PSI_MEM_FULL], 1000));
#endif
}

/*
 * Pages of a node that are neither in the balloon, nor free, nor could be on another node: the
 * kernel's, among them the descriptions of all pages, which the buddy allocator never had.
 */
static u64 tb_kernel_pages(struct tb_node *node)
{
	u64 other;

	spin_lock(&node->lock);
	other = node->held;
	spin_unlock(&node->lock);
	for (enum lru_list lru = 0; lru < NR_LRU_LISTS; lru++)
		other += tb_node_state(node->nid, NR_LRU_BASE + lru);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		other += zone_page_state(&NODE_DATA(node->nid)->node_zones[i], NR_FREE_PAGES);
	return node->pages - min(node->pages, other);
}

static void tb_statistics_of_heat(struct tiered_balloon *tb, struct virtio_tb_statistics *s)
{
	struct page_exchange_heat curve[VIRTIO_TB_HEAT_POINTS];
	const unsigned int n = page_exchange_heat_curve(curve, ARRAY_SIZE(curve));
	u64 kernel = 0;

	for (unsigned int i = 0; i < tb->nr_nodes; i++) {
		struct tb_node *node = &tb->nodes[i];

		if (node->nid != NUMA_NO_NODE && page_exchange_node_is_fast(node->nid))
			kernel += tb_kernel_pages(node);
	}
	s->heat_points = cpu_to_le32(n);
	for (unsigned int i = 0; i < n; i++)
		s->heat[i] = (struct virtio_tb_heat){
			.pages = cpu_to_le64(kernel + curve[i].pages),
			.heat = cpu_to_le64(curve[i].heat),
		};
}

/**
 * tb_statistics_collect() - Say how the guest is doing
 * @tb:		The device.
 * @s:		Gets the statistics, with room for all nodes of @tb.
 *
 * What could not be found out is 0.
 */
void tb_statistics_collect(struct tiered_balloon *tb, struct virtio_tb_statistics *s)
{
	memset(s, 0, struct_size(s, node, tb->nr_nodes));
	s->nodes = cpu_to_le32(tb->nr_nodes);
	tb_statistics_of_pressure(s);
	tb_statistics_of_events(s);
	tb_statistics_of_heat(tb, s);
	for (unsigned int i = 0; i < tb->nr_nodes; i++)
		tb_statistics_of_node(&tb->nodes[i], &s->node[i]);
}
