// SPDX-License-Identifier: GPL-2.0
/* What happens to files, mapped or not, while other processes use them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "medley.h"

size_t get_from_file(const struct object *o, unsigned long page, void *to)
{
	const ssize_t got = pread(o->fd, to, PAGE, page * PAGE);

	return got > 0 ? got : 0;
}

/* Makes the file shorter or longer. */
void truncate_file(struct object *o)
{
	const unsigned long units = o->pages / o->unit;
	const unsigned long size = (units / 2 + draw(o, units / 2 + 1)) * o->unit;
	const unsigned long old = atomic_load(&o->model->size);
	const unsigned long first = size < old ? size : old;
	const unsigned long n = (size < old ? old : size) - first;

	if (!size || size == old || atomic_exchange(&o->model->resizing, true))
		return;
	/* somebody else may have been quicker */
	if (atomic_load(&o->model->size) == old) {
		begin_change(o, first, n);
		if (ftruncate(o->fd, size * PAGE))
			leave(MEDLEY_CANNOT, "medley: ftruncate: %s\n", strerror(errno));
		atomic_store(&o->model->size, size);
		end_resize(o, first, n, size < old ? GONE : ZERO);
	}
	atomic_store(&o->model->resizing, false);
}

void punch(struct object *o)
{
	unsigned long n, first = piece(o, 128, &n);

	begin_change(o, first, n);
	if (fallocate(o->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first * PAGE, n * PAGE))
		leave(MEDLEY_CANNOT, "medley: fallocate: %s\n", strerror(errno));
	end_change(o, first, n, ZERO);
}

/* Punches a hole where pages are mapped. */
void remove_pages(struct object *o)
{
	unsigned long n, first = piece(o, 128, &n);

	begin_change(o, first, n);
	unlock_pages(o, first, n);
	if (madvise(o->at + first * PAGE, n * PAGE, MADV_REMOVE))
		leave(MEDLEY_CANNOT, "medley: MADV_REMOVE: %s\n", strerror(errno));
	end_change(o, first, n, ZERO);
}

/* Takes pages off the page tables; the file has them still. */
void forget_mapped(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);

	madvise(o->at + first * PAGE, n * PAGE, MADV_DONTNEED);
}

/* Writes pages by pwrite(). */
void write_file(struct object *o)
{
	unsigned long n, first = piece(o, 32, &n);

	for (unsigned long page = first; page < first + n; page++) {
		const uint32_t version = atomic_fetch_add(&o->model->clock, 1) + 1;
		uint64_t words[PAGE / sizeof(uint64_t)];

		begin_change(o, page, 1);
		fill(o, page, version, words);
		if (version_of(o, page) != GONE &&
		    pwrite(o->fd, words, PAGE, page * PAGE) != (ssize_t)PAGE)
			leave(MEDLEY_CANNOT, "medley: pwrite: %s\n", strerror(errno));
		end_change(o, page, 1, version);
	}
}

void read_file(struct object *o)
{
	unsigned long n, first = piece(o, 64, &n);

	for (unsigned long page = first; page < first + n; page++)
		verify_by(o, page, get_from_file);
}

void sync_mapped(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);

	msync(o->at + first * PAGE, n * PAGE, draw(o, 2) ? MS_SYNC : MS_ASYNC);
}

void sync_file(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);

	if (draw(o, 4))
		sync_file_range(o->fd, first * PAGE, n * PAGE, SYNC_FILE_RANGE_WRITE);
	else
		fdatasync(o->fd);
}

/* Has the page cache forget pages that were written back, and read some again. */
void drop_cached(struct object *o)
{
	unsigned long n, first = piece(o, 256, &n);

	sync_file_range(o->fd, first * PAGE, n * PAGE,
			SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	posix_fadvise(o->fd, first * PAGE, n * PAGE, POSIX_FADV_DONTNEED);
	if (draw(o, 2))
		posix_fadvise(o->fd, first * PAGE, n * PAGE, POSIX_FADV_WILLNEED);
}
