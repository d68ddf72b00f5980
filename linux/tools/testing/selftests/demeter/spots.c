// SPDX-License-Identifier: GPL-2.0
/*
 * Has memory in huge pages of which only spots are hot, or all: spots MIB STRIDE SECONDS
 *
 * Reads a page of every STRIDE pages at random, and verifies what it reads: each page holds its
 * number, and with a stride of 1 all of them are accessed alike. Prints "ok reads=N". Returns 0; 1
 * if a page held something else; 2 if there is no such memory.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE  (2ul << 20)
#define PAGE  4096ul
#define LINES (PAGE / 64)

static unsigned long number(const char *what, const char *text, unsigned long max)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*end || !value || value > max) {
		fprintf(stderr, "spots: %s must be a number from 1 to %lu: %s\n", what, max, text);
		exit(2);
	}
	return value;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

int main(int argc, char **argv)
{
	unsigned long pages, stride, seconds, reads = 0;
	uint64_t state = 88172645463325252u;
	char *at;
	double end;

	if (argc != 4) {
		fprintf(stderr, "usage: spots MIB STRIDE SECONDS\n");
		return 2;
	}
	pages = (number("MIB", argv[1], 1 << 20) << 20) / PAGE;
	stride = number("STRIDE", argv[2], pages);
	seconds = number("SECONDS", argv[3], 86400);
	at = mmap(NULL, pages * PAGE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		  -1, 0);
	if (at == MAP_FAILED) {
		perror("spots: mmap");
		return 2;
	}
	at += -(uintptr_t)at % HUGE;
	madvise(at, pages * PAGE, MADV_HUGEPAGE);
	for (unsigned long page = 0; page < pages; page++)
		for (unsigned long line = 0; line < LINES; line++)
			*(volatile uint64_t *)(at + page * PAGE + line * 64) = page;
	for (end = now() + seconds; now() < end;) {
		for (unsigned int i = 0; i < 10000; i++, reads++) {
			const unsigned long page = draw(&state) % (pages / stride) * stride;
			const unsigned long line = draw(&state) % LINES;

			if (*(volatile uint64_t *)(at + page * PAGE + line * 64) == page)
				continue;
			printf("wrong page %lu\n", page);
			return 1;
		}
	}
	printf("ok reads=%lu\n", reads);
	return 0;
}
