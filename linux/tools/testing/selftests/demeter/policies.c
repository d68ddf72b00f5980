// SPDX-License-Identifier: GPL-2.0
/*
 * Has memory whose owner says on which nodes it may be, and sees where it is while Demeter moves
 * it: policies [--fast NODE] [--slow NODE] [--mem MIB] [--seconds N] [--process POLICY]
 * [--cpuset FILE --changes N] [--halves]
 *
 * There is an area for each policy of mbind(), anonymous and shared, a third of which is read all
 * the time. With --process, areas without a policy have that of set_mempolicy(). With --cpuset,
 * the nodes of the cpuset of this process are changed N times, by FILE (cpuset.mems), which is to
 * name both nodes in the beginning; areas have no policy then.
 *
 * With --halves, there are only areas of which the second half of each 64 KiB is bound to the slow
 * node, after all of it was there. To see that of folios of that size, they have to be switched on.
 *
 * Prints for each area how many of its pages are on the fast and on the slow node in the end, how
 * many of those that are read are on the fast one, and how many were found where they must not
 * be, at any time; after a change of the cpuset, since it was complete:
 *	AREA POLICY FAST SLOW HOT FORBIDDEN
 * Returns 1 if some were. Pages of MPOL_PREFERRED may be anywhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/mempolicy.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
/* Reads between two looks at where pages are, and the part of an area that is read. */
#define READS	 200000
#define HOT_PART 3
/* Pages of which half is bound, with --halves. */
#define FOLIO 16

struct policy {
	const char *name;
	int mode; /* -1: none */
	bool fast, slow;
};

static const struct policy policies[] = {
	{ "none", -1, true, true },
	{ "bind-fast", MPOL_BIND, true, false },
	{ "bind-slow", MPOL_BIND, false, true },
	{ "bind-both", MPOL_BIND, true, true },
	{ "interleave", MPOL_INTERLEAVE, true, true },
	{ "prefer-fast", MPOL_PREFERRED, true, false },
	{ "prefer-slow", MPOL_PREFERRED, false, true },
};

static const struct policy halves = { "halves", -1, true, true };

#define NR_POLICIES (sizeof(policies) / sizeof(*policies))

struct area {
	const char *name;
	const struct policy *policy;
	uint8_t *at;
	unsigned long fast, slow, hot, forbidden;
};

static struct {
	unsigned int fast, slow;
	unsigned long pages;
	unsigned int seconds;
	const struct policy *process;
	const char *cpuset;
	unsigned int changes;
	bool halves;
} opt = { 0, 1, 1024, 5, NULL, NULL, 0, false };

static struct area areas[2 * NR_POLICIES];
static unsigned int nr_areas;
/* What the cpuset allows */
static bool fast_allowed = true, slow_allowed = true;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "policies: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static unsigned long nodes_of(const struct policy *p)
{
	return (p->fast ? 1ul << opt.fast : 0) | (p->slow ? 1ul << opt.slow : 0);
}

static void bind(uint8_t *at, size_t size, int mode, unsigned long nodes)
{
	if (syscall(SYS_mbind, at, size, mode, mode == MPOL_DEFAULT ? NULL : &nodes, 64, 0))
		fail("mbind");
}

