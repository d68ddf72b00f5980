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

int demeter_watch_check(void);
struct demeter_watch *demeter_watch_start(pid_t pid, struct mm_struct *mm, unsigned int epoch_ms);
void demeter_watch_stop(struct demeter_watch *w);
u32 demeter_watch_read(struct demeter_watch *w, struct demeter_sample *samples, u32 max, u64 *lost);
void demeter_watch_counts(struct demeter_watch *w, u64 *samples, u64 *cpu_ns);

#endif /* _MM_DEMETER_ACCESSED_H */
