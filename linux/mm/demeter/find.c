// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the processes that are in scopes, which become targets, and drops targets and scopes
 * that are gone.
 *
 * Each epoch looks at the processes that are new, and at some of the others.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "demeter.h"

/* Pids that are looked at in one hold of RCU, and threads of a process. */
#define FIND_PIDS    64
#define FIND_THREADS 64
/* Pids that are looked at in an epoch besides those that are new. */
#define FIND_SHARE 512
/* Targets that are asleep and are looked at in an epoch, whether they are gone. */
#define DROP_SHARE 256

/*
 * Whether @task is in a scope and not a target yet; then @found gets references on its mm and
 * its pid. *@has_mm says whether it has an mm at all: all threads of a process that have one
 * share it.
 */
static bool demeter_target_is_new(struct demeter_ctx *ctx, struct task_struct *task,
				  struct demeter_found *found, bool *has_mm)
{
	struct demeter_scope *s;
	struct mm_struct *mm;
	bool is = false;

	task_lock(task);
	mm = task->mm;
	*has_mm = mm;
	if (mm && !(task->flags & (PF_KTHREAD | PF_EXITING)) && !demeter_target_of(ctx, mm)) {
		s = demeter_scope_of(&ctx->scopes, task, mm);
		if (s) {
			mmgrab(mm);
			found->mm = mm;
			found->scope = s->id;
			found->pid = task_tgid_nr(task);
			found->thread = get_pid(task_pid(task));
			strscpy(found->comm, task->comm);
			is = true;
		}
	}
	task_unlock(task);
	return is;
}

/* Looks at the first thread that has an mm: the leader may have exited before its threads. */
static bool demeter_target_is_new_process(struct demeter_ctx *ctx, struct task_struct *leader,
					  struct demeter_found *found)
{
	unsigned int looked_at = 0;
	struct task_struct *task;

	for_each_thread(leader, task) {
		bool has_mm, is = demeter_target_is_new(ctx, task, found, &has_mm);

		if (has_mm || ++looked_at == FIND_THREADS)
			return is;
	}
	return false;
}

/*
 * Looks at the next few processes from pid *@nr on, which becomes where to go on, @end or more
 * when there are none below @end. Takes them from *@left. Returns how many new ones were
 * found, up to FIND_PIDS.
 */
static unsigned int demeter_targets_find_some(struct demeter_ctx *ctx, int *nr, int end,
					      unsigned int *left, struct demeter_found *found)
{
	unsigned int n = 0;

	rcu_read_lock();
	for (unsigned int i = 0; i < FIND_PIDS && *nr < end && *left; i++, --*left) {
		struct pid *pid = find_ge_pid(*nr, &init_pid_ns);
		struct task_struct *leader;

		*nr = pid ? pid_nr(pid) + 1 : INT_MAX;
		if (*nr > end)
			break;
		leader = pid_task(pid, PIDTYPE_TGID);
		n += leader && demeter_target_is_new_process(ctx, leader, &found[n]);
	}
	rcu_read_unlock();
	return n;
}

/*
 * Looks for new targets from pid @start on, below @end, at @most pids. Returns where to go on,
 * @end or more if there are no others.
 */
static int demeter_targets_find_between(struct demeter_ctx *ctx, int start, int end,
					unsigned int most, struct demeter_found *found)
{
	while (start < end && most) {
		const unsigned int n = demeter_targets_find_some(ctx, &start, end, &most, found);

		for (unsigned int i = 0; i < n; i++)
			demeter_target_add(ctx, &found[i]);
		cond_resched();
	}
	return start;
}

/*
 * Looks at processes that are new: pids are given in order, from the last one on, and begin
 * again at the end.
 */
static void demeter_targets_find_new(struct demeter_ctx *ctx, struct demeter_found *found)
{
	const int last = ctx->targets.last_pid, now = idr_get_cursor(&init_pid_ns.idr);

	if (now < last) {
		demeter_targets_find_between(ctx, last, INT_MAX, UINT_MAX, found);
		demeter_targets_find_between(ctx, 1, now, UINT_MAX, found);
	} else {
		demeter_targets_find_between(ctx, last, now, UINT_MAX, found);
	}
	ctx->targets.last_pid = now;
}

/* Looks at the processes that scopes name: they may have another mm since an exec(). */
static void demeter_targets_find_named(struct demeter_ctx *ctx, struct demeter_found *found)
{
	struct demeter_scope *s;

	list_for_each_entry(s, &ctx->scopes.list, list)
		if (s->pid)
			demeter_targets_find_between(ctx, s->name.number, s->name.number + 1, 1,
						     found);
}

/* Looks at some of all processes: they may have grown, or be in another cgroup. */
static void demeter_targets_find_share(struct demeter_ctx *ctx, struct demeter_found *found)
{
	int *turn = &ctx->targets.pid_turn;

	*turn = demeter_targets_find_between(ctx, *turn, INT_MAX, FIND_SHARE, found);
	if (*turn == INT_MAX)
		*turn = 1;
}

static bool demeter_targets_are_in(struct demeter_ctx *ctx, const struct demeter_scope *s)
{
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list)
		if (t->scope == s->id)
			return true;
	return false;
}

/* Whether a file that nobody has mapped has not been read for so long that it is one of many. */
static bool demeter_target_is_idle(const struct demeter_target *t)
{
	return t->kind == DEMETER_FILE && !t->via && list_empty(&t->awake);
}

static void demeter_target_drop_if_gone(struct demeter_target *t)
{
	if (demeter_target_has_expired(t) || demeter_target_is_gone(t) || demeter_target_is_idle(t))
		demeter_target_drop(t);
}

