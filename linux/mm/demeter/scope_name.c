// SPDX-License-Identifier: GPL-2.0
/* How users name scopes. */
#include <linux/kstrtox.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/threads.h>

#include "scope.h"

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

/* Paths are kept in one form, "/a/b", however many slashes users write. */
static int demeter_scope_parse_cgroup(struct demeter_scope_name *name, char *words)
{
	const size_t size = sizeof(name->text), kind = strlen("cgroup ");
	size_t len = kind;
	char *part;

	if (!words)
		return -EINVAL;
	name->path = name->text + kind;
	strscpy(name->text, "cgroup /");
	while ((part = strsep(&words, "/")) && len < size)
		if (*part)
			len += snprintf(name->text + len, size - len, "/%s", part);
	return max(len, kind + 1);
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
