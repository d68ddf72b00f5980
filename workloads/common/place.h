/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement of the process' pages by a list, for the design "oracle": what is
 * first in the list goes to the fast tier, as much as fits, all else makes room.
 */
#ifndef WORKLOADS_PLACE_H
#define WORKLOADS_PLACE_H

/*
 * Place the pages as the environment says; without PLACEMENT, or with an empty
 * list, do nothing. Leaves heap and mappings as they were.
 *
 * PLACEMENT=FILE		addresses of pages, 64 bits each, most wanted first
 * PLACEMENT_NODES="FAST SLOW"	NUMA nodes of the tiers
 *
 * The fast tier keeps room for pages of the list that do not exist yet; the kernel
 * gives it to whatever pages come next. Pages that cannot be moved stay. Says on
 * stderr what came of it. Dies when the list cannot be read or no page be moved on
 * this machine.
 */
void place_pages(void);

#endif
