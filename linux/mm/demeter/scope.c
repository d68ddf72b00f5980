// SPDX-License-Identifier: GPL-2.0
/* Parses scopes, resolves what they name, and tells which processes are in them. */
#include <linux/cgroup.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/threads.h>
#include <linux/workqueue.h>

#include "scope.h"

/*
 * Generations up to which a descendant is found. A limit keeps a process with a long line
 * of ancestors from making each search long.
 */
#define MAX_GENERATIONS 64
/* Size in MiB from which on a scope that names no size manages a process. */
#define DEFAULT_MIB 64

static int demeter_scope_parse_process(struct demeter_scope_name *name, const char *kind,
				       const char *words)
{
	if (!words || kstrtou64(words, 10, &name->number) || !name->number ||
	    name->number > PID_MAX_LIMIT)
		return -EINVAL;
	return snprintf(name->text, sizeof(name->text), "%s %llu", kind, name->number);
}

static int demeter_scope_parse_cgroup(struct demeter_scope_name *name, const char *words)
{
	if (!words)
		return -EINVAL;
	name->path = name->text + strlen("cgroup ");
	return snprintf(name->text, sizeof(name->text), "cgroup %s", words);
}

static int demeter_scope_parse_all(struct demeter_scope_name *name, const char *words)
{
	name->number = DEFAULT_MIB;
	if ((words && kstrtou64(words, 10, &name->number)) || name->number >= ULONG_MAX >> 20)
		return -EINVAL;
	return snprintf(name->text, sizeof(name->text), "all %llu", name->number);
}

/**
 * demeter_scope_parse() - Parse a scope as users write it
 * @name:	Gets its kind, its number or path, and its text in the form that is kept.
 * @text:	"pid N", "tree N" (with descendants), "cgroup PATH" (of the unified
 *		hierarchy) or "all [MIB]" (every process of at least so much memory).
 *
 * Does not look whether there is such a process or cgroup.
 *
 * Return: 0, -EINVAL if @text is none of these, -ENOMEM.
 */
int demeter_scope_parse(struct demeter_scope_name *name, const char *text)
{
	char *copy = kstrdup(text, GFP_KERNEL), *words, *kind;
	int len = -EINVAL;

	*name = (struct demeter_scope_name){};
	if (!copy)
		return -ENOMEM;
	words = strim(copy);
	kind = strsep(&words, " \t");
	if (words)
		words = skip_spaces(words);
	if (!strcmp(kind, "pid")) {
		name->kind = DEMETER_SCOPE_PID;
		len = demeter_scope_parse_process(name, kind, words);
	} else if (!strcmp(kind, "tree")) {
		name->kind = DEMETER_SCOPE_TREE;
		len = demeter_scope_parse_process(name, kind, words);
	} else if (!strcmp(kind, "cgroup")) {
		name->kind = DEMETER_SCOPE_CGROUP;
		len = demeter_scope_parse_cgroup(name, words);
	} else if (!strcmp(kind, "all")) {
		name->kind = DEMETER_SCOPE_ALL;
		len = demeter_scope_parse_all(name, words);
	}
	kfree(copy);
	return len < 0 || len >= sizeof(name->text) ? -EINVAL : 0;
}

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

static int demeter_scope_resolve(struct demeter_scope *s)
{
	struct cgroup *cgroup;

	switch (s->name.kind) {
	case DEMETER_SCOPE_PID:
	case DEMETER_SCOPE_TREE:
		return demeter_scope_resolve_process(s);
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

static void demeter_scope_free(struct demeter_scope *s)
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
	INIT_LIST_HEAD(&scopes->list);
	scopes->last_id = 0;
}

/**
 * demeter_scope_add() - Add a scope
 * @scopes:	All scopes.
 * @text:	The scope as users write it; see demeter_scope_parse().
 *
 * Return: 0, -EINVAL if @text is no scope or names a kernel thread, -ESRCH or -ENOENT
 * if there is no such process or cgroup, -ENOTDIR if the path of a cgroup is one of a file,
 * -EEXIST if it was added before, -ENOMEM.
 */
int demeter_scope_add(struct demeter_scopes *scopes, const char *text)
{
	struct demeter_scope *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int ret;

	if (!s)
		return -ENOMEM;
	ret = demeter_scope_parse(&s->name, text);
	if (!ret && demeter_scope_find(scopes, &s->name))
		ret = -EEXIST;
	if (!ret)
		ret = demeter_scope_resolve(s);
	if (ret) {
		demeter_scope_free(s);
		return ret;
	}
	s->id = ++scopes->last_id;
	list_add_tail(&s->list, &scopes->list);
	return 0;
}

/**
 * demeter_scope_remove() - Take a scope out of its list and free it
 * @s:		The scope.
 */
void demeter_scope_remove(struct demeter_scope *s)
{
	list_del(&s->list);
	demeter_scope_free(s);
}

/**
 * demeter_scope_find() - Find a scope by its name
 * @scopes:	All scopes.
 * @name:	The name.
 *
 * Return: the scope or NULL.
 */
struct demeter_scope *demeter_scope_find(struct demeter_scopes *scopes,
					 const struct demeter_scope_name *name)
{
	struct demeter_scope *s;

	list_for_each_entry(s, &scopes->list, list)
		if (!strcmp(s->name.text, name->text))
			return s;
	return NULL;
}

/* Called under RCU. */
static bool demeter_scope_is_descendant(struct task_struct *task, const struct pid *pid)
{
	for (unsigned int depth = 0; task_tgid(task) != pid; depth++) {
		struct task_struct *parent = rcu_dereference(task->real_parent);

		if (parent == task || is_global_init(task) || depth == MAX_GENERATIONS)
			return false;
		task = parent;
	}
	return true;
}

/**
 * demeter_scopes_resolve() - Find out what scopes mean at present
 * @scopes:	All scopes. Until demeter_scopes_release(), those of cgroups have a reference
 *		on the cgroup that is now at their path, if there is one.
 */
void demeter_scopes_resolve(struct demeter_scopes *scopes)
{
	struct demeter_scope *s;

	list_for_each_entry(s, &scopes->list, list) {
		if (s->name.kind != DEMETER_SCOPE_CGROUP)
			continue;
		s->cgroup = demeter_cgroup_get(s->name.path);
		if (IS_ERR(s->cgroup))
			s->cgroup = NULL;
	}
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

/**
 * demeter_scope_contains() - Whether a process is in a scope
 * @s:		The scope.
 * @task:	A thread of the process.
 * @mm:		The mm of the process.
 *
 * The caller is in an RCU read-side critical section, and scopes are resolved.
 *
 * Return: whether it is.
 */
bool demeter_scope_contains(const struct demeter_scope *s, struct task_struct *task,
			    struct mm_struct *mm)
{
	switch (s->name.kind) {
	case DEMETER_SCOPE_PID:
		return task_tgid(task) == s->pid;
	case DEMETER_SCOPE_TREE:
		return demeter_scope_is_descendant(task, s->pid);
	case DEMETER_SCOPE_CGROUP:
		return s->cgroup && task_under_cgroup_hierarchy(task, s->cgroup);
	case DEMETER_SCOPE_ALL:
		return get_mm_rss(mm) >= s->min_pages;
	}
	return false;
}

/**
 * demeter_scope_has_exited() - Whether the process that a scope names has exited
 * @s:		The scope.
 *
 * Return: whether it has; false for scopes that name no process.
 */
bool demeter_scope_has_exited(const struct demeter_scope *s)
{
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
