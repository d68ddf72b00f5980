// SPDX-License-Identifier: GPL-2.0
/* Reads the targets; see targets.h. */
#define _GNU_SOURCE
#include "targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demeterctl.h"
#include "process.h"
#include "ranges.h"
#include "sysfs.h"

/* Returns 0 or -errno, and then in @file the file that could not be read. */
static int read_files(struct target *t, const char *folder, char *file, size_t size)
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
	int error;

	snprintf(file, size, "%s/%s/comm", folder, t->name);
	error = sysfs_read(file, t->comm, sizeof(t->comm));
	for (size_t i = 0; !error && i < ARRAY_SIZE(numbers); i++) {
		snprintf(file, size, "%s/%s/%s", folder, t->name, numbers[i].name);
		error = sysfs_read_number(file, numbers[i].value);
	}
	return error;
}

/* The same for what is told of processes only. */
static int read_process_files(struct target *t, char *file, size_t size)
{
	struct ranges ranges;
	int error;

	snprintf(file, size, "targets/%d/ranges", t->pid);
	error = ranges_read(t->pid, &ranges);
	if (error)
		return error;
	t->nr_ranges = ranges.nr;
	free(ranges.list);
	snprintf(file, size, "targets/%d/unmanaged", t->pid);
	return counters_read(file, &t->unmanaged);
}

/* Whether a target was read whose files could, if there was an error; ends the program if not. */
static bool is_there(int error, const char *file)
{
	if (error && error != -ENOENT && error != -ENODEV)
		sysfs_fail(file, error);
	return !error;
}

int target_read(int pid, struct target *t)
{
	struct process process;
	char file[96];
	int error;

	*t = (struct target){ .pid = pid };
	snprintf(t->name, sizeof(t->name), "%d", pid);
	error = read_files(t, "targets", file, sizeof(file));
	if (!error)
		error = read_process_files(t, file, sizeof(file));
	if (!is_there(error, file))
		return -ENOENT;
	if (!process_read(pid, &process)) {
		const uint64_t left = counters_value(&t->unmanaged, "file");

		t->resident = process.resident;
		t->files = process.files > left ? process.files - left : 0;
	}
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

static int by_size(const void *a, const void *b)
{
	const struct target *left = a, *right = b;
	const uint64_t x = left->fast_pages + left->slow_pages;
	const uint64_t y = right->fast_pages + right->slow_pages;

	return (x < y) - (x > y);
}

struct targets targets_read_files(void)
{
	struct targets targets = { 0 };
	DIR *folder = sysfs_open_folder("files");
	struct dirent *entry;

	while ((entry = readdir(folder))) {
		const size_t length = strlen(entry->d_name);
		struct target t = { 0 };
		char file[96];

		if (entry->d_name[0] == '.' || length >= sizeof(t.name))
			continue;
		memcpy(t.name, entry->d_name, length + 1);
		if (!is_there(read_files(&t, "files", file, sizeof(file)), file))
			continue;
		targets.list = resize(targets.list, targets.nr + 1, sizeof(t));
		targets.list[targets.nr++] = t;
	}
	closedir(folder);
	if (targets.nr)
		qsort(targets.list, targets.nr, sizeof(*targets.list), by_size);
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
	return managed + t->files;
}

double target_share(const struct target *t, uint64_t bytes)
{
	const double share = t->resident ? bytes * 100.0 / t->resident : 0;

	return share < 100 ? share : 100; /* they are not counted at the same time */
}
