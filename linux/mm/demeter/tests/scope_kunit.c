// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of scopes: what is accepted, in which form, and what is refused; who owns them, what
 * they name, and which processes are in them. Those of trees are in tree_kunit.c.
 */
#include <linux/init_task.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/task.h>
#include <linux/threads.h>

#include "../scope.h"
#include "kunit.h"

struct scope_test {
	const char *text;
	enum demeter_scope_kind kind;
	u64 number;
	const char *kept;
};

static const struct scope_test scope_test_good[] = {
	{ "pid 1", DEMETER_SCOPE_PID, 1, "pid 1" },
	{ "pid 1234\n", DEMETER_SCOPE_PID, 1234, "pid 1234" },
	{ "  tree \t 0042  ", DEMETER_SCOPE_TREE, 42, "tree 42" },
	{ "tree\t7", DEMETER_SCOPE_TREE, 7, "tree 7" },
	{ "cgroup /", DEMETER_SCOPE_CGROUP, 0, "cgroup /" },
	{ "cgroup   /a b/c\n", DEMETER_SCOPE_CGROUP, 0, "cgroup /a b/c" },
	{ "cgroup a/b", DEMETER_SCOPE_CGROUP, 0, "cgroup /a/b" },
	{ "cgroup //a///b/", DEMETER_SCOPE_CGROUP, 0, "cgroup /a/b" },
	{ "cgroup ///", DEMETER_SCOPE_CGROUP, 0, "cgroup /" },
	{ "all", DEMETER_SCOPE_ALL, 64, "all 64" },
	{ "all\n", DEMETER_SCOPE_ALL, 64, "all 64" },
	{ "all 0", DEMETER_SCOPE_ALL, 0, "all 0" },
	{ "all 17592186044414", DEMETER_SCOPE_ALL, (1ull << 44) - 2, "all 17592186044414" },
};

static void scope_test_accepts(struct kunit *test)
{
	struct demeter_scope_name name;

	for (unsigned int i = 0; i < ARRAY_SIZE(scope_test_good); i++) {
		const struct scope_test *s = &scope_test_good[i];

		KUNIT_ASSERT_EQ_MSG(test, demeter_scope_parse(&name, s->text), 0, "%s", s->text);
		KUNIT_EXPECT_EQ_MSG(test, name.kind, s->kind, "%s", s->text);
		KUNIT_EXPECT_EQ_MSG(test, name.number, s->number, "%s", s->text);
		KUNIT_EXPECT_STREQ(test, name.text, s->kept);
		if (s->kind == DEMETER_SCOPE_CGROUP)
			KUNIT_EXPECT_STREQ(test, name.path, s->kept + strlen("cgroup "));
		else
			KUNIT_EXPECT_NULL(test, name.path);
	}
}

static void scope_test_refuses(struct kunit *test)
{
	static const char *const bad[] = {
		"",
		"\n",
		"pid",
		"pid ",
		"pid 0",
		"pid -1",
		"pid 1 2",
		"pid 1x",
		"pid 0x10",
		"pid1",
		"Pid 1",
		"process 1",
		"tree",
		"tree 0",
		"tree one",
		"tree 1,2",
		"cgroup",
		"cgroup  ",
		"all -1",
		"all 1 2",
		"all MIB",
		"all 64M",
		"al",
		"allx",
		"1",
		"pid\n1",
		"nothing 1",
		"pid 18446744073709551616",
		"all 17592186044415",
		"all 18446744073709551615",
	};
	struct demeter_scope_name name;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, demeter_scope_parse(&name, bad[i]), -EINVAL, "%s",
				    bad[i]);
}

/* Accepts the largest pid that there can be, and refuses one more. */
static void scope_test_pids_end(struct kunit *test)
{
	struct demeter_scope_name name;
	char text[32];

	snprintf(text, sizeof(text), "pid %lu", (unsigned long)PID_MAX_LIMIT);
	KUNIT_EXPECT_EQ(test, demeter_scope_parse(&name, text), 0);
	snprintf(text, sizeof(text), "tree %lu", (unsigned long)PID_MAX_LIMIT + 1);
	KUNIT_EXPECT_EQ(test, demeter_scope_parse(&name, text), -EINVAL);
}

