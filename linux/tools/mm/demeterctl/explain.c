// SPDX-License-Identifier: GPL-2.0
/* demeterctl explain: tells in sentences what becomes of the memory of a process, and why. */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demeter.h"
#include "health.h"
#include "process.h"
#include "ranges.h"
#include "scopes.h"
#include "sysfs.h"
#include "targets.h"
#include "text.h"

/* Share of the recent samples that the hot ranges have, in percent. */
#define HOT_SHARE 90
/* Part of the resident memory of which is said that nothing is known of it yet. */
#define UNSEEN_PART 50
/* Scopes of which is said why a process is not in them. */
#define MOST_REASONS 3

static const char doc[] =
	"Explain what becomes of the memory of a process, and why.\v"
	"Tells by which scope the process is managed, how much of its memory is, in which tier that "
	"is, what is left alone for which reason and what can be done about it, how hot it is, what "
	"has been moved, and how well Demeter can do its work. What is left alone is as of the last "
	"time that Demeter has looked at all memory of the process.\n"
	"\n"
	"A process that is not managed is an error, which says why it is not.\n"
	"\n"
	"Examples:\n"
	"  demeterctl explain 1234\n"
	"  demeterctl explain --json 1234 | jq .unmanaged.policy\n";

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print one JSON object, with all sizes in bytes", 0 },
	{ 0 },
};

struct arguments {
	int pid;
	bool json;
};

/* What each reason for which memory is left alone means; others are shown by their names. */
static const struct {
	const char *name;
	bool in_tiers; /* it counts as memory of a tier, too */
	const char *meaning;
} reasons[] = {
	{ "policy", false,
	  "has a policy that keeps it in one tier (mbind, set_mempolicy, numactl): let the policy "
	  "allow nodes of both tiers to have it managed" },
	{ "cpuset", false,
	  "stays because the cpuset of the process allows nodes of one tier only: allow it those "
	  "of both (cpuset.mems)" },
	{ "file", false, "is of devices, or of files in persistent memory (DAX)" },
	{ "node", false,
	  "is on nodes of neither tier: fast_nodes and slow_nodes say which nodes are" },
	{ "hugetlb", false,
	  "is of hugetlbfs, in pages of another size than transparent huge pages have, and does not "
	  "count as resident" },
	{ "special", false, "is of devices or the kernel, and does not count as resident" },
	{ "forked", true,
	  "was to be demoted, but is shared with other processes since a fork, one of which has "
	  "used it lately" },
	{ "pinned", true,
	  "is pinned, e.g. as buffers of RDMA, io_uring or a device: it is managed when it has been "
	  "released" },
	{ "busy", true, "was in use when it was to be moved, which is tried again" },
	{ "refused", true, "is not allowed where it was to go, or can never be moved" },
	{ "unsampled", true,
	  "is not sampled, so that nothing is known of it, and it stays where it is: a PMU does not "
	  "sample what runs in a virtual machine, and accessed bits are those of 64 processes" },
	{ "protected", true,
	  "is promised to its cgroup (memory.min, memory.low), and is not demoted" },
};

struct hot {
	uint64_t samples; /* recent ones */
	uint64_t bytes; /* of addresses that have most of them */
	uint64_t cold; /* of addresses that have none */
	size_t nr, all; /* ranges of the hot addresses, and all */
};

struct explanation {
	struct process process;
	struct target target;
	char *scopes; /* those that contain it, a line each */
	struct hot hot;
	struct health health;
	struct warnings warnings;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'j':
		arguments->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->pid)
			return parse_nothing(key, arg, state);
		arguments->pid = parse_integer("PID", arg, 1, INT_MAX);
		return 0;
	case ARGP_KEY_NO_ARGS:
		refuse("the PID of a process is missing: see %s --help", state->name);
	}
	return ARGP_ERR_UNKNOWN;
}

static struct process find_process(int pid)
{
	struct process p;
	const int error = process_read(pid, &p);

	if (error == -ENOENT || error == -ESRCH)
		fail("there is no process %d", pid);
	if (error)
		fail("cannot read what /proc tells of process %d: %s", pid, strerror(-error));
	if (p.leader && p.leader != pid)
		fail("%d is a thread of process %d: demeterctl explain %d", pid, p.leader,
		     p.leader);
	if (p.is_kernel_thread)
		fail("%d is a thread of the kernel, which has no memory of its own", pid);
	if (p.has_exited)
		fail("process %d has exited", pid);
	return p;
}

