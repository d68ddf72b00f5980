// SPDX-License-Identifier: GPL-2.0
/* Tests of trees: who is a member, and for how long. */
#include <linux/pid.h>
#include <linux/sched/signal.h>

#include "../tree.h"
#include "kunit.h"

/* As much of a process as a tree looks at, and the trees that it is to be in. */
struct relative {
	struct task_struct task;
	struct signal_struct signal;
	struct pid pid;
	struct relative *parent;
	struct relative *leader;
	bool lives;
	u32 in;
};

/* The last generation is too far away from the first one. */
#define GENERATIONS 66

static void tree_test_set_parent(struct relative *r, struct relative *parent)
{
	r->parent = parent;
	RCU_INIT_POINTER(r->task.real_parent, &parent->task);
}

static void tree_test_join_session(struct relative *r, struct relative *leader)
{
	if (r->leader)
		hlist_del_init(&r->task.pid_links[PIDTYPE_SID]);
	r->leader = leader;
	r->signal.pids[PIDTYPE_SID] = leader ? &leader->pid : NULL;
	if (leader)
		hlist_add_head(&r->task.pid_links[PIDTYPE_SID], &leader->pid.tasks[PIDTYPE_SID]);
}

/* Makes a process. Without a parent it is its own, as the first one of all. */
static struct relative *tree_test_relative(struct kunit *test, struct relative *parent)
{
	struct relative *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->task.tgid = 100;
	r->task.signal = &r->signal;
	r->signal.pids[PIDTYPE_TGID] = &r->pid;
	hlist_add_head(&r->task.pid_links[PIDTYPE_TGID], &r->pid.tasks[PIDTYPE_TGID]);
	/* of the test, which frees it */
	refcount_set(&r->pid.count, 1);
	tree_test_set_parent(r, parent ?: r);
	r->lives = true;
	return r;
}

static void tree_test_exit(struct relative *r)
{
	hlist_del_init(&r->task.pid_links[PIDTYPE_TGID]);
	tree_test_join_session(r, NULL);
	r->lives = false;
}

static struct demeter_trees *tree_test_trees(struct kunit *test)
{
	struct demeter_trees *trees = kunit_kzalloc(test, sizeof(*trees), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, trees);
	demeter_trees_init(trees);
	return trees;
}

static int tree_test_add(struct kunit *test, struct demeter_trees *trees, struct relative *root)
{
	const int tree = demeter_tree_add(trees, &root->pid);

	KUNIT_ASSERT_GE(test, tree, 0);
	return tree;
}

static void tree_test_learn(struct demeter_trees *trees, struct relative *r)
{
	rcu_read_lock();
	demeter_trees_learn(trees, &r->task);
	rcu_read_unlock();
}

static bool tree_test_is_in(const struct demeter_trees *trees, int tree, struct relative *r)
{
	DECLARE_BITMAP(in, DEMETER_MAX_TREES);

	rcu_read_lock();
	demeter_trees_of(trees, &r->task, in);
	rcu_read_unlock();
	return test_bit(tree, in);
}

static void tree_test_have_64_generations(struct kunit *test)
{
	struct demeter_trees *trees = tree_test_trees(test);
	struct relative *family[GENERATIONS], *parent = NULL;
	int first, second, third;

	for (unsigned int i = 0; i < GENERATIONS; i++) {
		parent = tree_test_relative(test, parent);
		family[i] = parent;
	}
	first = tree_test_add(test, trees, family[0]);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, first, family[0]));
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, first, family[1]));
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, first, family[64]));
	KUNIT_EXPECT_FALSE(test, tree_test_is_in(trees, first, family[65]));
	/* an ancestor is no descendant */
	third = tree_test_add(test, trees, family[2]);
	KUNIT_EXPECT_FALSE(test, tree_test_is_in(trees, third, family[1]));
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, third, family[65]));
	/* nobody looks behind init, unless it is init that is looked for */
	family[1]->task.tgid = 1;
	second = tree_test_add(test, trees, family[1]);
	KUNIT_EXPECT_FALSE(test, tree_test_is_in(trees, first, family[5]));
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, second, family[5]));
	family[1]->task.tgid = 100;
	/* those who are far away are found by who is a member, in whichever order */
	for (unsigned int i = GENERATIONS; i--;)
		tree_test_learn(trees, family[i]);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, first, family[65]));
	KUNIT_EXPECT_EQ(test, trees->members[first], 65);
	tree_test_learn(trees, family[65]);
	KUNIT_EXPECT_EQ(test, trees->members[first], 66);
	demeter_tree_remove(trees, first);
	demeter_tree_remove(trees, second);
	demeter_tree_remove(trees, third);
	KUNIT_EXPECT_EQ(test, trees->nr, 0);
}

