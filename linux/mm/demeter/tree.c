// SPDX-License-Identifier: GPL-2.0
/*
 * Trees: a process and its descendants. Members are remembered, because the kernel forgets of
 * whom a process is a descendant when the processes in between exit.
 */
#include <linux/hash.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "scope.h"

/*
 * Generations up to which a descendant is found. A limit keeps a process with a long line
 * of ancestors from making each search long.
 */
#define MAX_GENERATIONS 64
/* Buckets of the hash of a tree's members, as a power of two. */
#define MEMBER_BITS 8
/**
 * struct demeter_member - A process of a tree
 * @by_pid:	In the hash of the scope.
 * @pid:	The process, with a reference.
 */
struct demeter_member {
	struct hlist_node by_pid;
	struct pid *pid;
};

static struct hlist_head *demeter_tree_bucket(const struct demeter_scope *s, const struct pid *pid)
{
	return &s->members[hash_ptr(pid, MEMBER_BITS)];
}

static bool demeter_tree_has(const struct demeter_scope *s, const struct pid *pid)
{
	struct demeter_member *m;

	if (!s->members || !pid)
		return false;
	hlist_for_each_entry(m, demeter_tree_bucket(s, pid), by_pid)
		if (m->pid == pid)
			return true;
	return false;
}

/* Without memory, the member is found again by its parents in the next epoch, if these live. */
static void demeter_tree_add(struct demeter_scopes *scopes, struct demeter_scope *s,
			     struct pid *pid)
{
	struct demeter_member *m;

	if (scopes->nr_members >= DEMETER_MAX_MEMBERS)
		return;
	m = kmalloc(sizeof(*m), GFP_NOWAIT | __GFP_NOWARN);
	if (!m)
		return;
	m->pid = get_pid(pid);
	hlist_add_head(&m->by_pid, demeter_tree_bucket(s, pid));
	s->nr_members++;
	scopes->nr_members++;
}

/**
 * demeter_tree_init() - Make a tree without members
 * @s:		The scope of the tree.
 *
 * Return: 0 or -ENOMEM. demeter_tree_exit() frees it.
 */
int demeter_tree_init(struct demeter_scope *s)
{
	s->members = kcalloc(1 << MEMBER_BITS, sizeof(*s->members), GFP_KERNEL);
	return s->members ? 0 : -ENOMEM;
}

/**
 * demeter_tree_exit() - Free what demeter_tree_init() has allocated
 * @s:		A scope without members, also one that is no tree.
 */
void demeter_tree_exit(struct demeter_scope *s)
{
	kfree(s->members);
}

/**
 * demeter_tree_forget() - Forget members of a tree
 * @scopes:	All scopes.
 * @s:		The scope of the tree; others have no members.
 * @all:	Whether to forget all; otherwise those that have exited and lead no session any
 *		more.
 */
void demeter_tree_forget(struct demeter_scopes *scopes, struct demeter_scope *s, bool all)
{
	for (unsigned int i = 0; s->members && i < 1u << MEMBER_BITS; i++) {
		struct demeter_member *m;
		struct hlist_node *next;

		hlist_for_each_entry_safe(m, next, &s->members[i], by_pid) {
			if (!all && (pid_has_task(m->pid, PIDTYPE_TGID) ||
				     pid_has_task(m->pid, PIDTYPE_SID)))
				continue;
			hlist_del(&m->by_pid);
			put_pid(m->pid);
			kfree(m);
			s->nr_members--;
			scopes->nr_members--;
		}
	}
}

/**
 * demeter_tree_contains() - Whether a process is in a tree
 * @s:		The scope of the tree.
 * @task:	A thread of the process.
 *
 * The caller is in an RCU read-side critical section.
 *
 * Return: whether it or a process that it descends from is a member, or is in a session that a
 * member leads. Only descendants of who made a session are in it, also those whose parents have
 * exited.
 */
bool demeter_tree_contains(const struct demeter_scope *s, struct task_struct *task)
{
	for (unsigned int depth = 0; task_tgid(task) != s->pid; depth++) {
		struct task_struct *parent = rcu_dereference(task->real_parent);

		if (demeter_tree_has(s, task_tgid(task)) || demeter_tree_has(s, task_session(task)))
			return true;
		if (parent == task || is_global_init(task) || depth == MAX_GENERATIONS)
			return false;
		task = parent;
	}
	return true;
}

/**
 * demeter_trees_learn() - Make a process a member of the trees that it is in
 * @scopes:	All scopes.
 * @leader:	First thread of the process.
 *
 * The caller is in an RCU read-side critical section.
 */
void demeter_trees_learn(struct demeter_scopes *scopes, struct task_struct *leader)
{
	struct pid *pid = task_tgid(leader);
	struct demeter_scope *s;

	if (!pid || leader->flags & PF_KTHREAD)
		return;
	list_for_each_entry(s, &scopes->list, list)
		if (s->members && !demeter_tree_has(s, pid) && demeter_tree_contains(s, leader))
			demeter_tree_add(scopes, s, pid);
}
