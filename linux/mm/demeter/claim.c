// SPDX-License-Identifier: GPL-2.0
/* Who wants which scopes. There is one for all who claim it, and it goes with its last claim. */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/slab.h>

#include "scope.h"

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
 * demeter_owner_init() - Make an owner of no scopes
 * @owner:	The owner.
 */
void demeter_owner_init(struct demeter_owner *owner)
{
	INIT_LIST_HEAD(&owner->claims);
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

/* Has @c claim the scope that is called @name, which is made if there is none yet. */
static int demeter_claim_make(struct demeter_scopes *scopes, struct demeter_claim *c,
			      const struct demeter_scope_name *name)
{
	struct demeter_scope *s = demeter_scope_find(scopes, name);

	/* a number of a container's would be mixed up with the host's */
	if ((name->kind == DEMETER_SCOPE_PID || name->kind == DEMETER_SCOPE_TREE) &&
	    task_active_pid_ns(current) != &init_pid_ns)
		return -EINVAL;
	if (s && demeter_claim_find(s, c->owner))
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

/* Has @owner give up the scope that is called @name: of several the latest that it has. */
static int demeter_claim_drop(struct demeter_scopes *scopes, struct demeter_owner *owner,
			      const struct demeter_scope_name *name)
{
	struct demeter_scope *s;
	int ret = -ENOENT;

	list_for_each_entry_reverse(s, &scopes->list, list) {
		struct demeter_claim *c;

		if (strcmp(s->name.text, name->text))
			continue;
		c = demeter_claim_find(s, owner);
		if (c) {
			demeter_claim_free(scopes, c);
			return 0;
		}
		ret = -EBUSY;
	}
	return ret;
}

/**
 * demeter_scope_disown() - Have an owner give up a scope
 * @scopes:	All scopes.
 * @owner:	The owner.
 * @text:	The scope, whose process or cgroup need not exist any more.
 *
 * Of scopes of processes that had the same number one after the other, it gives up the latest
 * that it has: that of the process that lives, if there is one. The scope stays in its list; see
 * demeter_scopes_remove_unowned().
 *
 * Return: 0, -EINVAL if @text is no scope, -ENOENT if there is no such scope, -EBUSY if only
 * others claim it, -ENOMEM.
 */
int demeter_scope_disown(struct demeter_scopes *scopes, struct demeter_owner *owner,
			 const char *text)
{
	struct demeter_scope_name *name = kmalloc(sizeof(*name), GFP_KERNEL);
	int ret = -ENOMEM;

	if (name)
		ret = demeter_scope_parse(name, text);
	if (!ret)
		ret = demeter_claim_drop(scopes, owner, name);
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
 * demeter_scope_remove() - Take a scope from all who claim it, and free it
 * @scopes:	All scopes.
 * @s:		The scope.
 */
void demeter_scope_remove(struct demeter_scopes *scopes, struct demeter_scope *s)
{
	struct demeter_claim *c, *next;

	list_for_each_entry_safe(c, next, &s->claims, by_scope)
		demeter_claim_free(scopes, c);
	if (s->name.kind == DEMETER_SCOPE_TREE)
		demeter_tree_remove(&scopes->trees, s->tree);
	list_del(&s->list);
	demeter_scope_free(s);
}

/**
 * demeter_scopes_remove_unowned() - Remove scopes that nobody claims any more
 * @scopes:	All scopes.
 *
 * Return: whether there were any.
 */
bool demeter_scopes_remove_unowned(struct demeter_scopes *scopes)
{
	struct demeter_scope *s, *next;
	bool removed = false;

	list_for_each_entry_safe(s, next, &scopes->list, list) {
		if (!list_empty(&s->claims))
			continue;
		demeter_scope_remove(scopes, s);
		removed = true;
		cond_resched();
	}
	return removed;
}
