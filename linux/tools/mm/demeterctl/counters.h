/* SPDX-License-Identifier: GPL-2.0 */
/* Reads numbers that have names, of which the kernel may have more than this program knows. */
#ifndef DEMETERCTL_COUNTERS_H
#define DEMETERCTL_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

struct counter {
	char name[64];
	uint64_t value;
};

/* The list is to be freed by the caller. */
struct counters {
	struct counter *list;
	size_t nr;
};

void counters_add(struct counters *counters, const char *name, uint64_t value);

/* Reads a file with lines of a name and a number each. Returns 0 or -errno, and then no list. */
int counters_read(const char *file, struct counters *counters);

/* Finds a counter by its name; NULL if there is none. */
const struct counter *counters_find(const struct counters *counters, const char *name);

/* Its value; 0 if there is none. */
uint64_t counters_value(const struct counters *counters, const char *name);

/* Prints all of them as a JSON object. */
void counters_print_json(const struct counters *counters);

#endif
