// SPDX-License-Identifier: GPL-2.0
/* demeterctl top: shows what changes, as rates in each interval, hottest targets first. */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "demeter.h"
#include "pace.h"
#include "sysfs.h"
#include "targets.h"
#include "text.h"

/* Lines above the targets, and the line of the cursor below them. */
#define OTHER_LINES 5

static const char doc[] =
	"Show live what Demeter does, by target.\v"
	"Targets are in order of their samples. The CPU time is that of Demeter itself, as a share "
	"of one CPU. Ctrl-C ends it.\n"
	"\n"
	"Examples:\n"
	"  demeterctl top\n"
	"  demeterctl top --interval 10 --count 6 >log\n";

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "time between updates (1)", 0 },
	{ "count", 'n', "N", 0, "end after so many updates (0: never)", 0 },
	{ 0 },
};

struct arguments {
	double interval_s;
	uint64_t count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'i':
		arguments->interval_s = parse_seconds("--interval", arg, 0.1, 3600);
		return 0;
	case 'n':
		arguments->count = parse_integer("--count", arg, 0, INT_MAX);
		return 0;
	}
	return parse_nothing(key, arg, state);
}

struct reading {
	double time_s;
	uint64_t stage_ns[NR_STAGES];
	struct targets targets;
};

static struct reading read_all(void)
{
	struct reading r = { .time_s = now_s() };

	for (int i = 0; i < NR_STAGES; i++)
		r.stage_ns[i] = demeter_stage_ns(i);
	r.targets = targets_read();
	return r;
}

/* Returns what was added to a counter. One that is less than before has begun anew. */
static uint64_t increase(uint64_t before, uint64_t now)
{
	return now < before ? now : now - before;
}

static int by_samples(const void *a, const void *b)
{
	const struct target *left = a, *right = b;

	return (left->samples < right->samples) - (left->samples > right->samples);
}

/* Returns the targets of @now with their counters since @before. */
static struct targets increases(const struct targets *before, const struct targets *now)
{
	struct targets interval = {
		.list = resize(NULL, now->nr, sizeof(*interval.list)),
		.nr = now->nr,
	};

	for (size_t i = 0; i < now->nr; i++) {
		const struct target none = { 0 };
		struct target *t = &interval.list[i];
		const struct target *old = targets_find(before, now->list[i].pid);

		if (!old)
			old = &none;
		*t = now->list[i];
		t->samples = increase(old->samples, t->samples);
		t->promoted = increase(old->promoted, t->promoted);
		t->demoted = increase(old->demoted, t->demoted);
	}
	qsort(interval.list, interval.nr, sizeof(*interval.list), by_samples);
	return interval;
}

static void show(const struct reading *before, const struct reading *now)
{
	const double s = now->time_s - before->time_s;
	const bool is_terminal = isatty(STDOUT_FILENO);
	struct targets targets = increases(&before->targets, &now->targets);
	double share[NR_STAGES], all = 0;
	size_t shown = targets.nr;
	struct winsize window;

	for (int i = 0; i < NR_STAGES; i++) {
		share[i] = increase(before->stage_ns[i], now->stage_ns[i]) / (s * 1e9) * 100;
		all += share[i];
	}
	if (is_terminal) {
		printf("\033[H\033[2J");
		if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) && window.ws_row > OTHER_LINES &&
		    shown > (size_t)window.ws_row - OTHER_LINES)
			shown = window.ws_row - OTHER_LINES;
	}
	printf("demeter %s, source %s, %zu targets, %.1f s\n",
	       demeter_is_running() ? "running" : "stopped", demeter_source().chosen, targets.nr,
	       s);
	printf("CPU %.2f %%:", all);
	for (int i = 0; i < NR_STAGES; i++)
		printf(" %s %.2f %%%s", stage_names[i], share[i], i + 1 < NR_STAGES ? "," : "\n\n");
	printf("%8s %10s %10s %10s %10s %10s %7s  %s\n", "PID", "SAMPLES/S", "FAST MIB", "SLOW MIB",
	       "PROMOTED/S", "DEMOTED/S", "RANGES", "COMMAND");
	for (size_t i = 0; i < shown; i++) {
		const struct target *t = &targets.list[i];

		printf("%8d %10.0f %10.1f %10.1f %10.0f %10.0f %7zu  ", t->pid, t->samples / s,
		       mib_of_pages(t->fast_pages), mib_of_pages(t->slow_pages), t->promoted / s,
		       t->demoted / s, t->nr_ranges);
		print_plain(t->comm);
		putchar('\n');
	}
	if (!is_terminal)
		putchar('\n');
	fflush(stdout);
	free(targets.list);
}

int top_command(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .doc = doc };
	struct arguments arguments = { .interval_s = 1 };
	struct reading before, now;
	struct pace pace;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	sysfs_require();
	/* print a screen at a time, so that it does not flicker */
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	pace_begin(&pace, arguments.interval_s);
	before = read_all();
	for (uint64_t n = 0; (!arguments.count || n < arguments.count) && pace_wait(&pace); n++) {
		now = read_all();
		show(&before, &now);
		targets_free(&before.targets);
		before = now;
	}
	targets_free(&before.targets);
	return 0;
}