/* Ends the program with the reason why a process is not managed. */
static _Noreturn void fail_unmanaged(const struct process *p, char *scopes)
{
	char reasons_text[512] = "";
	size_t nr = 0, length = 0;

	for (char *scope = strtok(scopes, "\n"); scope; scope = strtok(NULL, "\n")) {
		char why[160];

		if (scope_contains(scope, p))
			fail("process %d is in the scope \"%s\", and will be managed %s", p->pid,
			     scope,
			     demeter_is_running() ? "from the next epochs on"
						  : "when Demeter runs: demeterctl enable");
		if (nr++ >= MOST_REASONS)
			continue;
		scope_why_not(scope, p, why, sizeof(why));
		length += snprintf(reasons_text + length, sizeof(reasons_text) - length,
				   "%s\"%s\" (%s)", nr > 1 ? ", " : "", scope, why);
		if (length >= sizeof(reasons_text))
			length = sizeof(reasons_text) - 1;
	}
	if (!nr)
		fail("process %d is not managed, since nothing is attached: demeterctl attach pid "
		     "%d",
		     p->pid, p->pid);
	if (nr > MOST_REASONS)
		snprintf(reasons_text + length, sizeof(reasons_text) - length, ", or %zu others",
			 nr - MOST_REASONS);
	fail("process %d is not managed, since it is not in %s: demeterctl attach pid %d", p->pid,
	     reasons_text, p->pid);
}

/* Keeps of a list of scopes those that contain a process. */
static void keep_containing(char *scopes, const struct process *p)
{
	char *to = scopes, *next;

	for (char *scope = scopes; *scope; scope = next) {
		char *end = strchrnul(scope, '\n');

		next = *end ? end + 1 : end;
		*end = '\0';
		if (!scope_contains(scope, p))
			continue;
		memmove(to, scope, end - scope);
		to += end - scope;
		*to++ = '\n';
	}
	*to = '\0';
}

static int hottest_first(const void *a, const void *b)
{
	const struct range *left = a, *right = b;
	const double l = (double)left->samples / (left->end - left->start);
	const double r = (double)right->samples / (right->end - right->start);

	return (l < r) - (l > r);
}

static struct hot find_hot(int pid)
{
	struct hot hot = { 0 };
	struct ranges ranges;
	uint64_t sum = 0;

	/* it may end meanwhile */
	if (ranges_read(pid, &ranges))
		return hot;
	hot.all = ranges.nr;
	if (ranges.nr)
		qsort(ranges.list, ranges.nr, sizeof(*ranges.list), hottest_first);
	for (size_t i = 0; i < ranges.nr; i++)
		hot.samples += ranges.list[i].samples;
	for (size_t i = 0; i < ranges.nr; i++) {
		const struct range *r = &ranges.list[i];

		if (!r->samples) {
			hot.cold += r->end - r->start;
		} else if (sum * 100 < hot.samples * HOT_SHARE) {
			hot.bytes += r->end - r->start;
			hot.nr++;
		}
		sum += r->samples;
	}
	free(ranges.list);
	return hot;
}

static struct explanation find_explanation(int pid)
{
	struct explanation e = { .process = find_process(pid), .scopes = demeter_scopes() };

	if (target_read(pid, &e.target))
		fail_unmanaged(&e.process, e.scopes);
	keep_containing(e.scopes, &e.process);
	e.hot = find_hot(pid);
	e.health = health_read();
	e.warnings = health_warnings(&e.health);
	return e;
}

/* Bytes that are in no tier, and count as resident. */
static uint64_t left_out(const struct target *t)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!reasons[i].in_tiers && strcmp(reasons[i].name, "hugetlb") &&
		    strcmp(reasons[i].name, "special") && strcmp(reasons[i].name, "file"))
			bytes += counters_value(&t->unmanaged, reasons[i].name);
	return bytes;
}

/* Bytes that Demeter has not come across when it looked at all memory last. */
static uint64_t unseen(const struct target *t)
{
	const uint64_t seen =
		bytes_of_pages(t->fast_pages + t->slow_pages) + left_out(t) + t->files;

	return t->resident > seen ? t->resident - seen : 0;
}

static void say_scopes(struct explanation *e)
{
	const struct target *t = &e->target;
	bool first = true;

	printf("Process %d (", t->pid);
	print_plain(t->comm);
	printf(") is managed");
	for (char *scope = strtok(e->scopes, "\n"); scope; scope = strtok(NULL, "\n")) {
		printf(first ? ", since it is in the scope \"" : " and in \"");
		print_plain(scope);
		putchar('"');
		first = false;
	}
	printf(first ? ", since it was in a scope when it was found.\n" : ".\n");
}

static void say_memory(const struct target *t, const struct process *p)
{
	const uint64_t managed = target_managed(t);

	printf("Of its %s of resident memory, %s (%.0f %%) are managed.\n",
	       text_of_bytes(t->resident).s, text_of_bytes(managed).s, target_share(t, managed));
	if (t->files)
		printf("%s of that are of files or shared, and managed for all who use them: see "
		       "demeterctl status.\n",
		       text_of_bytes(t->files).s);
	printf("%s of its own that could be moved are in the fast tier, %s in the slow tier.\n",
	       text_of_bytes(bytes_of_pages(t->fast_pages)).s,
	       text_of_bytes(bytes_of_pages(t->slow_pages)).s);
	if (unseen(t) > t->resident / UNSEEN_PART)
		printf("%s have come since Demeter has looked at all of its memory, which it does "
		       "in turns.\n",
		       text_of_bytes(unseen(t)).s);
	if (p->swapped)
		printf("Besides, %s are swapped out, and in no tier.\n",
		       text_of_bytes(p->swapped).s);
}

