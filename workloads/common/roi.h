/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measured phase ("region of interest") as the emulator and the design
 * "oracle" know it. measure_begin() and measure_end() call these; a program that
 * is no workload may call them alone.
 */
#ifndef WORKLOADS_ROI_H
#define WORKLOADS_ROI_H

/*
 * Place the process' pages by a list, as the environment says: what is first in
 * the list goes to the fast tier, as much as fits, all else makes room. Without
 * PLACEMENT, or with an empty list, do nothing. Leaves heap and mappings as they
 * were.
 *
 * PLACEMENT=FILE		addresses of pages, 64 bits each, most wanted first
 * PLACEMENT_NODES="FAST SLOW"	NUMA nodes of the tiers
 *
 * The fast tier keeps room for pages of the list that do not exist yet; the kernel
 * gives it to whatever pages come next. Pages that cannot be moved stay. Says on
 * stderr what came of it. Dies when the list cannot be read or no page be moved on
 * this machine.
 */
void roi_place(void);

/*
 * Mark the begin and the end of the measured phase, each by a no-op that the
 * emulator recognises (qemu/plugins/tmem/tmem.c).
 */
void roi_begin(void);
void roi_end(void);

/* Mark in the emulator's report that something changed, e.g. the hot set. */
void roi_phase(void);

#endif
