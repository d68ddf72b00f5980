/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all workloads share. A workload includes this file alone:
 *
 *	options.h	the command line
 *	measure.h	the measured phase, progress lines and the final report
 *	rng.h		random numbers
 *
 * and below, what these need: errors, time and memory.
 *
 * Exit status of every workload: 0 verified, 1 verification failed, 2 bad
 * input or no memory (one line on stderr).
 */
#ifndef WORKLOADS_COMMON_H
#define WORKLOADS_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "measure.h"
#include "options.h"
#include "rng.h"

#define EXIT_UNVERIFIED 1
#define EXIT_INPUT	2

/* Print "<program>: <message>" to stderr and exit with status 2. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print "<program>: <message>" to stderr. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Seconds of CLOCK_MONOTONIC. */
double now_s(void);

/*
 * Die unless the machine has @bytes of memory: the kernel would promise more than
 * there is, and kill the process later.
 */
void check_memory(uint64_t bytes);

/*
 * Return @bytes of zeroed memory that is not touched yet, page aligned, for the life
 * of the process. Die when there is none.
 */
void *allocate(size_t bytes);

#endif
