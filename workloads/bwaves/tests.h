/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows with known solutions, by which the method is judged. */
#ifndef BWAVES_TESTS_H
#define BWAVES_TESTS_H

#include "run.h"

/* The names of the tests, up to a NULL. */
extern const char *const test_names[];

/*
 * Run the test @name, one of test_names: print a line per case, then the report.
 * Theta, tolerance and whether to be verbose are those of @base. Returns the exit
 * status.
 */
int run_test(const char *name, const struct run *base);

#endif
