/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: the workload's own options, and those that all have. */
#ifndef WORKLOADS_OPTIONS_H
#define WORKLOADS_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/* Bounds of sizes and of numbers of threads on the command line. */
#define MEM_MAX	    (64ull << 40)
#define THREADS_MAX 1024

/*
 * Return the value of option @name: an integer with an optional K, M or G (powers
 * of 1024), in [@min, @max]. Die with the option's name when it is not.
 */
uint64_t parse_size(const char *name, const char *text, uint64_t min, uint64_t max);

/* Return the value of option @name: a decimal number in [@min, @max]. Die likewise. */
double parse_number(const char *name, const char *text, double min, double max);

/* Return which of @names, up to a NULL, option @name has. Die likewise. */
unsigned int parse_choice(const char *name, const char *text, const char *const names[]);

/* What a workload is. */
struct program {
	const char *name;
	const char *about; /* the first line of --help */
	const struct argp_option *options;
	/* take option @key; false: there is no such option */
	bool (*parse)(int key, const char *arg);
	/* as many threads as there are without --threads; NULL: one, and no such option */
	int (*default_threads)(void);
	/* what --corrupt may spoil, up to a NULL; NULL: there is no such option */
	const char *const *corruptions;
};

/* For .default_threads: the CPUs of the machine. */
int all_cpus(void);

/* What the command line says that all workloads ask for. */
struct common {
	const struct program *program;
	double start_s; /* when the program began, by now_s() */
	uint64_t seed; /* --seed */
	unsigned int report_ms; /* --report-ms */
	unsigned int threads; /* --threads */
	const char *corrupt; /* --corrupt, one of the program's names; NULL: not given */
};

extern struct common common;

/* Whether --corrupt says @what. */
bool corrupts(const char *what);

/*
 * Parse the command line into common and by @program. Die with status 2 on
 * anything unknown, and on arguments that are no options.
 */
void parse_command_line(int argc, char **argv, const struct program *program);

#endif
