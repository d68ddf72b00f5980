// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Placement of pages by a list; see roi.h.
 *
 * The list comes from another run of the same program, so its addresses hold
 * only as long as nothing here changes where later allocations go: memory comes
 * from mappings that are gone at the end, never from malloc().
 */
#define _GNU_SOURCE
#include "roi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

#define PAGE 4096l

/* Pages that are moved at a time, one way, then the other. */
#define CHUNK 512

/*
 * Of @total pages of the fast tier these stay free: more than the kernel's
 * watermarks, so that it neither reclaims nor refuses pages meanwhile.
 */
#define RESERVE(total) (256 + (total) / 128)

/* End of the addresses that a process may have. */
#define END ((1l << 47) - PAGE)

/*
 * The kernel's interface to find what is present in an address space (since 6.7,
 * <linux/fs.h>), which the headers of this system need not know.
 */
struct region {
	uint64_t start, end;
	uint64_t categories;
};

struct scan {
	uint64_t size, flags;
	uint64_t start, end, walk_end;
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN	_IOWR('f', 16, struct scan)
#define PRESENT 8 /* a category */
#define REGIONS 64

struct pages {
	uint64_t *at;
	size_t n;
	size_t room;
};

/* A hash table with open addressing; 0 is no page and marks an empty slot. */
struct set {
	uint64_t *slots;
	unsigned int bits;
};

/* Populated, so that none of it is taken from what is found free later. */
static uint64_t *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("placement: cannot allocate %zu bytes: %s", bytes, strerror(errno));
	return p;
}

static struct pages pages_new(size_t room)
{
	return (struct pages){ map(room * sizeof(uint64_t)), 0, room };
}

static void pages_free(struct pages *p)
{
	munmap(p->at, p->room * sizeof(uint64_t));
}

static size_t set_bytes(const struct set *s)
{
	return sizeof(uint64_t) << s->bits;
}

/* A set for @n pages, at most half full. */
static struct set set_new(size_t n)
{
	struct set s = { .bits = 1 };

	while (1ul << s.bits < 2 * n)
		s.bits++;
	s.slots = map(set_bytes(&s));
	return s;
}

/* The slot that has @page, or would have it. */
static uint64_t *set_slot(const struct set *s, uint64_t page)
{
	const size_t mask = (1ul << s->bits) - 1;
	size_t i = page / PAGE * 0x9e3779b97f4a7c15ull >> (64 - s->bits);

	while (s->slots[i] && s->slots[i] != page)
		i = (i + 1) & mask;
	return &s->slots[i];
}

/* The list in @path. */
static struct pages read_list(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pages list = { 0 };
	size_t bytes, have = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die("PLACEMENT: %s: %s", path, strerror(errno));
	bytes = st.st_size;
	if (bytes % sizeof(uint64_t))
		die("PLACEMENT: %s: no list of addresses", path);
	if (bytes)
		list = pages_new(bytes / sizeof(uint64_t));
	while (have < bytes) {
		const ssize_t n = read(fd, (char *)list.at + have, bytes - have);

		if (n <= 0)
			die("PLACEMENT: %s: cannot be read", path);
		have += n;
	}
	list.n = list.room;
	close(fd);
	return list;
}

/* Pages of @node that its meminfo gives as @what. */
static long node_pages(int node, const char *what)
{
	char path[64], text[4096];
	const char *at = NULL;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		/* a file of sysfs is at most a page, and read at once */
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n >= 0) {
		text[n] = '\0';
		at = strstr(text, what);
	}
	if (!at)
		die("placement: no %s in %s", what, path);
	return strtol(at + strlen(what), NULL, 10) / (PAGE / 1024);
}

/* How many pages the chunk of @p that begins at @first has. */
static size_t chunk_at(const struct pages *p, size_t first)
{
	return p->n - first < CHUNK ? p->n - first : CHUNK;
}

/* The nodes of @n pages, at most a chunk; below 0 where there is no page. */
static void find_nodes(const uint64_t *pages, size_t n, int *nodes)
{
	if (syscall(SYS_move_pages, 0, n, pages, NULL, nodes, 0))
		die("placement: cannot find pages: %s", strerror(errno));
}

/*
 * Move @n pages, at most a chunk, to @node; returns how many are there now. At a
 * page that cannot be moved the kernel gives up: by halves, the others are moved
 * nevertheless. When the node is full there is no point in that.
 */
static size_t move(const uint64_t *pages, size_t n, int node)
{
	int nodes[CHUNK], status[CHUNK];
	size_t there = 0;
	long stuck;

	for (size_t i = 0; i < n; i++)
		nodes[i] = node;
	stuck = syscall(SYS_move_pages, 0, n, pages, nodes, status, MPOL_MF_MOVE);
	if (stuck > 0 && n > 1)
		return move(pages, n / 2, node) + move(pages + n / 2, n - n / 2, node);
	/* of a folio of several pages, the first that is named takes the others along */
	find_nodes(pages, n, status);
	for (size_t i = 0; i < n; i++)
		there += status[i] == node;
	return there;
}

/* Append to @found those of the pages in @r that are on @node. */
static void find_in_region(const struct region *r, int node, struct pages *found)
{
	uint64_t page = r->start;

	while (page < r->end) {
		uint64_t chunk[CHUNK];
		int nodes[CHUNK];
		size_t n = 0;

		for (; n < CHUNK && page < r->end; page += PAGE)
			chunk[n++] = page;
		find_nodes(chunk, n, nodes);
		for (size_t i = 0; i < n; i++)
			if (nodes[i] == node && found->n < found->room)
				found->at[found->n++] = chunk[i];
	}
}

