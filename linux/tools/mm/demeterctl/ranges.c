// SPDX-License-Identifier: GPL-2.0
/* Reads the ranges of a target; see ranges.h. */
#include "ranges.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demeterctl.h"
#include "sysfs.h"

/* Characters of a line, with the newline. */
#define LINE 64
/* How often a file is read that changes while it is read. */
#define ATTEMPTS 3

static bool parse_line(const char *data, struct range *r)
{
	char line[LINE + 1] = "";
	int length = 0;

	memcpy(line, data, LINE);
	/* sscanf() alone would accept signs, too */
	if (strspn(line, "0123456789abcdef ") != LINE - 1 || line[LINE - 1] != '\n')
		return false;
	/* skip the epochs since the last access, and since the range was made */
	return sscanf(line, "%16" SCNx64 " %16" SCNx64 " %8" SCNu64 " %*8u %*8u %n", &r->start,
		      &r->end, &r->samples, &length) == 3 &&
	       length == LINE && r->start < r->end;
}

static int parse(const char *data, size_t length, struct ranges *ranges)
{
	uint64_t end = 0;

	if (length % LINE)
		return -EBADMSG;
	ranges->nr = length / LINE;
	ranges->list = resize(NULL, ranges->nr, sizeof(*ranges->list));
	for (size_t i = 0; i < ranges->nr; i++) {
		struct range *r = &ranges->list[i];

		if (!parse_line(data + i * LINE, r) || r->start < end) {
			free(ranges->list);
			return -EBADMSG;
		}
		end = r->end;
	}
	return 0;
}

int ranges_read(int pid, struct ranges *ranges)
{
	int ret = -EBADMSG;
	char file[64];

	snprintf(file, sizeof(file), "targets/%d/ranges", pid);
	/*
	 * The kernel hands out a page at a time. When ranges are split or merged in
	 * between, the pages do not fit each other, and the file is read again.
	 */
	for (int i = 0; i < ATTEMPTS && ret == -EBADMSG; i++) {
		char *data;
		const ssize_t length = sysfs_load(file, &data);

		ret = length < 0 ? (int)length : parse(data, length, ranges);
		free(data);
	}
	return ret;
}
