// SPDX-License-Identifier: GPL-2.0
/* Reads scopes, and tells whether a process is in one; see scopes.h. */
#define _GNU_SOURCE
#include "scopes.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demeterctl.h"
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

void scope_parse(char scope[SCOPE_MAX], const char *command, char **words, int nr)
{
	const char *kind = nr ? words[0] : "";
	int length;

	if ((!strcmp(kind, "pid") || !strcmp(kind, "tree")) && nr == 2) {
		const uint64_t pid = parse_integer("a process", words[1], 1, INT_MAX);

		length = snprintf(scope, SCOPE_MAX, "%s %d", kind, (int)pid);
	} else if (!strcmp(kind, "cgroup") && nr == 2 && *words[1]) {
		length = snprintf(scope, SCOPE_MAX, "cgroup %s", words[1]);
	} else if (!strcmp(kind, "all") && nr == 1) {
		length = snprintf(scope, SCOPE_MAX, "all");
	} else if (!strcmp(kind, "all") && nr == 2) {
		const uint64_t mib = parse_integer("MIB", words[1], 0, (UINT64_MAX >> 20) - 1);

		length = snprintf(scope, SCOPE_MAX, "all %llu", (unsigned long long)mib);
	} else {
		refuse("give a scope: pid N, tree N, cgroup PATH or all [MIB]; see %s --help",
		       command);
	}
	if (length >= SCOPE_MAX)
		refuse("the path of the cgroup is too long, it may have %zu characters",
		       SCOPE_MAX - sizeof("cgroup "));
}
