// SPDX-License-Identifier: GPL-2.0
/*
 * Targets: whose memory is managed, and where its pages are.
 *
 * Users name scopes: a process, a process and its descendants, a cgroup, or every
 * process above a size. Each epoch looks for processes in them. A process may exit,
 * fork or exec at any time: a target holds on to the mm, not to its users, and is
 * dropped when there are none any more.
 */
#include <linux/cgroup.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/page_exchange.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "demeter.h"

/* Ancestors that are asked for: others cannot make a search long by many of them. */
#define TREE_DEPTH 64
/* Memory from which on a process is managed by a scope that does not say. */
#define SCOPE_ALL_MB 64
/* Pids that are looked at in one hold of RCU, and threads of a process. */
#define FIND_PIDS    64
#define FIND_THREADS 64
/* Granules that are looked at in one hold of the mmap lock. */
#define SCAN_GRANULES 64
/* Areas of an address space that are further apart are covered by separate ranges. */
#define AREA_GAP SZ_1G

enum scope_kind { SCOPE_PID, SCOPE_TREE, SCOPE_CGROUP, SCOPE_ALL };

struct scope {
	struct list_head list;
	enum scope_kind kind;
	struct pid *pid;
	struct cgroup *cgroup;
	unsigned long min_pages;
	u64 id;
	char text[128];
};

LIST_HEAD(demeter_targets);
static unsigned int nr_targets;
static DEFINE_HASHTABLE(targets_by_mm, 8);
static LIST_HEAD(scopes);

static void put_scope(struct scope *s)
{
	put_pid(s->pid);
	if (s->cgroup)
		cgroup_put(s->cgroup);
	kfree(s);
}

/*
 * Take @text apart: its kind, and what follows as a number or, at *@path, as a path. Writes
 * it to @s->text in the one way in which scopes are compared and shown.
 */
static int parse_scope(struct scope *s, char *text, u64 *number, char **path)
{
	char *words = strim(text), *kind = strsep(&words, " \t");
	int len = -EINVAL;

	if (words)
		words = skip_spaces(words);
	if (!strcmp(kind, "pid") || !strcmp(kind, "tree")) {
		s->kind = *kind == 'p' ? SCOPE_PID : SCOPE_TREE;
		if (words && !kstrtou64(words, 10, number) && *number && *number <= PID_MAX_LIMIT)
			len = snprintf(s->text, sizeof(s->text), "%s %llu", kind, *number);
	} else if (!strcmp(kind, "cgroup") && words) {
		s->kind = SCOPE_CGROUP;
		*path = words;
		len = snprintf(s->text, sizeof(s->text), "cgroup %s", words);
	} else if (!strcmp(kind, "all")) {
		s->kind = SCOPE_ALL;
		*number = SCOPE_ALL_MB;
		if ((!words || !kstrtou64(words, 10, number)) && *number < ULONG_MAX >> 20)
			len = snprintf(s->text, sizeof(s->text), "all %llu", *number);
	}
	return len < 0 || len >= sizeof(s->text) ? -EINVAL : 0;
}

/* Find what a scope names; a process that will never have memory of its own is refused. */
static int resolve_scope(struct scope *s, u64 number, const char *path)
{
	struct task_struct *task;
	int ret = 0;

	switch (s->kind) {
	case SCOPE_PID:
	case SCOPE_TREE:
		s->pid = find_get_pid(number);
		task = get_pid_task(s->pid, PIDTYPE_TGID);
		if (!task)
			return -ESRCH;
		if (task->flags & PF_KTHREAD)
			ret = -EINVAL;
		put_task_struct(task);
		return ret;
	case SCOPE_CGROUP:
		s->cgroup = cgroup_get_from_path(path);
		ret = PTR_ERR_OR_ZERO(s->cgroup);
		if (ret)
			s->cgroup = NULL;
		return ret;
	case SCOPE_ALL:
		s->min_pages = number << (20 - PAGE_SHIFT);
		return 0;
	}
	return -EINVAL;
}

static struct scope *find_scope(const char *text)
{
	struct scope *s;

	list_for_each_entry(s, &scopes, list)
		if (!strcmp(s->text, text))
			return s;
	return NULL;
}

/* Targets of it stay until they exit, unless they are dropped first. */
static void remove_scope(struct scope *s)
{
	list_del(&s->list);
	put_scope(s);
}

/**
 * demeter_scope_add() - Manage the memory of more processes
 * @text:	"pid N", "tree N" (with descendants), "cgroup PATH" (of the unified
 *		hierarchy) or "all [MIB]" (every process of at least so much memory).
 *
 * Return: 0, -EINVAL if @text is none of these or a kernel thread, -ESRCH or -ENOENT
 * if there is no such process or cgroup, -EEXIST if it is managed already.
 */