static const char *meaning_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(name, reasons[i].name))
			return reasons[i].meaning;
	return NULL;
}

static void say_unmanaged(const struct target *t)
{
	bool any = false;

	for (size_t i = 0; i < t->unmanaged.nr; i++) {
		const struct counter *c = &t->unmanaged.list[i];
		const char *meaning = meaning_of(c->name);

		if (!c->value)
			continue;
		if (!any)
			printf("What is left alone:\n");
		any = true;
		printf("  %s ", text_of_bytes(c->value).s);
		if (meaning)
			printf("%s.\n", meaning);
		else
			printf("is left alone for the reason \"%s\".\n", c->name);
	}
}

static void say_hot(const struct hot *hot, const struct target *t)
{
	/* samples of files and of shared memory count for these */
	const char *own = t->files ? " of memory of its own" : "";

	if (hot->samples)
		printf("%d %% of its recent samples%s are of the hottest %s of its addresses (%zu "
		       "of %zu ranges); %s have none.\n",
		       HOT_SHARE, own, text_of_bytes(hot->bytes).s, hot->nr, hot->all,
		       text_of_bytes(hot->cold).s);
	else
		printf("It has no recent samples%s%s.\n", own,
		       t->samples ? ", so all of it is cold" : " yet");
	printf("So far, %" PRIu64 " samples of its %smemory were taken, %s were promoted and %s "
	       "demoted.\n",
	       t->samples, t->files ? "own " : "", text_of_bytes(bytes_of_pages(t->promoted)).s,
	       text_of_bytes(bytes_of_pages(t->demoted)).s);
}

static void show(struct explanation *e)
{
	say_scopes(e);
	say_memory(&e->target, &e->process);
	say_unmanaged(&e->target);
	say_hot(&e->hot, &e->target);
	if (e->health.sampling.nr) {
		printf("Sampling: ");
		health_print(&e->health);
		printf(".\n");
	}
	for (size_t i = 0; i < e->warnings.nr; i++)
		printf("Warning: %s.\n", e->warnings.list[i]);
}

static void show_json(struct explanation *e)
{
	const struct target *t = &e->target;
	const char *separator = "";

	printf("{\"pid\": %d, \"comm\": ", t->pid);
	print_json(t->comm);
	printf(", \"scopes\": [");
	for (char *scope = strtok(e->scopes, "\n"); scope; scope = strtok(NULL, "\n")) {
		printf("%s", separator);
		print_json(scope);
		separator = ", ";
	}
	printf("], \"running\": %s, \"resident\": %" PRIu64 ", \"swapped\": %" PRIu64
	       ", \"managed\": %" PRIu64 ", \"managed_percent\": %.1f, \"fast\": %" PRIu64
	       ", \"slow\": %" PRIu64 ", \"unseen\": %" PRIu64 ", \"unmanaged\": ",
	       e->health.running ? "true" : "false", t->resident, e->process.swapped,
	       target_managed(t), target_share(t, target_managed(t)), bytes_of_pages(t->fast_pages),
	       bytes_of_pages(t->slow_pages), unseen(t));
	counters_print_json(&t->unmanaged);
	printf(", \"samples\": %" PRIu64 ", \"promoted\": %" PRIu64 ", \"demoted\": %" PRIu64
	       ", \"hot\": {\"samples\": %" PRIu64 ", \"bytes\": %" PRIu64
	       ", \"cold_bytes\": %" PRIu64 ", \"ranges\": %zu, \"all_ranges\": %zu}, ",
	       t->samples, bytes_of_pages(t->promoted), bytes_of_pages(t->demoted), e->hot.samples,
	       e->hot.bytes, e->hot.cold, e->hot.nr, e->hot.all);
	printf("\"source\": ");
	print_json(e->health.source);
	printf(", \"health\": ");
	counters_print_json(&e->health.sampling);
	printf(", \"warnings\": ");
	warnings_print_json(&e->warnings);
	printf("}\n");
}

int explain_command(int argc, char **argv)
{
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "PID",
		.doc = doc,
	};
	struct arguments arguments = { 0 };
	struct explanation e;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	sysfs_require();
	e = find_explanation(arguments.pid);
	if (arguments.json)
		show_json(&e);
	else
		show(&e);
	free(e.scopes);
	free(e.target.unmanaged.list);
	health_free(&e.health);
	return 0;
}
