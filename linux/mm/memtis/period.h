/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often samples are taken, so that they cost no more than a share of a CPU (Memtis, section
 * 4.1.1). Only logic.
 */
#ifndef _MM_MEMTIS_PERIOD_H
#define _MM_MEMTIS_PERIOD_H

#include <linux/types.h>

/* Factors are in parts of this. */
#define MEMTIS_FACTOR_ONE 16u
#define MEMTIS_FACTOR_MAX (MEMTIS_FACTOR_ONE << 14)
/* By so much the cost may differ from the budget until periods are changed, in a thousandth. */
#define MEMTIS_HYSTERESIS 5u

unsigned int memtis_factor_adapt(unsigned int factor, u64 busy_ns, u64 wall_ns,
				 unsigned int budget_permille);
u64 memtis_period(unsigned int least, unsigned int factor);

#endif /* _MM_MEMTIS_PERIOD_H */
