// SPDX-License-Identifier: GPL-2.0
/*
 * Reads one part of its memory after the other, so that a kernel with tiered memory promotes each
 * and demotes it again without it having been written:
 * shadows [--mem MIB] [--window MIB] [--rounds N] [--ms N] [--half COMMAND] [--deeds]
 *
 * In each of N rounds, words of one window are read for so many milliseconds. After half of the
 * rounds, COMMAND is run by the shell. With --deeds, things are done after each round to the
 * window that are dangerous to pages of which there are two copies: it is written, forked and
 * written on both sides, made read-only and writable again, written by /proc/self/mem while it is
 * read-only, moved, discarded, and locked.
 *
 * All that is read is compared with what was written last. Prints "ok rounds=N checks=N" and
 * returns 0, or says which page holds something else and returns 1; 2 if it cannot run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096ul
#define WORDS (PAGE / sizeof(uint64_t))
/* Pages that a deed writes. */
#define SOME 64

static uint64_t *memory;
/* How often each page was written; 0: it was discarded, and holds zeros. */
static uint32_t *versions;
static unsigned long pages, window, first, checks;
static uint64_t state = 88172645463325252ull;

static unsigned long below(unsigned long n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static void fail(const char *what)
{
	fprintf(stderr, "shadows: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t expected(unsigned long page, unsigned long word)
{
	return versions[page] ? (page << 32 | versions[page]) * 0x9e3779b97f4a7c15ull + word : 0;
}

static void check(unsigned long page, unsigned long word)
{
	const uint64_t found = memory[page * WORDS + word];

	checks++;
	if (found == expected(page, word))
		return;
	printf("wrong: word %lu of page %lu, version %u, holds %#lx and not %#lx\n", word, page,
	       versions[page], found, expected(page, word));
	exit(1);
}

static void check_page(unsigned long page)
{
	for (unsigned long word = 0; word < WORDS; word++)
		check(page, word);
}

static void fill(unsigned long page, uint64_t *to)
{
	versions[page]++;
	for (unsigned long word = 0; word < WORDS; word++)
		to[word] = expected(page, word);
}

static void write_some(void)
{
	for (int i = 0; i < SOME; i++) {
		const unsigned long page = first + below(window);

		fill(page, memory + page * WORDS);
	}
}

static void check_window(void)
{
	for (unsigned long page = first; page < first + window; page++)
		check_page(page);
}

/* Both write to pages that they had in common, and see what they wrote themselves. */
static void fork_and_write(void)
{
	const pid_t pid = fork();
	int status;

	if (pid < 0)
		fail("fork");
	write_some();
	check_window();
	if (!pid)
		exit(0);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		printf("wrong: the child\n");
		exit(1);
	}
	write_some();
}

static void protect(int how)
{
	if (mprotect(memory + first * WORDS, window * PAGE, how))
		fail("mprotect");
}

static void protect_and_write(void)
{
	protect(PROT_READ);
	check_window();
	protect(PROT_READ | PROT_WRITE);
	write_some();
	protect(PROT_NONE);
	protect(PROT_READ | PROT_WRITE);
}

/* What debuggers do: pages of which the process has no permission to write. */
static void write_by_force(void)
{
	const int fd = open("/proc/self/mem", O_RDWR);
	uint64_t contents[WORDS];

	if (fd < 0)
		fail("/proc/self/mem");
	protect(PROT_READ);
	for (int i = 0; i < SOME; i++) {
		const unsigned long page = first + below(window);

		fill(page, contents);
		if (pwrite(fd, contents, PAGE, (off_t)(memory + page * WORDS)) != (ssize_t)PAGE)
			fail("/proc/self/mem");
		check_page(page);
	}
	protect(PROT_READ | PROT_WRITE);
	close(fd);
}

/* Away, where it is written, and back. */
static void move(void)
{
	uint64_t *at = memory + first * WORDS;
	const size_t size = window * PAGE;
	uint64_t *away = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (away == MAP_FAILED ||
	    mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, away) != away)
		fail("mremap");
	for (int i = 0; i < SOME; i++) {
		const unsigned long page = below(window);

		fill(first + page, away + page * WORDS);
	}
	if (mremap(away, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != at)
		fail("mremap");
}

static void discard(void)
{
	for (int i = 0; i < SOME; i++) {
		const unsigned long page = first + below(window);

		if (madvise(memory + page * WORDS, PAGE, MADV_DONTNEED))
			fail("madvise");
		versions[page] = 0;
		if (i % 2)
			fill(page, memory + page * WORDS);
	}
}

static void lock(void)
{
	if (mlock(memory + first * WORDS, window * PAGE / 4) && errno != ENOMEM && errno != EPERM)
		fail("mlock");
	write_some();
	munlock(memory + first * WORDS, window * PAGE / 4);
}

static void (*const deeds[])(void) = {
	write_some, fork_and_write, protect_and_write, write_by_force, move, discard, lock,
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void read_window(double seconds)
{
	const double end = now() + seconds;

	while (now() < end)
		for (int i = 0; i < 1000; i++)
			check(first + below(window), below(WORDS));
}

static unsigned long number(const char *what, const char *text)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*end || !value || value > 1ul << 20) {
		fprintf(stderr, "shadows: %s takes 1 to 1048576: %s\n", what, text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "mem", required_argument, NULL, 'm' },
		{ "window", required_argument, NULL, 'w' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "ms", required_argument, NULL, 't' },
		{ "half", required_argument, NULL, 'h' },
		{ "deeds", no_argument, NULL, 'd' },
		{},
	};
	unsigned long mib = 64, window_mib = 16, rounds = 8, ms = 500;
	const char *half = NULL;
	bool do_deeds = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'm':
			mib = number("--mem", optarg);
			break;
		case 'w':
			window_mib = number("--window", optarg);
			break;
		case 'r':
			rounds = number("--rounds", optarg);
			break;
		case 't':
			ms = number("--ms", optarg);
			break;
		case 'h':
			half = optarg;
			break;
		case 'd':
			do_deeds = true;
			break;
		default:
			return 2;
		}
	}
	pages = mib << 8;
	window = window_mib << 8;
	if (optind != argc || window > pages) {
		fprintf(stderr, "shadows: --window must not be larger than --mem\n");
		return 2;
	}
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	versions = calloc(pages, sizeof(*versions));
	if (memory == MAP_FAILED || !versions)
		fail("memory");
	madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
	for (unsigned long page = 0; page < pages; page++)
		fill(page, memory + page * WORDS);
	for (unsigned long round = 0; round < rounds; round++) {
		first = round * window % (pages - window + 1);
		read_window(ms / 1e3);
		if (do_deeds)
			deeds[round % (sizeof(deeds) / sizeof(*deeds))]();
		if (half && round == rounds / 2 - 1 && system(half))
			fail(half);
	}
	for (unsigned long page = 0; page < pages; page++)
		check_page(page);
	printf("ok rounds=%lu checks=%lu\n", rounds, checks);
	return 0;
}
