// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of memory; see memory.h. */
#define _GNU_SOURCE
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define PAGE	    4096ul
#define HUGE	    (2ul << 20)
#define BLOCK_WORDS 8192 /* written at a time */
#define SYS_HUGE    "/sys/kernel/mm/transparent_hugepage/"
#define SYS_POOL    "/sys/kernel/mm/hugepages/hugepages-2048kB/"

const char *const kind_names[] = {
	[ANON] = "anon",   [SHMEM] = "shmem",	  [MEMFD] = "memfd", [MAPPED_FILE] = "file",
	[CACHE] = "cache", [HUGETLB] = "hugetlb", [THP] = "thp",     [HOLES] = "holes",
	[MTHP] = "mthp",   [LOCKED] = "mlock",	  [KINDS] = NULL,
};

bool is_shared(enum kind kind)
{
	return kind == SHMEM || kind == MEMFD || kind == MAPPED_FILE || kind == CACHE ||
	       kind == HUGETLB;
}

static size_t round_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

static _Noreturn void refuse(const struct memory *m)
{
	die("cannot allocate %zu bytes of %s: %s", m->bytes, kind_names[m->kind], strerror(errno));
}

static void *map(const struct memory *m, int flags)
{
	void *p = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, flags, m->file, 0);

	if (p == MAP_FAILED)
		refuse(m);
	return p;
}

/* Map private memory that begins where a huge page may. */
static void *map_aligned(const struct memory *m)
{
	const struct memory more = { .kind = m->kind, .bytes = m->bytes + HUGE, .file = -1 };
	char *const p = map(&more, MAP_PRIVATE | MAP_ANONYMOUS);
	const size_t before = -(uintptr_t)p % HUGE;

	if (before)
		munmap(p, before);
	munmap(p + before + m->bytes, HUGE - before);
	return p + before;
}

/* Begin of the text of a file in sysfs; "" when there is none. */
static const char *read_setting(const char *path)
{
	static char text[256];
	FILE *const f = fopen(path, "r");

	text[0] = '\0';
	if (f) {
		if (!fgets(text, sizeof(text), f))
			text[0] = '\0';
		fclose(f);
	}
	return text;
}

/* Whether the kernel gives folios of @kib, to who asks for them if @asked. */
static bool gives_folios(unsigned int kib, bool asked)
{
	const char *setting;
	char path[96];

	snprintf(path, sizeof(path), SYS_HUGE "hugepages-%ukB/enabled", kib);
	setting = read_setting(path);
	/* kernels before 6.8 have the common setting only, for huge pages */
	if (strstr(setting, "[inherit]") || (!*setting && kib == HUGE >> 10))
		setting = read_setting(SYS_HUGE "enabled");
	return strstr(setting, "[always]") || (asked && strstr(setting, "[madvise]"));
}

static void *map_huge(const struct memory *m)
{
	void *const p = map_aligned(m);

	if (!gives_folios(HUGE >> 10, true))
		die("%s: the kernel gives no huge pages: echo madvise >" SYS_HUGE "enabled",
		    kind_names[m->kind]);
	if (madvise(p, m->bytes, MADV_HUGEPAGE))
		refuse(m);
	return p;
}

static void *map_folios(const struct memory *m)
{
	if (!gives_folios(64, false) || gives_folios(HUGE >> 10, false))
		die("%s: the kernel gives no folios of 64 KiB, or huge pages instead: "
		    "echo always >" SYS_HUGE "hugepages-64kB/enabled",
		    kind_names[m->kind]);
	return map_aligned(m);
}

static void *map_pool(const struct memory *m)
{
	const size_t pages = m->bytes / HUGE;
	void *const p = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	if (p != MAP_FAILED)
		return p;
	if (errno != ENOMEM)
		refuse(m);
	die("%s: needs %zu huge pages of 2 MiB, and %lu are free: see /proc/sys/vm/nr_hugepages",
	    kind_names[m->kind], pages, strtoul(read_setting(SYS_POOL "free_hugepages"), NULL, 10));
}

