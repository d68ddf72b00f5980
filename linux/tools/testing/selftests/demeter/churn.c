// SPDX-License-Identifier: GPL-2.0
/*
 * Runs processes that do to their memory whatever a process can do, while Demeter moves
 * it: churn [--processes N] [--mem MIB] [--seconds N] [--thp] [--node N] [--seed N]
 *
 * Every page holds words that follow from its address, its version and the seed. They
 * are verified all the time: by the process itself, by children that share pages
 * copy-on-write, and through pages that a pipe holds on to. Meanwhile parts of the
 * memory are rewritten, discarded, unmapped, moved, write-protected and locked. A
 * window that wanders is accessed much more than the rest, so that there is always
 * something to promote. With --node, memory is bound to a node, and must be there in the
 * end.
 *
 * Prints TAP: a process is "ok" if every word that it read was the one it had written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096ul
#define WORDS (PAGE / sizeof(uint64_t))
/* Pages of the window that is hot, and accesses until the window moves. */
#define WINDOW 1024
#define STAY   400000

static struct {
	unsigned int processes;
	unsigned int seconds;
	unsigned long pages; /* of each process */
	bool thp;
	int node; /* -1: any */
	uint64_t seed;
} opt = { .processes = 4, .seconds = 10, .pages = (64ul << 20) / PAGE, .node = -1, .seed = 1 };

