// SPDX-License-Identifier: GPL-2.0
/* Tells whether a process is in a scope; see scopes.h. */
#define _GNU_SOURCE
#include "scopes.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Returns what follows the kind of a scope; NULL if it is of another kind. */
static const char *name_in(const char *scope, const char *kind)
{
	const size_t length = strlen(kind);

	return !strncmp(scope, kind, length) && scope[length] == ' ' ? scope + length + 1 : NULL;
}

/* Whether a cgroup is the one at @path, or below it. */
static bool is_below(const char *cgroup, const char *path)
{
	size_t length = strlen(path);

	while (length && path[length - 1] == '/')
		length--;
	return *cgroup && !strncmp(cgroup, path, length) &&
	       (cgroup[length] == '/' || !cgroup[length]);
}

bool scope_contains(const char *scope, const struct process *p)
{
	const char *name;

	if (p->is_kernel_thread || p->has_exited)
		return false;
	name = name_in(scope, "pid");
	if (name)
		return atoi(name) == p->pid;
	name = name_in(scope, "tree");
	if (name)
		return process_descends_from(p, atoi(name));
	name = name_in(scope, "cgroup");
	if (name)
		return is_below(p->cgroup, name);
	name = name_in(scope, "all");
	return name && p->resident >> 20 >= strtoull(name, NULL, 10);
}

void scope_why_not(const char *scope, const struct process *p, char *why, size_t size)
{
	if (name_in(scope, "pid"))
		snprintf(why, size, "it is another process");
	else if (name_in(scope, "tree"))
		snprintf(why, size, "it does not descend from that process");
	else if (name_in(scope, "cgroup"))
		snprintf(why, size, "it is in %.100s", *p->cgroup ? p->cgroup : "no such cgroup");
	else
		snprintf(why, size, "it has only %s", text_of_bytes(p->resident).s);
}
