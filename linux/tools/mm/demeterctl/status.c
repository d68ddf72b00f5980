// SPDX-License-Identifier: GPL-2.0
/* demeterctl status: prints all that the interface tells, for people or as JSON. */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "demeter.h"
#include "health.h"
#include "sysfs.h"
#include "targets.h"
#include "text.h"

static const char doc[] =
	"Show whether Demeter runs, what it manages and what it has done.\v"
	"A target is a process whose memory is managed. Programs that hold Demeter, as demeterctl "
	"run does, have it on until they end. Samples are lost when they are not read "
	"in time. Pages were busy when they could not be moved then, gone when they had been "
	"freed meanwhile. Below a target is what is left alone of its memory, by reason: demeterctl "
	"explain PID tells what that means. MANAGED is the share of its resident memory that is "
	"not.\n"
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

struct status {
	bool running;
	uint64_t holds;
	struct health health;
	struct warnings warnings;
	char fast_nodes[256], slow_nodes[256];
	char *scopes; /* a line each */
	struct counters counters; /* all but those of stages */
	uint64_t stage_ns[NR_STAGES];
	struct targets targets, files;
};

static void read_text(const char *file, char *text, size_t size)
{
	const int error = sysfs_read(file, text, size);

	if (error)
		sysfs_fail(file, error);
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
		counters_add(counters, known[i].name, demeter_stat(known[i].name));
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.' && !is_known(entry->d_name))
			counters_add(counters, entry->d_name, demeter_stat(entry->d_name));
	closedir(folder);
	qsort(counters->list + ARRAY_SIZE(known), counters->nr - ARRAY_SIZE(known),
	      sizeof(*counters->list), by_name);
}

static void read_status(struct status *s)
{
	s->running = demeter_is_running();
	s->holds = demeter_holds();
	s->health = health_read();
	s->warnings = health_warnings(&s->health);
	read_text("fast_nodes", s->fast_nodes, sizeof(s->fast_nodes));
	read_text("slow_nodes", s->slow_nodes, sizeof(s->slow_nodes));
	s->scopes = demeter_scopes();
	read_counters(&s->counters);
	for (int i = 0; i < NR_STAGES; i++)
		s->stage_ns[i] = demeter_stage_ns(i);
	s->targets = targets_read();
	s->files = targets_read_files();
}

static const char *nodes_or_none(const char *nodes)
{
	return *nodes ? nodes : "none yet: found when Demeter is enabled";
}

static void show_unmanaged(const struct counters *unmanaged)
{
	const char *separator = "left alone: ";

	for (size_t i = 0; i < unmanaged->nr; i++) {
		const struct counter *c = &unmanaged->list[i];

		if (!c->value)
			continue;
		if (*separator == 'l')
			printf("%8s ", "");
		printf("%s%s %s", separator, c->name, text_of_bytes(c->value).s);
		separator = ", ";
	}
	if (*separator != 'l')
		putchar('\n');
}

static void show_targets(const struct targets *targets)
{
	printf("\n%8s %12s %10s %10s %10s %8s %10s %10s %7s %7s %7s  %s\n", "PID", "SAMPLES",
	       "FAST MIB", "SLOW MIB", "RSS MIB", "MANAGED", "PROMOTED", "DEMOTED", "RANGES",
	       "SPLITS", "MERGES", "COMMAND");
	for (size_t i = 0; i < targets->nr; i++) {
		const struct target *t = &targets->list[i];

		printf("%8d %12" PRIu64 " %10.1f %10.1f %10.1f %6.1f %% %10" PRIu64 " %10" PRIu64
		       " %7zu %7" PRIu64 " %7" PRIu64 "  ",
		       t->pid, t->samples, mib_of_pages(t->fast_pages), mib_of_pages(t->slow_pages),
		       (double)t->resident / (1 << 20), target_share(t, target_managed(t)),
		       t->promoted, t->demoted, t->nr_ranges, t->splits, t->merges);
		print_plain(t->comm);
		putchar('\n');
		show_unmanaged(&t->unmanaged);
	}
}

/* Files of which pages are known. What nobody has mapped comes under one name. */
static void show_files(const struct targets *files)
{
	bool any = false;

	for (size_t i = 0; i < files->nr; i++) {
		const struct target *t = &files->list[i];

		if (!t->fast_pages && !t->slow_pages)
			continue;
		if (!any)
			printf("\n%8s %12s %10s %10s %10s %10s  %s\n", "", "SAMPLES", "FAST MIB",
			       "SLOW MIB", "PROMOTED", "DEMOTED", "FILE OR SHARED MEMORY");
		any = true;
		printf("%8s %12" PRIu64 " %10.1f %10.1f %10" PRIu64 " %10" PRIu64 "  ", "",
		       t->samples, mib_of_pages(t->fast_pages), mib_of_pages(t->slow_pages),
		       t->promoted, t->demoted);
		print_plain(t->comm);
		putchar('\n');
	}
}

