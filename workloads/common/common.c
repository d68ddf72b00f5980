// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors, time and memory; see common.h. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>

static void print_error(const char *format, va_list args)
{
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
	exit(EXIT_INPUT);
}

void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error(format, args);
	va_end(args);
}

double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

void check_memory(uint64_t bytes)
{
	struct sysinfo info;
	uint64_t memory;

	if (sysinfo(&info))
		return;
	memory = (uint64_t)info.totalram * info.mem_unit;
	if (bytes > memory)
		die("cannot allocate %llu MiB: the machine has %llu MiB",
		    (unsigned long long)(bytes >> 20), (unsigned long long)(memory >> 20));
}

void *allocate(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("cannot allocate %zu bytes: %s", bytes, strerror(errno));
	return p;
}
