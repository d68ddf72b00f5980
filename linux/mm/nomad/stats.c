// SPDX-License-Identifier: GPL-2.0
/* Counters. They are not counted often enough for each CPU to need its own. */
#include "internal.h"

static atomic_long_t nomad_stats[NR_NOMAD_STATS];

/**
 * nomad_stat_add() - Count
 * @stat:	What.
 * @n:		How many.
 */
void nomad_stat_add(enum nomad_stat stat, unsigned long n)
{
	atomic_long_add(n, &nomad_stats[stat]);
}

/**
 * nomad_stat_read() - Tell what was counted
 * @stat:	What.
 *
 * Return: how many since boot.
 */
unsigned long nomad_stat_read(enum nomad_stat stat)
{
	return atomic_long_read(&nomad_stats[stat]);
}
