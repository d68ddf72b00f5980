// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line; see options.h. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

uint64_t parse_size(const char *name, const char *text, uint64_t min, uint64_t max)
{
	static const char suffixes[] = "KMG";
	unsigned int shift = 0;
	const char *suffix;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		shift = 10 * (suffix - suffixes + 1);
		end++;
	}
	if (end == text || text[0] < '0' || text[0] > '9' || *end || errno ||
	    value > UINT64_MAX >> shift)
		die("--%s: not a size: %s", name, text);
	value <<= shift;
	if (value < min || value > max)
		die("--%s: must be from %llu to %llu: %s", name, (unsigned long long)min,
		    (unsigned long long)max, text);
	return value;
}

double parse_number(const char *name, const char *text, double min, double max)
{
	double value;
	char *end;

	value = strtod(text, &end);
	if (end == text || *end)
		die("--%s: not a number: %s", name, text);
	if (!(value >= min && value <= max))
		die("--%s: must be from %g to %g: %s", name, min, max, text);
	return value;
}

/* Write "a, b or c" into @list of @size bytes. */
static void list_names(char *list, size_t size, const char *const names[])
{
	size_t used = 0;

	list[0] = '\0';
	for (unsigned int i = 0; names[i] && used < size; i++)
		used += snprintf(list + used, size - used, "%s%s",
				 !i		? ""
				 : names[i + 1] ? ", "
						: " or ",
				 names[i]);
}

unsigned int parse_choice(const char *name, const char *text, const char *const names[])
{
	char list[256];

	for (unsigned int i = 0; names[i]; i++)
		if (!strcmp(text, names[i]))
			return i;
	list_names(list, sizeof(list), names);
	die("--%s: must be %s: %s", name, list, text);
}

struct common common = { .seed = 1, .threads = 1 };

bool corrupts(const char *what)
{
	return common.corrupt && !strcmp(common.corrupt, what);
}

int all_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

/* Keys of options that have no letter. */
enum { KEY_CORRUPT = 0x10000 };

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	const struct program *p = common.program;

	(void)state;
	switch (key) {
	case 's':
		common.seed = parse_size("seed", arg, 0, UINT64_MAX);
		return 0;
	case 'R':
		common.report_ms = parse_size("report-ms", arg, 0, 3600000);
		return 0;
	case 't':
		common.threads = parse_size("threads", arg, 1, THREADS_MAX);
		return 0;
	case KEY_CORRUPT:
		common.corrupt = p->corruptions[parse_choice("corrupt", arg, p->corruptions)];
		return 0;
	case ARGP_KEY_ARG:
		die("unexpected argument: %s", arg);
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_own(int key, char *arg, struct argp_state *state)
{
	(void)state;
	/* argp tells of other events by keys that no option has */
	if (key <= 0 || key >= KEY_CORRUPT)
		return ARGP_ERR_UNKNOWN;
	return common.program->parse(key, arg) ? 0 : ARGP_ERR_UNKNOWN;
}

void parse_command_line(int argc, char **argv, const struct program *program)
{
	struct argp_option options[5] = {
		{ "seed", 's', "N", 0, "seed of the random sequences (1)", 0 },
		{ "report-ms", 'R', "MS", 0, "print the rate every so often (0: never)", 0 },
	};
	const struct argp common_argp = { options, parse_common, NULL, NULL, NULL, NULL, NULL };
	const struct argp_child children[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	const struct argp argp = {
		program->options, parse_own, NULL, program->about, children, NULL, NULL,
	};
	struct argp_option *next = options + 2;
	char corrupt[256] = "spoil this on purpose, to see the verification fail: ";
	const size_t used = strlen(corrupt);

	common.program = program;
	common.start_s = now_s();
	if (program->default_threads) {
		common.threads = program->default_threads();
		*next++ = (struct argp_option){ "threads", 't', "N", 0, "threads (all CPUs)", 0 };
	}
	if (program->corruptions) {
		list_names(corrupt + used, sizeof(corrupt) - used, program->corruptions);
		*next++ = (struct argp_option){ "corrupt", KEY_CORRUPT, "WHAT", 0, corrupt, 0 };
	}
	argp_err_exit_status = EXIT_INPUT;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
}
