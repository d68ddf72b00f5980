// SPDX-License-Identifier: GPL-2.0
/* Reads the targets; see targets.h. */
#define _GNU_SOURCE
#include "targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "demeterctl.h"
#include "process.h"
#include "ranges.h"
#include "sysfs.h"

/* Returns 0 or -errno, and then in @file the file that could not be read. */
static int read_files(struct target *t, char *file, size_t size)
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
	snprintf(file, size, "targets/%d/unmanaged", t->pid);
	return counters_read(file, &t->unmanaged);
}

int target_read(int pid, struct target *t)
{
	struct process process;
	char file[64];
	int error;

	*t = (struct target){ .pid = pid };
	error = read_files(t, file, sizeof(file));
	if (error == -ENOENT || error == -ENODEV)
		return -ENOENT;
	if (error)
		sysfs_fail(file, error);
	if (!process_read(pid, &process))
		t->resident = process.resident;
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
		const int pid = atoi(entry->d_name);
		struct target t;

		if (pid <= 0 || target_read(pid, &t))
			continue;
		targets.list = resize(targets.list, targets.nr + 1, sizeof(t));
		targets.list[targets.nr++] = t;
	}
	closedir(folder);
	if (targets.nr)
		qsort(targets.list, targets.nr, sizeof(*targets.list), by_pid);
	return targets;
}

void targets_free(struct targets *targets)
{
	for (size_t i = 0; i < targets->nr; i++)
		free(targets->list[i].unmanaged.list);
	free(targets->list);
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
	return (double)bytes_of_pages(pages) / (1 << 20);
}

uint64_t bytes_of_pages(uint64_t pages)
{
	return pages * sysconf(_SC_PAGESIZE);
}

uint64_t target_managed(const struct target *t)
{
	/* of what is in the tiers */
	static const char *const left[] = { "forked", "pinned", "busy", "refused", "unsampled" };
	uint64_t managed = bytes_of_pages(t->fast_pages + t->slow_pages);

	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		const uint64_t bytes = counters_value(&t->unmanaged, left[i]);

		managed -= bytes < managed ? bytes : managed;
	}
	return managed;
}

double target_share(const struct target *t, uint64_t bytes)
{
	const double share = t->resident ? bytes * 100.0 / t->resident : 0;

	return share < 100 ? share : 100; /* they are not counted at the same time */
}
