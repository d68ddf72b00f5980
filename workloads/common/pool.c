// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads that share loops; see pool.h. */
#include "pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common.h"

struct pool {
	pthread_t *others;
	unsigned int threads;

	pthread_mutex_t lock; /* of the next five */
	pthread_cond_t begin;
	pthread_cond_t end;
	uint64_t loops; /* begun so far */
	unsigned int busy; /* other threads that are not done with the loop */
	bool stop;

	/* the loop; written only while nobody is busy */
	void (*body)(void *arg, uint64_t first, uint64_t last);
	void *arg;
	uint64_t items;
	uint64_t block;
	uint64_t next; /* first item that nobody has taken, atomic */
};

static void take_blocks(struct pool *p)
{
	for (;;) {
		const uint64_t first = __atomic_fetch_add(&p->next, p->block, __ATOMIC_RELAXED);

		if (first >= p->items)
			return;
		p->body(p->arg, first, p->items - first < p->block ? p->items : first + p->block);
	}
}

static void *other_thread(void *pool)
{
	struct pool *p = pool;
	uint64_t seen = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->loops == seen && !p->stop)
			pthread_cond_wait(&p->begin, &p->lock);
		if (p->stop)
			break;
		seen = p->loops;
		pthread_mutex_unlock(&p->lock);
		take_blocks(p);
		pthread_mutex_lock(&p->lock);
		if (!--p->busy)
			pthread_cond_signal(&p->end);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *pool_start(unsigned int threads)
{
	struct pool *p = calloc(1, sizeof(*p));
	pthread_t *others = calloc(threads, sizeof(*others));

	if (!p || !others)
		die("cannot allocate a pool of %u threads", threads);
	p->others = others;
	p->threads = threads;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->begin, NULL);
	pthread_cond_init(&p->end, NULL);
	for (unsigned int i = 1; i < threads; i++)
		if (pthread_create(&p->others[i], NULL, other_thread, p))
			die("--threads: cannot start %u threads", threads);
	return p;
}

void pool_for(struct pool *p, uint64_t items, uint64_t block,
	      void (*body)(void *arg, uint64_t first, uint64_t last), void *arg)
{
	pthread_mutex_lock(&p->lock);
	p->body = body;
	p->arg = arg;
	p->items = items;
	p->block = block;
	p->next = 0;
	p->busy = p->threads - 1;
	p->loops++;
	pthread_cond_broadcast(&p->begin);
	pthread_mutex_unlock(&p->lock);

	take_blocks(p);

	pthread_mutex_lock(&p->lock);
	while (p->busy)
		pthread_cond_wait(&p->end, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

unsigned int pool_threads(const struct pool *p)
{
	return p->threads;
}

void pool_stop(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->begin);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 1; i < p->threads; i++)
		pthread_join(p->others[i], NULL);
	free(p->others);
	free(p);
}
