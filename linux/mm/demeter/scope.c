// SPDX-License-Identifier: GPL-2.0
/* Scopes: what they name at present, and which processes are in them. */
#include <linux/cgroup.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "scope.h"

/* Pids that are looked at in one hold of RCU. */
#define LEARN_PIDS 64

/* Finds a process; one that will never have memory of its own is refused. */
static int demeter_scope_resolve_process(struct demeter_scope *s)
{
	struct task_struct *task;
	int ret = 0;

	s->pid = find_get_pid(s->name.number);
	task = get_pid_task(s->pid, PIDTYPE_TGID);
	if (!task)
		return -ESRCH;
	if (task->flags & PF_KTHREAD)
		ret = -EINVAL;
	put_task_struct(task);
	return ret;
}

static int demeter_scope_resolve_tree(struct demeter_scopes *scopes, struct demeter_scope *s)
{
	const int ret = demeter_scope_resolve_process(s);

	if (ret)
		return ret;
	s->tree = demeter_tree_add(&scopes->trees, s->pid);
	return min(s->tree, 0);
}

/**
 * struct demeter_lookup - A cgroup that is looked up by a kernel worker
 * @work:	The work.
 * @path:	Its path below the root of the unified hierarchy.
 * @cgroup:	Gets the cgroup, with a reference, or an error.
 */
struct demeter_lookup {
	struct work_struct work;
	const char *path;
	struct cgroup *cgroup;
};

static void demeter_lookup_work(struct work_struct *work)
{
	struct demeter_lookup *lookup = container_of(work, struct demeter_lookup, work);

	lookup->cgroup = cgroup_get_from_path(lookup->path);
}

/*
 * Finds a cgroup by its path. That begins at the root of the cgroup namespace of who looks,
 * but must mean the same to the user who attaches and later to our thread: so it is always a
 * kernel thread that looks.
 */
static struct cgroup *demeter_cgroup_get(const char *path)
{
	struct demeter_lookup lookup = { .path = path };

	if (current->flags & PF_KTHREAD)
		return cgroup_get_from_path(path);
	INIT_WORK_ONSTACK(&lookup.work, demeter_lookup_work);
	queue_work(system_unbound_wq, &lookup.work);
	flush_work(&lookup.work);
	destroy_work_on_stack(&lookup.work);
	return lookup.cgroup;
}

static int demeter_scope_resolve(struct demeter_scopes *scopes, struct demeter_scope *s)
{
	struct cgroup *cgroup;

	switch (s->name.kind) {
	case DEMETER_SCOPE_PID:
		return demeter_scope_resolve_process(s);
	case DEMETER_SCOPE_TREE:
		return demeter_scope_resolve_tree(scopes, s);
	case DEMETER_SCOPE_CGROUP:
		cgroup = demeter_cgroup_get(s->name.path);
		if (IS_ERR(cgroup))
			return PTR_ERR(cgroup);
		cgroup_put(cgroup);
		return 0;
	case DEMETER_SCOPE_ALL:
		s->min_pages = s->name.number << (20 - PAGE_SHIFT);
		return 0;
	}
	return -EINVAL;
}

/**
 * demeter_scope_free() - Free a scope
 * @s:		The scope, which is in no list, and nobody claims it.
 */
void demeter_scope_free(struct demeter_scope *s)
{
	put_pid(s->pid);
	kfree(s);
}

/**
 * demeter_scopes_init() - Make an empty set of scopes
 * @scopes:	The scopes.
 */
void demeter_scopes_init(struct demeter_scopes *scopes)
{
	memset(scopes, 0, sizeof(*scopes));
	demeter_trees_init(&scopes->trees);
	INIT_LIST_HEAD(&scopes->list);
	INIT_LIST_HEAD(&scopes->admin.claims);
}

/**
 * demeter_scope_make() - Make a scope
 * @scopes:	All scopes, to which it is added.
 * @name:	Its name.
 *
 * Return: the scope, which nobody claims yet, or an error; see demeter_scope_add().
 */
struct demeter_scope *demeter_scope_make(struct demeter_scopes *scopes,
					 const struct demeter_scope_name *name)
{
	struct demeter_scope *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int ret;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->name = *name;
	if (name->path)
		s->name.path = s->name.text + (name->path - name->text);
	INIT_LIST_HEAD(&s->claims);
	ret = demeter_scope_resolve(scopes, s);
	if (ret) {
		demeter_scope_free(s);
		return ERR_PTR(ret);
	}
	s->id = ++scopes->last_id;
	list_add_tail(&s->list, &scopes->list);
	return s;
}

/**
 * demeter_scope_find() - Find a scope by its name
 * @scopes:	All scopes.
 * @name:	The name.
 *
 * A scope lasts as descendants of its process do: several may have the same number in their
 * names, of which it is the number of one process that lives, if any.
 *
 * Return: the scope, whose process lives if it names one, or NULL.
 */
struct demeter_scope *demeter_scope_find(struct demeter_scopes *scopes,
					 const struct demeter_scope_name *name)
{
	struct demeter_scope *s;

	list_for_each_entry(s, &scopes->list, list)
		if (!strcmp(s->name.text, name->text) &&
		    (!s->pid || pid_has_task(s->pid, PIDTYPE_TGID)))
			return s;
	return NULL;
}

/**
 * demeter_scope_is_there() - Whether there is a scope of a given number
 * @scopes:	All scopes.
 * @id:		The number.
 *
 * Return: whether it was not removed yet.
 */
