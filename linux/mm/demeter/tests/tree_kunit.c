// SPDX-License-Identifier: GPL-2.0
/* Tests of trees: who is a member, and for how long. */
#include <linux/pid.h>
#include <linux/sched/signal.h>

#include "../scope.h"
#include "kunit.h"

/* As much of a process as a scope looks at. */
struct relative {
	struct task_struct task;
	struct signal_struct signal;
	struct pid pid;
};

/* The last generation is too far away from the first one. */
#define GENERATIONS 66

static bool tree_test_contains(const struct demeter_scope *s, struct task_struct *task)
{
	bool contains;

	rcu_read_lock();
	contains = demeter_tree_contains(s, task);
	rcu_read_unlock();
	return contains;
}

static void tree_test_have_64_generations(struct kunit *test)
{
	struct demeter_scope tree = { .name.kind = DEMETER_SCOPE_TREE };
	struct relative *family[GENERATIONS], *parent = NULL;

	for (unsigned int i = 0; i < GENERATIONS; i++) {
		struct relative *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, r);
		r->task.tgid = 100 + i;
		r->task.signal = &r->signal;
		r->signal.pids[PIDTYPE_TGID] = &r->pid;
		/* the first process of all is its own parent */
		RCU_INIT_POINTER(r->task.real_parent, parent ? &parent->task : &r->task);
		family[i] = r;
		parent = r;
	}
	tree.pid = &family[0]->pid;
	KUNIT_EXPECT_TRUE(test, tree_test_contains(&tree, &family[0]->task));
	KUNIT_EXPECT_TRUE(test, tree_test_contains(&tree, &family[1]->task));
	KUNIT_EXPECT_TRUE(test, tree_test_contains(&tree, &family[64]->task));
	KUNIT_EXPECT_FALSE(test, tree_test_contains(&tree, &family[65]->task));
	/* an ancestor is no descendant */
	tree.pid = &family[2]->pid;
	KUNIT_EXPECT_FALSE(test, tree_test_contains(&tree, &family[1]->task));
	KUNIT_EXPECT_TRUE(test, tree_test_contains(&tree, &family[65]->task));
	/* nobody looks behind init, unless it is init that is looked for */
	family[1]->task.tgid = 1;
	tree.pid = &family[0]->pid;
	KUNIT_EXPECT_FALSE(test, tree_test_contains(&tree, &family[5]->task));
	tree.pid = &family[1]->pid;
	KUNIT_EXPECT_TRUE(test, tree_test_contains(&tree, &family[5]->task));
}

static struct relative *tree_test_relative(struct kunit *test, struct relative *parent)
{
	struct relative *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->task.tgid = 100;
	r->task.signal = &r->signal;
	r->signal.pids[PIDTYPE_TGID] = &r->pid;
	/* of the test, which frees it */
	refcount_set(&r->pid.count, 1);
	RCU_INIT_POINTER(r->task.real_parent, parent ? &parent->task : &r->task);
	return r;
}

static void tree_test_learn(struct demeter_scopes *scopes, struct relative *r)
{
	rcu_read_lock();
	demeter_trees_learn(scopes, &r->task);
	rcu_read_unlock();
}

/* Knows its members when the processes in between have exited. */
static void tree_test_keep_orphans(struct kunit *test)
{
	struct relative *root = tree_test_relative(test, NULL);
	struct relative *parent = tree_test_relative(test, root);
	struct relative *child = tree_test_relative(test, parent);
	struct relative *grandchild = tree_test_relative(test, child);
	struct relative *init = tree_test_relative(test, NULL);
	struct relative *stranger = tree_test_relative(test, init);
	struct relative *orphan = tree_test_relative(test, init);
	struct demeter_scopes scopes;
	struct demeter_scope *s;

	demeter_scopes_init(&scopes);
	KUNIT_ASSERT_EQ(test, demeter_scope_add(&scopes, &scopes.admin, "tree 1"), 0);
	s = list_first_entry(&scopes.list, struct demeter_scope, list);
	put_pid(s->pid);
	s->pid = get_pid(&root->pid);
	KUNIT_EXPECT_TRUE(test, demeter_scope_has_exited(s));
	for (unsigned int i = 0; i < 2; i++) {
		tree_test_learn(&scopes, child);
		tree_test_learn(&scopes, stranger);
		KUNIT_EXPECT_EQ(test, s->nr_members, 1);
	}
	/* it stays as long as a member */
	KUNIT_EXPECT_FALSE(test, demeter_scope_has_exited(s));
	RCU_INIT_POINTER(child->task.real_parent, &init->task);
	KUNIT_EXPECT_TRUE(test, tree_test_contains(s, &child->task));
	KUNIT_EXPECT_TRUE(test, tree_test_contains(s, &grandchild->task));
	KUNIT_EXPECT_FALSE(test, tree_test_contains(s, &stranger->task));
	/* in the session of a member is who descends from it */
	KUNIT_EXPECT_FALSE(test, tree_test_contains(s, &orphan->task));
	orphan->signal.pids[PIDTYPE_SID] = &parent->pid;
	KUNIT_EXPECT_FALSE(test, tree_test_contains(s, &orphan->task));
	orphan->signal.pids[PIDTYPE_SID] = &child->pid;
	KUNIT_EXPECT_TRUE(test, tree_test_contains(s, &orphan->task));
	/* what does not fit is not remembered, but found as before */
	scopes.nr_members += DEMETER_MAX_MEMBERS - 1;
	tree_test_learn(&scopes, parent);
	KUNIT_EXPECT_EQ(test, s->nr_members, 1);
	KUNIT_EXPECT_TRUE(test, tree_test_contains(s, &parent->task));
	scopes.nr_members -= DEMETER_MAX_MEMBERS - 1;
	demeter_scope_remove(&scopes, s);
	KUNIT_EXPECT_EQ(test, scopes.nr_members, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&root->pid.count), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&child->pid.count), 1);
}

/* Finds the members among all processes, and forgets those that have exited. */
static void tree_test_find_members(struct kunit *test)
{
	struct relative *gone = tree_test_relative(test, NULL);
	struct demeter_scopes scopes;
	struct demeter_scope *s;

	demeter_scopes_init(&scopes);
	KUNIT_ASSERT_EQ(test, demeter_scope_add(&scopes, &scopes.admin, "tree 1"), 0);
	s = list_first_entry(&scopes.list, struct demeter_scope, list);
	gone->signal.pids[PIDTYPE_SID] = s->pid;
	demeter_scopes_resolve(&scopes);
	demeter_scopes_release(&scopes);
	KUNIT_EXPECT_GE(test, s->nr_members, 1);
	tree_test_learn(&scopes, gone);
	KUNIT_EXPECT_EQ(test, refcount_read(&gone->pid.count), 2);
	demeter_scopes_resolve(&scopes);
	demeter_scopes_release(&scopes);
	KUNIT_EXPECT_EQ(test, refcount_read(&gone->pid.count), 1);
	KUNIT_EXPECT_GE(test, s->nr_members, 1);
	KUNIT_EXPECT_EQ(test, s->nr_members, scopes.nr_members);
	demeter_scope_remove(&scopes, s);
	KUNIT_EXPECT_EQ(test, scopes.nr_members, 0);
}

static struct kunit_case tree_test_cases[] = {
	KUNIT_CASE(tree_test_have_64_generations),
	KUNIT_CASE(tree_test_keep_orphans),
	KUNIT_CASE(tree_test_find_members),
	{},
};

struct kunit_suite demeter_tree_suite = {
	.name = "demeter-tree",
	.test_cases = tree_test_cases,
};
