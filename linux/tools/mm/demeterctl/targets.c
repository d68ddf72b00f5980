// SPDX-License-Identifier: GPL-2.0
/* Reads the targets; see targets.h. */
#define _GNU_SOURCE
#include "targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "demeterctl.h"
#include "ranges.h"
#include "sysfs.h"

/* Returns 0 or -errno, and then in @file the file that could not be read. */
static int read_target(struct target *t, char *file, size_t size)
{
	const struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {
		{ "samples", &t->samples },	  { "fast_pages", &t->fast_pages },
		{ "slow_pages", &t->slow_pages }, { "promoted", &t->promoted },
		{ "demoted", &t->demoted },	  { "splits", &t->splits },
		{ "merges", &t->merges },
	};
	struct ranges ranges;
	int error;

	snprintf(file, size, "targets/%d/comm", t->pid);
	error = sysfs_read(file, t->comm, sizeof(t->comm));
	for (size_t i = 0; !error && i < ARRAY_SIZE(numbers); i++) {
		snprintf(file, size, "targets/%d/%s", t->pid, numbers[i].name);
		error = sysfs_read_number(file, numbers[i].value);
	}
	if (error)
		return error;
	snprintf(file, size, "targets/%d/ranges", t->pid);
	error = ranges_read(t->pid, &ranges);
	if (error)
		return error;
	t->nr_ranges = ranges.nr;
	free(ranges.list);
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct target *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

struct targets targets_read(void)
{
	struct targets targets = { 0 };
	DIR *folder = sysfs_open_folder("targets");
	struct dirent *entry;

	while ((entry = readdir(folder))) {
		struct target t = { .pid = atoi(entry->d_name) };
		char file[64];
		int error;

		if (t.pid <= 0)
			continue;
		error = read_target(&t, file, sizeof(file));
		if (error == -ENOENT || error == -ENODEV)
			continue;
		if (error)
			sysfs_fail(file, error);
		targets.list = resize(targets.list, targets.nr + 1, sizeof(t));
		targets.list[targets.nr++] = t;
	}
	closedir(folder);
	if (targets.nr)
		qsort(targets.list, targets.nr, sizeof(*targets.list), by_pid);
	return targets;
}

const struct target *targets_find(const struct targets *targets, int pid)
{
	const struct target key = { .pid = pid };

	if (!targets->nr)
		return NULL;
	return bsearch(&key, targets->list, targets->nr, sizeof(key), by_pid);
}

double mib_of_pages(uint64_t pages)
{
	return (double)pages * sysconf(_SC_PAGESIZE) / (1 << 20);
}
