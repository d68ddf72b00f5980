/* SPDX-License-Identifier: GPL-2.0 */
/* How much memory of a target is left alone, and why; see unmanaged.c. */
#ifndef _MM_DEMETER_UNMANAGED_H
#define _MM_DEMETER_UNMANAGED_H

#include <linux/page_exchange.h>
#include <linux/types.h>

struct demeter_granule;
struct demeter_target;

/**
 * struct demeter_left - Base pages that are left alone
 * @areas:	Those that the scan does not take for pages that could be moved, by enum
 *		page_exchange_reason.
 * @stuck:	Those that it does, but which could not be moved when that was tried, by enum
 *		page_exchange_obstacle.
 */
struct demeter_left {
	unsigned long areas[NR_PAGE_EXCHANGE_REASONS];
	unsigned long stuck[NR_PAGE_EXCHANGE_OBSTACLES];
};

/**
 * struct demeter_unmanaged - What is known of the memory of a target that is left alone
 * @turn:	What the scan has come across since its turn began.
 * @known:	What it had found at the end of its last turn. Protected by the target's lock.
 */
struct demeter_unmanaged {
	struct demeter_left turn;
	struct demeter_left known;
};

void demeter_unmanaged_begin(struct demeter_target *t);
void demeter_unmanaged_stuck(const struct demeter_granule *g);
void demeter_unmanaged_end(struct demeter_target *t, struct page_exchange_scan *scan);
void demeter_unmanaged_forget(struct demeter_target *t);
ssize_t demeter_unmanaged_show(struct demeter_target *t, char *buf);

#endif /* _MM_DEMETER_UNMANAGED_H */
