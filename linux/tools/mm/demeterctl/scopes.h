/* SPDX-License-Identifier: GPL-2.0 */
/* Tells whether a process is in a scope, as the kernel does, and why not. */
#ifndef DEMETERCTL_SCOPES_H
#define DEMETERCTL_SCOPES_H

#include <stdbool.h>
#include <stddef.h>

#include "process.h"

/* @scope: as the kernel lists it: "pid N", "tree N", "cgroup PATH" or "all MIB". */
bool scope_contains(const char *scope, const struct process *p);

/* Says in a few words why the process is not in it, e.g. "it has only 12.0 MiB". */
void scope_why_not(const char *scope, const struct process *p, char *why, size_t size);

#endif
