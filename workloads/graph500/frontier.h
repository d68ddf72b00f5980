/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue that all threads append to: each collects vertices in a buffer of
 * its own and claims room for all of them at once. It also counts what the
 * thread did, for the progress lines.
 */
#ifndef WORKLOADS_GRAPH500_FRONTIER_H
#define WORKLOADS_GRAPH500_FRONTIER_H

#include <stdint.h>
#include <string.h>

#include "common.h"

#define FRONTIER_BUFFER 2048
#define PROGRESS_STEP	4096

struct frontier {
	unsigned int n;
	uint64_t done;
	int64_t vertices[FRONTIER_BUFFER];
};

/* Move the buffer to @queue, whose length is *@length. */
static inline void frontier_flush(struct frontier *f, int64_t *queue, uint64_t *length)
{
	const uint64_t at = __atomic_fetch_add(length, f->n, __ATOMIC_RELAXED);

	memcpy(queue + at, f->vertices, f->n * sizeof(*queue));
	f->n = 0;
}

static inline void frontier_append(struct frontier *f, int64_t vertex, int64_t *queue,
				   uint64_t *length)
{
	f->vertices[f->n++] = vertex;
	if (f->n == FRONTIER_BUFFER)
		frontier_flush(f, queue, length);
}

static inline void frontier_progress(struct frontier *f, uint64_t entries)
{
	f->done += entries;
	if (f->done >= PROGRESS_STEP) {
		progress(f->done);
		f->done = 0;
	}
}

#endif
