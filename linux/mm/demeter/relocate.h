/* SPDX-License-Identifier: GPL-2.0 */
/* Relocation: the pages that are chosen for it, and what it needs. */
#ifndef _MM_DEMETER_RELOCATE_H
#define _MM_DEMETER_RELOCATE_H

#include <linux/nodemask.h>

#include "index.h"
#include "plan.h"

struct demeter_ctx;
struct demeter_target;
struct page_exchange;

/* Base pages that are planned and relocated at once. */
#define DEMETER_BATCH_PAGES 4096ull

/**
 * struct demeter_candidate - A page that is to change tiers
 * @target:	The target that it belongs to.
 * @granule:	The granule that it belongs to.
 * @addr:	Its user address.
 */
struct demeter_candidate {
	struct demeter_target *target;
	struct demeter_granule *granule;
	unsigned long addr;
};

/**
 * struct demeter_relocation - Buffers and state of relocation
 * @hot:	Room for DEMETER_BATCH_PAGES candidates of the slow tier.
 * @cold:	Room for DEMETER_BATCH_PAGES candidates of the fast tier.
 * @deadline:	When the epoch's relocation ends, done or not; in jiffies.
 * @no_room:	Last epoch in which the fast tier is not filled, because it had less free
 *		memory than it had seemed, by size of the pages that were to fill it.
 * @pairs:	Room for a chunk of pairs.
 * @addresses:	Room for a chunk of user addresses.
 * @obstacles:	Room for the obstacles of the pages at @addresses.
 * @hot_counts:	Room for what was counted of a chunk of pages that have moved, in the one direction.
 * @cold_counts: Likewise, of those that have moved in the other.
 */
struct demeter_relocation {
	struct demeter_candidate *hot;
	struct demeter_candidate *cold;
	unsigned long deadline;
	u64 no_room[NR_DEMETER_SIZES];
	struct page_exchange *pairs;
	unsigned long *addresses;
	u8 *obstacles;
	u16 *hot_counts;
	u16 *cold_counts;
};

/**
 * struct demeter_gathered - Candidates in the order of their addresses
 * @pages:	The candidates.
 * @n:		How many there are.
 * @max:	How many fit.
 * @part:	Pages that are still to be taken of the class at the end of the plan.
 */
struct demeter_gathered {
	struct demeter_candidate *pages;
	u64 n;
	u64 max;
	u64 part;
};

/* gather.c */
void demeter_gather(const struct demeter_index *index, enum demeter_size size,
		    const struct demeter_plan *plan, struct demeter_gathered *hot,
		    struct demeter_gathered *cold);
struct demeter_granule *demeter_gather_split(const struct demeter_index *index,
					     struct demeter_split *split);

/* pair.c */
void demeter_pair(struct demeter_candidate *hot, struct demeter_candidate *cold, u64 n);

/* relocate.c */
int demeter_relocate_init(struct demeter_ctx *ctx);
void demeter_relocate_exit(struct demeter_ctx *ctx);
u64 demeter_relocate_room(struct demeter_ctx *ctx, enum demeter_size size);
void demeter_relocate_begin(struct demeter_ctx *ctx);
bool demeter_relocate_batch(struct demeter_ctx *ctx, const struct demeter_plans *plans);
unsigned int demeter_relocate_run(const struct demeter_candidate *c, u64 n);
unsigned int demeter_relocate_migrate(struct demeter_ctx *ctx, const struct demeter_candidate *c,
				      unsigned int n, enum demeter_tier tier, nodemask_t *to);

/* evacuate.c */
unsigned long demeter_evacuate(struct demeter_ctx *ctx, enum demeter_tier tier, unsigned long pages,
			       nodemask_t *to);

#endif /* _MM_DEMETER_RELOCATE_H */
