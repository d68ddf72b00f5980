/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sources of samples. Each has its operations in a file of its own and keeps what it knows
 * behind a pointer; source.c has the list of them. The rest of Demeter knows no source but by
 * what is declared here. Another source takes its file, and a line each in the Makefile,
 * below, and in that list.
 */
#ifndef _MM_DEMETER_SOURCE_H
#define _MM_DEMETER_SOURCE_H

#include <linux/tier_sampling.h>

struct demeter_ctx;
struct demeter_source;
struct demeter_target;

/* Called for some samples of user addresses, some of which may be of no target. */
typedef void demeter_take_fn(struct demeter_ctx *ctx, const struct tier_sample *samples, u32 n);

/**
 * struct demeter_source_ops - What a source of samples can do
 * @name:	What users call it.
 * @init:	Prepares the source when the module is loaded. Returns 0 or an error.
 * @exit:	Undoes that when the module is unloaded; the source is stopped.
 * @start:	Begins to sample. Returns -ENODEV if the machine cannot, or another error.
 * @stop:	Samples no longer, and forgets all targets.
 * @update:	Adapts to the targets of this epoch, whose pages are known. NULL if the
 *		source samples whatever runs.
 * @forget:	Stops to sample a target that is about to be dropped. NULL likewise.
 * @samples:	Whether it samples a target at present. NULL if it samples all that run.
 * @set_factor:	Makes all periods longer than the parameters say, by a factor. Returns whether
 *		it could; otherwise they stay as they were. NULL if there are no periods.
 * @drain:	Hands over all samples that were taken since the last call.
 * @health:	Prints at @len of a buffer of a page how well it samples: lines of a name and a
 *		number. Returns where they end.
 * @count:	Adds to the statistics how many samples there were since the last call, and
 *		the CPU time that they took.
 *
 * All but @init and @exit are called with the lock of the context held.
 */
struct demeter_source_ops {
	const char *name;
	int (*init)(struct demeter_source *source);
	void (*exit)(struct demeter_source *source);
	int (*start)(struct demeter_source *source);
	void (*stop)(struct demeter_source *source);
	void (*update)(struct demeter_source *source);
	void (*forget)(struct demeter_source *source, struct demeter_target *t);
	bool (*samples)(struct demeter_source *source, const struct demeter_target *t);
	bool (*set_factor)(struct demeter_source *source, unsigned int factor);
	void (*drain)(struct demeter_source *source, demeter_take_fn *take);
	int (*health)(struct demeter_source *source, char *buf, int len);
	void (*count)(struct demeter_source *source);
};

/**
 * struct demeter_source - Samples the addresses that processes access
 * @ops:	Its operations.
 * @ctx:	The context.
 * @state:	What it knows; its own business.
 */
struct demeter_source {
	const struct demeter_source_ops *ops;
	struct demeter_ctx *ctx;
	void *state;
};

/**
 * struct demeter_health - What sampling has led to lately
 * @begin:	Counters at the beginning of the last span of epochs, and of that before.
 */
struct demeter_health {
	struct {
		u64 epochs;
		u64 samples;
		u64 lost;
		u64 strays;
	} begin[2];
};

/* source_pmu.c */
extern const struct demeter_source_ops demeter_source_pebs;
extern const struct demeter_source_ops demeter_source_ibs;

/* source_damon.c */
extern const struct demeter_source_ops demeter_source_accessed;

/* source.c */
int demeter_sources_init(struct demeter_ctx *ctx);
void demeter_sources_exit(struct demeter_ctx *ctx);
int demeter_source_choose(struct demeter_ctx *ctx, const char *name);
int demeter_source_check(struct demeter_ctx *ctx, const char *name);
ssize_t demeter_source_show(struct demeter_ctx *ctx, char *buf);
ssize_t demeter_source_health(struct demeter_ctx *ctx, char *buf);
int demeter_source_start(struct demeter_ctx *ctx);
void demeter_source_stop(struct demeter_ctx *ctx);
void demeter_source_update(struct demeter_ctx *ctx);

#endif /* _MM_DEMETER_SOURCE_H */