/* A path is kept whole or refused: cut off, it would name another cgroup. */
static void scope_test_paths_are_whole(struct kunit *test)
{
	struct demeter_scope_name name;
	char text[sizeof(name.text) + 1];

	strscpy(text, "cgroup /");
	memset(text + strlen("cgroup /"), 'x', sizeof(text) - strlen("cgroup /"));
	text[sizeof(name.text) - 1] = '\0';
	KUNIT_EXPECT_EQ(test, demeter_scope_parse(&name, text), 0);
	KUNIT_EXPECT_STREQ(test, name.text, text);
	text[sizeof(name.text) - 1] = 'x';
	text[sizeof(name.text)] = '\0';
	KUNIT_EXPECT_EQ(test, demeter_scope_parse(&name, text), -EINVAL);
}

static struct demeter_scopes *scope_test_scopes(struct kunit *test)
{
	struct demeter_scopes *scopes = kunit_kzalloc(test, sizeof(*scopes), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, scopes);
	demeter_scopes_init(scopes);
	return scopes;
}

/* Finds a scope however it is written. */
static void scope_test_is_found_again(struct kunit *test)
{
	struct demeter_scope_name name;
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct demeter_scope *s;

	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "all 7"), 0);
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "all 8"), 0);
	KUNIT_EXPECT_EQ(test, demeter_scope_add(scopes, &scopes->admin, " all  07\n"), -EEXIST);
	KUNIT_ASSERT_EQ(test, demeter_scope_parse(&name, "all 007"), 0);
	s = demeter_scope_find(scopes, &name);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, s->id, 1ull);
	KUNIT_EXPECT_EQ(test, s->min_pages, 7ul << (20 - PAGE_SHIFT));
	demeter_scope_remove(scopes, s);
	KUNIT_EXPECT_NULL(test, demeter_scope_find(scopes, &name));
	/* numbers of scopes are not used again */
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "all 7"), 0);
	s = demeter_scope_find(scopes, &name);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, s->id, 3ull);
	demeter_scope_remove(scopes, s);
	demeter_scope_remove(scopes, list_first_entry(&scopes->list, struct demeter_scope, list));
	KUNIT_EXPECT_TRUE(test, list_empty(&scopes->list));
}

/* There is one scope for all who claim it; it goes with the last of them. */
static void scope_test_has_owners(struct kunit *test)
{
	struct demeter_owner first, second;
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct demeter_scope *s;

	demeter_owner_init(&first);
	demeter_owner_init(&second);
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &first, "all 7"), 0);
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &second, "all 07"), 0);
	KUNIT_EXPECT_EQ(test, demeter_scope_add(scopes, &first, "all 7"), -EEXIST);
	KUNIT_EXPECT_EQ(test, scopes->nr_claims, 2);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&scopes->list));
	s = list_first_entry(&scopes->list, struct demeter_scope, list);
	/* nobody gives up what is another's, or what is not there */
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &scopes->admin, "all 7"), -EBUSY);
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &first, "all 8"), -ENOENT);
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &first, "al"), -EINVAL);
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &first, " all 7\n"), 0);
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &first, "all 7"), -EBUSY);
	KUNIT_EXPECT_FALSE(test, demeter_scopes_remove_unowned(scopes));
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &second, "all 8"), 0);
	demeter_scopes_disown_all(scopes, &second);
	KUNIT_EXPECT_EQ(test, scopes->nr_claims, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&s->claims));
	/* a scope that is removed takes its claims along */
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &first, "all 7"), 0);
	KUNIT_EXPECT_EQ(test, s->id, 1ull);
	KUNIT_EXPECT_TRUE(test, demeter_scope_is_there(scopes, 2));
	KUNIT_EXPECT_TRUE(test, demeter_scopes_remove_unowned(scopes));
	KUNIT_EXPECT_TRUE(test, demeter_scope_is_there(scopes, 1));
	KUNIT_EXPECT_FALSE(test, demeter_scope_is_there(scopes, 2));
	demeter_scope_remove(scopes, s);
	KUNIT_EXPECT_EQ(test, scopes->nr_claims, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&first.claims));
	KUNIT_EXPECT_TRUE(test, list_empty(&scopes->list));
}

