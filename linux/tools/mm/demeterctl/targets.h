/* SPDX-License-Identifier: GPL-2.0 */
/* The targets, which are processes whose memory is managed: targets/PID/. */
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
	size_t nr_ranges;
};

/* In order of their PIDs. */
struct targets {
	struct target *list;
	size_t nr;
};

/* All targets; those that end meanwhile are left out. The caller frees the list. */
struct targets targets_read(void);

/* The target with that PID or NULL. */
const struct target *targets_find(const struct targets *targets, int pid);

double mib_of_pages(uint64_t pages);

#endif
