/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows with known solutions, by which the method is judged. */
#ifndef BWAVES_TESTS_H
#define BWAVES_TESTS_H

#include "run.h"

/*
 * Run the test @name: a line per case on stdout, then the report. Threads, theta,
 * tolerance and what to corrupt are those of @base. Returns the exit status; -1
 * when there is no such test.
 */
int run_test(const char *name, const struct run *base);

#endif
