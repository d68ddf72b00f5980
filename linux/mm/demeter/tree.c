// SPDX-License-Identifier: GPL-2.0
/*
 * Trees: a process and its descendants. Members are remembered, because the kernel forgets of
 * whom a process is a descendant when the processes in between exit.
 *
 * A process is in the trees of its ancestors, and in those of who leads its session or theirs:
 * only descendants of who made a session are in it, also those whose parents have exited. So
 * each process has one set of trees, and one walk up its ancestors finds it, however many trees
 * there are.
 */
#include <linux/bitmap.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "tree.h"

/*
 * Generations up to which a descendant is found. A limit keeps a process with a long line
 * of ancestors from making each search long.
 */
#define MAX_GENERATIONS 64

/**
 * struct demeter_member - A process that is in trees
 * @by_pid:	In the hash of struct demeter_trees.
 * @pid:	The process, with a reference.
 * @seen:	Changes when its ancestors were looked at last: if there was none since, they are
 *		in no trees but @in.
 * @in:		The trees.
 */
struct demeter_member {
	struct hlist_node by_pid;
	struct pid *pid;
	u64 seen;
	DECLARE_BITMAP(in, DEMETER_MAX_TREES);
};

/**
 * demeter_trees_init() - Begin without trees
 * @trees:	The trees.
 */
void demeter_trees_init(struct demeter_trees *trees)
{
	memset(trees, 0, sizeof(*trees));
}

static struct demeter_member *demeter_member_of(const struct demeter_trees *trees,
						const struct pid *pid)
{
	struct demeter_member *m;

	hash_for_each_possible(trees->by_pid, m, by_pid, (unsigned long)pid)
		if (m->pid == pid)
			return m;
	return NULL;
}

static struct demeter_member *demeter_member_make(struct demeter_trees *trees, struct pid *pid,
						  gfp_t gfp)
{
	struct demeter_member *m = kzalloc(sizeof(*m), gfp);

	if (!m)
		return NULL;
	m->pid = get_pid(pid);
	hash_add(trees->by_pid, &m->by_pid, (unsigned long)pid);
	trees->nr++;
	return m;
}

static void demeter_member_free(struct demeter_trees *trees, struct demeter_member *m)
{
	hash_del(&m->by_pid);
	put_pid(m->pid);
	kfree(m);
	trees->nr--;
}

static void demeter_member_join(struct demeter_trees *trees, struct demeter_member *m, int tree)
{
	__set_bit(tree, m->in);
	trees->members[tree]++;
	trees->changes++;
}

static void demeter_member_leave(struct demeter_trees *trees, struct demeter_member *m, int tree)
{
	__clear_bit(tree, m->in);
	trees->members[tree]--;
}

/**
 * demeter_tree_add() - Make a tree
 * @trees:	All trees.
 * @root:	The process that it begins with, which is a member.
 *
 * Return: number of the tree, -ENOSPC if there are too many, -ENOMEM.
 */
int demeter_tree_add(struct demeter_trees *trees, struct pid *root)
{
	const int tree = find_first_zero_bit(trees->used, DEMETER_MAX_TREES);
	struct demeter_member *m = demeter_member_of(trees, root);

	if (tree == DEMETER_MAX_TREES)
		return -ENOSPC;
	if (!m)
		m = demeter_member_make(trees, root, GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	__set_bit(tree, trees->used);
	demeter_member_join(trees, m, tree);
	return tree;
}

/**
 * demeter_tree_remove() - Remove a tree
 * @trees:	All trees.
 * @tree:	Number of the tree.
 */
void demeter_tree_remove(struct demeter_trees *trees, int tree)
{
	struct demeter_member *m;
	struct hlist_node *next;
	unsigned int bucket;

	hash_for_each_safe(trees->by_pid, bucket, next, m, by_pid) {
		if (!test_bit(tree, m->in))
			continue;
		demeter_member_leave(trees, m, tree);
		if (bitmap_empty(m->in, DEMETER_MAX_TREES))
			demeter_member_free(trees, m);
	}
	__clear_bit(tree, trees->used);
}

/**
 * demeter_trees_of() - Find the trees that a process is in
 * @trees:	All trees.
 * @task:	A thread of the process.
 * @in:		Gets the numbers of these trees: a bitmap of DEMETER_MAX_TREES.
 *
 * The caller is in an RCU read-side critical section.
 *
 * Return: whether it is in any.
 */
bool demeter_trees_of(const struct demeter_trees *trees, struct task_struct *task,
		      unsigned long *in)
{
	const struct demeter_member *m;
	const struct pid *session = NULL;

	bitmap_zero(in, DEMETER_MAX_TREES);
	for (unsigned int depth = 0; trees->nr && depth <= MAX_GENERATIONS; depth++) {
		struct task_struct *parent = rcu_dereference(task->real_parent);

		m = demeter_member_of(trees, task_tgid(task));
		if (m)
			bitmap_or(in, in, m->in, DEMETER_MAX_TREES);
		if (m && m->seen == trees->changes)
			break;
		/* most processes are in the session of their parents */
		if (task_session(task) != session) {
			session = task_session(task);
			m = demeter_member_of(trees, session);
			if (m)
				bitmap_or(in, in, m->in, DEMETER_MAX_TREES);
		}
		if (parent == task || is_global_init(task))
			break;
		task = parent;
	}
	return !bitmap_empty(in, DEMETER_MAX_TREES);
}

/**
 * demeter_trees_learn() - Make a process a member of the trees that it is in
 * @trees:	All trees.
 * @leader:	First thread of the process.
 *
 * Without memory, or when there are too many members, it is found by its ancestors as long as
 * these live. The caller is in an RCU read-side critical section.
 */
void demeter_trees_learn(struct demeter_trees *trees, struct task_struct *leader)
{
	struct pid *pid = task_tgid(leader);
	DECLARE_BITMAP(in, DEMETER_MAX_TREES);
	struct demeter_member *m;
	unsigned int tree;

	if (!pid || leader->flags & PF_KTHREAD)
		return;
	m = demeter_member_of(trees, pid);
	if ((m && m->seen == trees->changes) || !demeter_trees_of(trees, leader, in))
		return;
	if (!m && trees->nr < DEMETER_MAX_MEMBERS)
		m = demeter_member_make(trees, pid, GFP_NOWAIT | __GFP_NOWARN);
	if (!m)
		return;
	bitmap_andnot(in, in, m->in, DEMETER_MAX_TREES);
	for_each_set_bit(tree, in, DEMETER_MAX_TREES)
		demeter_member_join(trees, m, tree);
	m->seen = trees->changes;
}

/**
 * demeter_trees_forget_exited() - Forget members that have exited and lead no session any more
 * @trees:	All trees.
 */
void demeter_trees_forget_exited(struct demeter_trees *trees)
{
	struct demeter_member *m;
	struct hlist_node *next;
	unsigned int bucket, tree;

	if (!trees->nr)
		return;
	hash_for_each_safe(trees->by_pid, bucket, next, m, by_pid) {
		if (pid_has_task(m->pid, PIDTYPE_TGID) || pid_has_task(m->pid, PIDTYPE_SID))
			continue;
		for_each_set_bit(tree, m->in, DEMETER_MAX_TREES)
			demeter_member_leave(trees, m, tree);
		demeter_member_free(trees, m);
	}
}
