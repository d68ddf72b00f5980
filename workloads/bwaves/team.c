// SPDX-License-Identifier: GPL-2.0-or-later
/* A team of threads and its reductions; see team.h. */
#include "team.h"

#include <math.h>
#include <stdlib.h>

#include "common.h"

struct team {
	unsigned int threads;
	size_t rows;
	pthread_barrier_t barrier;
	/*
	 * Values of rows. Two sets in turns: a member may enter the next
	 * reduction while others still read the last one's values, but not the
	 * one after it.
	 */
	double *values[2];
	void (*work)(struct member *m, void *argument);
	void *argument;
};

struct start {
	struct member member;
	pthread_t thread;
};

static void *enter(void *start)
{
	struct member *m = &((struct start *)start)->member;

	m->team->work(m, m->team->argument);
	return NULL;
}

size_t team_bytes(size_t rows)
{
	return 2 * rows * ROW_VALUES * sizeof(double);
}

void team_run(unsigned int threads, size_t rows, void (*work)(struct member *, void *),
	      void *argument)
{
	const size_t bytes = team_bytes(rows) / 2;
	struct team team = {
		.threads = threads,
		.rows = rows,
		.values = { allocate(bytes), allocate(bytes) },
		.work = work,
		.argument = argument,
	};
	struct start *starts = allocate(threads * sizeof(*starts));

	pthread_barrier_init(&team.barrier, NULL, threads);
	for (unsigned int i = 0; i < threads; i++) {
		starts[i].member = (struct member){
			.team = &team,
			.first = rows * i / threads,
			.end = rows * (i + 1) / threads,
			.me = i,
		};
		if (i && pthread_create(&starts[i].thread, NULL, enter, &starts[i]))
			die("--threads: cannot start %u threads", threads);
	}
	enter(&starts[0]);
	for (unsigned int i = 1; i < threads; i++)
		pthread_join(starts[i].thread, NULL);
	pthread_barrier_destroy(&team.barrier);
}

void team_wait(struct member *m)
{
	if (m->team->threads > 1)
		pthread_barrier_wait(&m->team->barrier);
}

double *row_values(struct member *m, size_t row)
{
	return m->team->values[m->turn] + row * ROW_VALUES;
}

/* Begin to read what all members have left. */
static const double *gather(struct member *m)
{
	const double *values = m->team->values[m->turn];

	team_wait(m);
	m->turn ^= 1;
	return values;
}

void team_sum(struct member *m, unsigned int n, double *result)
{
	const double *values = gather(m);

	for (unsigned int i = 0; i < n; i++)
		result[i] = 0;
	for (size_t row = 0; row < m->team->rows; row++, values += ROW_VALUES)
		for (unsigned int i = 0; i < n; i++)
			result[i] += values[i];
}

void team_max(struct member *m, unsigned int n, double *result)
{
	const double *values = gather(m);

	for (unsigned int i = 0; i < n; i++)
		result[i] = -INFINITY;
	for (size_t row = 0; row < m->team->rows; row++, values += ROW_VALUES)
		for (unsigned int i = 0; i < n; i++)
			result[i] = fmax(result[i], values[i]);
}
