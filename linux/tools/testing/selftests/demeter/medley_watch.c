// SPDX-License-Identifier: GPL-2.0
/*
 * Waits for the processes of each kind, and tells how they ended. Those that have done nothing for
 * some time after the end are stuck: which they are, what they were doing and where in the kernel
 * is told, also of Demeter's thread, before they are killed. Those that are slow are waited for.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "medley.h"

/* Seconds that it may take to be killed */
#define DEATH	   10
#define TICK_US	   50000
#define THREAD	   "demeterd"
#define MOST_LINES 24

/**
 * struct stat - Of /proc/PID/stat what is told
 * @name:	Name of the process.
 * @state:	R, S, D, ...
 * @group:	Its process group.
 */
struct stat {
	char name[32];
	char state;
	int group;
};

static bool read_stat(int pid, struct stat *stat)
{
	char path[64], text[512], *end;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	end = strrchr(text, ')');
	if (!end || sscanf(text, "%*d (%31[^)]", stat->name) != 1)
		return false;
	return sscanf(end + 1, " %c %*d %d", &stat->state, &stat->group) == 2;
}

/* Copies lines of /proc/PID/NAME to the output, behind some text. */
static void show(int pid, const char *name, const char *before)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "r");
	for (unsigned int i = 0; file && i < MOST_LINES && fgets(line, sizeof(line), file); i++) {
		line[strcspn(line, "\n")] = 0;
		fprintf(stderr, "%s%s\n", before, line);
	}
	if (file)
		fclose(file);
}

/* Tells of each process of a group, or of those with a name if there is one. */
static void tell_where(const char *kind, int group, const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		const int pid = isdigit(entry->d_name[0]) ? atoi(entry->d_name) : 0;
		struct stat stat;

		if (!pid || !read_stat(pid, &stat) ||
		    (name ? strcmp(stat.name, name) : stat.group != group))
			continue;
		fprintf(stderr, "stuck %s process %d %s state %c\n", kind, pid, stat.name,
			stat.state);
		show(pid, "wchan", "    waits in ");
		show(pid, "stack", "    ");
	}
	if (proc)
		closedir(proc);
}

static bool has_tallied(const struct tally *t)
{
	return atomic_load(&t->rounds) && atomic_load(&t->checks);
}

/* Says how a kind has ended. Returns the exit status that it stands for. */
static int tell_end(const struct kind *kind, const struct tally *t, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == MEDLEY_SKIP)
		return MEDLEY_SKIP;
	if (WIFSIGNALED(status))
		fprintf(stderr, "medley: %s was killed by signal %d\n", kind->name,
			WTERMSIG(status));
	if (atomic_load(&t->is_wrong) || WIFSIGNALED(status))
		return MEDLEY_WRONG;
	if (WEXITSTATUS(status))
		return WEXITSTATUS(status);
	if (!has_tallied(t)) {
		fprintf(stderr, "medley: %s did nothing in the time that there was\n", kind->name);
		return MEDLEY_CANNOT;
	}
	printf("ok %s rounds=%lu checks=%lu\n", kind->name, atomic_load(&t->rounds),
	       atomic_load(&t->checks));
	fflush(stdout);
	return MEDLEY_OK;
}

/**
 * struct progress - When a kind was last seen to do something
 * @done:	What it had done by then.
 * @at:		When that was, in seconds of the monotonic clock.
 */
struct progress {
	unsigned long done;
	double at;
};

/* Whether a kind has done nothing for so many seconds, all of them after the end. */
static bool is_stuck(const struct tally *t, struct progress *p, unsigned int grace)
{
	const unsigned long done = atomic_load(&t->rounds) + atomic_load(&t->checks);

	if (p->done != done)
		*p = (struct progress){ .done = done, .at = now() };
	return now() >= (p->at > opt.end ? p->at : opt.end) + grace;
}

/* What the exit status is if this of a kind is added: what is worst. */
static int worse(int a, int b)
{
	if (a == MEDLEY_WRONG || b == MEDLEY_WRONG)
		return MEDLEY_WRONG;
	return a > b ? a : b;
}

/*
 * Waits until all have ended, or are stuck: for so many seconds after the end nothing has been
 * heard of them. Returns the worst status.
 */
static int wait_until_end(unsigned int grace, const struct kind *const *chosen,
			  struct tally *tallies, bool *has_ended, const pid_t *pids, unsigned int n,
			  unsigned int *skipped)
{
	struct progress seen[MOST_KINDS] = {};
	unsigned int waited_for;
	int worst = MEDLEY_OK;

	do {
		waited_for = 0;
		for (unsigned int i = 0; i < n; i++) {
			int status, is;

			if (has_ended[i])
				continue;
			if (waitpid(pids[i], &status, WNOHANG) != pids[i]) {
				waited_for += !is_stuck(&tallies[i], &seen[i], grace);
				continue;
			}
			has_ended[i] = true;
			/* what is left of it ends with it */
			kill(-pids[i], SIGKILL);
			is = tell_end(chosen[i], &tallies[i], status);
			*skipped += is == MEDLEY_SKIP;
			if (is != MEDLEY_SKIP)
				worst = worse(worst, is);
			if (is == MEDLEY_WRONG)
				atomic_store(opt.stop, true);
		}
		usleep(TICK_US);
		if (atomic_load(opt.stop) && opt.end > now())
			opt.end = now();
	} while (waited_for);
	return worst;
}

int watch(const struct kind *const *chosen, struct tally *tallies, const pid_t *pids,
	  unsigned int n)
{
	bool has_ended[MOST_KINDS] = {};
	unsigned int skipped = 0;
	bool any_is_stuck = false;
	int worst = wait_until_end(opt.grace, chosen, tallies, has_ended, pids, n, &skipped);

	for (unsigned int i = 0; i < n; i++) {
		if (has_ended[i])
			continue;
		any_is_stuck = true;
		fprintf(stderr,
			"medley: %s had to end, and has done nothing for %u s, rounds=%lu\n",
			chosen[i]->name, opt.grace, atomic_load(&tallies[i].rounds));
		tell_where(chosen[i]->name, pids[i], NULL);
	}
	if (any_is_stuck) {
		tell_where("Demeter", 0, THREAD);
		for (unsigned int i = 0; i < n; i++)
			if (!has_ended[i])
				kill(-pids[i], SIGKILL);
		opt.end = now();
		wait_until_end(DEATH, chosen, tallies, has_ended, pids, n, &skipped);
		return MEDLEY_WRONG;
	}
	return worst == MEDLEY_OK && skipped == n ? MEDLEY_SKIP : worst;
}
