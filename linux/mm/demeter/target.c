// SPDX-License-Identifier: GPL-2.0
/*
 * Targets: the memory that is managed. That of a process is, from the time when it is found in a
 * scope until it is gone; find.c finds them. A file is while a target has it mapped (scan.c finds
 * these), or while it is read much (classify.c). Physical memory always is, for all other files.
 *
 * A process may exit, fork or exec at any time: a target holds on to the mm, not to its users,
 * and is dropped when there are none any more. A file may be removed at any time: a target holds
 * on to nothing of it, and reaches it through an area of a process that has it mapped, or through
 * a page of it that was read lately. What is known of it lives on for a while when that is gone,
 * until it is found again.
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
	hash_init(ctx->targets.by_key);
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

	hash_for_each_possible(ctx->targets.by_key, t, by_key, (unsigned long)mm)
		if (t->kind == DEMETER_PROCESS && t->space.mm == mm)
			return t;
	return NULL;
}

/**
 * demeter_target_of_file() - Find the target of a file
 * @ctx:	The context.
 * @mapping:	The file, which is not dereferenced.
 *
 * Return: the target or NULL.
 */
struct demeter_target *demeter_target_of_file(struct demeter_ctx *ctx, const void *mapping)
{
	struct demeter_target *t;

	hash_for_each_possible(ctx->targets.by_key, t, by_key, (unsigned long)mapping)
		if (t->kind == DEMETER_FILE && t->space.mapping == mapping)
			return t;
	return NULL;
}

static struct demeter_target *demeter_target_make(struct demeter_ctx *ctx, enum demeter_kind kind)
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
	t->kind = kind;
	return t;
}

static void demeter_target_enter(struct demeter_target *t, const void *key)
{
	struct demeter_targets *targets = &t->ctx->targets;

	list_add_tail(&t->list, &targets->list);
	hash_add(targets->by_key, &t->by_key, (unsigned long)key);
	targets->nr++;
	targets->nr_files += t->kind == DEMETER_FILE;
	demeter_update_wake(t);
	t->ctx->observer->added(t);
}

/* Has a file be reached through a process where it has it mapped, or through one of its pages. */
static void demeter_target_reach(struct demeter_target *t, struct demeter_target *via,
				 unsigned long window)
{
	if (via)
		via->nr_files++;
	t->is_reached = true;
	t->via = via;
	t->space.mm = via ? via->space.mm : NULL;
	t->space.window = window;
}

/**
 * demeter_target_lose() - Forget how a file is reached
 * @t:		The target of the file. It was not found where it was.
 */
void demeter_target_lose(struct demeter_target *t)
{
	if (t->via) {
		t->via->nr_files--;
		t->ctx->targets.has_lost = true;
	}
	t->is_reached = false;
	t->via = NULL;
	t->space.mm = NULL;
	t->lost = t->ctx->stats.epochs;
	demeter_update_wake(t);
}

/* Has files be reached in another way that were reached through a process that is gone. */
static void demeter_target_lose_files(struct demeter_target *via)
{
	struct demeter_ctx *ctx = via->ctx;
	struct demeter_target *t;

	if (!via->nr_files)
		return;
	list_for_each_entry(t, &ctx->targets.list, list)
		if (t->via == via)
			demeter_target_lose(t);
}

/**
 * demeter_target_get() - Keep the memory of a target from going away
 * @t:		The target.
 *
 * Return: whether it is there. Then demeter_target_put() lets it go.
 */
bool demeter_target_get(struct demeter_target *t)
{
	return t->is_reached && (!t->space.mm || mmget_not_zero(t->space.mm));
}

/**
 * demeter_target_put() - Undo demeter_target_get()
 * @t:		The target.
 */
void demeter_target_put(struct demeter_target *t)
{
	if (t->space.mm)
		mmput_async(t->space.mm);
}