struct memory {
	uint8_t *at;
	uint32_t *versions; /* 0: nothing was written to the page since it was mapped */
	uint64_t random;
	unsigned long wrong;
	unsigned long locked; /* first of the pages that are locked */
	unsigned long operations;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t draw(struct memory *m, uint64_t n)
{
	m->random = mix(m->random + 0x9e3779b97f4a7c15ull);
	return m->random % n;
}

static uint64_t expected(const struct memory *m, unsigned long page, unsigned int word)
{
	if (!m->versions[page])
		return 0;
	return mix(opt.seed ^ page << 32 ^ (uint64_t)m->versions[page] << 10 ^ word);
}

static volatile uint64_t *words(const struct memory *m, unsigned long page)
{
	return (uint64_t *)(m->at + page * PAGE);
}

static void write_page(struct memory *m, unsigned long page)
{
	volatile uint64_t *to = words(m, page);

	m->versions[page]++;
	for (unsigned int i = 0; i < WORDS; i++)
		to[i] = expected(m, page, i);
}

static void verify_word(struct memory *m, unsigned long page, unsigned int word)
{
	const uint64_t found = words(m, page)[word];

	if (found == expected(m, page, word))
		return;
	if (!m->wrong++)
		fprintf(stderr, "# %d: page %lu word %u version %u: %#llx instead of %#llx\n",
			getpid(), page, word, m->versions[page], (unsigned long long)found,
			(unsigned long long)expected(m, page, word));
}

static void verify_page(struct memory *m, unsigned long page)
{
	for (unsigned int i = 0; i < WORDS; i++)
		verify_word(m, page, i);
}

static void verify_all(struct memory *m)
{
	for (unsigned long page = 0; page < opt.pages; page++)
		verify_page(m, page);
}

static void *must(void *result)
{
	if (result == MAP_FAILED) {
		fprintf(stderr, "churn: no memory: %s\n", strerror(errno));
		_exit(2);
	}
	return result;
}

/* Binds pages to the node of --node. */
static void bind_to_node(void *at, unsigned long n)
{
	const unsigned long nodes = opt.node < 0 ? 0 : 1ul << opt.node;

	if (nodes && syscall(SYS_mbind, at, n * PAGE, MPOL_BIND, &nodes, 64, 0)) {
		fprintf(stderr, "churn: node %d: %s\n", opt.node, strerror(errno));
		_exit(2);
	}
}

/* Counts pages that are on another node than that of --node. */
static unsigned long strays(const struct memory *m)
{
	unsigned long n = 0;

	for (unsigned long page = 0; opt.node >= 0 && page < opt.pages; page++) {
		void *at = m->at + page * PAGE;
		int node = opt.node;

		if (syscall(SYS_move_pages, 0, 1ul, &at, NULL, &node, 0) || node < 0)
			continue;
		n += node != opt.node;
	}
	return n;
}

/* Draws a piece of the memory, up to @max pages long, and returns its first page. */
static unsigned long piece(struct memory *m, unsigned long max, unsigned long *n)
{
	const unsigned long first = draw(m, opt.pages);

	*n = 1 + draw(m, max);
	if (*n > opt.pages - first)
		*n = opt.pages - first;
	return first;
}

static void rewrite(struct memory *m)
{
	unsigned long n, first = piece(m, 64, &n);

	for (unsigned long i = first; i < first + n; i++)
		write_page(m, i);
}

static void forget(struct memory *m, unsigned long first, unsigned long n)
{
	memset(&m->versions[first], 0, n * sizeof(*m->versions));
}

static void discard(struct memory *m)
{
	unsigned long n, first = piece(m, 256, &n);

	/* madvise() fails half-way at pages that are locked */
	munlock(m->at + first * PAGE, n * PAGE);
	if (!madvise(m->at + first * PAGE, n * PAGE, MADV_DONTNEED))
		forget(m, first, n);
}

static void remap(struct memory *m)
{
	unsigned long n, first = piece(m, 512, &n);
	void *at = m->at + first * PAGE;

	must(mmap(at, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0));
	bind_to_node(at, n);
	forget(m, first, n);
}

/* Moves a piece somewhere else and back again: pages keep what they hold. */
static void move(struct memory *m)
{
	unsigned long n, first = piece(m, 256, &n);
	void *at = m->at + first * PAGE;
	void *other = must(mmap(NULL, n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	/* fails for pieces that consist of several mappings */
	if (mremap(at, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) == MAP_FAILED) {
		munmap(other, n * PAGE);
		return;
	}
	must(mremap(other, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at));
}

static void protect(struct memory *m)
{
	unsigned long n, first = piece(m, 256, &n);
	void *at = m->at + first * PAGE;

	mprotect(at, n * PAGE, PROT_READ);
	verify_page(m, first);
	mprotect(at, n * PAGE, PROT_READ | PROT_WRITE);
}

static void lock(struct memory *m)
{
	munlock(m->at + m->locked * PAGE, 16 * PAGE);
	m->locked = draw(m, opt.pages - 16);
	mlock(m->at + m->locked * PAGE, 16 * PAGE);
}

/* Lets a pipe hold on to pages for a while. */
static void pin(struct memory *m)
{
	const unsigned long first = draw(m, opt.pages - 4);
	struct iovec iov = { m->at + first * PAGE, 4 * PAGE };
	uint64_t back[WORDS];
	int ends[2];

	if (pipe2(ends, O_NONBLOCK))
		return;
	if (vmsplice(ends[1], &iov, 1, 0) == (ssize_t)(4 * PAGE)) {
		usleep(20000);
		for (unsigned long page = first; page < first + 4; page++) {
			if (read(ends[0], back, PAGE) != (ssize_t)PAGE)
				break;
			for (unsigned int i = 0; i < WORDS; i++)
				m->wrong += back[i] != expected(m, page, i);
		}
	}
	close(ends[0]);
	close(ends[1]);
}

/* Writes to pages that are shared with a child, which does so, too: neither must see it. */
static void share(struct memory *m)
{
	const pid_t child = fork();
	int status;

	if (child < 0)
		return;
	if (!child) {
		for (unsigned int i = 0; i < 8; i++)
			rewrite(m);
		for (unsigned int i = 0; i < 2000; i++)
			verify_page(m, draw(m, opt.pages));
		_exit(m->wrong ? 1 : 0);
	}
	for (unsigned int i = 0; i < 8; i++)
		rewrite(m);
	waitpid(child, &status, 0);
	m->wrong += !WIFEXITED(status) || WEXITSTATUS(status);
}

static void (*const operations[])(struct memory *m) = {
	rewrite, rewrite, discard, remap, move, protect, lock, pin, share,
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int churn(unsigned int me)
{
	const double end = now() + opt.seconds;
	struct memory m = { .random = mix(opt.seed + me) };
	unsigned long astray;

	m.at = must(mmap(NULL, opt.pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	m.versions = must(mmap(NULL, opt.pages * sizeof(*m.versions), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (opt.thp)
		madvise(m.at, opt.pages * PAGE, MADV_HUGEPAGE);
	bind_to_node(m.at, opt.pages);
	for (unsigned long i = 0; i < opt.pages; i++)
		write_page(&m, i);
	while (now() < end && !m.wrong) {
		const unsigned long window = draw(&m, opt.pages - WINDOW);

		for (unsigned int i = 0; i < STAY && !m.wrong; i++) {
			verify_word(&m, window + draw(&m, WINDOW), draw(&m, WORDS));
			if (i % (STAY / 4) == 0) {
				operations[draw(&m, sizeof(operations) / sizeof(*operations))](&m);
				m.operations++;
			}
		}
	}
	verify_all(&m);
	astray = strays(&m);
	printf("# process %u: %lu operations, %lu words wrong, %lu pages astray\n", me,
	       m.operations, m.wrong, astray);
	fflush(stdout);
	return m.wrong || astray ? 1 : 0;
}

static unsigned long number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*end || value < min || value > max) {
		fprintf(stderr, "churn: must be a number from %lu to %lu: %s\n", min, max, text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "processes", required_argument, NULL, 'p' },
		{ "mem", required_argument, NULL, 'm' },
		{ "seconds", required_argument, NULL, 's' },
		{ "node", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 'r' },
		{ "thp", no_argument, NULL, 't' },
		{},
	};
	unsigned int bad = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			opt.processes = number(optarg, 1, 1000);
			break;
		case 'm':
			opt.pages = (number(optarg, 8, 1 << 20) << 20) / PAGE;
			break;
		case 's':
			opt.seconds = number(optarg, 1, 86400);
			break;
		case 'n':
			opt.node = number(optarg, 0, 62);
			break;
		case 'r':
			opt.seed = number(optarg, 0, UINT64_MAX);
			break;
		case 't':
			opt.thp = true;
			break;
		default:
			return 2;
		}
	}
	printf("1..%u\n", opt.processes);
	fflush(stdout);
	for (unsigned int i = 0; i < opt.processes; i++) {
		const pid_t pid = fork();

		if (!pid)
			_exit(churn(i));
		if (pid < 0) {
			perror("churn: fork");
			return 2;
		}
	}
	for (unsigned int i = 0; i < opt.processes; i++) {
		int status;

		wait(&status);
		if (WIFEXITED(status) && !WEXITSTATUS(status)) {
			printf("ok %u\n", i + 1);
		} else {
			printf("not ok %u\n", i + 1);
			bad++;
		}
	}
	return bad ? 1 : 0;
}
