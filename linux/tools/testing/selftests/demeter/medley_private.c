// SPDX-License-Identifier: GPL-2.0
/* What happens to memory of one process only, after which it may hold something else. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "medley.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* Children that live at the same time, and rounds that they live for. */
#define CHILDREN 3
#define LIFE	 64

void discard(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);
	void *at = o->at + first * PAGE;

	begin_change(o, first, n);
	/* madvise() fails half-way at pages that are locked */
	unlock_pages(o, first, n);
	if (madvise(at, n * PAGE, MADV_DONTNEED))
		leave(MEDLEY_CANNOT, "medley: MADV_DONTNEED: %s\n", strerror(errno));
	if (o->is_locked)
		lock_pages(o, first, n, 0);
	end_change(o, first, n, o->base);
}

void discard_lazily(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);
	void *at = o->at + first * PAGE;

	begin_change(o, first, n);
	unlock_pages(o, first, n);
	madvise(at, n * PAGE, MADV_FREE);
	for (unsigned long page = first; page < first + n; page++) {
		const uint32_t version = version_of(o, page);

		end_change(o, page, 1, version == ZERO ? ZERO : version | LAZY);
	}
}

static void shrink(struct object *o, unsigned long size)
{
	const unsigned long old = o->model->size;
	void *end = o->at + size * PAGE;

	begin_change(o, size, old - size);
	/* fails if the end consists of several mappings */
	if (mremap(o->at, old * PAGE, size * PAGE, 0) == MAP_FAILED &&
	    munmap(end, (old - size) * PAGE))
		leave(MEDLEY_CANNOT, "medley: mremap: %s\n", strerror(errno));
	if (mmap(end, (old - size) * PAGE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		leave(MEDLEY_CANNOT, "medley: no addresses: %s\n", strerror(errno));
	o->model->size = size;
	end_resize(o, size, old - size, GONE);
}

/* Lets the last of the memory grow until @size. */
static void grow(struct object *o, unsigned long size)
{
	const unsigned long old = o->model->size;

	begin_change(o, old, size - old);
	munmap(o->at + old * PAGE, (size - old) * PAGE);
	if (mremap(o->at + (old - 1) * PAGE, PAGE, (size - old + 1) * PAGE, 0) == MAP_FAILED)
		place(o, old, size - old);
	o->model->size = size;
	end_resize(o, old, size - old, ZERO);
}

void resize(struct object *o)
{
	const unsigned long size = o->pages / 2 + draw(o, o->pages / 2 + 1);

	if (size < o->model->size)
		shrink(o, size);
	else if (size > o->model->size)
		grow(o, size);
}

/* A page that nobody else has, and may be lost for good; false: enough were lost. */
static bool may_lose(struct object *o, unsigned long *page)
{
	unsigned long n;

	*page = piece(o, 1, &n);
	return o->tally->lost > 0 && atomic_fetch_sub(&o->tally->lost, 1) > 0;
}

/* Has the memory of a page fail. There is another one when it has been mapped again. */
void poison(struct object *o)
{
	unsigned long page;

	if (!may_lose(o, &page))
		return;
	/* otherwise it would be one that all processes share, of zeros */
	write_page(o, page);
	if (fail_page(o->at + page * PAGE)) {
		uint64_t words[PAGE / sizeof(uint64_t)];

		/* it holds what it has held, or is not there */
		if (copy(words, o->at + page * PAGE))
			verify_page(o, page);
	}
	begin_change(o, page, 1);
	place(o, page, 1);
	end_change(o, page, 1, ZERO);
}

/* Takes the memory of a page out of use; what it held is elsewhere then. */
void take_offline(struct object *o)
{
	unsigned long page;

	if (!may_lose(o, &page))
		return;
	write_page(o, page);
	madvise(o->at + page * PAGE, PAGE, MADV_SOFT_OFFLINE);
	verify_page(o, page);
}

/* Undoes what KSM has merged, and lets it begin anew. */
void unmerge(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);
	void *at = o->at + first * PAGE;

	madvise(at, n * PAGE, MADV_UNMERGEABLE);
	verify_page(o, first);
	madvise(at, n * PAGE, MADV_MERGEABLE);
}

/* Has a child live on with a copy, until it dies, or waits for the next one to. */
void beget(struct object *o)
{
	pid_t pid;

	if (o->children == CHILDREN) {
		wait_for(o, 1);
		return;
	}
	pid = child_of(o);
	if (pid < 0)
		return;
	if (!pid) {
		o->traits &= ~PARENT;
		do_deeds(o, 1 + draw(o, LIFE));
		wait_for(o, o->children);
		_exit(atomic_load(&o->tally->is_wrong));
	}
	o->children++;
}
