/* SPDX-License-Identifier: GPL-2.0 */
/* Reads the ranges of a target from targets/PID/ranges, a line of equal length for each. */
#ifndef DEMETERCTL_RANGES_H
#define DEMETERCTL_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end;
	uint64_t samples; /* recent samples: their number halves in each epoch */
};

/* Ranges in the order of their addresses, which do not overlap. */
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
