/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Samples from accessed bits, for machines whose PMU does not sample addresses: DAMON
 * watches each target. See accessed.c.
 */
#ifndef _MM_DEMETER_ACCESSED_H
#define _MM_DEMETER_ACCESSED_H

#include "channel.h"

struct demeter_watch;
struct mm_struct;
struct pid;

int demeter_watch_init(void);
void demeter_watch_exit(void);
int demeter_watch_check(void);
struct demeter_watch *demeter_watch_start(struct pid *thread, struct mm_struct *mm,
					  unsigned int epoch_ms);
void demeter_watch_stop(struct demeter_watch *w);
bool demeter_watch_has_ended(const struct demeter_watch *w);
unsigned int demeter_watch_epoch(const struct demeter_watch *w);
u64 demeter_watch_total(const struct demeter_watch *w);
void demeter_watch_scale(u64 total);
u32 demeter_watch_read(struct demeter_watch *w, struct demeter_sample *samples, u32 max, u64 *lost);
void demeter_watch_counts(struct demeter_watch *w, u64 *samples, u64 *cpu_ns);

#endif /* _MM_DEMETER_ACCESSED_H */