static int scope_test_add_all(struct demeter_scopes *scopes, struct demeter_owner *owner,
			      unsigned int mib)
{
	char text[32];

	snprintf(text, sizeof(text), "all %u", mib);
	return demeter_scope_add(scopes, owner, text);
}

/* Claims are counted, whoever has them and whether they are on the same scope. */
static void scope_test_claims_are_limited(struct kunit *test)
{
	struct demeter_owner first, second;
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct demeter_scope *s, *next;

	demeter_owner_init(&first);
	demeter_owner_init(&second);
	for (unsigned int i = 0; i < DEMETER_MAX_CLAIMS / 2; i++) {
		KUNIT_ASSERT_EQ(test, scope_test_add_all(scopes, &first, i), 0);
		KUNIT_ASSERT_EQ(test, scope_test_add_all(scopes, &second, i), 0);
	}
	KUNIT_EXPECT_EQ(test, scope_test_add_all(scopes, &scopes->admin, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, scope_test_add_all(scopes, &first, DEMETER_MAX_CLAIMS), -ENOSPC);
	KUNIT_EXPECT_EQ(test, scopes->last_id, DEMETER_MAX_CLAIMS / 2ull);
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &first, "all 1"), 0);
	KUNIT_EXPECT_EQ(test, scope_test_add_all(scopes, &scopes->admin, 1), 0);
	list_for_each_entry_safe(s, next, &scopes->list, list)
		demeter_scope_remove(scopes, s);
	KUNIT_EXPECT_EQ(test, scopes->nr_claims, 0);
}

/* Reads the list in parts of each size, and gets it whole. */
static void scope_test_is_read_in_parts(struct kunit *test)
{
	static const char all[] = "all 1\nall 1234567\nall 20\n";
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct demeter_scope *s, *next;
	char buf[sizeof(all)];

	KUNIT_EXPECT_EQ(test, demeter_scopes_read(scopes, buf, 0, sizeof(buf)), 0);
	KUNIT_ASSERT_EQ(test, scope_test_add_all(scopes, &scopes->admin, 1), 0);
	KUNIT_ASSERT_EQ(test, scope_test_add_all(scopes, &scopes->admin, 1234567), 0);
	KUNIT_ASSERT_EQ(test, scope_test_add_all(scopes, &scopes->admin, 20), 0);
	for (size_t size = 1; size <= sizeof(all); size++) {
		size_t len = 0, n;

		memset(buf, 0, sizeof(buf));
		do {
			n = demeter_scopes_read(scopes, buf + len, len,
						min(size, sizeof(all) - len));
			len += n;
		} while (n && len < sizeof(all));
		KUNIT_EXPECT_EQ(test, len, sizeof(all) - 1);
		KUNIT_EXPECT_STREQ(test, buf, all);
	}
	KUNIT_EXPECT_EQ(test, demeter_scopes_read(scopes, buf, 1ull << 40, sizeof(buf)), 0);
	list_for_each_entry_safe(s, next, &scopes->list, list)
		demeter_scope_remove(scopes, s);
}

static int scope_test_add(struct demeter_scopes *scopes, const char *kind, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%s %d", kind, pid);
	return demeter_scope_add(scopes, &scopes->admin, text);
}

