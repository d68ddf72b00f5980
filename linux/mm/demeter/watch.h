/* SPDX-License-Identifier: GPL-2.0 */
/* Watches processes by means of DAMON; see watch.c. */
#ifndef _MM_DEMETER_WATCH_H
#define _MM_DEMETER_WATCH_H

#include <linux/tier_sampling.h>

struct demeter_watch;
struct mm_struct;
struct pid;
struct workqueue_struct;

/**
 * struct demeter_watches - State that all watches share
 * @stopper:	Ends watches, each of which may take a while.
 * @divisor:	How many accesses times pages a sample stands for. Set once per epoch, read
 *		by DAMON's threads.
 */
struct demeter_watches {
	struct workqueue_struct *stopper;
	u64 divisor;
};

int demeter_watches_init(struct demeter_watches *all);
void demeter_watches_exit(struct demeter_watches *all);
void demeter_watches_scale(struct demeter_watches *all, u64 total);

int demeter_watch_check(void);
struct demeter_watch *demeter_watch_start(struct demeter_watches *all, struct pid *thread,
					  struct mm_struct *mm, unsigned int epoch_ms);
void demeter_watch_stop(struct demeter_watch *w);
bool demeter_watch_has_ended(const struct demeter_watch *w);
unsigned int demeter_watch_epoch(const struct demeter_watch *w);
u64 demeter_watch_total(const struct demeter_watch *w);
u32 demeter_watch_read(struct demeter_watch *w, struct tier_sample *samples, u32 max, u64 *lost);
void demeter_watch_counts(struct demeter_watch *w, u64 *samples, u64 *cpu_ns);

#endif /* _MM_DEMETER_WATCH_H */