/* Knows its members when the processes in between have exited. */
static void tree_test_keep_orphans(struct kunit *test)
{
	struct demeter_trees *trees = tree_test_trees(test);
	struct relative *root = tree_test_relative(test, NULL);
	struct relative *parent = tree_test_relative(test, root);
	struct relative *child = tree_test_relative(test, parent);
	struct relative *grandchild = tree_test_relative(test, child);
	struct relative *init = tree_test_relative(test, NULL);
	struct relative *stranger = tree_test_relative(test, init);
	struct relative *orphan = tree_test_relative(test, init);
	const int tree = tree_test_add(test, trees, root);

	for (unsigned int i = 0; i < 2; i++) {
		tree_test_learn(trees, child);
		tree_test_learn(trees, stranger);
		KUNIT_EXPECT_EQ(test, trees->members[tree], 2);
	}
	tree_test_exit(root);
	tree_test_exit(parent);
	tree_test_set_parent(child, init);
	demeter_trees_forget_exited(trees);
	KUNIT_EXPECT_EQ(test, trees->members[tree], 1);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, tree, child));
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, tree, grandchild));
	KUNIT_EXPECT_FALSE(test, tree_test_is_in(trees, tree, stranger));
	/* in the session of a member is who descends from it, also when it has exited */
	KUNIT_EXPECT_FALSE(test, tree_test_is_in(trees, tree, orphan));
	tree_test_join_session(orphan, stranger);
	KUNIT_EXPECT_FALSE(test, tree_test_is_in(trees, tree, orphan));
	tree_test_join_session(orphan, child);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, tree, orphan));
	tree_test_exit(child);
	demeter_trees_forget_exited(trees);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, tree, orphan));
	tree_test_exit(orphan);
	demeter_trees_forget_exited(trees);
	KUNIT_EXPECT_EQ(test, trees->members[tree], 0);
	KUNIT_EXPECT_EQ(test, trees->nr, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&root->pid.count), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&child->pid.count), 1);
	demeter_tree_remove(trees, tree);
}

/* What does not fit is not remembered, but found by its ancestors. */
static void tree_test_members_are_limited(struct kunit *test)
{
	struct demeter_trees *trees = tree_test_trees(test);
	struct relative *root = tree_test_relative(test, NULL);
	struct relative *parent = tree_test_relative(test, root);
	struct relative *child = tree_test_relative(test, parent);
	const int tree = tree_test_add(test, trees, root);
	int inner;

	trees->nr += DEMETER_MAX_MEMBERS - 1;
	tree_test_learn(trees, parent);
	tree_test_learn(trees, child);
	KUNIT_EXPECT_EQ(test, trees->members[tree], 1);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, tree, child));
	/* each tree has the process that it begins with */
	inner = tree_test_add(test, trees, parent);
	tree_test_learn(trees, parent);
	KUNIT_EXPECT_EQ(test, trees->members[tree], 2);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, inner, child));
	trees->nr -= DEMETER_MAX_MEMBERS - 1;
	demeter_tree_remove(trees, tree);
	KUNIT_EXPECT_EQ(test, trees->nr, 1);
	KUNIT_EXPECT_TRUE(test, tree_test_is_in(trees, inner, child));
	demeter_tree_remove(trees, inner);
	KUNIT_EXPECT_EQ(test, trees->nr, 0);
}

