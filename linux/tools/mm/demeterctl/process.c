// SPDX-License-Identifier: GPL-2.0
/* Reads what the kernel tells of any process; see process.h. */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"

/* How far descendants are followed, as by the kernel. */
#define MAX_GENERATIONS 64

/* Finds what follows "NAME:" and spaces at the beginning of a line; NULL if there is none. */
static const char *field(const char *data, const char *name)
{
	const size_t length = strlen(name);

	for (const char *line = data; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	}
	return NULL;
}

static uint64_t number(const char *data, const char *name)
{
	const char *value = field(data, name);

	return value ? strtoull(value, NULL, 10) : 0;
}

static void copy_line(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%.*s", from ? (int)strcspn(from, "\n") : 0, from ? from : "");
}

static void parse_status(struct process *p, const char *data)
{
	const char *state = field(data, "State");

	copy_line(p->name, sizeof(p->name), field(data, "Name"));
	p->leader = number(data, "Tgid");
	p->parent = number(data, "PPid");
	p->session = number(data, "NSsid");
	p->is_kernel_thread = number(data, "Kthread");
	p->has_exited = state && (*state == 'Z' || *state == 'X');
	/* huge pages of pools are not counted among the others */
	p->resident = (number(data, "VmRSS") + number(data, "HugetlbPages")) << 10;
	p->files = (number(data, "RssFile") + number(data, "RssShmem")) << 10;
	p->swapped = number(data, "VmSwap") << 10;
}

int process_read(int pid, struct process *p)
{
	const char *line;
	char file[64];
	ssize_t length;
	char *data;

	*p = (struct process){ .pid = pid };
	snprintf(file, sizeof(file), "%d/status", pid);
	length = proc_load(file, &data);
	if (length > 0)
		parse_status(p, data);
	free(data);
	if (length <= 0)
		return length < 0 ? length : -ESRCH;
	snprintf(file, sizeof(file), "%d/cgroup", pid);
	length = proc_load(file, &data);
	line = length > 0 ? field(data, "0:") : NULL;
	copy_line(p->cgroup, sizeof(p->cgroup), line);
	free(data);
	return 0;
}

bool process_descends_from(const struct process *p, int ancestor)
{
	struct process next = *p;

	for (int i = 0; i < MAX_GENERATIONS; i++) {
		if (next.pid == ancestor || next.session == ancestor)
			return true;
		if (next.parent <= 0 || process_read(next.parent, &next))
			return false;
	}
	return false;
}

uint64_t proc_number(const char *file)
{
	char *data;
	const ssize_t length = proc_load(file, &data);
	const uint64_t value = length > 0 ? strtoull(data, NULL, 10) : 0;

	free(data);
	return value;
}