/* All pages of the process on @node, which has @room pages. */
static struct pages find_pages(int node, size_t room)
{
	const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct pages found = pages_new(room);
	struct region regions[REGIONS];
	struct scan scan = {
		.size = sizeof(scan),
		.end = END,
		.vec = (uintptr_t)regions,
		.vec_len = REGIONS,
		.category_mask = PRESENT,
		.return_mask = PRESENT,
	};

	for (; scan.start < scan.end; scan.start = scan.walk_end) {
		const int n = ioctl(fd, SCAN, &scan);

		if (n < 0)
			die("placement: cannot scan the address space: %s", strerror(errno));
		for (int i = 0; i < n; i++)
			find_in_region(&regions[i], node, &found);
	}
	close(fd);
	return found;
}

/* Take out of @list what does not exist; returns how many those were. */
static size_t drop_absent(struct pages *list)
{
	const size_t all = list->n;
	size_t kept = 0;

	for (size_t first = 0; first < all; first += CHUNK) {
		const size_t n = chunk_at(list, first);
		int nodes[CHUNK];

		find_nodes(list->at + first, n, nodes);
		for (size_t i = 0; i < n; i++)
			if (nodes[i] >= 0)
				list->at[kept++] = list->at[first + i];
	}
	list->n = kept;
	return all - kept;
}

/*
 * Enter the first @fit pages of @list into @wanted; leave in @list those of them
 * that are not on @node yet. Returns how many are wanted.
 */
static size_t choose(struct pages *list, const struct set *wanted, long fit, int node)
{
	const size_t chosen = fit < 0 ? 0 : (size_t)fit < list->n ? (size_t)fit : list->n;
	size_t away = 0;

	list->n = chosen;
	for (size_t first = 0; first < chosen; first += CHUNK) {
		const size_t n = chunk_at(list, first);
		int nodes[CHUNK];

		find_nodes(list->at + first, n, nodes);
		for (size_t i = 0; i < n; i++) {
			const uint64_t page = list->at[first + i];

			*set_slot(wanted, page) = page;
			if (nodes[i] != node)
				list->at[away++] = page;
		}
	}
	list->n = away;
	return chosen;
}

/* Take out of @pages what is in @wanted. */
static void keep_unwanted(struct pages *pages, const struct set *wanted)
{
	size_t kept = 0;

	for (size_t i = 0; i < pages->n; i++)
		if (!*set_slot(wanted, pages->at[i]))
			pages->at[kept++] = pages->at[i];
	pages->n = kept;
}

/* The pages that change places, and how far that has come. */
struct exchange {
	struct pages in, out;
	int fast, slow;
	size_t next_out;
	size_t moved_in, moved_out;
	long room; /* free pages of the fast tier that may be used */
};

/* Move pages out until there is room for @n, if that is possible. */
static void make_room(struct exchange *x, size_t n)
{
	while (x->room < (long)n && x->next_out < x->out.n) {
		const size_t gone =
			move(x->out.at + x->next_out, chunk_at(&x->out, x->next_out), x->slow);

		x->next_out += CHUNK;
		x->moved_out += gone;
		x->room += gone;
	}
}

/* Move pages in and, in turns since both tiers may be full, out. */
static void exchange(struct exchange *x)
{
	for (size_t next = 0; next < x->in.n; next += CHUNK) {
		const size_t n = chunk_at(&x->in, next);
		size_t there;

		for (;;) {
			make_room(x, n);
			there = move(x->in.at + next, n, x->fast);
			if (there == n || x->next_out >= x->out.n)
				break;
			/* the kernel keeps more pages free than is known here */
			x->room -= CHUNK;
		}
		x->moved_in += there;
		x->room -= there;
	}
	make_room(x, 0);
}

void roi_place(void)
{
	const char *const path = getenv("PLACEMENT"), *const nodes = getenv("PLACEMENT_NODES");
	struct exchange x = { 0 };
	size_t chosen, absent;
	struct set wanted;
	long total;
	char rest;

	if (!path)
		return;
	if (!nodes || sscanf(nodes, "%d %d%c", &x.fast, &x.slow, &rest) != 2)
		die("PLACEMENT_NODES: must be the numbers of two nodes");
	x.in = read_list(path);
	if (!x.in.n)
		return;

	wanted = set_new(x.in.n);
	total = node_pages(x.fast, "MemTotal:");
	x.out = find_pages(x.fast, total);
	absent = drop_absent(&x.in);
	x.room = node_pages(x.fast, "MemFree:") - RESERVE(total) - (long)absent;
	chosen = choose(&x.in, &wanted, (long)x.out.n + x.room, x.fast);
	keep_unwanted(&x.out, &wanted);
	exchange(&x);
	fprintf(stderr,
		"placement: %zu pages for the fast tier: %zu were there, %zu moved in, %zu failed; "
		"%zu moved out; room for %zu\n",
		chosen, chosen - x.in.n, x.moved_in, x.in.n - x.moved_in, x.moved_out, absent);
	munmap(wanted.slots, set_bytes(&wanted));
	pages_free(&x.out);
	pages_free(&x.in);
}
