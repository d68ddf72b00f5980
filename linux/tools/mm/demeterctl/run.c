// SPDX-License-Identifier: GPL-2.0
/*
 * demeterctl run: runs a command with its memory managed from its first page on.
 *
 * Demeter is held for that by an open file, of which the kernel knows what is attached, and
 * which source is used, for its sake. All of that ends with this process, however it ends,
 * and with nobody else's.
 */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "demeter.h"
#include "sysfs.h"

/* Exit statuses that shells use, too. */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127
#define EXIT_SIGNAL	    128

static const char doc[] =
	"Run a command with its memory, and that of its descendants, managed.\v"
	"Demeter is on for the time being, and the command is attached before it begins. Both "
	"end with demeterctl, also when it is killed, unless others want the same: several can "
	"run at a time.\n"
	"\n"
	"The exit status is the command's, or 128 + the number of the signal that ended it; 127 "
	"when it was not found, 126 when it could not be run. SIGINT, SIGTERM, SIGHUP and SIGQUIT "
	"are passed on to it.\n"
	"\n"
	"Examples:\n"
	"  demeterctl run ./gups --mem 8G\n"
	"  demeterctl run --source pebs -- ./server --threads 4\n"
	"  demeterctl run --source accessed ./server   # without such a PMU\n";

static const struct argp_option options[] = {
	{ "source", 's', "NAME", 0,
	  "what to sample with: \"auto\" or one of those that "
	  "/sys/kernel/mm/demeter/source lists",
	  0 },
	{ 0 },
};

struct arguments {
	const char *source;
	char **command;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		arguments->source = arg;
		return 0;
	case ARGP_KEY_ARG:
		/* leave the arguments that follow to the command */
		arguments->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		refuse("a command to run is missing: see demeterctl run --help");
	}
	return ARGP_ERR_UNKNOWN;
}

/* Waits, in the child, until it is attached, then becomes the command. */
static _Noreturn void become(char **command, int go, const sigset_t *mask)
{
	char byte;
	int error;

	if (read(go, &byte, 1) != 1)
		_exit(EXIT_FAILED);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	error = errno;
	warn("cannot run %s: %s", command[0], strerror(error));
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Passes @signals on to the child until it ends, and returns its exit status. */
static int wait_for(pid_t child, const sigset_t *signals)
{
	int status;

	while (waitpid(child, &status, WNOHANG) != child) {
		siginfo_t info;
		const int signal = sigwaitinfo(signals, &info);

		/* not signals of the terminal, which sends them to the child itself */
		if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL)
			kill(child, signal);
	}
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_attached(char **command, int hold, const sigset_t *signals, const sigset_t *mask)
{
	char scope[32];
	pid_t child;
	int go[2];

	if (pipe2(go, O_CLOEXEC)) {
		warn("cannot make a pipe: %s", strerror(errno));
		return EXIT_FAILED;
	}
	child = fork();
	if (!child) {
		close(go[1]);
		become(command, go[0], mask);
	}
	close(go[0]);
	if (child < 0) {
		warn("cannot fork: %s", strerror(errno));
		close(go[1]);
		return EXIT_FAILED;
	}
	snprintf(scope, sizeof(scope), "tree %d", child);
	/* without the byte the child ends when the pipe is closed */
	if (demeter_hold_attach(hold, scope) && write(go[1], "", 1) != 1)
		warn("cannot start %s: %s", command[0], strerror(errno));
	close(go[1]);
	return wait_for(child, signals);
}

int run_command(int argc, char **argv)
{
	static const int taken[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "COMMAND [ARG...]",
		.doc = doc,
	};
	struct arguments arguments = { 0 };
	struct source source;
	sigset_t signals, mask;
	int hold, status;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	sysfs_require();
	source = demeter_source();
	if (arguments.source)
		demeter_require_source(arguments.source, &source);
	hold = demeter_hold(arguments.source);
	if (hold < 0)
		return EXIT_FAILED;

	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&signals, taken[i]);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	signal(SIGCHLD, SIG_DFL); /* if it were ignored, there would be no exit status */

	status = run_attached(arguments.command, hold, &signals, &mask);
	close(hold);
	return status;
}
