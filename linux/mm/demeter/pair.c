// SPDX-License-Identifier: GPL-2.0
/*
 * Decides which hot page trades places with which cold one.
 *
 * Pages of one memory cgroup do so first: their charges stay as they are, and both are exchanged
 * at once (mm/page_exchange/exchange.c). Pages of different cgroups are charged anew one by one.
 */
#include <linux/sort.h>

#include "demeter.h"

static bool demeter_pair_is_mixed(const struct demeter_candidate *hot,
				  const struct demeter_candidate *cold, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (hot[i].target->cgroup != hot->target->cgroup ||
		    cold[i].target->cgroup != hot->target->cgroup)
			return true;
	return false;
}

static int demeter_pair_compare(unsigned long x, unsigned long y)
{
	return (x > y) - (x < y);
}

/* By cgroup, and then such that pages which share page tables are neighbours. */
static int demeter_pair_order(const void *a, const void *b)
{
	const struct demeter_candidate *x = a, *y = b;

	return demeter_pair_compare(x->target->cgroup, y->target->cgroup) ?:
	       demeter_pair_compare((unsigned long)x->target, (unsigned long)y->target) ?:
	       demeter_pair_compare(x->addr, y->addr);
}

/**
 * demeter_pair() - Have candidates trade places within their memory cgroups
 * @hot:	Pages of the slow tier. Of equal number in @cold is the one that each is to trade
 *		places with.
 * @cold:	Pages of the fast tier.
 * @n:		How many there are of each.
 *
 * As many pairs as possible are of one cgroup, and these come first. If all are, nothing changes.
 */
void demeter_pair(struct demeter_candidate *hot, struct demeter_candidate *cold, u64 n)
{
	u64 h = 0, c = 0, pairs = 0;

	if (!n || !demeter_pair_is_mixed(hot, cold, n))
		return;
	sort(hot, n, sizeof(*hot), demeter_pair_order, NULL);
	sort(cold, n, sizeof(*cold), demeter_pair_order, NULL);
	while (h < n && c < n) {
		if (hot[h].target->cgroup < cold[c].target->cgroup) {
			h++;
		} else if (hot[h].target->cgroup > cold[c].target->cgroup) {
			c++;
		} else {
			/* what was passed over moves behind the pairs */
			swap(hot[pairs], hot[h]);
			swap(cold[pairs], cold[c]);
			pairs++;
			h++;
			c++;
		}
	}
}
