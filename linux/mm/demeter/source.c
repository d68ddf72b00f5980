// SPDX-License-Identifier: GPL-2.0
/* The list of sources, and which of them is in use. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "demeter.h"

/* In the order in which they are tried. */
static const struct demeter_source_ops *const demeter_sources[] = {
	&demeter_source_pebs,
	&demeter_source_ibs,
	&demeter_source_accessed,
};

#define NR_SOURCES ARRAY_SIZE(demeter_sources)

/* Epochs of a span: what is shown is that of the last one and of that before. */
#define HEALTH_EPOCHS 64

static void demeter_sources_free(struct demeter_ctx *ctx, unsigned int n)
{
	while (n--)
		ctx->sources[n].ops->exit(&ctx->sources[n]);
	kfree(ctx->sources);
	ctx->sources = NULL;
}

/**
 * demeter_sources_init() - Prepare all sources
 * @ctx:	The context.
 *
 * Return: 0, or an error after which none is prepared.
 */
int demeter_sources_init(struct demeter_ctx *ctx)
{
	ctx->sources = kcalloc(NR_SOURCES, sizeof(*ctx->sources), GFP_KERNEL);
	if (!ctx->sources)
		return -ENOMEM;
	for (unsigned int i = 0; i < NR_SOURCES; i++) {
		struct demeter_source *source = &ctx->sources[i];
		int ret;

		source->ops = demeter_sources[i];
		source->ctx = ctx;
		ret = source->ops->init(source);
		if (ret) {
			demeter_sources_free(ctx, i);
			return ret;
		}
	}
	return 0;
}

/**
 * demeter_sources_exit() - Undo demeter_sources_init()
 * @ctx:	The context, in which no source is in use.
 */
void demeter_sources_exit(struct demeter_ctx *ctx)
{
	demeter_sources_free(ctx, NR_SOURCES);
}

/* Finds the source that users call @name, NULL for "auto". Returns 0 or -EINVAL. */
static int demeter_source_named(struct demeter_ctx *ctx, const char *name,
				struct demeter_source **source)
{
	*source = NULL;
	if (sysfs_streq(name, "auto"))
		return 0;
	for (unsigned int i = 0; i < NR_SOURCES; i++) {
		if (sysfs_streq(name, ctx->sources[i].ops->name)) {
			*source = &ctx->sources[i];
			return 0;
		}
	}
	return -EINVAL;
}

/**
 * demeter_source_choose() - Say which source is to be used
 * @ctx:	The context.
 * @name:	Name of a source, or "auto" for the first that works.
 *
 * Return: 0, -EINVAL if there is no such source, -EBUSY while running.
 */
int demeter_source_choose(struct demeter_ctx *ctx, const char *name)
{
	struct demeter_source *source;
	int ret;

	if (ctx->source)
		return -EBUSY;
	ret = demeter_source_named(ctx, name, &source);
	if (!ret)
		ctx->wanted_source = source;
	return ret;
}

/**
 * demeter_source_check() - Whether the source in use is one that is asked for
 * @ctx:	The context, in which a source is in use.
 * @name:	Name of a source, or "auto" for any.
 *
 * Return: 0 if it is, -EINVAL if there is no such source, -EBUSY if another one is in use.
 */
int demeter_source_check(struct demeter_ctx *ctx, const char *name)
{
	struct demeter_source *source;
	int ret = demeter_source_named(ctx, name, &source);

	if (!ret && source && source != ctx->source)
		ret = -EBUSY;
	return ret;
}

/**
 * demeter_source_show() - Print all sources on a line
 * @ctx:	The context.
 * @buf:	Buffer of a page; the source in use, or else the chosen one, is in brackets.
 *
 * Return: how many characters were printed.
 */
