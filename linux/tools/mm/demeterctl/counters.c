// SPDX-License-Identifier: GPL-2.0
/* Reads numbers that have names; see counters.h. */
#define _GNU_SOURCE
#include "counters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demeterctl.h"
#include "sysfs.h"
#include "text.h"

void counters_add(struct counters *counters, const char *name, uint64_t value)
{
	struct counter *c;

	counters->list = resize(counters->list, counters->nr + 1, sizeof(*c));
	c = &counters->list[counters->nr++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->value = value;
}

/* Cuts a line "NAME NUMBER" behind its name. */
static bool parse_line(char *line, uint64_t *value)
{
	char *space = strchr(line, ' '), *end;

	if (!space || space == line || space[1] < '0' || space[1] > '9')
		return false;
	*space = '\0';
	errno = 0;
	*value = strtoull(space + 1, &end, 10);
	return !*end && !errno;
}

int counters_read(const char *file, struct counters *counters)
{
	char *data;
	const ssize_t length = sysfs_load(file, &data);
	int ret = length < 0 ? length : 0;

	*counters = (struct counters){ 0 };
	for (char *line = length > 0 ? strtok(data, "\n") : NULL; line; line = strtok(NULL, "\n")) {
		uint64_t value;

		if (!parse_line(line, &value)) {
			ret = -EBADMSG;
			break;
		}
		counters_add(counters, line, value);
	}
	free(data);
	if (ret) {
		free(counters->list);
		*counters = (struct counters){ 0 };
	}
	return ret;
}

const struct counter *counters_find(const struct counters *counters, const char *name)
{
	for (size_t i = 0; i < counters->nr; i++)
		if (!strcmp(counters->list[i].name, name))
			return &counters->list[i];
	return NULL;
}

uint64_t counters_value(const struct counters *counters, const char *name)
{
	const struct counter *c = counters_find(counters, name);

	return c ? c->value : 0;
}

void counters_print_json(const struct counters *counters)
{
	putchar('{');
	for (size_t i = 0; i < counters->nr; i++) {
		printf("%s", i ? ", " : "");
		print_json(counters->list[i].name);
		printf(": %" PRIu64, counters->list[i].value);
	}
	putchar('}');
}
