/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads the targets, whose memory is managed: processes from targets/PID/, and files, or memory
 * that is shared, from files/NAME/.
 */
#ifndef DEMETERCTL_TARGETS_H
#define DEMETERCTL_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "counters.h"

struct target {
	int pid; /* 0: it is a file */
	char name[32]; /* of its folder */
	char comm[64];
	uint64_t samples;
	uint64_t fast_pages, slow_pages;
	uint64_t promoted, demoted;
	uint64_t splits, merges;
	size_t nr_ranges;
	struct counters unmanaged; /* bytes by reason */
	uint64_t resident; /* bytes; 0 if the process has just ended */
	uint64_t files; /* bytes of these that are managed as files */
};

/* Processes in the order of their PIDs, files in that of their memory, the most first. */
struct targets {
	struct target *list;
	size_t nr;
};

/* Reads all processes, or all files, but those that end meanwhile. */
struct targets targets_read(void);
struct targets targets_read_files(void);
void targets_free(struct targets *targets);

/* Reads a process, whose counters the caller frees. Returns 0; -ENOENT if it is none. */
int target_read(int pid, struct target *t);

/* Finds the target with a PID; NULL if there is none. */
const struct target *targets_find(const struct targets *targets, int pid);

double mib_of_pages(uint64_t pages);
uint64_t bytes_of_pages(uint64_t pages);

/* Bytes that are sampled and may be moved, and their share of what is resident, in percent. */
uint64_t target_managed(const struct target *t);
double target_share(const struct target *t, uint64_t bytes);

#endif
