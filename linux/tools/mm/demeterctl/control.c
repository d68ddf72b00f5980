// SPDX-License-Identifier: GPL-2.0
/* demeterctl enable, disable, attach, detach: what is managed, and whether. */
#define _GNU_SOURCE
#include "demeterctl.h"

#include <stdio.h>
#include <string.h>

#include "demeter.h"
#include "scopes.h"
#include "sysfs.h"

static const char enable_doc[] =
	"Begin to sample accesses and to move hot pages to the fast tier.\v"
	"Does nothing when that was done already. Demeter manages what is attached, before or "
	"after.\n";

static const char disable_doc[] =
	"Stop sampling and moving pages.\v"
	"Pages stay where they are, and what is attached stays attached. Programs that hold "
	"Demeter, as demeterctl run does, have it on until they end, also then.\n";

#define SCOPES_DOC                                                              \
	"Scopes:\n"                                                             \
	"  pid N        the process N\n"                                        \
	"  tree N       the process N and its descendants, those to come too\n" \
	"  cgroup PATH  all processes of a cgroup, by its path below\n"         \
	"               /sys/fs/cgroup, and of those below it\n"                \
	"  all [MIB]    all processes of at least so much memory (64)\n"        \
	"\n"

static const char attach_doc[] = "Manage the memory of processes.\v" SCOPES_DOC
				 "Takes effect while Demeter is enabled.\n"
				 "\n"
				 "Examples:\n"
				 "  demeterctl attach tree 1234\n"
				 "  demeterctl attach cgroup /system.slice/db.service\n"
				 "  demeterctl attach all 256\n";

static const char detach_doc[] =
	"Leave the memory of processes alone again.\v" SCOPES_DOC
	"Give the scope as it was attached; demeterctl status lists them. Those of demeterctl "
	"run end with it.\n"
	"\n"
	"Example:\n"
	"  demeterctl detach tree 1234\n";

static int set_running(int argc, char **argv, const char *doc, bool on)
{
	const struct argp argp = { .parser = parse_nothing, .doc = doc };

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	sysfs_require();
	if (!demeter_set_running(on))
		return EXIT_FAILED;
	if (!on && demeter_is_running())
		warn("Demeter stays on for %llu programs that hold it: fuser -v /dev/demeter tells "
		     "which",
		     (unsigned long long)demeter_holds());
	return 0;
}

int enable_command(int argc, char **argv)
{
	return set_running(argc, argv, enable_doc, true);
}

int disable_command(int argc, char **argv)
{
	return set_running(argc, argv, disable_doc, false);
}

static error_t take_scope(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case ARGP_KEY_ARGS:
		scope_parse(state->input, state->name, state->argv + state->next,
			    state->argc - state->next);
		return 0;
	case ARGP_KEY_NO_ARGS:
		scope_parse(state->input, state->name, NULL, 0);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void read_scope(int argc, char **argv, const char *doc, char scope[SCOPE_MAX])
{
	const struct argp argp = {
		.parser = take_scope,
		.args_doc = "pid N\ntree N\ncgroup PATH\nall [MIB]",
		.doc = doc,
	};

	argp_parse(&argp, argc, argv, 0, NULL, scope);
	sysfs_require();
}

int attach_command(int argc, char **argv)
{
	char scope[SCOPE_MAX];

	read_scope(argc, argv, attach_doc, scope);
	return demeter_attach(scope) ? 0 : EXIT_FAILED;
}

int detach_command(int argc, char **argv)
{
	char scope[SCOPE_MAX];

	read_scope(argc, argv, detach_doc, scope);
	return demeter_detach(scope) ? 0 : EXIT_FAILED;
}
