// SPDX-License-Identifier: GPL-2.0
/*
 * Targets: the mms that are managed, from the time when a process is found in a scope until
 * it is gone.
 *
 * Each epoch looks for processes in the scopes. A process may exit, fork or exec at any
 * time: a target holds on to the mm, not to its users, and is dropped when there are none
 * any more.
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

/**
 * struct demeter_found - A process that is in a scope and not a target yet
 * @mm:		Its mm, with a reference.
 * @scope:	Number of the scope.
 * @pid:	Its pid.
 * @thread:	The thread that has @mm, with a reference.
 * @comm:	Its name.
 */
struct demeter_found {
	struct mm_struct *mm;
	u64 scope;
	pid_t pid;
	struct pid *thread;
	char comm[TASK_COMM_LEN];
};

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

static void demeter_target_drop(struct demeter_target *t)
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

/* Makes a target, which takes over the references of @found, or puts these. */
static void demeter_target_add(struct demeter_ctx *ctx, const struct demeter_found *found)
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
		list_for_each_entry(s, &ctx->scopes.list, list) {
			if (!demeter_scope_contains(s, task, mm))
				continue;
			mmgrab(mm);
			found->mm = mm;
			found->scope = s->id;
			found->pid = task_tgid_nr(task);
			found->thread = get_pid(task_pid(task));
			strscpy(found->comm, task->comm);
			is = true;
			break;
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

static void demeter_targets_expire_in(struct demeter_ctx *ctx, const struct demeter_scope *s)
{
	struct demeter_target *t;

	list_for_each_entry(t, &ctx->targets.list, list)
		if (t->scope == s->id)
			demeter_target_expire(t);
}

static void demeter_target_drop_if_gone(struct demeter_target *t)
{
	if (demeter_target_has_expired(t) || !atomic_read(&t->mm->mm_users))
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

static void demeter_targets_drop_gone(struct demeter_ctx *ctx, bool all)
{
	struct demeter_scope *s, *s_next;

	list_for_each_entry_safe(s, s_next, &ctx->scopes.list, list) {
		if (demeter_scope_is_owned(s))
			continue;
		demeter_targets_expire_in(ctx, s);
		demeter_scope_remove(&ctx->scopes, s);
		all = true;
	}
	demeter_targets_drop_some(ctx, all);
	demeter_scopes_forget_exited(&ctx->scopes);
	list_for_each_entry_safe(s, s_next, &ctx->scopes.list, list)
		if (demeter_scope_has_exited(s) && !demeter_targets_are_in(ctx, s))
			demeter_scope_remove(&ctx->scopes, s);
}

/**
 * demeter_targets_find() - Drop targets and scopes that are gone, find new targets
 * @ctx:	The context.
 * @all:	Whether to look at all processes; otherwise at those that are new, and at some.
 */
void demeter_targets_find(struct demeter_ctx *ctx, bool all)
{
	struct demeter_found *found;

	demeter_targets_drop_gone(ctx, all);
	if (list_empty(&ctx->scopes.list))
		return;
	found = kmalloc_array(FIND_PIDS, sizeof(*found), GFP_KERNEL | __GFP_NOWARN);
	if (!found)
		return;
	demeter_scopes_resolve(&ctx->scopes);
	if (all) {
		demeter_targets_find_between(ctx, 1, INT_MAX, UINT_MAX, found);
	} else {
		demeter_targets_find_named(ctx, found);
		demeter_targets_find_new(ctx, found);
		demeter_targets_find_share(ctx, found);
	}
	demeter_scopes_release(&ctx->scopes);
	kfree(found);
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
