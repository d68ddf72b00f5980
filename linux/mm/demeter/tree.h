/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trees: a process and its descendants. Pure logic but for what the kernel tells about
 * processes.
 */
#ifndef _MM_DEMETER_TREE_H
#define _MM_DEMETER_TREE_H

#include <linux/hashtable.h>
#include <linux/types.h>

struct pid;
struct task_struct;

/* Most trees at a time. */
#define DEMETER_MAX_TREES 1024
/* When there are so many members, only processes that trees begin with become one. */
#define DEMETER_MAX_MEMBERS 16384

/**
 * struct demeter_trees - Who is in which tree
 * @by_pid:	Finds struct demeter_member by its struct pid.
 * @nr:		How many there are.
 * @changes:	How often a member has got into a tree.
 * @used:	Numbers of trees that are in use.
 * @members:	How many members each tree has.
 */
struct demeter_trees {
	DECLARE_HASHTABLE(by_pid, 10);
	unsigned int nr;
	u64 changes;
	DECLARE_BITMAP(used, DEMETER_MAX_TREES);
	unsigned int members[DEMETER_MAX_TREES];
};

void demeter_trees_init(struct demeter_trees *trees);
int demeter_tree_add(struct demeter_trees *trees, struct pid *root);
void demeter_tree_remove(struct demeter_trees *trees, int tree);
bool demeter_trees_of(const struct demeter_trees *trees, struct task_struct *task,
		      unsigned long *in);
void demeter_trees_learn(struct demeter_trees *trees, struct task_struct *leader);
void demeter_trees_forget_exited(struct demeter_trees *trees);

#endif /* _MM_DEMETER_TREE_H */
