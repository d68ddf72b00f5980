// SPDX-License-Identifier: GPL-2.0
/* Parses scopes, resolves what they name, and tells which processes are in them. */
#include <linux/cgroup.h>
#include <linux/hash.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
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
/* Buckets of the hash of a tree's members, as a power of two. */
#define MEMBER_BITS 8
/* Pids that are looked at in one hold of RCU. */
#define LEARN_PIDS 64

/**
 * struct demeter_claim - That an owner wants a scope
 * @by_owner:	In struct demeter_owner.
 * @by_scope:	In struct demeter_scope.
 * @owner:	The owner.
 * @scope:	The scope.
 */
struct demeter_claim {
	struct list_head by_owner;
	struct list_head by_scope;
	struct demeter_owner *owner;
	struct demeter_scope *scope;
};

/**
 * struct demeter_member - A process of a tree
 * @by_pid:	In the hash of the scope.
 * @pid:	The process, with a reference.
 */
struct demeter_member {
	struct hlist_node by_pid;
	struct pid *pid;
};

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

/*
 * Members of a tree are remembered, because the kernel forgets of whom a process is a descendant
 * when the processes in between exit.
 */

static struct hlist_head *demeter_members_of(const struct demeter_scope *s, const struct pid *pid)
{
	return &s->members[hash_ptr(pid, MEMBER_BITS)];
}

static bool demeter_scope_has_member(const struct demeter_scope *s, const struct pid *pid)
{
	struct demeter_member *m;

	if (!s->members || !pid)
		return false;
	hlist_for_each_entry(m, demeter_members_of(s, pid), by_pid)
		if (m->pid == pid)
			return true;
	return false;
}

/* Without memory, the member is found again by its parents in the next epoch, if these live. */
static void demeter_member_add(struct demeter_scopes *scopes, struct demeter_scope *s,
			       struct pid *pid)
{
	struct demeter_member *m;

	if (scopes->nr_members >= DEMETER_MAX_MEMBERS)
		return;
	m = kmalloc(sizeof(*m), GFP_NOWAIT | __GFP_NOWARN);
	if (!m)
		return;
	m->pid = get_pid(pid);
	hlist_add_head(&m->by_pid, demeter_members_of(s, pid));
	s->nr_members++;
	scopes->nr_members++;
}

/* Forgets members: all, or those that have exited and lead no session any more. */
static void demeter_members_forget(struct demeter_scopes *scopes, struct demeter_scope *s, bool all)
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

