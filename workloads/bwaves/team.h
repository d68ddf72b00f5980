/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A team of threads, each with a share of the grid's rows, and reductions over
 * all rows whose result depends on neither the number nor the order of threads.
 *
 * These are POSIX threads, since gcc's OpenMP hides its barriers from the thread
 * sanitizer.
 */
#ifndef BWAVES_TEAM_H
#define BWAVES_TEAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define ROW_VALUES 5 /* what a row contributes to one reduction, at most */

struct team;

/* One thread's view. */
struct member {
	struct team *team;
	size_t first, end; /* its rows */
	unsigned int me;
	unsigned int turn;
};

/* Bytes that a team takes for reductions over @rows rows. */
size_t team_bytes(size_t rows);

/*
 * Run @work in @threads threads that share @rows rows, the caller being number
 * 0. Dies when there are not that many.
 */
void team_run(unsigned int threads, size_t rows, void (*work)(struct member *, void *),
	      void *argument);

/* Wait until all members are here. */
void team_wait(struct member *m);

/* Where @row puts its values for the next reduction. */
double *row_values(struct member *m, size_t row);

/*
 * Sum or maximum over all rows of the first @n values, the same in all members.
 * All members call it; it waits until all are here.
 */
void team_sum(struct member *m, unsigned int n, double *result);
void team_max(struct member *m, unsigned int n, double *result);

#endif
