/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers, each with a thread, a heap and a transaction, and what they run: YCSB or
 * TPC-C.
 */
#ifndef SILO_BENCH_H
#define SILO_BENCH_H

#include <pthread.h>

#include "common.h"
#include "latency.h"
#include "txn.h"

#define BENCH_TYPES 5

struct bench;

struct worker {
	_Alignas(64) word inserting; /* YCSB: the least key that may not be there yet */
	struct bench *bench;
	struct txn *txn;
	struct heap *heap;
	struct rng rng;
	unsigned int me;
	pthread_t thread;
	uint64_t committed[BENCH_TYPES];
	uint64_t aborted[BENCH_TYPES];
	uint64_t rolled_back; /* TPC-C: orders of an item that does not exist */
	uint64_t wrong; /* what transactions found wrong */
	uint64_t digest; /* YCSB: of the updates that committed */
	struct latency latency;
};

struct bench {
	const char *type_names[BENCH_TYPES];
	const char *unit;
	unsigned int timed_every; /* one in so many operations is timed, since that takes time */
	void (*load)(struct bench *b, struct worker *w); /* this worker's part */
	/* try one operation of @type drawn from the worker's rng; false: aborted */
	unsigned int (*draw)(struct bench *b, struct worker *w);
	bool (*try)(struct bench *b, struct worker *w, unsigned int type);
	struct epochs *epochs;
	struct worker *workers;
	unsigned int threads;
	uint64_t operations;
	word blocks; /* that have been taken */
};

/*
 * Make the workers. Who uses a heap before they run has to enter it (heap_enter()).
 * Dies when there is no memory.
 */
void bench_init(struct bench *b, unsigned int threads, uint64_t operations);

/* Have all workers load, and have all run until @operations are done. */
void bench_load(struct bench *b);
void bench_run(struct bench *b);

#endif
