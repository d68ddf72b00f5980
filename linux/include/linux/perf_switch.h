/* SPDX-License-Identifier: GPL-2.0 */
/* What perf asks a PMU when tasks are switched. */
#ifndef _LINUX_PERF_SWITCH_H
#define _LINUX_PERF_SWITCH_H

#include <linux/types.h>

struct pmu;

/**
 * perf_switch_is_idle() - Whether a PMU has nothing to do when tasks are switched
 * @pmu:	A PMU with a callback for that.
 * @sched_in:	Whether the next task is about to run; else the previous one ends to.
 *
 * Called on the CPU, with interrupts off. Without it, the PMU is stopped, called back and started
 * again twice per switch. Architectures whose PMUs can tell have their own; perf's says no.
 *
 * Return: true if the callback can be left out.
 */
bool perf_switch_is_idle(struct pmu *pmu, bool sched_in);

#endif
