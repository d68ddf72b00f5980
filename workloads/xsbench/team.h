/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A loop over chunks of work by a team of threads that lives as long as the
 * loop: plain threads instead of OpenMP's, as the thread sanitizer sees how they
 * start and end.
 */
#ifndef XSBENCH_TEAM_H
#define XSBENCH_TEAM_H

#include <stdint.h>

/* Work on items [@begin, @end); calls for different items run at once. */
typedef void (*team_fn)(void *data, uint64_t begin, uint64_t end);

/*
 * Call @fn for all of [0, @items) in chunks of @chunk, which @threads threads
 * take in order as they become free. Dies when a thread cannot be started.
 */
void team_for(unsigned int threads, uint64_t items, uint64_t chunk, team_fn fn, void *data);

#endif
