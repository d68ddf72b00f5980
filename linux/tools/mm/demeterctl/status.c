// SPDX-License-Identifier: GPL-2.0
/* demeterctl status: prints all that the interface tells, for people or as JSON. */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demeter.h"
#include "sysfs.h"
#include "targets.h"
#include "text.h"

static const char doc[] =
	"Show whether Demeter runs, what it manages and what it has done.\v"
	"A target is a process whose memory is managed. Samples are lost when they are not read "
	"in time. Pages were busy when they could not be moved then, gone when they had been "
	"freed meanwhile.\n"
	"\n"
	"Examples:\n"
	"  demeterctl status\n"
	"  demeterctl status --json | jq '.targets[] | select(.slow_mib > 1024)'\n";

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print one JSON object", 0 },
	{ 0 },
};

static const struct {
	const char *name;
	const char *meaning;
} counters[] = {
	{ "epochs", "epochs" },
	{ "samples", "samples taken" },
	{ "lost", "samples lost" },
	{ "strays", "samples of no target" },
	{ "promoted", "pages promoted" },
	{ "demoted", "pages demoted" },
	{ "exchanged", "pairs of pages exchanged" },
	{ "busy", "pages that were busy" },
	{ "refused", "pages that cannot move" },
	{ "gone", "pages that were gone" },
};

struct status {
	bool running;
	struct source source;
	char fast_nodes[256], slow_nodes[256];
	char scopes[4096 + 1]; /* a line each */
	uint64_t counters[ARRAY_SIZE(counters)];
	uint64_t stage_ns[NR_STAGES];
	struct targets targets;
};

static void read_text(const char *file, char *text, size_t size)
{
	const int error = sysfs_read(file, text, size);

	if (error)
		sysfs_fail(file, error);
}

static void read_status(struct status *s)
{
	s->running = demeter_is_running();
	s->source = demeter_source();
	read_text("fast_nodes", s->fast_nodes, sizeof(s->fast_nodes));
	read_text("slow_nodes", s->slow_nodes, sizeof(s->slow_nodes));
	read_text("scopes", s->scopes, sizeof(s->scopes));
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		s->counters[i] = demeter_stat(counters[i].name);
	for (int i = 0; i < NR_STAGES; i++)
		s->stage_ns[i] = demeter_stage_ns(i);
	s->targets = targets_read();
}

static const char *nodes_or_none(const char *nodes)
{
	return *nodes ? nodes : "none yet: found when Demeter is enabled";
}

static void show(struct status *s)
{
	const char *label = "scopes:";

	printf("%-12s %s\n", "demeter:", s->running ? "running" : "stopped");
	printf("%-12s %s\n", "source:", s->source.chosen);
	printf("%-12s %s\n", "fast nodes:", nodes_or_none(s->fast_nodes));
	printf("%-12s %s\n", "slow nodes:", nodes_or_none(s->slow_nodes));
	for (char *scope = strtok(s->scopes, "\n"); scope; scope = strtok(NULL, "\n")) {
		printf("%-12s ", label);
		print_plain(scope);
		putchar('\n');
		label = "";
	}
	if (*label)
		printf("%-12s none\n", label);

	printf("\nsince the module was loaded:\n");
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		printf("  %-26s %14llu\n", counters[i].meaning, (unsigned long long)s->counters[i]);
	for (int i = 0; i < NR_STAGES; i++)
		printf("  CPU time to %-14s %14llu ns  %s\n", stage_names[i],
		       (unsigned long long)s->stage_ns[i], text_of_ns(s->stage_ns[i]).s);

	printf("\n%8s %12s %10s %10s %10s %10s %7s  %s\n", "PID", "SAMPLES", "FAST MIB", "SLOW MIB",
	       "PROMOTED", "DEMOTED", "RANGES", "COMMAND");
	for (size_t i = 0; i < s->targets.nr; i++) {
		const struct target *t = &s->targets.list[i];

		printf("%8d %12llu %10.1f %10.1f %10llu %10llu %7zu  ", t->pid,
		       (unsigned long long)t->samples, mib_of_pages(t->fast_pages),
		       mib_of_pages(t->slow_pages), (unsigned long long)t->promoted,
		       (unsigned long long)t->demoted, t->nr_ranges);
		print_plain(t->comm);
		putchar('\n');
	}
}

static void json_text(const char *name, const char *value)
{
	printf("\"%s\": ", name);
	print_json(value);
	printf(", ");
}

static void show_json(struct status *s)
{
	const char *separator = "";

	printf("{\"running\": %s, ", s->running ? "true" : "false");
	json_text("source", s->source.chosen);
	json_text("fast_nodes", s->fast_nodes);
	json_text("slow_nodes", s->slow_nodes);
	printf("\"scopes\": [");
	for (char *scope = strtok(s->scopes, "\n"); scope; scope = strtok(NULL, "\n")) {
		printf("%s", separator);
		print_json(scope);
		separator = ", ";
	}
	printf("], \"stats\": {");
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		printf("\"%s\": %llu, ", counters[i].name, (unsigned long long)s->counters[i]);
	for (int i = 0; i < NR_STAGES; i++)
		printf("%s\"%s_ns\": %llu", i ? ", " : "", stage_names[i],
		       (unsigned long long)s->stage_ns[i]);
	printf("}, \"targets\": [");
	for (size_t i = 0; i < s->targets.nr; i++) {
		const struct target *t = &s->targets.list[i];

		printf("%s{\"pid\": %d, ", i ? ", " : "", t->pid);
		json_text("comm", t->comm);
		printf("\"samples\": %llu, \"fast_mib\": %.3f, \"slow_mib\": %.3f, "
		       "\"promoted\": %llu, \"demoted\": %llu, \"ranges\": %zu}",
		       (unsigned long long)t->samples, mib_of_pages(t->fast_pages),
		       mib_of_pages(t->slow_pages), (unsigned long long)t->promoted,
		       (unsigned long long)t->demoted, t->nr_ranges);
	}
	printf("]}\n");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != 'j')
		return parse_nothing(key, arg, state);
	*(bool *)state->input = true;
	return 0;
}

int status_command(int argc, char **argv)
{
	const struct argp argp = { .options = options, .parser = parse, .doc = doc };
	struct status status;
	bool json = false;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	sysfs_require();
	read_status(&status);
	if (json)
		show_json(&status);
	else
		show(&status);
	free(status.targets.list);
	return 0;
}
