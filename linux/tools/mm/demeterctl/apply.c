// SPDX-License-Identifier: GPL-2.0
/*
 * demeterctl apply: does what the lines of a file say, as demeter.service has it done at boot.
 * All lines are checked before anything is changed, and all is done or nothing.
 */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demeter.h"
#include "scopes.h"
#include "sysfs.h"
#include "tune.h"

#define BLANKS " \t\r\n"

static const char doc[] =
	"Do what the lines of a file say, all of it or nothing.\v"
	"Lines are, in any order; what follows a # is a comment:\n"
	"  tune NAME=VALUE...  set parameters\n"
	"  source NAME         sample with it, or with what suits (auto)\n"
	"  attach SCOPE        manage the memory of processes, as demeterctl attach does\n"
	"  enable              begin to sample and to move pages, when the rest is done\n"
	"  disable             stop that\n"
	"\n"
	"What is so already stays, so a file can be applied again. What is not in it stays, too.\n"
	"\n"
	"Example:\n"
	"  demeterctl apply /etc/demeter.conf\n";

/* What a file says; its lines are kept, since values point into them. */
struct plan {
	char *text;
	struct requests requests;
	const char *source;
	char (*scopes)[SCOPE_MAX];
	bool *attached; /* by us */
	size_t nr_scopes;
	enum { AS_IT_IS, ON, OFF } running;
};

/* Cuts the first word off, and the blanks around the rest. Returns NULL if there is none. */
static char *cut_word(char **rest)
{
	char *word = *rest + strspn(*rest, BLANKS);
	char *end = word + strcspn(word, BLANKS);
	size_t length;

	if (!*word)
		return NULL;
	*rest = end + strspn(end, BLANKS);
	*end = '\0';
	for (length = strlen(*rest); length && strchr(BLANKS, (*rest)[length - 1]);)
		(*rest)[--length] = '\0';
	return word;
}

static void parse_attach(struct plan *plan, char *rest)
{
	char *words[2];
	int nr = 0;

	words[nr] = cut_word(&rest);
	nr += !!words[nr];
	/* the rest is one word: paths may have blanks */
	words[1] = rest;
	nr += nr && *rest;
	plan->scopes = resize(plan->scopes, plan->nr_scopes + 1, sizeof(*plan->scopes));
	plan->attached = resize(plan->attached, plan->nr_scopes + 1, sizeof(*plan->attached));
	plan->attached[plan->nr_scopes] = false;
	scope_parse(plan->scopes[plan->nr_scopes++], "demeterctl attach", words, nr);
}

static void parse_tune(struct plan *plan, char *rest)
{
	char *word = cut_word(&rest);

	if (!word)
		refuse("give NAME=VALUE: demeterctl tune lists parameters");
	for (; word; word = cut_word(&rest)) {
		if (!strchr(word, '='))
			refuse("\"%s\" has no value: give NAME=VALUE", word);
		requests_add(&plan->requests, word);
	}
}

static void parse_line(struct plan *plan, char *line)
{
	char *word = cut_word(&line);

	if (!word)
		return;
	if (!strcmp(word, "tune")) {
		parse_tune(plan, line);
	} else if (!strcmp(word, "attach")) {
		parse_attach(plan, line);
	} else if (!strcmp(word, "source")) {
		plan->source = cut_word(&line);
		if (!plan->source || *line)
			refuse("give a source, as auto");
	} else if (!strcmp(word, "enable") || !strcmp(word, "disable")) {
		plan->running = *word == 'e' ? ON : OFF;
		if (*line)
			refuse("unexpected argument \"%s\"", line);
	} else {
		refuse("\"%s\" is none of tune, source, attach, enable and disable", word);
	}
}

static void read_plan(struct plan *plan, const char *file)
{
	unsigned int nr = 0;
	size_t size = 0;
	ssize_t length;
	char *rest;
	FILE *in;

	in = fopen(file, "re");
	errno = in ? 0 : errno;
	length = in ? getdelim(&plan->text, &size, '\0', in) : -1;
	if (length < 0 && errno)
		refuse("cannot read %s: %s", file, strerror(errno));
	fclose(in);
	rest = length < 0 ? NULL : plan->text;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		refuse_at(file, ++nr);
		line[strcspn(line, "#")] = '\0';
		parse_line(plan, line);
	}
	refuse_at(NULL, 0);
}

/* Whether a scope is one of @scopes, as the kernel lists them: "all" has a size there. */
static bool is_listed(const char *scope, const char *scopes)
{
	const size_t length = strlen(scope);

	for (const char *line = scopes; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const size_t end = strcspn(line, "\n");

		if (end >= length && !strncmp(line, scope, length) &&
		    (end == length || !strcmp(scope, "all")))
			return true;
	}
	return false;
}

static void detach_all(const struct plan *plan)
{
	for (size_t i = plan->nr_scopes; i--;)
		if (plan->attached[i])
			demeter_detach(plan->scopes[i]);
}

static bool attach_all(struct plan *plan)
{
	char *scopes = demeter_scopes();
	bool done = true;

	for (size_t i = 0; done && i < plan->nr_scopes; i++) {
		if (is_listed(plan->scopes[i], scopes))
			continue;
		done = demeter_attach(plan->scopes[i]);
		plan->attached[i] = done;
	}
	free(scopes);
	if (!done)
		detach_all(plan);
	return done;
}

/* Whether the source has to be chosen: while Demeter runs, auto is what it has found. */
static bool other_source(const struct plan *plan, const struct source *source)
{
	return plan->source && strcmp(plan->source, source->chosen) &&
	       !(demeter_is_running() && !strcmp(plan->source, "auto"));
}

/* Each step undoes itself when it fails, and then the steps before it are undone. */
static bool carry_out(struct plan *plan)
{
	const struct source source = demeter_source();
	const bool choose = other_source(plan, &source);

	if (plan->source)
		demeter_require_source(plan->source, &source);
	requests_drop_equal(&plan->requests);
	if (!requests_write(&plan->requests))
		return false;
	if (!choose || demeter_choose_source(plan->source)) {
		if (attach_all(plan)) {
			if (plan->running == AS_IT_IS || demeter_set_running(plan->running == ON))
				return true;
			detach_all(plan);
		}
		if (choose)
			demeter_choose_source(source.chosen);
	}
	requests_undo(&plan->requests);
	return false;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **file = state->input;

	if (key == ARGP_KEY_NO_ARGS)
		refuse("a file is missing: see demeterctl apply --help");
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (*file)
		refuse("unexpected argument \"%s\": see %s --help", arg, state->name);
	*file = arg;
	return 0;
}

int apply_command(int argc, char **argv)
{
	const struct argp argp = { .parser = parse, .args_doc = "FILE", .doc = doc };
	struct plan plan = { 0 };
	const char *file = NULL;
	bool done;

	argp_parse(&argp, argc, argv, 0, NULL, &file);
	read_plan(&plan, file);
	sysfs_require();
	done = carry_out(&plan);
	free(plan.text);
	free(plan.requests.list);
	free(plan.scopes);
	free(plan.attached);
	return done ? 0 : EXIT_FAILED;
}
