/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sources of samples. Each is a struct demeter_source in a file of its own; source.c has the
 * list of them, and the rest of Demeter knows them by their operations only. Another source
 * takes its file, and a line each in the Makefile, below, and in that list.
 */
#ifndef _MM_DEMETER_SOURCE_H
#define _MM_DEMETER_SOURCE_H

#include "channel.h"

struct demeter_ctx;
struct demeter_pmu_event;
struct demeter_target;

/* Called for some samples of user addresses, some of which may be of no target. */
typedef void demeter_take_fn(struct demeter_ctx *ctx, const struct demeter_sample *samples, u32 n);

/**
 * struct demeter_source - Samples the addresses that processes access
 * @name:	What users call it.
 * @event:	The event that it counts, if it is a PMU: the business of source_pmu.c.
 * @start:	Begins to sample. Returns -ENODEV if the machine cannot, or another error.
 * @stop:	Samples no longer, and forgets all targets.
 * @update:	Adapts to the targets of this epoch, whose pages are known. NULL if the
 *		source samples whatever runs.
 * @forget:	Stops to sample a target that is about to be dropped. NULL likewise.
 * @drain:	Hands over all samples that were taken since the last call.
 * @count:	Adds to the statistics how many samples there were since the last call, and
 *		the CPU time that they took.
 *
 * All are called with the lock of the context held.
 */
struct demeter_source {
	const char *name;
	const struct demeter_pmu_event *event;
	int (*start)(struct demeter_ctx *ctx, const struct demeter_source *source);
	void (*stop)(struct demeter_ctx *ctx);
	void (*update)(struct demeter_ctx *ctx);
	void (*forget)(struct demeter_target *t);
	void (*drain)(struct demeter_ctx *ctx, demeter_take_fn *take);
	void (*count)(struct demeter_ctx *ctx);
};

/* source_pmu.c */
extern const struct demeter_source demeter_source_pebs;
extern const struct demeter_source demeter_source_ibs;

/* source_damon.c */
extern const struct demeter_source demeter_source_accessed;

/* source.c */
int demeter_source_choose(struct demeter_ctx *ctx, const char *name);
ssize_t demeter_source_show(struct demeter_ctx *ctx, char *buf);
int demeter_source_start(struct demeter_ctx *ctx);
void demeter_source_stop(struct demeter_ctx *ctx);

#endif /* _MM_DEMETER_SOURCE_H */
