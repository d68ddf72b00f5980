/* SPDX-License-Identifier: GPL-2.0 */
/* The ranges of a target: targets/PID/ranges, a line of equal length for each. */
#ifndef DEMETERCTL_RANGES_H
#define DEMETERCTL_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end;
	uint64_t samples; /* recent ones: they halve in each epoch */
};

/* In order of their addresses, and disjoint. */
struct ranges {
	struct range *list;
	size_t nr;
};

/*
 * Returns 0, and then @ranges->list is to be freed by the caller, or -errno: -ENOENT or
 * -ENODEV when @pid is no target, -EBADMSG when the file is not as it should be.
 */
int ranges_read(int pid, struct ranges *ranges);

#endif
