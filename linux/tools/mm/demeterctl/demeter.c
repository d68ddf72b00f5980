// SPDX-License-Identifier: GPL-2.0
/* Reads and changes the state of Demeter as a whole; see demeter.h. */
#define _GNU_SOURCE
#include "demeter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demeterctl.h"
#include "sysfs.h"

const char *const stage_names[NR_STAGES] = {
	[STAGE_SAMPLE] = "sample",
	[STAGE_CLASSIFY] = "classify",
	[STAGE_RANK] = "rank",
	[STAGE_RELOCATE] = "relocate",
};

static uint64_t read_number(const char *file)
{
	uint64_t value;
	const int error = sysfs_read_number(file, &value);

	if (error)
		sysfs_fail(file, error);
	return value;
}

bool demeter_is_running(void)
{
	return read_number("enabled");
}

static void warn_switch(const char *verb, int error)
{
	if (error == -ENODEV)
		warn("cannot %s Demeter: it needs two memory tiers (NUMA nodes of different speed) "
		     "and, for the chosen source, a PMU that samples data addresses; dmesg tells "
		     "what is missing",
		     verb);
	else
		warn("cannot %s Demeter: %s (dmesg may tell more)", verb, sysfs_reason(error));
}

bool demeter_set_running(bool on)
{
	const int error = sysfs_write("enabled", on ? "1" : "0");

	if (error)
		warn_switch(on ? "enable" : "disable", error);
	return !error;
}

uint64_t demeter_holds(void)
{
	return read_number("holds");
}

int demeter_hold(const char *source)
{
	const int hold = device_open();
	char command[64];
	int error;

	if (hold == -ENOENT)
		warn("cannot enable Demeter: there is no /dev/demeter, use the demeterctl of this "
		     "kernel");
	else if (hold < 0)
		warn_switch("enable", hold);
	if (hold < 0)
		return -1;
	snprintf(command, sizeof(command), source ? "on %s" : "on", source);
	error = device_write(hold, command);
	if (!error)
		return hold;
	if (error == -EBUSY && demeter_is_running())
		warn("Demeter runs already and samples with %s: demeterctl disable first, or wait "
		     "until other programs have ended that hold it",
		     demeter_source().chosen);
	else if (error == -EBUSY)
		warn("cannot enable Demeter: others use the counters of all processors, e.g. perf");
	else
		warn_switch("enable", error);
	close(hold);
	return -1;
}

struct source demeter_source(void)
{
	struct source source = { 0 };
	const char *open, *close;
	char line[512] = "";
	int error;

	error = sysfs_read("source", line, sizeof(line));
	open = strchr(line, '[');
	close = open ? strchr(open, ']') : NULL;
	if (!error && (!close || (size_t)(close - open) > sizeof(source.chosen)))
		error = -EBADMSG;
	if (error)
		sysfs_fail("source", error);
	memcpy(source.chosen, open + 1, close - open - 1);
	for (size_t i = 0, n = 0; line[i]; i++)
		if (!strchr("[]", line[i]))
			source.all[n++] = line[i];
	return source;
}

void demeter_require_source(const char *name, const struct source *source)
{
	struct source words = *source;

	for (char *s = strtok(words.all, " "); s; s = strtok(NULL, " "))
		if (!strcmp(s, name))
			return;
	refuse("there is no source \"%s\", this kernel has: %s", name, source->all);
}

bool demeter_choose_source(const char *name)
{
	const int error = sysfs_write("source", name);

	if (error == -EBUSY)
		warn("the source can only be changed while Demeter is stopped: demeterctl disable");
	else if (error)
		warn("cannot choose the source %s: %s", name, sysfs_reason(error));
	return !error;
}

uint64_t demeter_stat(const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "stats/%s", name);
	return read_number(file);
}

uint64_t demeter_stage_ns(enum stage stage)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_ns", stage_names[stage]);
	return demeter_stat(name);
}

char *demeter_scopes(void)
{
	char *before = NULL, *scopes;
	ssize_t length;

	/* it is read in several pieces: until nothing changes in between */
	for (int tries = 0;; tries++) {
		length = sysfs_load("scopes", &scopes);
		if (length < 0)
			sysfs_fail("scopes", length);
		if (!length) {
			scopes = resize(scopes, 1, 1);
			scopes[0] = '\0';
		}
		if (tries == 10 || (before && !strcmp(before, scopes)))
			break;
		free(before);
		before = scopes;
	}
	free(before);
	return scopes;
}

static void warn_attach(const char *scope, int error)
{
	const bool is_cgroup = !strncmp(scope, "cgroup ", strlen("cgroup "));

	if (error == -ESRCH)
		warn("cannot attach %s: there is no such process (threads are attached with it)",
		     scope);
	else if (error == -EINVAL && !is_cgroup)
		warn("cannot attach %s: kernel threads have no memory of their own", scope);
	else if (error == -EEXIST)
		warn("%s is attached already: if that was an earlier process, demeterctl detach %s "
		     "first",
		     scope, scope);
	else if (is_cgroup && (error == -ENOENT || error == -ENOTDIR))
		warn("cannot attach %s: there is no such cgroup, give its path below "
		     "/sys/fs/cgroup",
		     scope);
	else if (error == -ENOSPC)
		warn("cannot attach %s: too many scopes are attached, demeterctl detach some",
		     scope);
	else
		warn("cannot attach %s: %s", scope, sysfs_reason(error));
}

bool demeter_attach(const char *scope)
{
	const int error = sysfs_write("attach", scope);

	if (error)
		warn_attach(scope, error);
	return !error;
}

bool demeter_hold_attach(int hold, const char *scope)
{
	char command[192];
	int error;

	snprintf(command, sizeof(command), "attach %s", scope);
	error = device_write(hold, command);
	if (error)
		warn_attach(scope, error);
	return !error;
}

bool demeter_detach(const char *scope)
{
	const int error = sysfs_write("detach", scope);

	if (error == -ENOENT)
		warn("%s is not attached: demeterctl status lists the scopes that are", scope);
	else if (error == -EBUSY)
		warn("%s is attached by a program that holds Demeter, and goes with it: fuser -v "
		     "/dev/demeter tells which",
		     scope);
	else if (error)
		warn("cannot detach %s: %s", scope, sysfs_reason(error));
	return !error;
}
