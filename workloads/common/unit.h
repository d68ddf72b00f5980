/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests, each a program of one file: it prints what fails. */
#ifndef WORKLOADS_UNIT_H
#define WORKLOADS_UNIT_H

#include <stdio.h>

static unsigned int unit_checks, unit_failures;

#define CHECK(condition)                                                       \
	do {                                                                   \
		unit_checks++;                                                 \
		if (!(condition)) {                                            \
			unit_failures++;                                       \
			printf("%s:%d: %s\n", __func__, __LINE__, #condition); \
		}                                                              \
	} while (0)

/* Print how many there were. Returns the exit status. */
static inline int unit_report(void)
{
	printf("%u checks, %u failures\n", unit_checks, unit_failures);
	return unit_failures || !unit_checks;
}

#endif
