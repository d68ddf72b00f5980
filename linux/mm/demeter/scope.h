/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scopes: by them users say which processes are to have their memory managed. A scope is
 * a process, a process and its descendants, a cgroup, or every process above a size.
 *
 * Several owners may claim a scope: the administrator, and each hold (hold.c). There is one
 * struct demeter_scope however many claim it, and it goes with its last claim.
 */
#ifndef _MM_DEMETER_SCOPE_H
#define _MM_DEMETER_SCOPE_H

#include <linux/list.h>
#include <linux/types.h>

#include "tree.h"

struct cgroup;
struct mm_struct;
struct pid;
struct task_struct;

enum demeter_scope_kind {
	DEMETER_SCOPE_PID,
	DEMETER_SCOPE_TREE,
	DEMETER_SCOPE_CGROUP,
	DEMETER_SCOPE_ALL,
};

/**
 * struct demeter_scope_name - How users name a scope
 * @kind:	Kind of the scope.
 * @number:	Pid of the process, or the size in MiB.
 * @text:	The name in the one form in which scopes are compared and shown.
 * @path:	The path of a cgroup, which is a part of @text; NULL for other kinds.
 */
struct demeter_scope_name {
	enum demeter_scope_kind kind;
	u64 number;
	char text[128];
	const char *path;
};

/**
 * struct demeter_owner - Who attaches scopes, and takes them along when it goes
 * @claims:	Its claims.
 */
struct demeter_owner {
	struct list_head claims;
};

/**
 * struct demeter_scope - Processes whose memory is managed
 * @list:	In struct demeter_scopes.
 * @id:		Number of the scope, never 0 and never used again.
 * @name:	How users name it.
 * @claims:	The claims on it, one of an owner at most; none: it is to be removed.
 * @pid:	The process of a scope that names one, with a reference.
 * @tree:	Number of the tree, of a scope that is one.
 * @cgroup:	The cgroup of a scope that names one, between demeter_scopes_resolve() and
 *		demeter_scopes_release(). NULL otherwise, and while there is no such cgroup:
 *		the path is what lasts, so that a cgroup that is removed is not pinned, and
 *		one that is made again is found.
 * @min_pages:	Least resident memory of a process, of a scope that names a size.
 */
struct demeter_scope {
	struct list_head list;
	u64 id;
	struct demeter_scope_name name;
	struct list_head claims;
	struct pid *pid;
	int tree;
	struct cgroup *cgroup;
	unsigned long min_pages;
};

/* Most claims at a time, and so most scopes, all of which may be trees. */
#define DEMETER_MAX_CLAIMS DEMETER_MAX_TREES

/**
 * struct demeter_scopes - All scopes
 * @list:	The scopes, in the order in which they were added.
 * @last_id:	Number of the scope that was added last.
 * @nr_claims:	Claims on all of them.
 * @trees:	Who is in which of those that are trees.
 * @admin:	The owner of what is attached in sysfs.
 */
struct demeter_scopes {
	struct list_head list;
	u64 last_id;
	unsigned int nr_claims;
	struct demeter_trees trees;
	struct demeter_owner admin;
};

/* scope_name.c */
int demeter_scope_parse(struct demeter_scope_name *name, const char *text);

/* scope.c */
void demeter_scopes_init(struct demeter_scopes *scopes);
struct demeter_scope *demeter_scope_make(struct demeter_scopes *scopes,
					 const struct demeter_scope_name *name);
void demeter_scope_free(struct demeter_scope *s);
struct demeter_scope *demeter_scope_find(struct demeter_scopes *scopes,
					 const struct demeter_scope_name *name);
bool demeter_scope_is_there(const struct demeter_scopes *scopes, u64 id);
void demeter_scopes_resolve(struct demeter_scopes *scopes);
void demeter_scopes_release(struct demeter_scopes *scopes);
struct demeter_scope *demeter_scope_of(struct demeter_scopes *scopes, struct task_struct *task,
				       struct mm_struct *mm);
bool demeter_scope_has_exited(const struct demeter_scopes *scopes, const struct demeter_scope *s);
size_t demeter_scopes_read(const struct demeter_scopes *scopes, char *buf, loff_t offset,
			   size_t size);

/* claim.c */
void demeter_owner_init(struct demeter_owner *owner);
int demeter_scope_add(struct demeter_scopes *scopes, struct demeter_owner *owner, const char *text);
int demeter_scope_disown(struct demeter_scopes *scopes, struct demeter_owner *owner,
			 const char *text);
void demeter_scopes_disown_all(struct demeter_scopes *scopes, struct demeter_owner *owner);
void demeter_scope_remove(struct demeter_scopes *scopes, struct demeter_scope *s);
bool demeter_scopes_remove_unowned(struct demeter_scopes *scopes);

#endif /* _MM_DEMETER_SCOPE_H */
