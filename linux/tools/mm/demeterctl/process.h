/* SPDX-License-Identifier: GPL-2.0 */
/* Reads what the kernel tells of any process: /proc/PID/, or what DEMETER_PROC names. */
#ifndef DEMETERCTL_PROCESS_H
#define DEMETERCTL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process {
	int pid;
	char name[64];
	int leader; /* PID of the process if this is one of its threads */
	int parent, session;
	bool is_kernel_thread, has_exited;
	uint64_t resident, swapped; /* bytes */
	uint64_t files; /* bytes of @resident that are of files, or of memory that is shared */
	char cgroup[4096]; /* its path in the unified hierarchy; empty without one */
};

/* Returns 0, or -errno: -ENOENT or -ESRCH if there is no such process. */
int process_read(int pid, struct process *p);

/* Whether a process descends from another, as far as their parents and sessions tell. */
bool process_descends_from(const struct process *p, int ancestor);

/* Reads a number from a file of /proc; 0 if there is no such file. */
uint64_t proc_number(const char *file);

#endif
