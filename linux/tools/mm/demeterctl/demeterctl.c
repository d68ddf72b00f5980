// SPDX-License-Identifier: GPL-2.0
/*
 * demeterctl: the user's tool for Demeter, tiered memory that the guest's kernel
 * manages. It reads and writes the interface in /sys/kernel/mm/demeter.
 *
 * This file finds the command; each has its own file and its own --help.
 */
#define _GNU_SOURCE
#include "demeterctl.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The line that refuse() names */
static const char *about_file;
static unsigned int about_line;

static void print_message(const char *format, va_list args)
{
	char message[1024];

	vsnprintf(message, sizeof(message), format, args);
	print_error(message);
}

void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message(format, args);
	va_end(args);
}

_Noreturn void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_message(format, args);
	va_end(args);
	exit(EXIT_FAILED);
}

void refuse_at(const char *file, unsigned int line)
{
	about_file = file;
	about_line = line;
}

_Noreturn void refuse(const char *format, ...)
{
	char message[768], where[768] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	if (about_file)
		snprintf(where, sizeof(where), "%s:%u: ", about_file, about_line);
	warn("%s%s", where, message);
	va_end(args);
	exit(EXIT_INPUT);
}

uint64_t parse_integer(const char *name, const char *text, uint64_t min, uint64_t max)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value < min || value > max)
		refuse("%s must be an integer from %llu to %llu, not \"%s\"", name,
		       (unsigned long long)min, (unsigned long long)max, text);
	return value;
}

double parse_seconds(const char *name, const char *text, double min, double max)
{
	double value;
	char *end;

	value = strtod(text, &end);
	if (end == text || *end || !(value >= min && value <= max))
		refuse("%s must be from %g to %g seconds, not \"%s\"", name, min, max, text);
	return value;
}

error_t parse_nothing(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	refuse("unexpected argument \"%s\": see %s --help", arg, state->name);
}

void *resize(void *list, size_t nr, size_t size)
{
	/* size 0 is avoided: NULL would not be an error then */
	list = reallocarray(list, nr + !nr, size);
	if (!list)
		fail("no memory for %zu x %zu bytes", nr, size);
	return list;
}

static const struct command {
	const char *name;
	int (*function)(int argc, char **argv);
} commands[] = {
	{ "run", run_command },		{ "attach", attach_command },
	{ "detach", detach_command },	{ "enable", enable_command },
	{ "disable", disable_command }, { "status", status_command },
	{ "explain", explain_command }, { "top", top_command },
	{ "heatmap", heatmap_command }, { "tune", tune_command },
	{ "apply", apply_command },
};

static const char doc[] =
	"Manage tiered memory with Demeter: see which pages are hot, and keep those in the fast "
	"tier.\v"
	"Commands:\n"
	"  run       run a command with its memory managed\n"
	"  attach    manage the memory of processes that run already\n"
	"  detach    leave their memory alone again\n"
	"  enable    begin to sample and to move pages\n"
	"  disable   stop that; what is attached stays attached\n"
	"  status    show what is managed and what has been done\n"
	"  explain   tell what becomes of the memory of a process, and why\n"
	"  top       show it live\n"
	"  heatmap   draw how hot the addresses of a process are over time\n"
	"  tune      show and set parameters\n"
	"  apply     do what a file says, as at boot\n"
	"\n"
	"Examples:\n"
	"  demeterctl run -- ./server --threads 4\n"
	"  demeterctl attach cgroup /system.slice/db.service\n"
	"  demeterctl enable\n"
	"  demeterctl explain 1234\n"
	"  demeterctl top\n"
	"\n"
	"`demeterctl COMMAND --help' tells more. Exit status: 0; 1 when something went wrong; 2 "
	"when the arguments are wrong, and then nothing has been changed.\n";

const char *argp_program_version = "demeterctl 0.1.0";

static error_t find_command(int key, char *arg, struct argp_state *state)
{
	int *first = state->input;

	(void)arg;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	/* leave the arguments that follow to the command */
	*first = state->next - 1;
	state->next = state->argc;
	return 0;
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.parser = find_command,
		.args_doc = "COMMAND [ARG...]",
		.doc = doc,
	};
	int first = 0;

	argp_err_exit_status = EXIT_INPUT;
	argv[0] = "demeterctl"; /* all messages begin with it */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &first);
	if (!first)
		refuse("a command is missing: see demeterctl --help");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		char name[32];
		int status;

		if (strcmp(argv[first], commands[i].name))
			continue;
		/* argp names the command so in its messages */
		snprintf(name, sizeof(name), "demeterctl %s", commands[i].name);
		argv[first] = name;
		status = commands[i].function(argc - first, argv + first);
		if (fflush(stdout) || ferror(stdout))
			fail("cannot write the output: %s", strerror(errno));
		return status;
	}
	refuse("there is no command \"%s\": see demeterctl --help", argv[first]);
}