/* A process can be in all trees that there can be, and is one member. */
static void tree_test_a_member_is_in_many(struct kunit *test)
{
	struct demeter_trees *trees = tree_test_trees(test);
	struct relative *root = tree_test_relative(test, NULL);
	struct relative *child = tree_test_relative(test, root);

	for (int i = 0; i < DEMETER_MAX_TREES; i++)
		KUNIT_ASSERT_EQ(test, tree_test_add(test, trees, root), i);
	KUNIT_EXPECT_EQ(test, demeter_tree_add(trees, &child->pid), -ENOSPC);
	tree_test_learn(trees, child);
	KUNIT_EXPECT_EQ(test, trees->nr, 2);
	for (int i = 0; i < DEMETER_MAX_TREES; i++)
		KUNIT_EXPECT_EQ(test, trees->members[i], 2);
	/* a number that is free is used again, and nobody is left in that tree */
	demeter_tree_remove(trees, 5);
	KUNIT_EXPECT_EQ(test, tree_test_add(test, trees, child), 5);
	KUNIT_EXPECT_FALSE(test, tree_test_is_in(trees, 5, root));
	for (int i = 0; i < DEMETER_MAX_TREES; i++)
		demeter_tree_remove(trees, i);
	KUNIT_EXPECT_EQ(test, trees->nr, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&child->pid.count), 1);
}

/* Trees and processes of a random history, and how many steps it has. */
#define RANDOM_TREES   5
#define RANDOM_LIVING  40
#define RANDOM_STEPS   600
#define RANDOM_HISTORY 8

struct history {
	struct rnd_state rnd;
	struct demeter_trees *trees;
	struct relative *all[RANDOM_STEPS + 1];
	unsigned int nr;
	unsigned int living;
	int number[RANDOM_TREES];
};

static struct relative *tree_test_any(struct history *h)
{
	struct relative *r;

	do
		r = h->all[below(&h->rnd, h->nr)];
	while (!r->lives);
	return r;
}

static void tree_test_random_fork(struct kunit *test, struct history *h)
{
	struct relative *parent = tree_test_any(h), *r;

	if (h->living == RANDOM_LIVING)
		return;
	r = tree_test_relative(test, parent);
	tree_test_join_session(r, parent->leader);
	h->all[h->nr++] = r;
	h->living++;
}

static void tree_test_random_exit(struct history *h)
{
	struct relative *r = tree_test_any(h);

	if (r == h->all[0])
		return;
	for (unsigned int i = 0; i < h->nr; i++)
		if (h->all[i]->lives && h->all[i]->parent == r)
			tree_test_set_parent(h->all[i], h->all[0]);
	tree_test_exit(r);
	h->living--;
}

/* Makes a tree, or removes it. */
static void tree_test_random_tree(struct kunit *test, struct history *h)
{
	const unsigned int i = below(&h->rnd, RANDOM_TREES);
	struct relative *root = tree_test_any(h);

	if (h->number[i] >= 0) {
		demeter_tree_remove(h->trees, h->number[i]);
		h->number[i] = -1;
		for (unsigned int j = 0; j < h->nr; j++)
			h->all[j]->in &= ~BIT(i);
	} else if (root != h->all[0]) {
		h->number[i] = tree_test_add(test, h->trees, root);
		root->in |= BIT(i);
	}
}

/* Lets who lives be in the trees of its parent and of who leads its session. */
static void tree_test_model_learn(struct history *h)
{
	bool changed;

	do {
		changed = false;
		for (unsigned int i = 0; i < h->nr; i++) {
			struct relative *r = h->all[i];
			const u32 in = r->in | r->parent->in | (r->leader ? r->leader->in : 0);

			if (!r->lives || in == r->in)
				continue;
			r->in = in;
			changed = true;
		}
	} while (changed);
}

