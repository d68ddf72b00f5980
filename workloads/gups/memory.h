/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of the kinds that programs have, as arrays of words that each hold their own
 * number in the beginning.
 */
#ifndef GUPS_MEMORY_H
#define GUPS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What each is: the end of gups --help. */
enum kind { ANON, SHMEM, MEMFD, MAPPED_FILE, CACHE, HUGETLB, THP, HOLES, MTHP, LOCKED, KINDS };

/* Names of the kinds, up to a NULL. */
extern const char *const kind_names[];

/* Whether a process and those that it forks afterwards have the same memory of this kind. */
bool is_shared(enum kind kind);

struct memory {
	enum kind kind;
	size_t bytes;
	uint64_t *words; /* NULL: not mapped, since CACHE is for read() */
	int file; /* -1: none */
};

/*
 * Return at least @bytes of memory that is not touched yet, for the life of the process.
 * Files are made in @folder and have no names: nothing is left behind. Dies when the
 * system does not give such memory.
 */
struct memory memory_make(enum kind kind, size_t bytes, const char *folder);

/*
 * Give the first @words words their values, the first one first. Of HOLES, huge pages get
 * their holes before. With @parallel, by all threads of OpenMP.
 */
void memory_fill(const struct memory *m, uint64_t words, bool parallel);

/* Return all words, which are mapped for that if they are not yet. */
uint64_t *memory_view(struct memory *m);

/* Return how many bytes of @m, which is CACHE, are in memory. */
uint64_t memory_cached(struct memory *m);

/* Return word @word of @m, which is CACHE, by read(). */
uint64_t memory_read(const struct memory *m, uint64_t word);

#endif
