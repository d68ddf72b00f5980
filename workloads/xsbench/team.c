// SPDX-License-Identifier: GPL-2.0-or-later
/* A loop by a team of threads; see team.h. */
#include "team.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

struct loop {
	uint64_t items;
	uint64_t chunk;
	uint64_t next; /* atomic: the first item that nobody has taken */
	team_fn fn;
	void *data;
};

static void *take_chunks(void *arg)
{
	struct loop *loop = arg;

	for (;;) {
		const uint64_t n = loop->chunk;
		const uint64_t begin = __atomic_fetch_add(&loop->next, n, __ATOMIC_RELAXED);

		if (begin >= loop->items)
			return NULL;
		loop->fn(loop->data, begin, loop->items - begin < n ? loop->items : begin + n);
	}
}

void team_for(unsigned int threads, uint64_t items, uint64_t chunk, team_fn fn, void *data)
{
	struct loop loop = { .items = items, .chunk = chunk, .fn = fn, .data = data };
	pthread_t *others = calloc(threads, sizeof(*others));

	if (!others)
		die("no memory for %u threads", threads);
	for (unsigned int i = 1; i < threads; i++) {
		const int error = pthread_create(&others[i], NULL, take_chunks, &loop);

		if (error)
			die("cannot start thread %u of %u: %s", i + 1, threads, strerror(error));
	}
	take_chunks(&loop);
	for (unsigned int i = 1; i < threads; i++)
		pthread_join(others[i], NULL);
	free(others);
}
