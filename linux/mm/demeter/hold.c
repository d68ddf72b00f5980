// SPDX-License-Identifier: GPL-2.0
/*
 * Who has Demeter on: the administrator, by "enabled" in sysfs, and each open file of
 * /dev/demeter on which "on" was written. Demeter runs as long as there is one of them.
 *
 * A file also owns the scopes that are attached by it. When its last descriptor is closed,
 * however the process ends, both go with it. The device is described in
 * Documentation/ABI/testing/dev-demeter.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "demeter.h"

/* Longest command, which is more than the longest scope with its verb. */
#define MAX_COMMAND 255

/**
 * struct demeter_hold - An open file of the device
 * @ctx:	The context.
 * @owner:	Owns the scopes that were attached by this file.
 * @on:		Whether it has Demeter on.
 */
struct demeter_hold {
	struct demeter_ctx *ctx;
	struct demeter_owner owner;
	bool on;
};

static void demeter_holds_lock(struct demeter_ctx *ctx)
{
	mutex_lock(&ctx->holds.lock);
	mutex_lock(&ctx->lock);
}

static void demeter_holds_unlock(struct demeter_ctx *ctx)
{
	mutex_unlock(&ctx->lock);
	mutex_unlock(&ctx->holds.lock);
}

/* Starts with the source called @source if that is given; if it runs, it must use that one. */
static int demeter_holds_start(struct demeter_ctx *ctx, const char *source)
{
	struct demeter_source *const wanted = ctx->wanted_source;
	int ret = 0;

	if (demeter_is_running(ctx))
		return source ? demeter_source_check(ctx, source) : 0;
	if (source)
		ret = demeter_source_choose(ctx, source);
	if (!ret)
		ret = ctx->holds.control->start(ctx);
	if (ret)
		ctx->wanted_source = wanted;
	else
		ctx->holds.wanted_source = wanted;
	return ret;
}

static void demeter_holds_stop_unused(struct demeter_ctx *ctx)
{
	if (ctx->holds.admin || ctx->holds.nr || !demeter_is_running(ctx))
		return;
	ctx->holds.control->stop(ctx);
	ctx->wanted_source = ctx->holds.wanted_source;
}

/**
 * demeter_holds_set_admin() - Have the administrator want Demeter on, or not any more
 * @ctx:	The context, of which no lock is held.
 * @on:		Whether.
 *
 * Return: 0, or the error of the start, after which all is as before.
 */
int demeter_holds_set_admin(struct demeter_ctx *ctx, bool on)
{
	int ret = 0;

	demeter_holds_lock(ctx);
	if (on)
		ret = demeter_holds_start(ctx, NULL);
	if (!ret)
		ctx->holds.admin = on;
	demeter_holds_stop_unused(ctx);
	demeter_holds_unlock(ctx);
	return ret;
}

static int demeter_hold_switch_on(struct demeter_hold *hold, const char *source)
{
	struct demeter_holds *holds = &hold->ctx->holds;
	int ret = demeter_holds_start(hold->ctx, source);

	if (ret || hold->on)
		return ret;
	hold->on = true;
	WRITE_ONCE(holds->nr, holds->nr + 1);
	return 0;
}

static int demeter_hold_command(struct demeter_hold *hold, char *text)
{
	char *words = strim(text);
	const char *verb = strsep(&words, " \t");

	words = words ? skip_spaces(words) : NULL;
	if (!strcmp(verb, "on"))
		return demeter_hold_switch_on(hold, words);
	if (!words)
		return -EINVAL;
	if (!strcmp(verb, "attach"))
		return demeter_target_attach(hold->ctx, &hold->owner, words);
	if (!strcmp(verb, "detach"))
		return demeter_target_detach(hold->ctx, &hold->owner, words);
	return -EINVAL;
}

static ssize_t demeter_hold_write(struct file *file, const char __user *buf, size_t count,
				  loff_t *pos)
{
	struct demeter_hold *hold = file->private_data;
	char *text;
	int ret;

	if (count > MAX_COMMAND)
		return -EINVAL;
	text = memdup_user_nul(buf, count);
	if (IS_ERR(text))
		return PTR_ERR(text);
	demeter_holds_lock(hold->ctx);
	ret = demeter_hold_command(hold, text);
	demeter_holds_unlock(hold->ctx);
	kfree(text);
	return ret ?: count;
}

/* Takes no lock: that of all misc devices is held. */
static int demeter_hold_open(struct inode *inode, struct file *file)
{
	struct demeter_ctx *ctx = container_of(file->private_data, struct demeter_ctx, holds.misc);
	struct demeter_hold *hold;

	/* whatever the mode of the device file was changed to */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	hold = kzalloc(sizeof(*hold), GFP_KERNEL_ACCOUNT);
	if (!hold)
		return -ENOMEM;
	hold->ctx = ctx;
	demeter_owner_init(&hold->owner);
	file->private_data = hold;
	return stream_open(inode, file);
}

static int demeter_hold_release(struct inode *inode, struct file *file)
{
	struct demeter_hold *hold = file->private_data;
	struct demeter_ctx *ctx = hold->ctx;

	demeter_holds_lock(ctx);
	demeter_target_detach_all(ctx, &hold->owner);
	if (hold->on) {
		WRITE_ONCE(ctx->holds.nr, ctx->holds.nr - 1);
		demeter_holds_stop_unused(ctx);
	}
	demeter_holds_unlock(ctx);
	kfree(hold);
	return 0;
}

/* An open file keeps the module from being unloaded. */
static const struct file_operations demeter_hold_fops = {
	.owner = THIS_MODULE,
	.open = demeter_hold_open,
	.write = demeter_hold_write,
	.release = demeter_hold_release,
};

/**
 * demeter_holds_init() - Begin with nobody who has Demeter on
 * @ctx:	The context.
 * @control:	Functions to start and stop.
 */
void demeter_holds_init(struct demeter_ctx *ctx, const struct demeter_control *control)
{
	ctx->holds.control = control;
	mutex_init(&ctx->holds.lock);
}

/**
 * demeter_holds_open() - Make the device
 * @ctx:	The context, in which all else is ready.
 *
 * Return: 0 or an error.
 */
int demeter_holds_open(struct demeter_ctx *ctx)
{
	ctx->holds.misc = (struct miscdevice){
		.minor = MISC_DYNAMIC_MINOR,
		.name = "demeter",
		.fops = &demeter_hold_fops,
		.mode = 0600,
	};
	return misc_register(&ctx->holds.misc);
}

/**
 * demeter_holds_close() - Remove the device, of which no file is open
 * @ctx:	The context.
 */
void demeter_holds_close(struct demeter_ctx *ctx)
{
	misc_deregister(&ctx->holds.misc);
}