static void show(struct status *s)
{
	const char *label = "scopes:";

	printf("%-12s %s\n", "demeter:", s->running ? "running" : "stopped");
	printf("%-12s %llu\n", "holds:", (unsigned long long)s->holds);
	printf("%-12s %s\n", "source:", s->health.source);
	if (s->health.sampling.nr) {
		printf("%-12s ", "health:");
		health_print(&s->health);
		putchar('\n');
	}
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
	for (size_t i = 0; s->running && i < s->warnings.nr; i++)
		printf("%-12s %s\n", "warning:", s->warnings.list[i]);

	printf("\nsince the module was loaded:\n");
	for (size_t i = 0; i < s->counters.nr; i++) {
		const struct counter *c = &s->counters.list[i];

		printf("  %-26s %14" PRIu64 "\n",
		       i < ARRAY_SIZE(known) ? known[i].meaning : c->name, c->value);
	}
	for (int i = 0; i < NR_STAGES; i++)
		printf("  CPU time to %-14s %14llu ns  %s\n", stage_names[i],
		       (unsigned long long)s->stage_ns[i], text_of_ns(s->stage_ns[i]).s);

	show_targets(&s->targets);
	show_files(&s->files);
}

static void json_text(const char *name, const char *value)
{
	printf("\"%s\": ", name);
	print_json(value);
	printf(", ");
}

static void show_json_target(const struct target *t)
{
	printf("{\"pid\": %d, ", t->pid);
	json_text("comm", t->comm);
	printf("\"samples\": %" PRIu64 ", \"fast_pages\": %" PRIu64 ", \"fast_mib\": %.3f, "
	       "\"slow_pages\": %" PRIu64 ", \"slow_mib\": %.3f, \"resident_mib\": %.3f, "
	       "\"managed_percent\": %.1f, \"promoted\": %" PRIu64 ", \"demoted\": %" PRIu64
	       ", \"ranges\": %zu, \"splits\": %" PRIu64 ", \"merges\": %" PRIu64
	       ", \"unmanaged\": ",
	       t->samples, t->fast_pages, mib_of_pages(t->fast_pages), t->slow_pages,
	       mib_of_pages(t->slow_pages), (double)t->resident / (1 << 20),
	       target_share(t, target_managed(t)), t->promoted, t->demoted, t->nr_ranges, t->splits,
	       t->merges);
	counters_print_json(&t->unmanaged);
	putchar('}');
}

static void show_json_file(const struct target *t)
{
	printf("{");
	json_text("name", t->name);
	json_text("comm", t->comm);
	printf("\"samples\": %" PRIu64 ", \"fast_pages\": %" PRIu64 ", \"fast_mib\": %.3f, "
	       "\"slow_pages\": %" PRIu64 ", \"slow_mib\": %.3f, \"promoted\": %" PRIu64
	       ", \"demoted\": %" PRIu64 ", \"splits\": %" PRIu64 ", \"merges\": %" PRIu64 "}",
	       t->samples, t->fast_pages, mib_of_pages(t->fast_pages), t->slow_pages,
	       mib_of_pages(t->slow_pages), t->promoted, t->demoted, t->splits, t->merges);
}

static void show_json(struct status *s)
{
	const char *separator = "";

	printf("{\"running\": %s, \"holds\": %llu, ", s->running ? "true" : "false",
	       (unsigned long long)s->holds);
	json_text("source", s->health.source);
	printf("\"source_health\": ");
	counters_print_json(&s->health.sampling);
	printf(", \"numa_balancing\": %" PRIu64 ", \"warnings\": ", s->health.numa_balancing);
	warnings_print_json(&s->warnings);
	printf(", ");
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
		printf("%s", i ? ", " : "");
		show_json_target(&s->targets.list[i]);
	}
	printf("], \"files\": [");
	for (size_t i = 0; i < s->files.nr; i++) {
		printf("%s", i ? ", " : "");
		show_json_file(&s->files.list[i]);
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
	targets_free(&status.targets);
	targets_free(&status.files);
	health_free(&status.health);
	return 0;
}