/* Learns in a random order, and once more what depends on who came later. */
static void tree_test_learn_all(struct history *h)
{
	u64 before;

	do {
		const unsigned int first = below(&h->rnd, h->nr);
		const bool back = below(&h->rnd, 2);

		before = h->trees->changes;
		for (unsigned int i = 0; i < h->nr; i++) {
			struct relative *r = h->all[(first + (back ? h->nr - i : i)) % h->nr];

			if (r->lives)
				tree_test_learn(h->trees, r);
		}
	} while (h->trees->changes != before);
	demeter_trees_forget_exited(h->trees);
	tree_test_model_learn(h);
}

static void tree_test_compare(struct kunit *test, struct history *h)
{
	for (unsigned int t = 0; t < RANDOM_TREES; t++) {
		unsigned int n = 0;

		if (h->number[t] < 0)
			continue;
		for (unsigned int i = 0; i < h->nr; i++) {
			struct relative *r = h->all[i];
			const bool in = r->in & BIT(t);

			if (r->lives)
				KUNIT_ASSERT_EQ(test, tree_test_is_in(h->trees, h->number[t], r),
						in);
			n += in && (r->lives || pid_has_task(&r->pid, PIDTYPE_SID));
		}
		KUNIT_ASSERT_EQ(test, h->trees->members[h->number[t]], n);
	}
}

static void tree_test_random_step(struct kunit *test, struct history *h)
{
	const u32 what = below(&h->rnd, 100);
	struct relative *r;

	if (what < 45) {
		tree_test_random_fork(test, h);
	} else if (what < 75) {
		tree_test_random_exit(h);
	} else if (what < 83) {
		r = tree_test_any(h);
		if (r != h->all[0] && hlist_empty(&r->pid.tasks[PIDTYPE_SID]))
			tree_test_join_session(r, r);
	} else {
		tree_test_random_tree(test, h);
	}
	/* what exits before anybody has looked is nobody's parent any more */
	if (below(&h->rnd, 3))
		return;
	tree_test_learn_all(h);
	tree_test_compare(test, h);
}

/* After any forks and exits, members are who a simple model says. */
static void tree_test_random_families(struct kunit *test)
{
	for (unsigned int seed = 0; seed < RANDOM_HISTORY; seed++) {
		struct history *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, h);
		prandom_seed_state(&h->rnd, seed);
		h->trees = tree_test_trees(test);
		h->all[h->nr++] = tree_test_relative(test, NULL);
		h->all[0]->task.tgid = 1;
		h->living = 1;
		memset(h->number, -1, sizeof(h->number));
		for (unsigned int i = 0; i < RANDOM_STEPS; i++)
			tree_test_random_step(test, h);
		for (unsigned int t = 0; t < RANDOM_TREES; t++)
			if (h->number[t] >= 0)
				demeter_tree_remove(h->trees, h->number[t]);
		KUNIT_EXPECT_EQ(test, h->trees->nr, 0);
		for (unsigned int i = 0; i < h->nr; i++) {
			KUNIT_EXPECT_EQ(test, refcount_read(&h->all[i]->pid.count), 1);
			kunit_kfree(test, h->all[i]);
		}
		kunit_kfree(test, h->trees);
		kunit_kfree(test, h);
	}
}

static struct kunit_case tree_test_cases[] = {
	KUNIT_CASE(tree_test_have_64_generations), KUNIT_CASE(tree_test_keep_orphans),
	KUNIT_CASE(tree_test_members_are_limited), KUNIT_CASE(tree_test_a_member_is_in_many),
	KUNIT_CASE(tree_test_random_families),	   {},
};

struct kunit_suite demeter_tree_suite = {
	.name = "demeter-tree",
	.test_cases = tree_test_cases,
};