/* Drops all targets that are gone, or those that are awake and some of the others. */
static void demeter_targets_drop_some(struct demeter_ctx *ctx, bool all)
{
	struct demeter_target *t, *next;

	if (all) {
		list_for_each_entry_safe(t, next, &ctx->targets.list, list)
			demeter_target_drop_if_gone(t);
		return;
	}
	list_for_each_entry_safe(t, next, &ctx->targets.awake, awake)
		demeter_target_drop_if_gone(t);
	for (unsigned int i = 0; i < DROP_SHARE && i < ctx->targets.nr; i++) {
		t = demeter_update_turn(ctx, &ctx->targets.gone_turn);
		demeter_update_pass_turn(ctx, &ctx->targets.gone_turn);
		demeter_target_drop_if_gone(t);
	}
}

/*
 * Drops targets that are gone, and scopes whose processes are. Does not drop those targets that
 * are asleep and whose turn it is not, unless @all is set.
 */
static void demeter_targets_drop_gone(struct demeter_ctx *ctx, bool all)
{
	struct demeter_scope *s, *s_next;

	demeter_targets_drop_some(ctx, all);
	demeter_trees_forget_exited(&ctx->scopes.trees);
	list_for_each_entry_safe(s, s_next, &ctx->scopes.list, list)
		if (demeter_scope_has_exited(&ctx->scopes, s) && !demeter_targets_are_in(ctx, s))
			demeter_scope_remove(&ctx->scopes, s);
}

/* Lets a target be in another scope that contains its process, or has it dropped. */
static void demeter_target_change_scope(struct demeter_ctx *ctx, struct demeter_target *t)
{
	const struct demeter_scope *s = NULL;
	struct task_struct *task;

	rcu_read_lock();
	task = rcu_dereference(t->space.mm->owner);
	if (task)
		s = demeter_scope_of(&ctx->scopes, task, t->space.mm);
	rcu_read_unlock();
	if (s)
		t->scope = s->id;
	else
		demeter_target_expire(t);
}

/* Does so with all targets whose scopes have been removed. */
static void demeter_targets_change_scopes(struct demeter_ctx *ctx)
{
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list) {
		if (t->kind == DEMETER_PROCESS && !demeter_target_has_expired(t) &&
		    !demeter_scope_is_there(&ctx->scopes, t->scope))
			demeter_target_change_scope(ctx, t);
		cond_resched();
	}
}

static void demeter_targets_find_in(struct demeter_ctx *ctx, bool all)
{
	struct demeter_found *found =
		kmalloc_array(FIND_PIDS, sizeof(*found), GFP_KERNEL | __GFP_NOWARN);

	if (!found)
		return;
	if (all) {
		demeter_targets_find_between(ctx, 1, INT_MAX, UINT_MAX, found);
	} else {
		demeter_targets_find_named(ctx, found);
		demeter_targets_find_new(ctx, found);
		demeter_targets_find_share(ctx, found);
	}
	kfree(found);
}

/**
 * demeter_targets_find() - Drop targets and scopes that are gone, find new targets
 * @ctx:	The context.
 * @all:	Whether to look at all processes; otherwise at those that are new, and at some.
 *
 * What is known of a target whose scope is gone is kept if another scope contains it.
 */
void demeter_targets_find(struct demeter_ctx *ctx, bool all)
{
	const bool removed = demeter_scopes_remove_unowned(&ctx->scopes);

	demeter_scopes_resolve(&ctx->scopes);
	if (removed)
		demeter_targets_change_scopes(ctx);
	demeter_targets_drop_gone(ctx, all || removed);
	if (!list_empty(&ctx->scopes.list))
		demeter_targets_find_in(ctx, all);
	demeter_scopes_release(&ctx->scopes);
}

/**
 * demeter_targets_clear() - Forget all scopes and targets
 * @ctx:	The context.
 */
void demeter_targets_clear(struct demeter_ctx *ctx)
{
	struct demeter_target *t, *next;
	struct demeter_scope *s, *s_next;

	list_for_each_entry_safe(s, s_next, &ctx->scopes.list, list)
		demeter_scope_remove(&ctx->scopes, s);
	list_for_each_entry_safe(t, next, &ctx->targets.list, list)
		demeter_target_drop(t);
}

/**
 * demeter_target_attach() - Manage the memory of more processes
 * @ctx:	The context.
 * @owner:	Who wants it.
 * @text:	A scope; see demeter_scope_parse().
 *
 * Return: as demeter_scope_add().
 */
int demeter_target_attach(struct demeter_ctx *ctx, struct demeter_owner *owner, const char *text)
{
	int ret;

	/* scopes of processes that have exited make room, and do not stand for later ones */
	demeter_targets_drop_gone(ctx, true);
	ret = demeter_scope_add(&ctx->scopes, owner, text);
	if (!ret)
		demeter_targets_find(ctx, true);
	return ret;
}

/**
 * demeter_target_detach() - Leave memory alone again, unless others want it managed
 * @ctx:	The context.
 * @owner:	Who has attached it.
 * @text:	A scope that was attached. The process or cgroup that it names need not
 *		exist any more.
 *
 * Return: as demeter_scope_disown().
 */
int demeter_target_detach(struct demeter_ctx *ctx, struct demeter_owner *owner, const char *text)
{
	int ret = demeter_scope_disown(&ctx->scopes, owner, text);

	if (!ret)
		demeter_targets_find(ctx, true);
	return ret;
}

/**
 * demeter_target_detach_all() - Do so for all that an owner has attached
 * @ctx:	The context.
 * @owner:	The owner.
 */
void demeter_target_detach_all(struct demeter_ctx *ctx, struct demeter_owner *owner)
{
	if (list_empty(&owner->claims))
		return;
	demeter_scopes_disown_all(&ctx->scopes, owner);
	demeter_targets_find(ctx, true);
}
