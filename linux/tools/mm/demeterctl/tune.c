// SPDX-License-Identifier: GPL-2.0
/*
 * demeterctl tune: shows and sets parameters. All arguments are checked before anything
 * is written, and either all values are set or none.
 */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"
#include "tune.h"

static const char doc[] =
	"Show and set parameters.\v"
	"Without arguments all parameters are listed. NAME prints a value, NAME=VALUE sets it. "
	"Names and values are checked before anything is set; if something cannot be set, what "
	"has been set before is set back.\n"
	"\n"
	"Examples:\n"
	"  demeterctl tune\n"
	"  demeterctl tune epoch_ms\n"
	"  demeterctl tune epoch_ms=250 split_threshold=15\n";

/* The same as in mm/demeter/sysfs.c, which checks them again. */
static const struct parameter {
	const char *name;
	const char *unit;
	unsigned int min, max;
	bool only_stopped;
	const char *meaning;
} parameters[] = {
	{ "epoch_ms", "ms", 10, 60000, false, "length of an epoch" },
	{ "sample_period", "loads", 16, 1 << 30, true, "loads for each sample" },
	{ "store_period", "stores", 0, 1 << 30, true, "stores for each sample; 0: none" },
	{ "sample_rate", "1/s", 100, 1000000, false, "samples of the average CPU, at most" },
	{ "latency_threshold", "cycles", 3, 65535, true, "least latency of loads to sample" },
	{ "split_threshold", "samples", 1, 1 << 20, false,
	  "more than a neighbour's, per CPU: a range is split" },
	{ "merge_epochs", "epochs", 1, 1 << 20, false, "without samples: ranges are merged" },
	{ "max_ranges", "ranges", 2, 65536, true, "of a target, at most" },
	{ "cool_epochs", "epochs", 1, 1 << 20, false, "until the counts of pages are halved" },
	{ "backoff_epochs", "epochs", 1, 1 << 20, false,
	  "to leave pages alone that cannot move, at most" },
	{ "relocate_percent", "%", 1, 100, false, "of a CPU to move pages, at most" },
	{ "relocate_mib", "MiB/s", 1, 1 << 20, false, "of memory moved, at most" },
	{ "margin", "classes", 1, 64, false, "of heat by which pages differ to trade places" },
	{ "exchange_ns", "ns", 0, 1 << 30, false, "what moving a pair of pages takes" },
	{ "tier_ns", "ns", 1, 1 << 30, false, "what an access to the slow tier takes more" },
	{ "page_counters", "0 or 1", 0, 1, false, "tell pages apart, or only 2 MiB at a time" },
};

static struct request parse_request(char *arg)
{
	char *equals = strchrnul(arg, '=');
	struct request request = { .value = *equals ? equals + 1 : NULL };

	*equals = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		const struct parameter *p = &parameters[i];

		if (strcmp(arg, p->name))
			continue;
		request.parameter = p;
		if (request.value)
			parse_integer(p->name, request.value, p->min, p->max);
		return request;
	}
	refuse("there is no parameter \"%s\": demeterctl tune lists them", arg);
}

void requests_add(struct requests *requests, char *arg)
{
	requests->list = resize(requests->list, requests->nr + 1, sizeof(*requests->list));
	requests->list[requests->nr++] = parse_request(arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	requests_add(state->input, arg);
	return 0;
}

static void read_value(const struct parameter *p, char value[VALUE_MAX])
{
	const int error = sysfs_read(p->name, value, VALUE_MAX);

	if (error)
		sysfs_fail(p->name, error);
}

static void list_all(void)
{
	printf("%-18s %10s  %-8s %-16s %s\n", "NAME", "VALUE", "UNIT", "RANGE", "MEANING");
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		const struct parameter *p = &parameters[i];
		char value[VALUE_MAX], range[32];

		read_value(p, value);
		snprintf(range, sizeof(range), "%u-%u", p->min, p->max);
		printf("%-18s %10s%s %-8s %-16s %s\n", p->name, value, p->only_stopped ? "*" : " ",
		       p->unit, range, p->meaning);
	}
	printf("* can only be set while Demeter is stopped\n");
}

/* Returns whether the value was set. */
static bool write_value(const struct request *r)
{
	const char *name = r->parameter->name;
	const int error = sysfs_write(name, r->value);

	if (error == -EBUSY)
		warn("%s can only be set while Demeter is stopped: demeterctl disable, set it, "
		     "demeterctl enable",
		     name);
	else if (error)
		warn("cannot set %s to %s: %s", name, r->value, sysfs_reason(error));
	return !error;
}

/* Sets back the first @nr values. */
static void write_back(const struct requests *requests, int nr)
{
	while (nr--) {
		const struct request *r = &requests->list[nr];

		if (r->value && sysfs_write(r->parameter->name, r->before))
			warn("%s could not be set back: it is %s, and was %s", r->parameter->name,
			     r->value, r->before);
	}
}

bool requests_write(struct requests *requests)
{
	int nr;

	for (nr = 0; nr < requests->nr; nr++)
		read_value(requests->list[nr].parameter, requests->list[nr].before);
	for (nr = 0; nr < requests->nr; nr++)
		if (requests->list[nr].value && !write_value(&requests->list[nr]))
			break;
	if (nr == requests->nr)
		return true;
	write_back(requests, nr);
	return false;
}

void requests_undo(const struct requests *requests)
{
	write_back(requests, requests->nr);
}

void requests_drop_equal(struct requests *requests)
{
	int nr = 0;

	for (int i = 0; i < requests->nr; i++) {
		struct request *r = &requests->list[i];

		read_value(r->parameter, r->before);
		if (!r->value || strtoull(r->before, NULL, 10) != strtoull(r->value, NULL, 10))
			requests->list[nr++] = *r;
	}
	requests->nr = nr;
}

int tune_command(int argc, char **argv)
{
	const struct argp argp = { .parser = parse, .args_doc = "[NAME[=VALUE]...]", .doc = doc };
	struct requests requests = { 0 };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &requests);
	sysfs_require();
	if (!requests.nr)
		list_all();
	status = requests_write(&requests) ? 0 : EXIT_FAILED;
	for (int i = 0; !status && i < requests.nr; i++) {
		char value[VALUE_MAX];

		if (requests.list[i].value)
			continue;
		read_value(requests.list[i].parameter, value);
		puts(value);
	}
	free(requests.list);
	return status;
}