int demeter_scope_add(const char *text)
{
	struct scope *s = kzalloc(sizeof(*s), GFP_KERNEL);
	char *copy = kstrdup(text, GFP_KERNEL);
	static u64 last_id;
	char *path = NULL;
	u64 number = 0;
	int ret = -ENOMEM;

	if (!s || !copy)
		goto error;
	ret = parse_scope(s, copy, &number, &path);
	if (!ret && find_scope(s->text))
		ret = -EEXIST;
	if (!ret)
		ret = resolve_scope(s, number, path);
	if (ret)
		goto error;
	s->id = ++last_id;
	list_add_tail(&s->list, &scopes);
	kfree(copy);
	return 0;
error:
	kfree(copy);
	if (s)
		put_scope(s);
	return ret;
}

/**
 * demeter_scope_remove() - Leave memory alone again
 * @text:	As for demeter_scope_add(). What it names need not exist any more.
 *
 * Return: 0, -EINVAL if @text names nothing, -ENOENT if that is not managed.
 */
int demeter_scope_remove(const char *text)
{
	struct scope *s, *wanted = kzalloc(sizeof(*wanted), GFP_KERNEL);
	char *copy = kstrdup(text, GFP_KERNEL);
	struct demeter_target *t;
	char *path;
	u64 number;
	int ret = -ENOMEM;

	if (!wanted || !copy)
		goto end;
	ret = parse_scope(wanted, copy, &number, &path);
	if (ret)
		goto end;
	s = find_scope(wanted->text);
	if (!s) {
		ret = -ENOENT;
		goto end;
	}
	list_for_each_entry(t, &demeter_targets, list)
		if (t->scope == s->id)
			t->scope = 0;
	remove_scope(s);
	demeter_targets_find();
end:
	kfree(copy);
	kfree(wanted);
	return ret;
}

/**
 * demeter_scope_show() - What is to be managed
 * @buf:	Of a page; gets a line each.
 *
 * Return: how many characters.
 */
ssize_t demeter_scope_show(char *buf)
{
	struct scope *s;
	int len = 0;

	list_for_each_entry(s, &scopes, list)
		len += sysfs_emit_at(buf, len, "%s\n", s->text);
	return len;
}

static bool is_descendant(struct task_struct *task, const struct pid *pid)
{
	for (unsigned int depth = 0; task_tgid(task) != pid; depth++) {
		struct task_struct *parent = rcu_dereference(task->real_parent);

		if (parent == task || is_global_init(task) || depth == TREE_DEPTH)
			return false;
		task = parent;
	}
	return true;
}

static bool is_in_scope(struct task_struct *task, struct mm_struct *mm, const struct scope *s)
{
	switch (s->kind) {
	case SCOPE_PID:
		return task_tgid(task) == s->pid;
	case SCOPE_TREE:
		return is_descendant(task, s->pid);
	case SCOPE_CGROUP:
		return task_under_cgroup_hierarchy(task, s->cgroup);
	case SCOPE_ALL:
		return get_mm_rss(mm) >= s->min_pages;
	}
	return false;
}

/**
 * demeter_target_of() - The target that has a given mm
 * @mm:		The mm, which is not dereferenced.
 *
 * Return: the target or NULL.
 */
struct demeter_target *demeter_target_of(const void *mm)
{
	struct demeter_target *t;

	hash_for_each_possible(targets_by_mm, t, by_mm, (unsigned long)mm)
		if (t->mm == mm)
			return t;
	return NULL;
}

struct found {
	struct mm_struct *mm;
	u64 scope;
	pid_t pid;
	struct pid *thread;
	char comm[TASK_COMM_LEN];
};

/*
 * Whether @task is in a scope and not a target yet; with a hold on its mm and its pid. *@has_mm
 * says whether it has one at all: all threads of a process that have one share it.
 */