bool demeter_scope_is_there(const struct demeter_scopes *scopes, u64 id)
{
	const struct demeter_scope *s;

	list_for_each_entry(s, &scopes->list, list)
		if (s->id == id)
			return true;
	return false;
}

/* Looks at all processes, and not only at those that are no targets yet: they have children. */
static void demeter_scopes_learn_all(struct demeter_scopes *scopes)
{
	int nr = 1;

	while (nr) {
		rcu_read_lock();
		for (unsigned int i = 0; i < LEARN_PIDS && nr; i++) {
			struct pid *pid = find_ge_pid(nr, &init_pid_ns);
			struct task_struct *leader = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;

			nr = pid ? pid_nr(pid) + 1 : 0;
			if (leader)
				demeter_trees_learn(&scopes->trees, leader);
		}
		rcu_read_unlock();
		cond_resched();
	}
}

/**
 * demeter_scopes_resolve() - Find out what scopes mean at present
 * @scopes:	All scopes. Until demeter_scopes_release(), those of cgroups have a reference
 *		on the cgroup that is now at their path, if there is one.
 */
void demeter_scopes_resolve(struct demeter_scopes *scopes)
{
	struct demeter_scope *s;

	demeter_trees_forget_exited(&scopes->trees);
	list_for_each_entry(s, &scopes->list, list) {
		if (s->name.kind == DEMETER_SCOPE_CGROUP) {
			s->cgroup = demeter_cgroup_get(s->name.path);
			if (IS_ERR(s->cgroup))
				s->cgroup = NULL;
		}
	}
	if (scopes->trees.nr)
		demeter_scopes_learn_all(scopes);
}

/**
 * demeter_scopes_release() - Give back the references of demeter_scopes_resolve()
 * @scopes:	All scopes.
 */
void demeter_scopes_release(struct demeter_scopes *scopes)
{
	struct demeter_scope *s;

	list_for_each_entry(s, &scopes->list, list) {
		if (s->cgroup)
			cgroup_put(s->cgroup);
		s->cgroup = NULL;
	}
}

/* Base pages that a process has, those of hugetlbfs too, which do not count as resident. */
static unsigned long demeter_scope_resident(struct mm_struct *mm)
{
	unsigned long pages = get_mm_rss(mm);

#ifdef CONFIG_HUGETLB_PAGE
	pages += atomic_long_read(&mm->hugetlb_usage);
#endif
	return pages;
}

/* Whether a process that is in the trees @in is in a scope. Called under RCU. */
static bool demeter_scope_contains(const struct demeter_scope *s, struct task_struct *task,
				   struct mm_struct *mm, const unsigned long *in)
{
	switch (s->name.kind) {
	case DEMETER_SCOPE_PID:
		return task_tgid(task) == s->pid;
	case DEMETER_SCOPE_TREE:
		return test_bit(s->tree, in);
	case DEMETER_SCOPE_CGROUP:
		return s->cgroup && task_under_cgroup_hierarchy(task, s->cgroup);
	case DEMETER_SCOPE_ALL:
		return demeter_scope_resident(mm) >= s->min_pages;
	}
	return false;
}

/**
 * demeter_scope_of() - Find a scope that a process is in
 * @scopes:	All scopes, which are resolved.
 * @task:	A thread of the process.
 * @mm:		The mm of the process.
 *
 * The caller is in an RCU read-side critical section.
 *
 * Return: the first scope that it is in, or NULL.
 */
struct demeter_scope *demeter_scope_of(struct demeter_scopes *scopes, struct task_struct *task,
				       struct mm_struct *mm)
{
	DECLARE_BITMAP(in, DEMETER_MAX_TREES);
	struct demeter_scope *s;

	demeter_trees_of(&scopes->trees, task, in);
	list_for_each_entry(s, &scopes->list, list)
		if (demeter_scope_contains(s, task, mm, in))
			return s;
	return NULL;
}

/**
 * demeter_scope_has_exited() - Whether the processes that a scope names have exited
 * @scopes:	All scopes.
 * @s:		The scope.
 *
 * Return: whether the process has, and of a tree all members that are known; false for scopes
 * that name no process.
 */
bool demeter_scope_has_exited(const struct demeter_scopes *scopes, const struct demeter_scope *s)
{
	if (s->name.kind == DEMETER_SCOPE_TREE && scopes->trees.members[s->tree])
		return false;
	return s->pid && !pid_has_task(s->pid, PIDTYPE_TGID);
}

/**
 * demeter_scopes_read() - Print scopes, as a part of the list of all
 * @scopes:	The scopes, of which each has a line in the list.
 * @buf:	Gets the part.
 * @offset:	Where in the list the part begins.
 * @size:	Size of the part.
 *
 * Return: how many characters were printed; fewer than @size at the end of the list.
 */
size_t demeter_scopes_read(const struct demeter_scopes *scopes, char *buf, loff_t offset,
			   size_t size)
{
	const struct demeter_scope *s;
	loff_t start = 0; /* of the line */
	size_t len = 0;

	list_for_each_entry(s, &scopes->list, list) {
		char line[sizeof(s->name.text) + 1];
		const size_t n = scnprintf(line, sizeof(line), "%s\n", s->name.text);
		const size_t skip = clamp_t(loff_t, offset - start, 0, n);
		const size_t part = min(n - skip, size - len);

		memcpy(buf + len, line + skip, part);
		len += part;
		start += n;
		if (len == size)
			break;
	}
	return len;
}