static void *map_locked(const struct memory *m)
{
	void *const p = map(m, MAP_PRIVATE | MAP_ANONYMOUS);

	/* on fault: the order in which it is filled is to decide where it lies */
	if (mlock2(p, m->bytes, MLOCK_ONFAULT))
		die("%s: cannot lock %zu bytes: %s: see ulimit -l", kind_names[m->kind], m->bytes,
		    strerror(errno));
	return p;
}

/* Open a file in @folder that has no name and all of its room. */
static int open_file(const char *folder, size_t bytes)
{
	const int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (file < 0 || fallocate(file, 0, 0, bytes))
		die("--folder: cannot have a file of %zu bytes in %s: %s", bytes, folder,
		    strerror(errno));
	return file;
}

struct memory memory_make(enum kind kind, size_t bytes, const char *folder)
{
	const bool huge = kind == HUGETLB || kind == THP || kind == HOLES;
	struct memory m = { kind, round_up(bytes, huge ? HUGE : PAGE), NULL, -1 };

	switch (kind) {
	case SHMEM:
		m.words = map(&m, MAP_SHARED | MAP_ANONYMOUS);
		break;
	case MEMFD:
		m.file = memfd_create("gups", MFD_CLOEXEC);
		if (m.file < 0 || ftruncate(m.file, m.bytes))
			refuse(&m);
		m.words = map(&m, MAP_SHARED);
		break;
	case MAPPED_FILE:
		m.file = open_file(folder, m.bytes);
		m.words = map(&m, MAP_SHARED);
		break;
	case CACHE:
		m.file = open_file(folder, m.bytes);
		break;
	case HUGETLB:
		m.words = map_pool(&m);
		break;
	case THP:
	case HOLES:
		m.words = map_huge(&m);
		break;
	case MTHP:
		m.words = map_folios(&m);
		break;
	case LOCKED:
		m.words = map_locked(&m);
		break;
	default:
		m.words = map(&m, MAP_PRIVATE | MAP_ANONYMOUS);
	}
	return m;
}

/* Touch huge pages and discard the last 4 KiB of each, so that these come back as a page. */
static void make_holes(const struct memory *m)
{
	char *const end = (char *)m->words + m->bytes;

	for (char *p = (char *)m->words; p < end; p += HUGE) {
		*(volatile char *)p = 0;
		if (madvise(p + HUGE - PAGE, PAGE, MADV_DONTNEED))
			refuse(m);
	}
}

static void write_words(const struct memory *m, uint64_t words)
{
	static uint64_t block[BLOCK_WORDS];

	for (uint64_t first = 0; first < words; first += BLOCK_WORDS) {
		const uint64_t n = words - first < BLOCK_WORDS ? words - first : BLOCK_WORDS;

		for (uint64_t i = 0; i < n; i++)
			block[i] = first + i;
		if (pwrite(m->file, block, n * 8, first * 8) != (ssize_t)n * 8)
			refuse(m);
	}
}

void memory_fill(const struct memory *m, uint64_t words, bool parallel)
{
	uint64_t *const at = m->words;

	if (m->kind == HOLES)
		make_holes(m);
	if (m->kind == CACHE) {
		write_words(m, words);
		return;
	}
#pragma omp parallel for schedule(static) if (parallel)
	for (uint64_t i = 0; i < words; i++)
		at[i] = i;
}

uint64_t *memory_view(struct memory *m)
{
	if (!m->words)
		m->words = map(m, MAP_SHARED);
	return m->words;
}

uint64_t memory_cached(struct memory *m)
{
	const size_t pages = m->bytes / PAGE;
	unsigned char *const present = calloc(1, pages);
	uint64_t cached = 0;

	if (!present || mincore(memory_view(m), m->bytes, present))
		refuse(m);
	for (size_t i = 0; i < pages; i++)
		cached += present[i] & 1;
	free(present);
	return cached * PAGE;
}

uint64_t memory_read(const struct memory *m, uint64_t word)
{
	uint64_t value;

	if (pread(m->file, &value, sizeof(value), word * 8) != sizeof(value))
		die("cannot read word %llu of a file: %s", (unsigned long long)word,
		    strerror(errno));
	return value;
}
