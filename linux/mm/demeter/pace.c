// SPDX-License-Identifier: GPL-2.0
/*
 * Decides how often samples are taken.
 *
 * Programs miss caches more or less often. Periods are made longer by a power of two where there
 * would be more samples on the average CPU than the rate that users set, or than a CPU can keep, or
 * where sampling takes more than a small part of CPU time: of a server that switches tasks all the
 * time, each sample costs many times what it costs in a program that computes.
 *
 * While pages are moving or memory is new, samples are what finds the hot pages soon. When
 * hardly any move any more, samples only have to show that this is still so, and fewer do.
 */
#include <linux/cpumask.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "demeter.h"

/* Epochs that must have been quiet. */
#define QUIET_EPOCHS 4
/* An epoch is quiet if less than one in so many pages have moved, come or gone. */
#define QUIET_PART 256
/* By how much fewer samples there may be then. */
#define QUIET_FACTOR 4

/* Sampling takes one in so many ns of the CPUs, at most. */
#define SAMPLE_PART 256

/* Periods become shorter again when twice as many samples are some fewer than the rate. */
#define LESS(samples) ((samples) * 5 / 2)
#define MAX_FACTOR    64

static u64 demeter_pace_pages(const struct demeter_ctx *ctx, enum demeter_tier tier)
{
	return ctx->rankings[DEMETER_BASE].total[tier] +
	       ctx->rankings[DEMETER_HUGE].total[tier] * GRANULE_PAGES;
}

static bool demeter_pace_is_quiet(struct demeter_ctx *ctx, u64 moved)
{
	const u64 fast = demeter_pace_pages(ctx, DEMETER_FAST);
	const u64 all = fast + demeter_pace_pages(ctx, DEMETER_SLOW);
	const u64 changed = max(all, ctx->pace.pages) - min(all, ctx->pace.pages);

	ctx->pace.pages = all;
	if (moved * QUIET_PART > fast || changed * QUIET_PART > all)
		ctx->pace.quiet_epochs = 0;
	else if (ctx->pace.quiet_epochs < QUIET_EPOCHS)
		ctx->pace.quiet_epochs++;
	return ctx->pace.quiet_epochs == QUIET_EPOCHS;
}

/* Returns how many samples there may be in an epoch, by the rate that users set. */
static u64 demeter_pace_limit(const struct demeter_params *p)
{
	return div_u64((u64)p->sample_rate * num_online_cpus() * p->epoch_ms, MSEC_PER_SEC);
}

/* Likewise, by what those of the last epoch have cost in @ns of CPU time. */
static u64 demeter_pace_affordable(const struct demeter_params *p, u64 samples, u64 ns)
{
	/* in us, so that it cannot overflow */
	const u64 most = (u64)p->epoch_ms * USEC_PER_MSEC * num_online_cpus() / SAMPLE_PART;

	return ns < NSEC_PER_USEC ? U64_MAX : div64_u64(samples * most, ns / NSEC_PER_USEC);
}

/*
 * Returns a factor of the periods with which there are at most @limit samples. It rises at once,
 * and falls step by step, since an epoch with few samples may be followed by one with many.
 */
static unsigned int demeter_pace_factor(unsigned int factor, u64 samples, u64 limit)
{
	while (samples > limit && factor < MAX_FACTOR) {
		factor *= 2;
		samples /= 2;
	}
	if (factor > 1 && LESS(samples) < limit)
		factor /= 2;
	return factor;
}

/**
 * demeter_pace_reset() - Begin with the periods that the parameters say
 * @ctx:	The context.
 */
void demeter_pace_reset(struct demeter_ctx *ctx)
{
	ctx->pace = (struct demeter_pace){
		.samples = ctx->stats.samples,
		.lost = ctx->stats.lost,
		.ns = ctx->stats.stage_ns[DEMETER_SAMPLE],
	};
	ctx->weight = 1;
	ctx->noise_weight = 1;
}

/**
 * demeter_pace_update() - Adapt how often samples are taken
 * @ctx:	The context.
 * @moved:	Base pages that changed tiers in this epoch.
 *
 * A sample weighs the more the fewer there are, so that heats stay what they are.
 */
void demeter_pace_update(struct demeter_ctx *ctx, u64 moved)
{
	const struct demeter_source_ops *ops = ctx->source->ops;
	const struct demeter_params *p = &ctx->params;
	const bool has_lost = ctx->stats.lost != ctx->pace.lost;
	const u64 ns = ctx->stats.stage_ns[DEMETER_SAMPLE] - ctx->pace.ns;
	u64 samples = ctx->stats.samples - ctx->pace.samples;
	u64 limit = demeter_pace_limit(p);
	unsigned int factor;

	ctx->pace.samples = ctx->stats.samples;
	ctx->pace.lost = ctx->stats.lost;
	ctx->pace.ns = ctx->stats.stage_ns[DEMETER_SAMPLE];
	if (demeter_pace_is_quiet(ctx, moved))
		limit /= QUIET_FACTOR;
	limit = min(limit, demeter_pace_affordable(p, samples, ns));
	/* this epoch's samples are of two periods */
	if (ctx->pace.has_changed) {
		ctx->pace.has_changed = false;
		return;
	}
	/* a CPU has had more than its ring holds, however few others have had */
	if (has_lost)
		samples = max(samples, limit + 1);
	factor = demeter_pace_factor(ctx->weight, samples, max(limit, 1ull));
	if (factor == ctx->weight || !ops->set_factor || !ops->set_factor(ctx->source, factor))
		return;
	ctx->pace.has_changed = true;
	ctx->weight = factor;
	ctx->noise_weight = max(factor, ctx->noise_weight);
}
