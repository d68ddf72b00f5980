/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the targets, which are processes whose memory is managed, from targets/PID/. */
#ifndef DEMETERCTL_TARGETS_H
#define DEMETERCTL_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "counters.h"

struct target {
	int pid;
	char comm[64];
	uint64_t samples;
	uint64_t fast_pages, slow_pages;
	uint64_t promoted, demoted;
	uint64_t splits, merges;
	size_t nr_ranges;
	struct counters unmanaged; /* bytes by reason */
	uint64_t resident; /* bytes; 0 if the process has just ended */
};

/* Targets in the order of their PIDs. */
struct targets {
	struct target *list;
	size_t nr;
};

/* Reads all targets but those that end meanwhile. */
struct targets targets_read(void);
void targets_free(struct targets *targets);

/* Reads a target, whose counters the caller frees. Returns 0; -ENOENT if it is none. */
int target_read(int pid, struct target *t);

/* Finds the target with a PID; NULL if there is none. */
const struct target *targets_find(const struct targets *targets, int pid);

double mib_of_pages(uint64_t pages);
uint64_t bytes_of_pages(uint64_t pages);

/* Bytes that are sampled and may be moved, and their share of what is resident, in percent. */
uint64_t target_managed(const struct target *t);
double target_share(const struct target *t, uint64_t bytes);

#endif