static int demeter_scope_resolve_tree(struct demeter_scope *s)
{
	int ret = demeter_scope_resolve_process(s);

	if (ret)
		return ret;
	s->members = kcalloc(1 << MEMBER_BITS, sizeof(*s->members), GFP_KERNEL);
	return s->members ? 0 : -ENOMEM;
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
		return demeter_scope_resolve_process(s);
	case DEMETER_SCOPE_TREE:
		return demeter_scope_resolve_tree(s);
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

/* Frees a scope that is in no list and has neither claims nor members. */
static void demeter_scope_free(struct demeter_scope *s)
{
	put_pid(s->pid);
	kfree(s->members);
	kfree(s);
}

/**
 * demeter_owner_init() - Make an owner of no scopes
 * @owner:	The owner.
 */
void demeter_owner_init(struct demeter_owner *owner)
{
	INIT_LIST_HEAD(&owner->claims);
}

/**
 * demeter_scopes_init() - Make an empty set of scopes
 * @scopes:	The scopes.
 */
void demeter_scopes_init(struct demeter_scopes *scopes)
{
	*scopes = (struct demeter_scopes){};
	INIT_LIST_HEAD(&scopes->list);
	demeter_owner_init(&scopes->admin);
}

static struct demeter_claim *demeter_claim_find(const struct demeter_scope *s,
						const struct demeter_owner *owner)
{
	struct demeter_claim *c;

	list_for_each_entry(c, &s->claims, by_scope)
		if (c->owner == owner)
			return c;
	return NULL;
}

static void demeter_claim_free(struct demeter_scopes *scopes, struct demeter_claim *c)
{
	list_del(&c->by_owner);
	list_del(&c->by_scope);
	kfree(c);
	scopes->nr_claims--;
}

/* Makes the scope that is called @name. */
static struct demeter_scope *demeter_scope_make(struct demeter_scopes *scopes,
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
	ret = demeter_scope_resolve(s);
	if (ret) {
		demeter_scope_free(s);
		return ERR_PTR(ret);
	}
	s->id = ++scopes->last_id;
	list_add_tail(&s->list, &scopes->list);
	return s;
}

/*
 * Has @c claim the scope that is called @name, which is made if there is none yet. One that
 * lasts as descendants of a process do, is not mixed up with a later process of that number.
 */
static int demeter_claim_make(struct demeter_scopes *scopes, struct demeter_claim *c,
			      const struct demeter_scope_name *name)
{
	struct demeter_scope *s = demeter_scope_find(scopes, name);

	/* a number of a container's would be mixed up with the host's */
	if ((name->kind == DEMETER_SCOPE_PID || name->kind == DEMETER_SCOPE_TREE) &&
	    task_active_pid_ns(current) != &init_pid_ns)
		return -EINVAL;
	if (s &&
	    (demeter_claim_find(s, c->owner) || (s->pid && !pid_has_task(s->pid, PIDTYPE_TGID))))
		return -EEXIST;
	if (scopes->nr_claims >= DEMETER_MAX_CLAIMS)
		return -ENOSPC;
	if (!s)
		s = demeter_scope_make(scopes, name);
	if (IS_ERR(s))
		return PTR_ERR(s);
	c->scope = s;
	list_add_tail(&c->by_scope, &s->claims);
	list_add_tail(&c->by_owner, &c->owner->claims);
	scopes->nr_claims++;
	return 0;
}

/**
 * demeter_scope_add() - Have an owner claim a scope
 * @scopes:	All scopes.
 * @owner:	The owner.
 * @text:	The scope as users write it; see demeter_scope_parse().
 *
 * Return: 0, -EINVAL if @text is no scope or names a kernel thread, -ESRCH or -ENOENT
 * if there is no such process or cgroup, -ENOTDIR if the path of a cgroup is one of a file,
 * -EEXIST if the owner has it already, -ENOSPC if there are too many claims, -ENOMEM.
 */
int demeter_scope_add(struct demeter_scopes *scopes, struct demeter_owner *owner, const char *text)
{
	struct demeter_scope_name *name = kmalloc(sizeof(*name), GFP_KERNEL);
	struct demeter_claim *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int ret = -ENOMEM;

	if (name && c) {
		c->owner = owner;
		ret = demeter_scope_parse(name, text);
		if (!ret)
			ret = demeter_claim_make(scopes, c, name);
	}
	if (ret)
		kfree(c);
	kfree(name);
	return ret;
}

/**
 * demeter_scope_disown() - Have an owner give up a scope
 * @scopes:	All scopes.
 * @owner:	The owner.
 * @text:	The scope, whose process or cgroup need not exist any more.
 *
 * The scope stays in its list; see demeter_scope_is_owned().
 *
 * Return: 0, -EINVAL if @text is no scope, -ENOENT if there is no such scope, -EBUSY if only
 * others claim it, -ENOMEM.
 */
int demeter_scope_disown(struct demeter_scopes *scopes, struct demeter_owner *owner,
			 const char *text)
{
	struct demeter_scope_name *name = kmalloc(sizeof(*name), GFP_KERNEL);
	struct demeter_claim *c;
	struct demeter_scope *s;
	int ret = -ENOMEM;

	if (name)
		ret = demeter_scope_parse(name, text);
	if (!ret) {
		s = demeter_scope_find(scopes, name);
		c = s ? demeter_claim_find(s, owner) : NULL;
		if (c)
			demeter_claim_free(scopes, c);
		else
			ret = s ? -EBUSY : -ENOENT;
	}
	kfree(name);
	return ret;
}

/**
 * demeter_scopes_disown_all() - Have an owner give up all that it has
 * @scopes:	All scopes.
 * @owner:	The owner.
 */
void demeter_scopes_disown_all(struct demeter_scopes *scopes, struct demeter_owner *owner)
{
	struct demeter_claim *c, *next;

	list_for_each_entry_safe(c, next, &owner->claims, by_owner)
		demeter_claim_free(scopes, c);
}

/**
 * demeter_scope_is_owned() - Whether anybody claims a scope
 * @s:		The scope.
 *
 * Return: whether anybody does; otherwise it is to be removed.
 */
bool demeter_scope_is_owned(const struct demeter_scope *s)
{
	return !list_empty(&s->claims);
}

/**
 * demeter_scope_remove() - Take a scope from all who claim it, and free it
 * @scopes:	All scopes.
 * @s:		The scope.
 */
void demeter_scope_remove(struct demeter_scopes *scopes, struct demeter_scope *s)
{
	struct demeter_claim *c, *next;

	list_for_each_entry_safe(c, next, &s->claims, by_scope)
		demeter_claim_free(scopes, c);
	demeter_members_forget(scopes, s, true);
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

/*
 * Whether @task is in a tree: it or a process that it descends from is a member, or is in a
 * session that a member leads. Only descendants of who made a session are in it, also those
 * whose parents have exited. Called under RCU.
 */
static bool demeter_scope_is_descendant(const struct demeter_scope *s, struct task_struct *task)
{
	for (unsigned int depth = 0; task_tgid(task) != s->pid; depth++) {
		struct task_struct *parent = rcu_dereference(task->real_parent);

		if (demeter_scope_has_member(s, task_tgid(task)) ||
		    demeter_scope_has_member(s, task_session(task)))
			return true;
		if (parent == task || is_global_init(task) || depth == MAX_GENERATIONS)
			return false;
		task = parent;
	}
	return true;
}

/**
 * demeter_scopes_learn() - Make a process a member of the trees that it is in
 * @scopes:	All scopes.
 * @leader:	First thread of the process.
 *
 * The caller is in an RCU read-side critical section.
 */
void demeter_scopes_learn(struct demeter_scopes *scopes, struct task_struct *leader)
{
	struct pid *pid = task_tgid(leader);
	struct demeter_scope *s;

	if (!pid || leader->flags & PF_KTHREAD)
		return;
	list_for_each_entry(s, &scopes->list, list)
		if (s->members && !demeter_scope_has_member(s, pid) &&
		    demeter_scope_is_descendant(s, leader))
			demeter_member_add(scopes, s, pid);
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
				demeter_scopes_learn(scopes, leader);
		}
		rcu_read_unlock();
		cond_resched();
	}
}

