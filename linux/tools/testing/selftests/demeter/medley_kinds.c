// SPDX-License-Identifier: GPL-2.0
/* The kinds of memory, how memory of each comes to be, and what happens to it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "medley.h"

#define KSM_RUN	   "/sys/kernel/mm/ksm/run"
#define RAMFS	   0x858458f6 /* RAMFS_MAGIC */
#define HUGE_UNITS 4
/* Pages of KSM that differ */
#define KSM_DIFFER 8

static _Noreturn void fail(const char *what)
{
	leave(MEDLEY_CANNOT, "medley: %s: %s\n", what, strerror(errno));
}

static void map_all(struct object *o, int flags)
{
	o->flags = flags;
	o->at = reserve(o->pages * PAGE);
	place(o, 0, o->pages);
}

static void make_anonymous(struct object *o)
{
	map_all(o, MAP_PRIVATE | MAP_ANONYMOUS);
}

static void make_huge(struct object *o)
{
	o->advice = MADV_HUGEPAGE;
	make_anonymous(o);
}

static void make_locked(struct object *o)
{
	o->is_locked = true;
	make_anonymous(o);
}

static void make_merged(struct object *o)
{
	FILE *run = fopen(KSM_RUN, "r");
	int is_on = 0;

	if (run) {
		if (fscanf(run, "%d", &is_on) != 1)
			is_on = 0;
		fclose(run);
	}
	if (is_on != 1)
		leave(MEDLEY_SKIP, "skip %s KSM does not run: %s\n", o->kind->name, KSM_RUN);
	o->advice = MADV_MERGEABLE;
	o->same = KSM_DIFFER;
	make_anonymous(o);
}

static void make_shared(struct object *o)
{
	o->is_shared = true;
	map_all(o, MAP_SHARED | MAP_ANONYMOUS);
}

static void set_size(struct object *o)
{
	if (ftruncate(o->fd, o->pages * PAGE))
		fail("ftruncate");
}

static void make_memfd(struct object *o)
{
	o->is_shared = true;
	o->fd = memfd_create("medley", 0);
	if (o->fd < 0)
		fail("memfd_create");
	set_size(o);
	map_all(o, MAP_SHARED);
}

static void make_pool(struct object *o)
{
	o->is_shared = true;
	o->unit = HUGE_PAGES;
	if (o->pages > HUGE_UNITS * HUGE_PAGES)
		o->pages = HUGE_UNITS * HUGE_PAGES;
	o->fd = memfd_create("medley", MFD_HUGETLB);
	if (o->fd < 0)
		leave(MEDLEY_SKIP, "skip %s memfd_create: %s\n", o->kind->name, strerror(errno));
	set_size(o);
	o->flags = MAP_SHARED;
	o->at = reserve(o->pages * PAGE);
	if (mmap(o->at, o->pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, o->fd,
		 0) == MAP_FAILED)
		leave(MEDLEY_SKIP, "skip %s the pool has no %lu pages: %s\n", o->kind->name,
		      o->pages / HUGE_PAGES, strerror(errno));
}

/* Opens a file that has no name, in a folder. */
static void open_in(struct object *o, const char *folder, bool is_tmpfs)
{
	char name[4096];
	struct statfs fs;
	bool is;

	if (statfs(folder, &fs))
		fail(folder);
	is = fs.f_type == TMPFS_MAGIC;
	if (is != is_tmpfs || fs.f_type == RAMFS)
		leave(MEDLEY_SKIP, "skip %s %s is not on a %s\n", o->kind->name, folder,
		      is_tmpfs ? "tmpfs" : "disk");
	snprintf(name, sizeof(name), "%s/medley.XXXXXX", folder);
	o->fd = mkstemp(name);
	if (o->fd < 0)
		fail(name);
	unlink(name);
}

static void make_tmpfs(struct object *o)
{
	o->is_shared = true;
	open_in(o, opt.tmpfs, true);
	set_size(o);
	map_all(o, MAP_SHARED);
}

static void make_cached(struct object *o)
{
	o->is_shared = true;
	open_in(o, opt.disk, false);
	set_size(o);
}

static void make_disk(struct object *o)
{
	make_cached(o);
	map_all(o, MAP_SHARED);
}

/* A file all of which is written before it is mapped privately. */
static void make_copied(struct object *o)
{
	uint64_t words[PAGE / sizeof(uint64_t)];

	open_in(o, opt.disk, false);
	o->base = 1;
	for (unsigned long page = 0; page < o->pages; page++) {
		fill(o, page, o->base, words);
		if (write(o->fd, words, PAGE) != (ssize_t)PAGE)
			fail("write");
	}
	map_all(o, MAP_PRIVATE);
}