/* What a scope names must be there, and be what it is said to be. */
static void scope_test_resolves(struct kunit *test)
{
	struct demeter_scopes *scopes = scope_test_scopes(test);

	/* this is a kernel thread; pids end below the limit */
	KUNIT_EXPECT_EQ(test, scope_test_add(scopes, "pid", task_tgid_nr(current)), -EINVAL);
	KUNIT_EXPECT_EQ(test, scope_test_add(scopes, "tree", task_tgid_nr(current)), -EINVAL);
	KUNIT_EXPECT_EQ(test, scope_test_add(scopes, "pid", PID_MAX_LIMIT), -ESRCH);
	KUNIT_EXPECT_EQ(test, scope_test_add(scopes, "tree", PID_MAX_LIMIT), -ESRCH);
	KUNIT_EXPECT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "cgroup /no such cgroup"),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "cgroup /cgroup.procs"),
			-ENOTDIR);
	KUNIT_EXPECT_TRUE(test, list_empty(&scopes->list));
	KUNIT_EXPECT_EQ(test, scopes->last_id, 0ull);
}

static bool scope_test_contains(struct demeter_scopes *scopes, struct task_struct *task,
				struct mm_struct *mm)
{
	bool contains;

	rcu_read_lock();
	contains = demeter_scope_of(scopes, task, mm);
	rcu_read_unlock();
	return contains;
}

static void scope_test_contains_one_process(struct kunit *test)
{
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct demeter_scope s = { .name.kind = DEMETER_SCOPE_PID, .pid = task_tgid(current) };

	list_add(&s.list, &scopes->list);
	KUNIT_EXPECT_TRUE(test, scope_test_contains(scopes, current, NULL));
	KUNIT_EXPECT_FALSE(test, scope_test_contains(scopes, &init_task, NULL));
}

static void scope_test_contains_a_tree(struct kunit *test)
{
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct task_struct *init;
	struct demeter_scope *s;

	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "tree 1"), 0);
	s = list_first_entry(&scopes->list, struct demeter_scope, list);
	KUNIT_EXPECT_EQ(test, scopes->trees.members[s->tree], 1);
	/* user processes descend from init, kernel threads do not */
	demeter_scopes_resolve(scopes);
	demeter_scopes_release(scopes);
	KUNIT_EXPECT_GT(test, scopes->trees.members[s->tree], 1);
	KUNIT_EXPECT_FALSE(test, demeter_scope_has_exited(scopes, s));
	init = get_pid_task(s->pid, PIDTYPE_TGID);
	KUNIT_ASSERT_NOT_NULL(test, init);
	KUNIT_EXPECT_TRUE(test, scope_test_contains(scopes, init, NULL));
	put_task_struct(init);
	KUNIT_EXPECT_FALSE(test, scope_test_contains(scopes, current, NULL));
	demeter_scope_remove(scopes, s);
	KUNIT_EXPECT_EQ(test, scopes->trees.nr, 0);
}