/**
 * demeter_target_end() - Tell how far addresses of a target go
 * @t:		The target.
 *
 * Return: an address that none reaches.
 */
unsigned long demeter_target_end(const struct demeter_target *t)
{
	return t->kind == DEMETER_PROCESS ? TASK_SIZE : round_down(ULONG_MAX, GRANULE_SIZE);
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
	return t->kind == DEMETER_PROCESS && !t->scope;
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
	hash_del(&t->by_key);
	if (t->kind == DEMETER_PROCESS)
		demeter_target_lose_files(t);
	ctx->targets.nr--;
	ctx->targets.nr_files -= t->kind == DEMETER_FILE;
	if (ctx->source && ctx->source->ops->forget)
		ctx->source->ops->forget(ctx->source, t);
	demeter_update_wake(t);
	demeter_scan_forget(t);
	list_del(&t->awake);
	if (t->via)
		t->via->nr_files--;
	if (ctx->targets.frames == t)
		ctx->targets.frames = NULL;
	if (t->kind == DEMETER_PROCESS) {
		put_pid(t->thread);
		mmdrop(t->space.mm);
	}
	t->space = (struct page_exchange_space){};
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
	if (!demeter_target_of(ctx, found->mm) &&
	    ctx->targets.nr - ctx->targets.nr_files < DEMETER_MAX_TARGETS)
		t = demeter_target_make(ctx, DEMETER_PROCESS);
	if (!t) {
		put_pid(found->thread);
		mmdrop(found->mm);
		return;
	}
	t->space.mm = found->mm;
	t->is_reached = true;
	t->pid = found->pid;
	t->thread = found->thread;
	t->scope = found->scope;
	memcpy(t->comm, found->comm, sizeof(t->comm));
	demeter_target_enter(t, t->space.mm);
}

/**
 * demeter_target_may_add_file() - Whether there is room for another file
 * @via:	The process that has it mapped.
 *
 * Return: whether there is: a process does not take the places of all others' files.
 */
bool demeter_target_may_add_file(const struct demeter_target *via)
{
	return via->ctx->targets.nr_files < DEMETER_MAX_FILES &&
	       via->nr_files < DEMETER_MAX_OWN_FILES;
}

/**
 * demeter_target_add_file() - Manage the pages of a file, or remember where it is found
 * @ctx:	The context.
 * @via:	The target of a process that has it mapped; NULL: @file has one of its pages.
 * @file:	The file.
 *
 * Without memory, or if there are too many files, its pages are left alone.
 */
void demeter_target_add_file(struct demeter_ctx *ctx, struct demeter_target *via,
			     const struct demeter_file *file)
{
	struct demeter_target *t = demeter_target_of_file(ctx, file->mapping);

	if (t) {
		/* where it is mapped is known for longer than where one of its pages is */
		if (!t->via)
			demeter_target_reach(t, via, file->window);
		return;
	}
	if (ctx->targets.nr_files < DEMETER_MAX_FILES)
		t = demeter_target_make(ctx, DEMETER_FILE);
	if (!t)
		return;
	t->space.mapping = file->mapping;
	strscpy(t->comm, file->name);
	t->is_sampled = true;
	demeter_target_reach(t, via, file->window);
	demeter_target_enter(t, file->mapping);
	/* its pages are not to be found there any more */
	ctx->targets.frames->is_scanned = false;
}

/**
 * demeter_target_add_frames() - Manage pages of files that nobody has mapped
 * @ctx:	The context.
 *
 * Return: 0 or -ENOMEM.
 */
int demeter_target_add_frames(struct demeter_ctx *ctx)
{
	struct demeter_target *t = demeter_target_make(ctx, DEMETER_FRAMES);

	if (!t)
		return -ENOMEM;
	t->is_sampled = true;
	t->is_reached = true;
	strscpy(t->comm, "other files");
	ctx->targets.frames = t;
	demeter_target_enter(t, NULL);
	return 0;
}