static void add_area(const char *name, const struct policy *policy, int flags)
{
	const size_t size = opt.pages * PAGE, folio = FOLIO * PAGE;
	const unsigned long slow = 1ul << opt.slow;
	/* a folio more, so that they begin where folios do */
	uint8_t *at =
		mmap(NULL, size + folio, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	at += -(uintptr_t)at % folio;
	if (policy == &halves)
		bind(at, size, MPOL_BIND, slow);
	else if (policy->mode >= 0)
		bind(at, size, policy->mode, nodes_of(policy));
	for (size_t i = 0; i < size; i += sizeof(uint64_t))
		*(uint64_t *)(at + i) = i ^ nr_areas;
	if (policy == &halves) {
		bind(at, size, MPOL_DEFAULT, 0);
		for (size_t i = 0; i < size; i += folio)
			bind(at + i + folio / 2, folio / 2, MPOL_BIND, slow);
	}
	areas[nr_areas++] = (struct area){ .name = name, .policy = policy, .at = at };
}

static void read_some(const struct area *a, uint64_t *random)
{
	const size_t hot = opt.pages / HOT_PART * PAGE / sizeof(uint64_t);

	for (unsigned int i = 0; i < READS / nr_areas; i++) {
		size_t word;

		*random = *random * 6364136223846793005ul + 1;
		word = (*random >> 16) % hot;
		if (((volatile uint64_t *)a->at)[word] !=
		    ((word * sizeof(uint64_t)) ^ (uint64_t)(a - areas))) {
			fprintf(stderr, "policies: %s %s holds something else at word %zu\n",
				a->name, a->policy->name, word);
			exit(1);
		}
	}
}

/* Sees where the pages of an area are, and whether they may be there. */
static void look(struct area *a)
{
	const struct policy *own = a->policy->mode < 0 && opt.process ? opt.process : a->policy;
	const bool anywhere = own->mode == MPOL_PREFERRED;
	const bool may_be_fast = (own->fast || anywhere) && fast_allowed;
	const bool may_be_slow = (own->slow || anywhere) && slow_allowed;
	void *at[512];
	int nodes[512];

	a->fast = 0;
	a->slow = 0;
	a->hot = 0;
	for (unsigned long i = 0; i < opt.pages; i += 512) {
		for (unsigned int k = 0; k < 512; k++)
			at[k] = a->at + (i + k) * PAGE;
		if (syscall(SYS_move_pages, 0, 512ul, at, NULL, nodes, 0))
			fail("move_pages");
		for (unsigned int k = 0; k < 512; k++) {
			const bool is_fast = nodes[k] == (int)opt.fast;
			const bool is_slow = nodes[k] == (int)opt.slow;

			a->fast += is_fast;
			a->slow += is_slow;
			a->hot += is_fast && i + k < opt.pages / HOT_PART;
			a->forbidden += (is_fast && !may_be_fast) || (is_slow && !may_be_slow) ||
					(is_fast && a->policy == &halves && k % FOLIO >= FOLIO / 2);
		}
	}
}

static void set_cpuset(bool fast, bool slow)
{
	char nodes[32];
	const int file = open(opt.cpuset, O_WRONLY);
	int n;

	if (fast && slow)
		n = snprintf(nodes, sizeof(nodes), "%u,%u", opt.fast, opt.slow);
	else
		n = snprintf(nodes, sizeof(nodes), "%u", fast ? opt.fast : opt.slow);
	/* pages have been moved when this returns */
	if (file < 0 || write(file, nodes, n) != n)
		fail(opt.cpuset);
	close(file);
	fast_allowed = fast;
	slow_allowed = slow;
}

/* Goes on reading, and looks for pages that are where they must not be. */
static void use(double seconds)
{
	static uint64_t random = 1;
	const double end = now() + seconds;

	do {
		for (unsigned int i = 0; i < nr_areas; i++)
			read_some(&areas[i], &random);
		for (unsigned int i = 0; i < nr_areas; i++)
			look(&areas[i]);
	} while (now() < end);
}

static void change_cpuset(void)
{
	/* between all that is allowed, where pages are moved, and less */
	for (unsigned int i = 0; i < opt.changes; i++) {
		set_cpuset(i % 4 != 3, i % 4 != 1);
		use((double)opt.seconds / (opt.changes + 1));
	}
	set_cpuset(true, true);
}

static unsigned long number(const char *text, unsigned long min, unsigned long max)
{
	char *rest;
	const unsigned long value = strtoul(text, &rest, 10);

	if (*rest || value < min || value > max) {
		fprintf(stderr, "policies: must be a number from %lu to %lu: %s\n", min, max, text);
		exit(2);
	}
	return value;
}

static const struct policy *named(const char *name)
{
	for (unsigned int i = 0; i < NR_POLICIES; i++)
		if (!strcmp(policies[i].name, name))
			return &policies[i];
	errno = EINVAL;
	fail(name);
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fast", required_argument, NULL, 'f' },
		{ "slow", required_argument, NULL, 'l' },
		{ "mem", required_argument, NULL, 'm' },
		{ "seconds", required_argument, NULL, 's' },
		{ "process", required_argument, NULL, 'p' },
		{ "cpuset", required_argument, NULL, 'c' },
		{ "changes", required_argument, NULL, 'n' },
		{ "halves", no_argument, NULL, 'h' },
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			opt.fast = number(optarg, 0, 62);
			break;
		case 'l':
			opt.slow = number(optarg, 0, 62);
			break;
		case 'm':
			opt.pages = (number(optarg, 2, 1 << 20) << 20) / PAGE / 512 * 512;
			break;
		case 's':
			opt.seconds = number(optarg, 1, 86400);
			break;
		case 'p':
			opt.process = named(optarg);
			break;
		case 'c':
			opt.cpuset = optarg;
			break;
		case 'n':
			opt.changes = number(optarg, 1, 100000);
			break;
		case 'h':
			opt.halves = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned long forbidden = 0;
	unsigned long nodes;

	read_options(argc, argv);
	if (opt.process) {
		nodes = nodes_of(opt.process);
		if (syscall(SYS_set_mempolicy, opt.process->mode, &nodes, 64))
			fail("set_mempolicy");
	}
	for (unsigned int i = 0; i < (opt.process || opt.cpuset || opt.halves ? 1 : NR_POLICIES);
	     i++) {
		const struct policy *policy = opt.halves ? &halves : &policies[i];

		add_area("anonymous", policy, MAP_PRIVATE);
		add_area("shared", policy, MAP_SHARED);
	}
	if (opt.cpuset)
		change_cpuset();
	use(opt.cpuset ? 1 : opt.seconds);
	for (unsigned int i = 0; i < nr_areas; i++) {
		const struct area *a = &areas[i];
		const char *policy = (opt.process ?: a->policy)->name;

		printf("%s %s %lu %lu %lu %lu\n", a->name, policy, a->fast, a->slow, a->hot,
		       a->forbidden);
		forbidden += a->forbidden;
	}
	return forbidden ? 1 : 0;
}
