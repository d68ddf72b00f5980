/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the targets, which are processes whose memory is managed, from targets/PID/. */
#ifndef DEMETERCTL_TARGETS_H
#define DEMETERCTL_TARGETS_H

#include <stddef.h>
#include <stdint.h>

struct target {
	int pid;
	char comm[64];
	uint64_t samples;
	uint64_t fast_pages, slow_pages;
	uint64_t promoted, demoted;
	uint64_t splits, merges;
	size_t nr_ranges;
};

/* Targets in the order of their PIDs. */
struct targets {
	struct target *list;
	size_t nr;
};

/* Reads all targets but those that end meanwhile. The caller frees the list. */
struct targets targets_read(void);

/* Finds the target with a PID; NULL if there is none. */
const struct target *targets_find(const struct targets *targets, int pid);

double mib_of_pages(uint64_t pages);

#endif