/* The number of a process that has exited, but not its descendants, stands for a later one. */
static void scope_test_a_number_is_used_again(struct kunit *test)
{
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct pid *exited = kunit_kzalloc(test, struct_size(exited, numbers, 1), GFP_KERNEL);
	struct demeter_scope *first, *second;
	struct demeter_scope_name name;
	struct demeter_owner other;

	KUNIT_ASSERT_NOT_NULL(test, exited);
	refcount_set(&exited->count, 2);
	demeter_owner_init(&other);
	KUNIT_ASSERT_EQ(test, demeter_scope_parse(&name, "tree 1"), 0);
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "tree 1"), 0);
	first = demeter_scope_find(scopes, &name);
	KUNIT_ASSERT_NOT_NULL(test, first);
	put_pid(first->pid);
	first->pid = exited;
	KUNIT_EXPECT_NULL(test, demeter_scope_find(scopes, &name));
	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "tree 1"), 0);
	KUNIT_EXPECT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "tree 1"), -EEXIST);
	second = demeter_scope_find(scopes, &name);
	KUNIT_ASSERT_NOT_NULL(test, second);
	KUNIT_EXPECT_PTR_NE(test, second, first);
	KUNIT_EXPECT_EQ(test, demeter_scope_add(scopes, &other, "tree 1"), 0);
	KUNIT_EXPECT_EQ(test, scopes->nr_claims, 3);
	/* the latest goes first */
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &scopes->admin, "tree 1"), 0);
	KUNIT_EXPECT_FALSE(test, list_empty(&first->claims));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&second->claims));
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &scopes->admin, "tree 1"), 0);
	KUNIT_EXPECT_EQ(test, demeter_scope_disown(scopes, &scopes->admin, "tree 1"), -EBUSY);
	KUNIT_EXPECT_TRUE(test, list_empty(&first->claims));
	KUNIT_EXPECT_TRUE(test, demeter_scopes_remove_unowned(scopes));
	KUNIT_EXPECT_EQ(test, refcount_read(&exited->count), 1);
	demeter_scope_remove(scopes, second);
	KUNIT_EXPECT_TRUE(test, list_empty(&scopes->list));
	KUNIT_EXPECT_EQ(test, scopes->trees.nr, 0);
}

static void scope_test_contains_a_cgroup(struct kunit *test)
{
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct demeter_scope *s;

	KUNIT_ASSERT_EQ(test, demeter_scope_add(scopes, &scopes->admin, "cgroup /"), 0);
	s = list_first_entry(&scopes->list, struct demeter_scope, list);
	/* it is referenced only while somebody looks for processes */
	KUNIT_EXPECT_NULL(test, s->cgroup);
	KUNIT_EXPECT_FALSE(test, scope_test_contains(scopes, current, NULL));
	demeter_scopes_resolve(scopes);
	KUNIT_EXPECT_TRUE(test, scope_test_contains(scopes, current, NULL));
	KUNIT_EXPECT_FALSE(test, demeter_scope_has_exited(scopes, s));
	demeter_scopes_release(scopes);
	KUNIT_EXPECT_NULL(test, s->cgroup);
	demeter_scope_remove(scopes, s);
}

static void scope_test_contains_processes_of_a_size(struct kunit *test)
{
	struct mm_struct *mm = kunit_kzalloc(test, sizeof(*mm), GFP_KERNEL);
	struct demeter_scopes *scopes = scope_test_scopes(test);
	struct demeter_scope s = { .name.kind = DEMETER_SCOPE_ALL, .min_pages = 256 };

	KUNIT_ASSERT_NOT_NULL(test, mm);
	list_add(&s.list, &scopes->list);
	mm->rss_stat[MM_ANONPAGES].count = 255;
	KUNIT_EXPECT_FALSE(test, scope_test_contains(scopes, current, mm));
	mm->rss_stat[MM_FILEPAGES].count = 1;
	KUNIT_EXPECT_TRUE(test, scope_test_contains(scopes, current, mm));
}

static struct kunit_case scope_test_cases[] = {
	KUNIT_CASE(scope_test_accepts),
	KUNIT_CASE(scope_test_refuses),
	KUNIT_CASE(scope_test_pids_end),
	KUNIT_CASE(scope_test_paths_are_whole),
	KUNIT_CASE(scope_test_is_found_again),
	KUNIT_CASE(scope_test_has_owners),
	KUNIT_CASE(scope_test_claims_are_limited),
	KUNIT_CASE(scope_test_is_read_in_parts),
	KUNIT_CASE(scope_test_resolves),
	KUNIT_CASE(scope_test_contains_one_process),
	KUNIT_CASE(scope_test_contains_a_tree),
	KUNIT_CASE(scope_test_a_number_is_used_again),
	KUNIT_CASE(scope_test_contains_a_cgroup),
	KUNIT_CASE(scope_test_contains_processes_of_a_size),
	{},
};

struct kunit_suite demeter_scope_suite = {
	.name = "demeter-scope",
	.test_cases = scope_test_cases,
};
