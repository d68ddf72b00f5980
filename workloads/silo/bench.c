// SPDX-License-Identifier: GPL-2.0-or-later
/* Workers and what they share; see bench.h. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

/* Operations whose random numbers belong together, whoever runs them. */
#define BLOCK 256
/* As in the paper. */
#define EPOCH_NS 40000000

void bench_init(struct bench *b, unsigned int threads, uint64_t operations)
{
	b->threads = threads;
	b->operations = operations;
	b->epochs = epochs_make(threads);
	b->workers = allocate(threads * sizeof(*b->workers));
	for (unsigned int i = 0; i < threads; i++) {
		struct worker *w = &b->workers[i];

		w->bench = b;
		w->me = i;
		w->heap = &b->epochs->heaps[i];
		w->txn = allocate(sizeof(*w->txn));
		w->txn->heap = w->heap;
		w->rng = rng_seed(common.seed, UINT64_MAX - i);
		word_set(&w->inserting, UINT64_MAX);
	}
}

static void run_all(struct bench *b, void *(*fn)(void *worker))
{
	for (unsigned int i = 1; i < b->threads; i++) {
		const int error = pthread_create(&b->workers[i].thread, NULL, fn, &b->workers[i]);

		if (error)
			die("cannot start thread %u of %u: %s", i + 1, b->threads, strerror(error));
	}
	fn(&b->workers[0]);
	for (unsigned int i = 1; i < b->threads; i++)
		pthread_join(b->workers[i].thread, NULL);
}

static void *load(void *argument)
{
	struct worker *w = argument;

	heap_enter(w->heap);
	w->bench->load(w->bench, w);
	heap_leave(w->heap);
	return NULL;
}

void bench_load(struct bench *b)
{
	run_all(b, load);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/*
 * Wait, longer with each attempt: the transaction that is in the way needs about as
 * long as an attempt took.
 */
static void back_off(unsigned int tries)
{
	for (unsigned int i = 0; i < 1u << (tries < 8 ? tries : 8); i++)
		relax(0);
	if (tries >= 8)
		sched_yield();
}

/*
 * One operation until it commits. Every attempt gets the same random numbers, for
 * if it drew anew, operations that conflict would be rarer than they were drawn.
 */
static void operate(struct bench *b, struct worker *w)
{
	const unsigned int type = b->draw(b, w);
	const struct rng begin = w->rng;

	for (unsigned int tries = 0; !b->try(b, w, type); tries++) {
		w->aborted[type]++;
		w->rng = begin;
		back_off(tries);
	}
	w->committed[type]++;
}

static void *run(void *argument)
{
	struct worker *w = argument;
	struct bench *b = w->bench;

	for (;;) {
		const uint64_t block = atomic_fetch_add(&b->blocks, 1);
		const uint64_t first = block * BLOCK;
		uint64_t n;

		if (first >= b->operations)
			break;
		n = b->operations - first < BLOCK ? b->operations - first : BLOCK;
		w->rng = rng_seed(common.seed, block);
		for (uint64_t i = 0; i < n; i++) {
			const bool timed = i % b->timed_every == 0;
			const uint64_t begin = timed ? now_ns() : 0;

			operate(b, w);
			if (timed)
				latency_add(&w->latency, now_ns() - begin);
		}
		progress(n);
	}
	heap_leave(w->heap);
	return NULL;
}

struct ticker {
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	bool stop;
	struct epochs *epochs;
};

static void *tick(void *argument)
{
	struct ticker *t = argument;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		next.tv_nsec += EPOCH_NS;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&t->stop_cond, &t->lock, &next) == ETIMEDOUT)
			epochs_advance(t->epochs);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

void bench_run(struct bench *b)
{
	struct ticker ticker = { .epochs = b->epochs };
	pthread_condattr_t attr;
	pthread_t thread;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ticker.stop_cond, &attr);
	pthread_mutex_init(&ticker.lock, NULL);
	if (pthread_create(&thread, NULL, tick, &ticker))
		die("cannot start the thread that counts epochs");
	run_all(b, run);
	pthread_mutex_lock(&ticker.lock);
	ticker.stop = true;
	pthread_cond_signal(&ticker.stop_cond);
	pthread_mutex_unlock(&ticker.lock);
	pthread_join(thread, NULL);
}
