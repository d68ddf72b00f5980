/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that share loops. They are POSIX threads, not OpenMP's: a race
 * detector understands their barriers without being told.
 */
#ifndef WORKLOADS_POOL_H
#define WORKLOADS_POOL_H

#include <stdint.h>

struct pool;

/* A pool of the calling thread and @threads - 1 more; dies when there are none. */
struct pool *pool_start(unsigned int threads);

/*
 * Call @body for [0, @items), cut into blocks of @block items that the threads
 * take as they become free. Returns when all have been done.
 */
void pool_for(struct pool *pool, uint64_t items, uint64_t block,
	      void (*body)(void *arg, uint64_t first, uint64_t last), void *arg);

unsigned int pool_threads(const struct pool *pool);

void pool_stop(struct pool *pool);

#endif
