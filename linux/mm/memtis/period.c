// SPDX-License-Identifier: GPL-2.0
/* How often samples are taken; see period.h. */
#include <linux/math64.h>
#include <linux/minmax.h>

#include "period.h"

/**
 * memtis_factor_adapt() - Make periods longer or shorter
 * @factor:	By how much they are longer than the least ones, in parts of MEMTIS_FACTOR_ONE.
 * @busy_ns:	CPU time that samples have cost in a while.
 * @wall_ns:	How long that was, not 0.
 * @budget_permille: Share of a CPU that they may cost, in a thousandth.
 *
 * Cost is about proportional to the number of samples. What is above the budget is brought below
 * it at once; from below, periods become shorter by a quarter at a time.
 *
 * Return: the new factor, from MEMTIS_FACTOR_ONE to MEMTIS_FACTOR_MAX.
 */
unsigned int memtis_factor_adapt(unsigned int factor, u64 busy_ns, u64 wall_ns,
				 unsigned int budget_permille)
{
	const u64 busy = min(div64_u64(busy_ns * 1000, wall_ns), 1000ull * MEMTIS_FACTOR_MAX);
	const unsigned int least = budget_permille - min(budget_permille, MEMTIS_HYSTERESIS);
	u64 to = factor;

	if (busy > budget_permille)
		to = div_u64(factor * busy, max(least, 1u)) + 1;
	else if (busy < least)
		to = factor - factor / 4;
	return clamp_t(u64, to, MEMTIS_FACTOR_ONE, MEMTIS_FACTOR_MAX);
}

/**
 * memtis_period() - Tell a period
 * @least:	The least one; 0: the event is not sampled.
 * @factor:	By how much it is longer, in parts of MEMTIS_FACTOR_ONE.
 *
 * Return: the period.
 */
u64 memtis_period(unsigned int least, unsigned int factor)
{
	return (u64)least * factor / MEMTIS_FACTOR_ONE;
}
