// SPDX-License-Identifier: GPL-2.0
/*
 * Has memory of many kinds, to which all happens that can happen to it, while Demeter moves it:
 * medley --kind NAME|all [--seconds N] [--mem MIB] [--seed N] [--tmpfs FOLDER] [--disk FOLDER]
 * [--poison N] [--grace N]
 *
 * Every page holds what follows from its kind, its number and how often it was written; it is
 * verified all the time, by its process, by children, and by others that share it. With all, all
 * kinds are there at the same time. What happens is chosen by the seed; when it does depends on
 * the machine. The kinds tmpfs, disk, copied and cached have a file without a name in a folder;
 * hugetlb takes up to four pages of the pool, and merged needs KSM to run. With --poison, up to N
 * pages of each of the kinds anonymous and huge are taken out of use until the machine boots.
 *
 * Prints for each kind one line, or "skip KIND WHY":
 *	ok KIND rounds=N checks=N
 * A page that holds something else is told in one line: "wrong KIND page N: expected ..., found
 * ...". Kinds that have done nothing for so many seconds (--grace) after they had to end are stuck;
 * where is told. Returns 0; 1 if a page was wrong or a kind was stuck; 2 if memory could not be
 * set up; 4 if nothing was done, since the kernel lacks all that was asked for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "medley.h"

struct options opt = {
	.seconds = 10,
	.pages = (16ul << 20) / PAGE,
	.seed = 1,
	.tmpfs = "/dev/shm",
	.disk = ".",
	.grace = 60,
};

static const struct kind *chosen[MOST_KINDS];
static unsigned int nr_chosen;

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: medley --kind NAME|all [--seconds N] [--mem MIB] [--seed N] "
			"[--tmpfs FOLDER] [--disk FOLDER] [--poison N] [--grace N]\nkinds:");
	for (const struct kind *kind = kinds; kind->name; kind++)
		fprintf(stderr, " %s", kind->name);
	fprintf(stderr, "\n");
	exit(MEDLEY_CANNOT);
}

static unsigned long number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max) {
		fprintf(stderr, "medley: must be a number from %lu to %lu: %s\n", min, max, text);
		exit(MEDLEY_CANNOT);
	}
	return value;
}

static void choose(const char *name)
{
	for (const struct kind *kind = kinds; kind->name; kind++)
		if (!strcmp(name, "all") || !strcmp(name, kind->name))
			chosen[nr_chosen++] = kind;
	if (!nr_chosen) {
		fprintf(stderr, "medley: there is no kind %s\n", name);
		usage();
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "kind", required_argument, NULL, 'k' },
		{ "seconds", required_argument, NULL, 's' },
		{ "mem", required_argument, NULL, 'm' },
		{ "seed", required_argument, NULL, 'r' },
		{ "tmpfs", required_argument, NULL, 't' },
		{ "disk", required_argument, NULL, 'd' },
		{ "poison", required_argument, NULL, 'p' },
		{ "grace", required_argument, NULL, 'g' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			nr_chosen = 0;
			choose(optarg);
			break;
		case 's':
			opt.seconds = number(optarg, 1, 86400);
			break;
		case 'm':
			opt.pages = (number(optarg, 4, 1024) << 20) / PAGE;
			break;
		case 'r':
			opt.seed = number(optarg, 0, UINT64_MAX);
			break;
		case 't':
			opt.tmpfs = optarg;
			break;
		case 'd':
			opt.disk = optarg;
			break;
		case 'p':
			opt.poison = number(optarg, 0, 10000);
			break;
		case 'g':
			opt.grace = number(optarg, 1, 86400);
			break;
		default:
			usage();
		}
	}
	if (optind < argc || !nr_chosen)
		usage();
}

static void on_end(int signal)
{
	(void)signal;
	atomic_store(opt.stop, true);
}

static pid_t start(const struct kind *kind, struct tally *tally)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid < 0)
		leave(MEDLEY_CANNOT, "medley: fork: %s\n", strerror(errno));
	/* both do: whoever is first */
	setpgid(pid, pid);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(MEDLEY_CANNOT);
	/* it is stopped by its parent */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	kind_run(kind, tally);
	_exit(MEDLEY_OK);
}

int main(int argc, char **argv)
{
	struct tally *tallies;
	pid_t pids[MOST_KINDS];

	read_options(argc, argv);
	opt.stop = shared_memory(sizeof(*opt.stop));
	tallies = shared_memory(nr_chosen * sizeof(*tallies));
	signal(SIGINT, on_end);
	signal(SIGTERM, on_end);
	opt.end = now() + opt.seconds;
	for (unsigned int i = 0; i < nr_chosen; i++) {
		atomic_store(&tallies[i].lost, opt.poison);
		pids[i] = start(chosen[i], &tallies[i]);
	}
	return watch(chosen, tallies, pids, nr_chosen);
}