static bool is_new(struct task_struct *task, struct found *found, bool *has_mm)
{
	struct mm_struct *mm;
	struct scope *s;
	bool is = false;

	task_lock(task);
	mm = task->mm;
	*has_mm = mm;
	if (mm && !(task->flags & (PF_KTHREAD | PF_EXITING)) && !demeter_target_of(mm)) {
		list_for_each_entry(s, &scopes, list) {
			if (!is_in_scope(task, mm, s))
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

static struct demeter_target *make_target(const struct found *found)
{
	struct demeter_target *t = kzalloc(sizeof(*t), GFP_KERNEL | __GFP_NOWARN);

	if (!t)
		return NULL;
	if (demeter_ranges_init(&t->ranges, demeter_params.max_ranges, GRANULE_SIZE)) {
		kfree(t);
		return NULL;
	}
	xa_init(&t->granules);
	mutex_init(&t->lock);
	t->mm = found->mm;
	t->pid = found->pid;
	t->thread = found->thread;
	t->scope = found->scope;
	memcpy(t->comm, found->comm, sizeof(t->comm));
	return t;
}

static void clear_granules(struct demeter_target *t)
{
	struct demeter_granule *g;
	unsigned long index;

	xa_for_each(&t->granules, index, g)
		kfree(g);
	xa_destroy(&t->granules);
}

static void drop(struct demeter_target *t)
{
	list_del(&t->list);
	hash_del(&t->by_mm);
	nr_targets--;
	if (t->watch)
		demeter_watch_stop(t->watch);
	clear_granules(t);
	put_pid(t->thread);
	mmdrop(t->mm);
	t->mm = NULL;
	demeter_sysfs_remove_target(t);
}

/* Takes over what @found holds. */
static void add(const struct found *found)
{
	struct demeter_target *t = NULL;

	/* threads of a process have been found one by one */
	if (!demeter_target_of(found->mm) && nr_targets < DEMETER_MAX_TARGETS)
		t = make_target(found);
	if (!t) {
		put_pid(found->thread);
		mmdrop(found->mm);
		return;
	}
	list_add_tail(&t->list, &demeter_targets);
	hash_add(targets_by_mm, &t->by_mm, (unsigned long)t->mm);
	nr_targets++;
	demeter_sysfs_add_target(t);
}

/* A leader may have exited before its threads; a few of them may have, too. */
static bool is_new_process(struct task_struct *leader, struct found *found)
{
	unsigned int looked_at = 0;
	struct task_struct *task;

	for_each_thread(leader, task) {
		bool has_mm, is = is_new(task, found, &has_mm);

		if (has_mm || ++looked_at == FIND_THREADS)
			return is;
	}
	return false;
}

/*
 * Look at the next few processes from *@nr on, which becomes where to go on, 0 at the end.
 * Returns how many have been found, up to FIND_PIDS, with a hold on the mm of each.
 */
static unsigned int find_new(int *nr, struct found *found)
{
	unsigned int n = 0;

	rcu_read_lock();
	for (unsigned int i = 0; i < FIND_PIDS && *nr; i++) {
		struct pid *pid = find_ge_pid(*nr, &init_pid_ns);
		struct task_struct *leader = pid ? pid_task(pid, PIDTYPE_TGID) : NULL;

		*nr = pid ? pid_nr(pid) + 1 : 0;
		n += leader && is_new_process(leader, &found[n]);
	}
	rcu_read_unlock();
	return n;
}

static bool has_targets(const struct scope *s)
{
	struct demeter_target *t;

	list_for_each_entry(t, &demeter_targets, list)
		if (t->scope == s->id)
			return true;
	return false;
}

/**
 * demeter_targets_find() - Drop targets and scopes that are gone, find new targets
 */
void demeter_targets_find(void)
{
	struct demeter_target *t, *next;
	struct scope *s, *s_next;
	struct found *found;
	unsigned int n;
	int nr = 1;

	list_for_each_entry_safe(t, next, &demeter_targets, list)
		if (!t->scope || !atomic_read(&t->mm->mm_users))
			drop(t);
	list_for_each_entry_safe(s, s_next, &scopes, list)
		if (s->pid && !pid_has_task(s->pid, PIDTYPE_TGID) && !has_targets(s))
			remove_scope(s);
	if (list_empty(&scopes))
		return;
	found = kmalloc_array(FIND_PIDS, sizeof(*found), GFP_KERNEL | __GFP_NOWARN);
	if (!found)
		return;
	while (nr) {
		n = find_new(&nr, found);
		for (unsigned int i = 0; i < n; i++)
			add(&found[i]);
		cond_resched();
	}
	kfree(found);
}

/**
 * demeter_targets_clear() - Forget all scopes and targets
 */
void demeter_targets_clear(void)
{
	struct demeter_target *t, *next;
	struct scope *s, *s_next;

	list_for_each_entry_safe(s, s_next, &scopes, list)
		remove_scope(s);
	list_for_each_entry_safe(t, next, &demeter_targets, list)
		drop(t);
}

/* The granule of an address, made if need be; NULL without memory. */
static struct demeter_granule *granule_of(struct demeter_target *t, unsigned long addr)
{
	const unsigned long index = addr / GRANULE_SIZE;
	struct demeter_granule *g = xa_load(&t->granules, index);

	if (g)
		return g;
	g = kzalloc(sizeof(*g), GFP_KERNEL | __GFP_NOWARN);
	if (!g)
		return NULL;
	g->start = index * GRANULE_SIZE;
	if (xa_err(xa_store(&t->granules, index, g, GFP_KERNEL | __GFP_NOWARN))) {
		kfree(g);
		return NULL;
	}
	return g;
}

struct target_scan {
	struct page_exchange_scan scan; /* first */
	struct demeter_target *target;
	unsigned long area_start, area_end;
	unsigned int left; /* granules until the mmap lock is let go */
	unsigned long last_at; /* granule */
	u8 tiers[MAX_NUMNODES]; /* enum demeter_tier, or NR_DEMETER_TIERS */
};

static void note_pages(struct demeter_granule *g, const struct target_scan *s)
{
	g->nr_present = 0;
	g->nr_fast = 0;
	g->huge = s->scan.nids[0] != PAGE_EXCHANGE_SCAN_NONE &&
		  s->scan.nids[0] & PAGE_EXCHANGE_SCAN_HUGE;
	for (unsigned int word = 0; word < BITS_TO_LONGS(GRANULE_PAGES); word++) {
		unsigned long present = 0, fast = 0;

		for (unsigned int bit = 0; bit < BITS_PER_LONG; bit++) {
			const unsigned int i = word * BITS_PER_LONG + bit;
			const s16 nid = s->scan.nids[i];
			u8 tier = NR_DEMETER_TIERS;

			if (nid != PAGE_EXCHANGE_SCAN_NONE)
				tier = s->tiers[nid & ~PAGE_EXCHANGE_SCAN_HUGE];
			if (tier < NR_DEMETER_TIERS) {
				present |= 1ul << bit;
				fast |= (unsigned long)tier << bit;
			} else if (g->count[i]) {
				demeter_granule_set(g, i, 0);
			}
		}
		g->present[word] = present;
		g->fast[word] = fast;
		g->nr_present += hweight_long(present);
		g->nr_fast += hweight_long(fast);
	}
}

static void cover_area(struct target_scan *s)
{
	if (!s->area_end)
		return;
	mutex_lock(&s->target->lock);
	demeter_ranges_cover(&s->target->ranges, s->area_start, s->area_end);
	mutex_unlock(&s->target->lock);
}

/*
 * Called for each vma that has a part of a granule. Ends the scan before the granule
 * that would be one too many, so that it goes on from there.
 */
static int on_found(struct page_exchange_scan *scan, unsigned long at)
{
	struct target_scan *s = container_of(scan, struct target_scan, scan);
	struct demeter_granule *g;

	if (at != s->last_at) {
		if (!s->left)
			return 1;
		s->left--;
		s->last_at = at;
	}
	/* a page table in which there is nothing left */
	if (!memchr_inv(scan->nids, 0xff, sizeof(scan->nids)))
		return 0;
	/* without memory the granule stays unmanaged this time */
	g = granule_of(s->target, at);
	if (!g)
		return 0;
	g->scan = s->target->scan;
	note_pages(g, s);
	if (!s->area_end || at > s->area_end + AREA_GAP) {
		cover_area(s);
		s->area_start = at;
	}
	s->area_end = at + GRANULE_SIZE;
	return 0;
}

static void scan_target(struct demeter_target *t, struct target_scan *s)
{
	struct demeter_granule *g;
	unsigned long index;
	int ret;

	if (!mmget_not_zero(t->mm))
		return;
	/* goes on where the last one met a process that was changing its memory */
	if (!t->scan_from)
		t->scan++;
	s->target = t;
	s->area_end = 0;
	do {
		s->left = SCAN_GRANULES;
		s->last_at = ULONG_MAX;
		ret = page_exchange_scan(t->mm, t->scan_from, &s->scan);
		if (ret > 0)
			t->scan_from = s->scan.at;
	} while (ret > 0);
	mmput_async(t->mm);
	cover_area(s);
	if (ret == -EAGAIN)
		return;
	/* a policy has come by which nothing may be moved: also what was found before */
	if (ret < 0)
		t->scan++;
	t->scan_from = 0;
	t->pages[DEMETER_FAST] = 0;
	t->pages[DEMETER_SLOW] = 0;
	xa_for_each(&t->granules, index, g) {
		if (g->scan != t->scan) {
			xa_erase(&t->granules, index);
			kfree(g);
			continue;
		}
		t->pages[DEMETER_FAST] += g->nr_fast;
		t->pages[DEMETER_SLOW] += g->nr_present - g->nr_fast;
	}
}

/**
 * demeter_targets_scan() - See where the pages of all targets are
 *
 * A target whose memory is being changed right now keeps what was seen last.
 */
void demeter_targets_scan(void)
{
	struct target_scan *s = kmalloc(sizeof(*s), GFP_KERNEL | __GFP_NOWARN);
	struct demeter_target *t;

	if (!s)
		return;
	s->scan.found = on_found;
	for (int nid = 0; nid < MAX_NUMNODES; nid++)
		s->tiers[nid] = node_isset(nid, demeter_fast_nodes)   ? DEMETER_FAST
				: node_isset(nid, demeter_slow_nodes) ? DEMETER_SLOW
								      : NR_DEMETER_TIERS;
	list_for_each_entry(t, &demeter_targets, list)
		scan_target(t, s);
	kfree(s);
}