ssize_t demeter_source_show(struct demeter_ctx *ctx, char *buf)
{
	const struct demeter_source *chosen = ctx->source ?: ctx->wanted_source;
	int len = sysfs_emit(buf, chosen ? "auto" : "[auto]");

	for (unsigned int i = 0; i < NR_SOURCES; i++)
		len += sysfs_emit_at(buf, len, chosen == &ctx->sources[i] ? " [%s]" : " %s",
				     ctx->sources[i].ops->name);
	len += sysfs_emit_at(buf, len, "\n");
	return len;
}

/* Lets a span of epochs begin. */
static void demeter_health_begin(struct demeter_ctx *ctx)
{
	struct demeter_health *h = &ctx->health;

	h->begin[1] = h->begin[0];
	h->begin[0].epochs = ctx->stats.epochs;
	h->begin[0].samples = ctx->stats.samples;
	h->begin[0].lost = ctx->stats.lost;
	h->begin[0].strays = ctx->stats.strays;
}

/**
 * demeter_source_health() - Print how well the source in use samples
 * @ctx:	The context.
 * @buf:	Buffer of a page; gets lines of a name and a number, none while stopped.
 *
 * Return: how many characters were printed.
 */
ssize_t demeter_source_health(struct demeter_ctx *ctx, char *buf)
{
	const struct demeter_stats *now = &ctx->stats;
	const struct demeter_health *h = &ctx->health;
	int len;

	if (!ctx->source)
		return 0;
	len = ctx->source->ops->health(ctx->source, buf, 0);
	return len + sysfs_emit_at(buf, len, "epochs %llu\nsamples %llu\nlost %llu\nstrays %llu\n",
				   now->epochs - h->begin[1].epochs,
				   now->samples - h->begin[1].samples, now->lost - h->begin[1].lost,
				   now->strays - h->begin[1].strays);
}

/**
 * demeter_source_start() - Begin to sample by the chosen source, or the first that works
 * @ctx:	The context, of which @ctx->source says afterwards which one that is.
 *
 * Return: 0, or, with the reason in the log, the error of the source that was tried last.
 */
int demeter_source_start(struct demeter_ctx *ctx)
{
	const struct demeter_source *wanted = ctx->wanted_source;
	int ret = -ENODEV;

	for (unsigned int i = 0; i < NR_SOURCES; i++) {
		struct demeter_source *source = &ctx->sources[i];

		if (wanted && wanted != source)
			continue;
		ret = source->ops->start(source);
		if (ret)
			continue;
		ctx->source = source;
		/* nothing that was before the start counts */
		demeter_health_begin(ctx);
		demeter_health_begin(ctx);
		pr_info("samples by %s\n", source->ops->name);
		return 0;
	}
	if (wanted)
		pr_err("no source of samples works: %s\n", wanted->ops->name);
	else
		pr_err("no source of samples works\n");
	return ret;
}

/**
 * demeter_source_stop() - Sample no longer
 * @ctx:	The context.
 */
void demeter_source_stop(struct demeter_ctx *ctx)
{
	ctx->source->ops->stop(ctx->source);
	ctx->source = NULL;
}

/**
 * demeter_source_update() - Adapt the source in use to the targets of this epoch
 * @ctx:	The context, of whose targets that are awake is said afterwards which are sampled.
 */
void demeter_source_update(struct demeter_ctx *ctx)
{
	const struct demeter_source_ops *ops = ctx->source->ops;
	struct demeter_target *t;

	if (ctx->stats.epochs - ctx->health.begin[0].epochs >= HEALTH_EPOCHS)
		demeter_health_begin(ctx);
	if (ops->update)
		ops->update(ctx->source);
	list_for_each_entry(t, &ctx->targets.awake, awake) {
		/* a file is as far as the process is by which it is reached */
		const struct demeter_target *process = t->kind == DEMETER_PROCESS ? t : t->via;
		const bool is_sampled = !process || !ops->samples ||
					ops->samples(ctx->source, process);

		if (is_sampled != t->is_sampled)
			demeter_update_all_of(t);
		t->is_sampled = is_sampled;
	}
}
