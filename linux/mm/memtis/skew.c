// SPDX-License-Identifier: GPL-2.0
/* Which huge pages are split, and which base pages joined; see skew.h. */
#include <linux/math64.h>
#include <linux/minmax.h>

#include "skew.h"

/**
 * memtis_nr_split() - Tell how many huge pages are to be split
 * @hits:	Samples of a window of time.
 * @huge_pages:	How many huge pages there are that were sampled.
 * @gain_permille: How much better the hit ratio must become, in a thousandth of all samples.
 *
 * So many that the hits which are missing are in them, if each has as many samples as the average.
 *
 * Return: how many.
 */
unsigned int memtis_nr_split(const struct memtis_hits *hits, unsigned int huge_pages,
			     unsigned int gain_permille)
{
	const u64 missing = hits->base > hits->real ? hits->base - hits->real : 0;

	if (!huge_pages || !hits->huge || missing * 1000 <= hits->samples * gain_permille)
		return 0;
	return clamp_t(u64, div64_u64(missing * huge_pages, hits->huge), 1, huge_pages);
}

/**
 * memtis_skew() - Tell how unevenly the samples of a huge page fall on its base pages
 * @counts:	Samples of each.
 * @n:		How many these are.
 * @hot:	Samples from which on one of them is hot, at least 1.
 *
 * Return: the sum of the squares of samples, by the square of the number of those that are hot,
 * times 1024; 0 if none is.
 */
u64 memtis_skew(const u16 *counts, unsigned int n, unsigned int hot)
{
	u64 squares = 0, used = 0;

	for (unsigned int i = 0; i < n; i++) {
		squares += (u64)counts[i] * counts[i];
		used += counts[i] >= hot;
	}
	return used ? div64_u64(squares << 10, used * used) : 0;
}

/**
 * memtis_is_uniform() - Tell whether base pages would do as well as one huge page
 * @counts:	Samples of each.
 * @n:		How many these are.
 * @hot:	Samples from which on one of them is hot, at least 1.
 *
 * Return: whether seven of eight are hot.
 */
bool memtis_is_uniform(const u16 *counts, unsigned int n, unsigned int hot)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < n; i++)
		used += counts[i] >= hot;
	return used >= n - n / 8;
}
