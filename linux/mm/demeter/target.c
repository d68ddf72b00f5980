// SPDX-License-Identifier: GPL-2.0
/*
 * Targets: the mms that are managed, from the time when a process is found in a scope until
 * it is gone. find.c finds them.
 *
 * A process may exit, fork or exec at any time: a target holds on to the mm, not to its users,
 * and is dropped when there are none any more.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "demeter.h"

/**
 * demeter_targets_init() - Make an empty set of targets
 * @ctx:	The context.
 */
void demeter_targets_init(struct demeter_ctx *ctx)
{
	INIT_LIST_HEAD(&ctx->targets.list);
	INIT_LIST_HEAD(&ctx->targets.awake);
	hash_init(ctx->targets.by_mm);
	ctx->targets.pid_turn = 1;
}

/**
 * demeter_target_of() - Find the target that has a given mm
 * @ctx:	The context.
 * @mm:		The mm, which is not dereferenced.
 *
 * Return: the target or NULL.
 */
struct demeter_target *demeter_target_of(struct demeter_ctx *ctx, const void *mm)
{
	struct demeter_target *t;

	hash_for_each_possible(ctx->targets.by_mm, t, by_mm, (unsigned long)mm)
		if (t->mm == mm)
			return t;
	return NULL;
}

static struct demeter_target *demeter_target_make(struct demeter_ctx *ctx,
						  const struct demeter_found *found)
{
	struct demeter_target *t = kzalloc(sizeof(*t), GFP_KERNEL | __GFP_NOWARN);

	if (!t)
		return NULL;
	if (demeter_ranges_init(&t->ranges, ctx->params.max_ranges, GRANULE_SIZE)) {
		kfree(t);
		return NULL;
	}
	xa_init(&t->granules);
	INIT_LIST_HEAD(&t->awake);
	mutex_init(&t->lock);
	t->ctx = ctx;
	t->mm = found->mm;
	t->pid = found->pid;
	t->thread = found->thread;
	t->scope = found->scope;
	memcpy(t->comm, found->comm, sizeof(t->comm));
	return t;
}

/**
 * demeter_target_free() - Free a target that was dropped
 * @t:		The target, which nobody uses any more.
 */
void demeter_target_free(struct demeter_target *t)
{
	demeter_ranges_free(&t->ranges);
	kfree(t);
}

/**
 * demeter_target_expire() - Have a target dropped in the next epoch
 * @t:		The target. It is found again if its mm is still in a scope then.
 */
void demeter_target_expire(struct demeter_target *t)
{
	t->scope = 0;
}

/**
 * demeter_target_has_expired() - Whether a target is going to be dropped
 * @t:		The target.
 *
 * Return: whether it is.
 */
bool demeter_target_has_expired(const struct demeter_target *t)
{
	return !t->scope;
}

/**
 * demeter_target_drop() - Manage a target no longer
 * @t:		The target, which its observer frees.
 */
void demeter_target_drop(struct demeter_target *t)
{
	struct demeter_ctx *ctx = t->ctx;

	if (ctx->targets.gone_turn == t)
		demeter_update_pass_turn(ctx, &ctx->targets.gone_turn);
	if (ctx->scan_turn == t)
		demeter_update_pass_turn(ctx, &ctx->scan_turn);
	if (ctx->update_turn == t)
		demeter_update_pass_turn(ctx, &ctx->update_turn);
	list_del(&t->list);
	hash_del(&t->by_mm);
	ctx->targets.nr--;
	if (ctx->source && ctx->source->ops->forget)
		ctx->source->ops->forget(ctx->source, t);
	demeter_update_wake(t);
	demeter_scan_forget(t);
	list_del(&t->awake);
	put_pid(t->thread);
	mmdrop(t->mm);
	t->mm = NULL;
	ctx->observer->removed(t);
}

/**
 * demeter_target_add() - Begin to manage the mm of a process
 * @ctx:	The context.
 * @found:	The process. Its references go to the target, or are put if there is none.
 *
 * There is none if the mm has one already, if there are too many, or without memory.
 */
void demeter_target_add(struct demeter_ctx *ctx, const struct demeter_found *found)
{
	struct demeter_target *t = NULL;

	/* processes that share their mm have been found one by one */
	if (!demeter_target_of(ctx, found->mm) && ctx->targets.nr < DEMETER_MAX_TARGETS)
		t = demeter_target_make(ctx, found);
	if (!t) {
		put_pid(found->thread);
		mmdrop(found->mm);
		return;
	}
	list_add_tail(&t->list, &ctx->targets.list);
	hash_add(ctx->targets.by_mm, &t->by_mm, (unsigned long)t->mm);
	ctx->targets.nr++;
	demeter_update_wake(t);
	ctx->observer->added(t);
}
