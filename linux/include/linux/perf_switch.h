/* SPDX-License-Identifier: GPL-2.0 */
/* What perf asks the PMU of a CPU when tasks are switched. */
#ifndef _LINUX_PERF_SWITCH_H
#define _LINUX_PERF_SWITCH_H

#include <linux/types.h>

/**
 * perf_switch_is_idle() - Whether this CPU's PMUs have nothing to do when tasks are switched
 * @sched_in:	Whether the next task is about to run; else the previous one ends to.
 *
 * Called on the CPU, with interrupts off. Without it, each PMU with a callback for that is stopped,
 * called back and started again twice per switch. Architectures that can tell have their own, for
 * all PMUs with such a callback (on x86, that is the one of the core); perf's says no.
 *
 * Return: true if the callbacks can be left out.
 */
bool perf_switch_is_idle(bool sched_in);

#endif