const struct deed deeds[] = { { "write", rewrite, MAPPED },
			      { "move", move, MAPPED },
			      { "protect", protect, MAPPED },
			      { "lock", lock, MAPPED },
			      { "peek", peek, MAPPED },
			      { "poke", poke, MAPPED },
			      { "pin", pin, MAPPED },
			      { "bomb", bomb, MAPPED },
			      { "again", map_again, MAPPED_AGAIN },
			      { "pageout", page_out, RECLAIMED },
			      { "cold", make_cold, RECLAIMED },
			      { "collapse", collapse, COLLAPSED },
			      { "discard", discard, DISCARDED },
			      { "free", discard_lazily, FREED },
			      { "resize", resize, RESIZED },
			      { "beget", beget, PARENT },
			      { "poison", poison, ALONE },
			      { "offline", take_offline, ALONE },
			      { "unmerge", unmerge, MERGED },
			      { "forget", forget_mapped, SHARED },
			      { "remove", remove_pages, SHARED },
			      { "truncate", truncate_file, A_FILE },
			      { "punch", punch, A_FILE },
			      { "read", read_file, A_FILE },
			      { "pwrite", write_file, WRITTEN },
			      { "sync", sync_file, ON_DISK },
			      { "drop", drop_cached, ON_DISK },
			      { "msync", sync_mapped, MAPPED | ON_DISK },
			      {} };

#define ANONYMOUS   (MAPPED | MAPPED_AGAIN | RECLAIMED | DISCARDED | RESIZED)
#define MAPPED_FILE (MAPPED | MAPPED_AGAIN | SHARED | A_FILE)

/*
 * Memory that is shared after a fork is not freed lazily. Linux (6.12, 6.18) may drop a page for
 * all who share it when one of them frees it so: if process_vm_readv() has made a copy of it for
 * one process, that is not marked as dirty anywhere, and a child has inherited it since.
 */
const struct kind kinds[] = {
	{ "anonymous", 0, 1, make_anonymous, ANONYMOUS | FREED | COLLAPSED | ALONE },
	{ "huge", 1, 1, make_huge, ANONYMOUS | FREED | COLLAPSED | ALONE },
	{ "forked", 2, 1, make_anonymous, ANONYMOUS | PARENT },
	{ "shared", 3, 2, make_shared, MAPPED | RECLAIMED | COLLAPSED | SHARED },
	{ "tmpfs", 4, 2, make_tmpfs, MAPPED_FILE | RECLAIMED | COLLAPSED | WRITTEN },
	{ "memfd", 5, 2, make_memfd, MAPPED_FILE | RECLAIMED | COLLAPSED | WRITTEN },
	{ "disk", 6, 2, make_disk, MAPPED_FILE | RECLAIMED | WRITTEN | ON_DISK },
	{ "copied", 7, 1, make_copied, MAPPED | MAPPED_AGAIN | RECLAIMED | DISCARDED },
	{ "cached", 8, 2, make_cached, A_FILE | WRITTEN | ON_DISK },
	{ "locked", 9, 1, make_locked, MAPPED | MAPPED_AGAIN | DISCARDED | COLLAPSED },
	{ "hugetlb", 10, 2, make_pool, MAPPED_FILE },
	{ "merged", 11, 2, make_merged, MAPPED | MAPPED_AGAIN | RECLAIMED | DISCARDED | MERGED },
	{}
};

/* Is the first process of a kind. Returns when all have ended; a page that is wrong is told. */
void kind_run(const struct kind *kind, struct tally *tally)
{
	struct object o = {
		.kind = kind,
		.tally = tally,
		.traits = kind->traits,
		.pages = opt.pages,
		.unit = 1,
		.fd = -1,
		.random = opt.seed * 4096 + kind->number,
	};

	kind->make(&o);
	model_make(&o);
	/* to make it may have taken long */
	opt.end = now() + opt.seconds;
	for (unsigned int i = 1; i < kind->processes; i++) {
		const pid_t pid = child_of(&o);

		if (pid < 0)
			fail("fork");
		if (!pid) {
			do_deeds(&o, 0);
			wait_for(&o, o.children);
			_exit(MEDLEY_OK);
		}
		o.children++;
	}
	do_deeds(&o, 0);
	wait_for(&o, o.children);
	verify_all(&o);
}
