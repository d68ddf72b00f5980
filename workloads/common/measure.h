/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measured phase, and what is printed of it: progress lines, and in the end
 * the result. RESULT.md says what these lines have.
 */
#ifndef WORKLOADS_MEASURE_H
#define WORKLOADS_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Begin the measured phase, in which work is counted in @unit per second. Right
 * before it, the process' pages are placed if the environment asks for that (roi.h);
 * from then on a progress line is printed every --report-ms.
 */
void measure_begin(const char *unit);

/* Add @done units of work by the calling thread; cheap enough for every thousand. */
void progress(uint64_t done);

/*
 * The same for a piece of work that took @s seconds. Progress lines then tell the longest
 * time of any piece since the line before: a stall, if pieces are equal.
 */
void progress_piece(uint64_t done, double s);

/* Count what processes do, too, that are forked from now on. Before the measured phase. */
void progress_share(void);

/* End the measured phase. */
void measure_end(void);

/* What the phase took. A workload whose work is a part of the phase may change it. */
struct measured {
	const char *unit;
	double init_s; /* from the start of the program to the phase */
	double seconds; /* of the phase */
	double sys_s; /* system time of the process in it */
};

extern struct measured measured;

/* System time of the process, and of children that it has waited for. */
double measure_system_s(void);

/*
 * Add a member to the parameters of the report. Of report_real(), @format says how
 * the number is printed, e.g. "%.6f"; what is not finite becomes null. report_json()
 * takes any JSON value.
 */
void report_uint(const char *name, uint64_t value);
void report_bool(const char *name, bool value);
void report_text(const char *name, const char *value);
void report_real(const char *name, const char *format, double value);
void report_json(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Print the result: units of work per second, and whether it is right. With JOB_OUT
 * in the environment, first leave the process' memory layout there (numa_maps).
 * Returns the exit status.
 */
int report(double rate, bool verified);

#endif