/**
 * demeter_scopes_forget_exited() - Forget members of trees that have exited
 * @scopes:	All scopes.
 */
void demeter_scopes_forget_exited(struct demeter_scopes *scopes)
{
	struct demeter_scope *s;

	list_for_each_entry(s, &scopes->list, list)
		demeter_members_forget(scopes, s, false);
}

/**
 * demeter_scopes_resolve() - Find out what scopes mean at present
 * @scopes:	All scopes. Until demeter_scopes_release(), those of cgroups have a reference
 *		on the cgroup that is now at their path, if there is one.
 */
void demeter_scopes_resolve(struct demeter_scopes *scopes)
{
	struct demeter_scope *s;
	bool trees = false;

	demeter_scopes_forget_exited(scopes);
	list_for_each_entry(s, &scopes->list, list) {
		if (s->name.kind == DEMETER_SCOPE_CGROUP) {
			s->cgroup = demeter_cgroup_get(s->name.path);
			if (IS_ERR(s->cgroup))
				s->cgroup = NULL;
		}
		trees |= s->name.kind == DEMETER_SCOPE_TREE;
	}
	if (trees)
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
		return demeter_scope_is_descendant(s, task);
	case DEMETER_SCOPE_CGROUP:
		return s->cgroup && task_under_cgroup_hierarchy(task, s->cgroup);
	case DEMETER_SCOPE_ALL:
		return get_mm_rss(mm) >= s->min_pages;
	}
	return false;
}

/**
 * demeter_scope_has_exited() - Whether the processes that a scope names have exited
 * @s:		The scope.
 *
 * Return: whether the process has, and of a tree all members that are known; false for scopes
 * that name no process.
 */
bool demeter_scope_has_exited(const struct demeter_scope *s)
{
	return s->pid && !s->nr_members && !pid_has_task(s->pid, PIDTYPE_TGID);
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
