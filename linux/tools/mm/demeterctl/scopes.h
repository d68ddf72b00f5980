/* SPDX-License-Identifier: GPL-2.0 */
/* Reads scopes, and tells whether a process is in one, as the kernel does, and why not. */
#ifndef DEMETERCTL_SCOPES_H
#define DEMETERCTL_SCOPES_H

#include <stdbool.h>
#include <stddef.h>

#include "process.h"

/* @scope: as the kernel lists it: "pid N", "tree N", "cgroup PATH" or "all MIB". */
bool scope_contains(const char *scope, const struct process *p);

/* Says in a few words why the process is not in it, e.g. "it has only 12.0 MiB". */
void scope_why_not(const char *scope, const struct process *p, char *why, size_t size);

/* Length of a scope that the kernel accepts, with the null character. */
#define SCOPE_MAX 128

/*
 * Prints the scope that @words name in the form that the kernel reads; refuses others, and then
 * names the help of @command.
 */
void scope_parse(char scope[SCOPE_MAX], const char *command, char **words, int nr);

#endif
