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
	"A target is a process whose memory is managed. Programs that hold Demeter, as demeterctl "
	"run does, have it on until they end. Samples are lost when they are not read "
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

/* Those of stats/ that have a meaning here, in this order; others are shown by their names. */
static const struct {
	const char *name;
	const char *meaning;
} known[] = {
	{ "epochs", "epochs" },
	{ "samples", "samples taken" },
	{ "lost", "samples lost" },
	{ "strays", "samples of no target" },
	{ "promoted", "pages promoted" },
	{ "demoted", "pages demoted" },
	{ "exchanged", "pairs of pages exchanged" },
	{ "split", "huge pages split" },
	{ "busy", "pages that were busy" },
	{ "refused", "pages that cannot move" },
	{ "gone", "pages that were gone" },
	{ "no_room", "pages without room for them" },
	{ "metadata", "bytes known about pages" },
};

struct counter {
	char name[64];
	const char *meaning;
	uint64_t value;
};

struct counters {
	struct counter *list;
	size_t nr;
};

struct status {
	bool running;
	uint64_t holds;
	struct source source;
	char fast_nodes[256], slow_nodes[256];
	char *scopes; /* a line each */
	struct counters counters; /* all but those of stages */
	uint64_t stage_ns[NR_STAGES];
	struct targets targets;
};

static void read_text(const char *file, char *text, size_t size)
{
	const int error = sysfs_read(file, text, size);

	if (error)
		sysfs_fail(file, error);
}

static void add_counter(struct counters *counters, const char *name, const char *meaning)
{
	struct counter *c;

	counters->list = resize(counters->list, counters->nr + 1, sizeof(*c));
	c = &counters->list[counters->nr++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->meaning = meaning;
	c->value = demeter_stat(name);
}

static bool is_known(const char *name)
{
	char stage_name[32];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i].name))
			return true;
	for (int i = 0; i < NR_STAGES; i++) {
		snprintf(stage_name, sizeof(stage_name), "%s_ns", stage_names[i]);
		if (!strcmp(name, stage_name))
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct counter *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Reads what the kernel has, so that none of it is missing here. */
static void read_counters(struct counters *counters)
{
	DIR *folder = sysfs_open_folder("stats");
	struct dirent *entry;

	*counters = (struct counters){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		add_counter(counters, known[i].name, known[i].meaning);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.' && !is_known(entry->d_name))
			add_counter(counters, entry->d_name, NULL);
	closedir(folder);
	qsort(counters->list + ARRAY_SIZE(known), counters->nr - ARRAY_SIZE(known),
	      sizeof(*counters->list), by_name);
}

static void read_status(struct status *s)
{
	s->running = demeter_is_running();
	s->holds = demeter_holds();
	s->source = demeter_source();
	read_text("fast_nodes", s->fast_nodes, sizeof(s->fast_nodes));
	read_text("slow_nodes", s->slow_nodes, sizeof(s->slow_nodes));
	s->scopes = demeter_scopes();
	read_counters(&s->counters);
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
	printf("%-12s %llu\n", "holds:", (unsigned long long)s->holds);
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
	for (size_t i = 0; i < s->counters.nr; i++) {
		const struct counter *c = &s->counters.list[i];

		printf("  %-26s %14llu\n", c->meaning ? c->meaning : c->name,
		       (unsigned long long)c->value);
	}
	for (int i = 0; i < NR_STAGES; i++)
		printf("  CPU time to %-14s %14llu ns  %s\n", stage_names[i],
		       (unsigned long long)s->stage_ns[i], text_of_ns(s->stage_ns[i]).s);

	printf("\n%8s %12s %10s %10s %10s %10s %7s %7s %7s  %s\n", "PID", "SAMPLES", "FAST MIB",
	       "SLOW MIB", "PROMOTED", "DEMOTED", "RANGES", "SPLITS", "MERGES", "COMMAND");
	for (size_t i = 0; i < s->targets.nr; i++) {
		const struct target *t = &s->targets.list[i];

		printf("%8d %12llu %10.1f %10.1f %10llu %10llu %7zu %7llu %7llu  ", t->pid,
		       (unsigned long long)t->samples, mib_of_pages(t->fast_pages),
		       mib_of_pages(t->slow_pages), (unsigned long long)t->promoted,
		       (unsigned long long)t->demoted, t->nr_ranges, (unsigned long long)t->splits,
		       (unsigned long long)t->merges);
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

	printf("{\"running\": %s, \"holds\": %llu, ", s->running ? "true" : "false",
	       (unsigned long long)s->holds);
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
	for (size_t i = 0; i < s->counters.nr; i++) {
		print_json(s->counters.list[i].name);
		printf(": %llu, ", (unsigned long long)s->counters.list[i].value);
	}
	for (int i = 0; i < NR_STAGES; i++)
		printf("%s\"%s_ns\": %llu", i ? ", " : "", stage_names[i],
		       (unsigned long long)s->stage_ns[i]);
	printf("}, \"targets\": [");
	for (size_t i = 0; i < s->targets.nr; i++) {
		const struct target *t = &s->targets.list[i];

		printf("%s{\"pid\": %d, ", i ? ", " : "", t->pid);
		json_text("comm", t->comm);
		printf("\"samples\": %llu, \"fast_mib\": %.3f, \"slow_mib\": %.3f, "
		       "\"promoted\": %llu, \"demoted\": %llu, \"ranges\": %zu, "
		       "\"splits\": %llu, \"merges\": %llu}",
		       (unsigned long long)t->samples, mib_of_pages(t->fast_pages),
		       mib_of_pages(t->slow_pages), (unsigned long long)t->promoted,
		       (unsigned long long)t->demoted, t->nr_ranges, (unsigned long long)t->splits,
		       (unsigned long long)t->merges);
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
	free(status.scopes);
	free(status.counters.list);
	free(status.targets.list);
	return 0;
}
