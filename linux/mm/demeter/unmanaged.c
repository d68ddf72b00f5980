// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory of targets is left alone, and why.
 *
 * The scan counts it while it looks at a target in its turn, and what it has counted is shown
 * when the turn ends: a turn goes through all memory once, whereas parts that are looked at
 * in between would be counted twice. What keeps single pages is only known of those that were
 * to be moved: looking at all of them would cost a cache line for each.
 */
#include <linux/mm.h>
#include <linux/sysfs.h>

#include "demeter.h"

/* Names of the reasons of areas, and of obstacles, in the order in which they are shown. */
static const struct {
	const char *name;
	enum page_exchange_reason reason;
} demeter_area_reasons[] = {
	{ "policy", PAGE_EXCHANGE_POLICY },   { "cpuset", PAGE_EXCHANGE_CPUSET },
	{ "file", PAGE_EXCHANGE_FILE },	      { "node", PAGE_EXCHANGE_NODE },
	{ "hugetlb", PAGE_EXCHANGE_HUGETLB }, { "special", PAGE_EXCHANGE_SPECIAL },
};

static const struct {
	const char *name;
	enum page_exchange_obstacle obstacle;
} demeter_stuck_reasons[] = {
	{ "forked", PAGE_EXCHANGE_FORKED },
	{ "pinned", PAGE_EXCHANGE_PINNED },
	{ "busy", PAGE_EXCHANGE_BUSY },
	{ "refused", PAGE_EXCHANGE_REFUSED },
};

/**
 * demeter_unmanaged_begin() - Begin to count
 * @t:		The target, whose turn to be scanned begins.
 */
void demeter_unmanaged_begin(struct demeter_target *t)
{
	t->unmanaged.turn = (struct demeter_left){};
}

/**
 * demeter_unmanaged_stuck() - Count pages that could not be moved
 * @g:		A granule, which the scan has come across in the turn of its target.
 */
void demeter_unmanaged_stuck(const struct demeter_granule *g)
{
	unsigned int stuck = bitmap_weight(g->stuck, GRANULE_PAGES);

	/* a huge page has one bit */
	if (stuck && g->huge)
		stuck = GRANULE_PAGES;
	g->target->unmanaged.turn.stuck[g->stuck_by] += stuck;
}

/**
 * demeter_unmanaged_end() - Show what was counted
 * @t:		The target, all of which was scanned since demeter_unmanaged_begin(), or whose
 *		owner wants it to stay where it is.
 * @scan:	The scan that has counted.
 */
void demeter_unmanaged_end(struct demeter_target *t, struct page_exchange_scan *scan)
{
	if (t->kind == DEMETER_PROCESS)
		page_exchange_count_rest(t->space.mm, scan);
	mutex_lock(&t->lock);
	t->unmanaged.known = t->unmanaged.turn;
	mutex_unlock(&t->lock);
}

/**
 * demeter_unmanaged_forget() - Show that nothing is known
 * @t:		The target.
 */
void demeter_unmanaged_forget(struct demeter_target *t)
{
	mutex_lock(&t->lock);
	t->unmanaged.known = (struct demeter_left){};
	mutex_unlock(&t->lock);
}

static int demeter_unmanaged_print(char *buf, int len, const char *name, u64 pages)
{
	return len + sysfs_emit_at(buf, len, "%s %llu\n", name, pages << PAGE_SHIFT);
}

/**
 * demeter_unmanaged_show() - Print what is left alone
 * @t:		The target, whose context need not be locked.
 * @buf:	Buffer of a page; gets a line for each reason, with its bytes.
 *
 * Return: how many characters were printed.
 */
ssize_t demeter_unmanaged_show(struct demeter_target *t, char *buf)
{
	const u64 fast = READ_ONCE(t->pages[DEMETER_FAST]),
		  slow = READ_ONCE(t->pages[DEMETER_SLOW]);
	int len = 0;

	mutex_lock(&t->lock);
	for (unsigned int i = 0; i < ARRAY_SIZE(demeter_area_reasons); i++)
		len = demeter_unmanaged_print(
			buf, len, demeter_area_reasons[i].name,
			t->unmanaged.known.areas[demeter_area_reasons[i].reason]);
	for (unsigned int i = 0; i < ARRAY_SIZE(demeter_stuck_reasons); i++)
		len = demeter_unmanaged_print(
			buf, len, demeter_stuck_reasons[i].name,
			t->unmanaged.known.stuck[demeter_stuck_reasons[i].obstacle]);
	mutex_unlock(&t->lock);
	len = demeter_unmanaged_print(buf, len, "unsampled",
				      READ_ONCE(t->is_sampled) ? 0 : fast + slow);
	return demeter_unmanaged_print(buf, len, "protected",
				       READ_ONCE(t->is_protected) ? fast : 0);
}
