// SPDX-License-Identifier: GPL-2.0
/* The list of sources, and which of them is in use. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/sysfs.h>

#include "demeter.h"

/* In the order in which they are tried. */
static const struct demeter_source *const demeter_sources[] = {
	&demeter_source_pebs,
	&demeter_source_ibs,
	&demeter_source_accessed,
};

/**
 * demeter_source_choose() - Say which source is to be used
 * @ctx:	The context.
 * @name:	Name of a source, or "auto" for the first that works.
 *
 * Return: 0, -EINVAL if there is no such source, -EBUSY while running.
 */
int demeter_source_choose(struct demeter_ctx *ctx, const char *name)
{
	if (ctx->source)
		return -EBUSY;
	if (sysfs_streq(name, "auto")) {
		ctx->wanted_source = NULL;
		return 0;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(demeter_sources); i++) {
		if (sysfs_streq(name, demeter_sources[i]->name)) {
			ctx->wanted_source = demeter_sources[i];
			return 0;
		}
	}
	return -EINVAL;
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

	for (unsigned int i = 0; i < ARRAY_SIZE(demeter_sources); i++)
		len += sysfs_emit_at(buf, len, chosen == demeter_sources[i] ? " [%s]" : " %s",
				     demeter_sources[i]->name);
	len += sysfs_emit_at(buf, len, "\n");
	return len;
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

	for (unsigned int i = 0; i < ARRAY_SIZE(demeter_sources); i++) {
		const struct demeter_source *source = demeter_sources[i];

		if (wanted && wanted != source)
			continue;
		ret = source->start(ctx, source);
		if (ret)
			continue;
		ctx->source = source;
		pr_info("samples by %s\n", source->name);
		return 0;
	}
	pr_err("no PMU that samples data addresses%s%s (%d)\n", wanted ? ": " : "",
	       wanted ? wanted->name : "", ret);
	return ret;
}

/**
 * demeter_source_stop() - Sample no longer
 * @ctx:	The context.
 */
void demeter_source_stop(struct demeter_ctx *ctx)
{
	ctx->source->stop(ctx);
	ctx->source = NULL;
}
