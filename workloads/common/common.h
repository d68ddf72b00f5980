/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all workloads share: sizes on the command line, time, random numbers,
 * memory, progress lines and the final report.
 *
 * Exit status of every workload: 0 verified, 1 verification failed, 2 bad
 * input or no memory (one line on stderr).
 */
#ifndef WORKLOADS_COMMON_H
#define WORKLOADS_COMMON_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXIT_UNVERIFIED 1
#define EXIT_INPUT	2

/* Print "<program>: <message>" to stderr and exit with status 2. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The value of option @name: an integer with an optional K, M or G (powers of
 * 1024), in [@min, @max]. Dies with the option's name when it is not.
 */
uint64_t parse_size(const char *name, const char *text, uint64_t min, uint64_t max);

/* The value of option @name: a decimal number in [@min, @max]. Dies likewise. */
double parse_number(const char *name, const char *text, double min, double max);

/* What every workload takes: --seed and --report-ms. */
struct common_options {
	uint64_t seed;
	unsigned int report_ms;
};

extern struct common_options common;

/*
 * Parse the command line: the workload's own @options by @parser, the common
 * ones into common. @doc is the first line of --help. Dies with status 2 on
 * anything unknown, and on arguments that are no options.
 */
void parse_command_line(int argc, char **argv, const struct argp_option *options,
			argp_parser_t parser, const char *doc);

/* Seconds of CLOCK_MONOTONIC. */
double now_s(void);

/*
 * @bytes of zeroed memory that is not touched yet, page aligned, for the life
 * of the process. Dies when there is none.
 */
void *allocate(size_t bytes);

/* xorshift64*: fast, one state per thread, never 0. */
struct rng {
	uint64_t state;
};

/* A generator for stream @stream of @seed; streams are independent. */
struct rng rng_seed(uint64_t seed, uint64_t stream);

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t x = r->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* Uniform in [0, @n): multiply-shift, the bias is below n / 2^64. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return ((unsigned __int128)rng_next(r) * n) >> 64;
}

/* Uniform in [0, 1). */
static inline double rng_unit(struct rng *r)
{
	return (rng_next(r) >> 11) * 0x1p-53;
}

/*
 * Progress: a line {"t_s": ..., "rate": ...} on stdout every @period_ms (0:
 * never) of the measured phase; progress_begin() comes right before that.
 * progress() adds @done units of work by the calling thread; it is cheap enough
 * to be called every thousand units.
 */
void progress_begin(const char *unit, unsigned int period_ms);
void progress(uint64_t done);
void progress_end(void);

/*
 * The measured phase ("region of interest") begins and ends; the report gives
 * the system time that the process took in between. Each executes a no-op that
 * the emulator recognises (qemu/plugins/tmem/tmem.c). Before it begins, the
 * process' pages are placed, if the environment asks for that (place.h).
 */
void roi_begin(void);
void roi_end(void);

/* A mark in the emulator's report: something changed, e.g. the hot set. */
void roi_phase(void);

struct result {
	const char *workload;
	const char *parameters; /* inside of a JSON object */
	double init_s;
	double seconds; /* of the measured phase */
	double rate;
	const char *rate_unit;
	bool verified;
};

/*
 * Print the final JSON line. With JOB_OUT in the environment, first leave the
 * process' memory layout there (numa_maps). Returns the exit status.
 */
int report(const struct result *r);

#endif
