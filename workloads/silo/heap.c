// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory of records and nodes, and epochs; see heap.h. */
#include "heap.h"

#include <sched.h>
#include <string.h>

#include "common.h"

/* Address space that a size takes at once; only what is touched of it takes memory. */
#define REGION (16 << 20)

#define IDLE UINT64_MAX

void relax(unsigned int tries)
{
	if (tries >= 16)
		sched_yield();
	else
		__builtin_ia32_pause();
}

struct epochs *epochs_make(unsigned int threads)
{
	struct epochs *e = allocate(sizeof(*e));

	e->heaps = allocate(threads * sizeof(*e->heaps));
	e->threads = threads;
	word_set(&e->now, 1);
	for (unsigned int i = 0; i < threads; i++) {
		e->heaps[i].epochs = e;
		word_set(&e->heaps[i].epoch, IDLE);
	}
	return e;
}

void epochs_advance(struct epochs *e)
{
	const uint64_t now = atomic_load(&e->now);

	for (unsigned int i = 0; i < e->threads; i++)
		if (atomic_load(&e->heaps[i].epoch) < now)
			return;
	atomic_store(&e->now, now + 1);
}

void heap_leave(struct heap *h)
{
	atomic_store(&h->epoch, IDLE);
}

/* Retired blocks of a size are a queue: the last words are the epoch and the next. */
static word *epoch_of(word *block, unsigned int words)
{
	return &block[words - 2];
}

static word *next_of(word *block, unsigned int words)
{
	return &block[words - 1];
}

word *heap_new(struct heap *h, unsigned int words)
{
	struct heap_class *class = &h->classes[words];
	const size_t bytes = words * sizeof(word);
	word *block = class->oldest;

	/* no transaction is more than one epoch behind */
	if (block && word_get(epoch_of(block, words)) + 2 <= atomic_load(&h->epochs->now)) {
		class->oldest = (word *)(uintptr_t)word_get(next_of(block, words));
		if (!class->oldest)
			class->newest = NULL;
		return block;
	}
	if ((size_t)(class->end - class->next) < bytes) {
		class->next = allocate(REGION);
		class->end = class->next + REGION;
	}
	block = (word *)class->next;
	class->next += bytes;
	return block;
}

void heap_retire(struct heap *h, word *block, unsigned int words)
{
	struct heap_class *class = &h->classes[words];

	word_set(next_of(block, words), 0);
	word_set(epoch_of(block, words), atomic_load(&h->epochs->now));
	if (class->newest)
		word_set(next_of(class->newest, words), (uintptr_t)block);
	else
		class->oldest = block;
	class->newest = block;
}
