/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of records and nodes, and the epochs that say when it may be used again.
 *
 * Every thread has a heap. Blocks of one size come one after the other from large
 * zeroed regions, so that a table lies in memory in the order of its inserts. A
 * block that is retired may still be read by transactions of other threads: it is
 * used again when all of them have begun in a later epoch.
 *
 * Whatever threads share is a word: an atomic number of 64 bits, loaded to acquire
 * and stored to release, which costs nothing on x86. A version that is read before
 * and after them is then enough to know that they belong together, without the
 * fences that ThreadSanitizer does not understand.
 */
#ifndef SILO_HEAP_H
#define SILO_HEAP_H

#include <stdatomic.h>
#include <stdint.h>

#define HEAP_WORDS_MIN 3
#define HEAP_WORDS_MAX 127

typedef _Atomic uint64_t word;

static inline uint64_t word_get(const word *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

static inline void word_set(word *w, uint64_t value)
{
	atomic_store_explicit(w, value, memory_order_release);
}

/* Wait a little for another thread, @tries times so far; it may need this CPU. */
void relax(unsigned int tries);

struct epochs {
	word now;
	struct heap *heaps;
	unsigned int threads;
};

struct heap {
	_Alignas(64) word epoch; /* in which the thread's transaction began */
	struct epochs *epochs;
	struct heap_class {
		char *next, *end; /* of the region */
		word *oldest, *newest; /* retired blocks */
	} classes[HEAP_WORDS_MAX + 1];
};

/* Heaps for @threads threads, for the life of the process. Dies without memory. */
struct epochs *epochs_make(unsigned int threads);

/* Begin the next epoch, unless a transaction still runs in the one before. */
void epochs_advance(struct epochs *e);

/* A transaction of the heap's thread begins: what it meets stays until the next. */
static inline void heap_enter(struct heap *h)
{
	const uint64_t now = atomic_load(&h->epochs->now);

	if (word_get(&h->epoch) != now)
		atomic_store(&h->epoch, now);
}

/* Say that the heap's thread has no transaction, until it enters again. */
void heap_leave(struct heap *h);

/* Return a block of @words words, which may hold anything. Dies when there is none. */
word *heap_new(struct heap *h, unsigned int words);

/* Give back a block that no transaction can find any more. Spoils its last two words. */
void heap_retire(struct heap *h, word *block, unsigned int words);

#endif
