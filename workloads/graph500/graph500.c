// SPDX-License-Identifier: GPL-2.0-or-later
/* The program: options, sizes, the run in its order, and the report. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "graph500.h"

#define ROOTS_MAX 4096

/* The paper's edge factor; --mem takes the scale that comes closest to it. */
#define EDGE_FACTOR 24

static struct {
	uint64_t mem;
	uint64_t count;
	double edge_factor;
	unsigned int scale;
	unsigned int roots;
	unsigned int validate;
	unsigned int corrupt;
	unsigned int threads;
	bool sssp;
} opt = {
	.roots = 64,
	.validate = ROOTS_MAX,
};

static const struct argp_option options[] = {
	{ "mem", 'm', "SIZE", 0,
	  "memory that it may use: sets the edge factor, and without --scale also the scale", 0 },
	{ "scale", 'c', "N", 0, "2^N vertices, from 4 to 32 (18)", 0 },
	{ "edge-factor", 'e', "X", 0, "edges per vertex (24)", 0 },
	{ "roots", 'r', "N", 0, "searches, each from another root (64)", 0 },
	{ "sssp", 'p', NULL, 0, "search shortest paths in a weighted graph, not by breadth", 0 },
	{ "validate", 'v', "N", 0, "validate N of the searches, at least 1 (all)", 0 },
	{ "corrupt", 'x', "RULE", 0,
	  "make the last tree break this rule of the specification, from 1 to 5", 0 },
	{ "threads", 't', "N", 0, "OpenMP threads (all CPUs)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)state;
	switch (key) {
	case 'm':
		opt.mem = parse_size("mem", arg, 16 << 20, 1ull << 46);
		return 0;
	case 'c':
		opt.scale = parse_size("scale", arg, SCALE_MIN, SCALE_MAX);
		return 0;
	case 'e':
		opt.edge_factor = parse_number("edge-factor", arg, 1, 4096);
		return 0;
	case 'r':
		opt.roots = parse_size("roots", arg, 1, ROOTS_MAX);
		return 0;
	case 'p':
		opt.sssp = true;
		return 0;
	case 'v':
		opt.validate = parse_size("validate", arg, 1, ROOTS_MAX);
		return 0;
	case 'x':
		opt.corrupt = parse_size("corrupt", arg, 1, RULES);
		return 0;
	case 't':
		opt.threads = parse_size("threads", arg, 1, 1024);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void release(void *p, uint64_t bytes)
{
	munmap(p, bytes);
}

/* What each vertex and each edge take at the peak, while a tree is validated. */
static uint64_t vertex_bytes(void)
{
	const uint64_t offsets = 2 * sizeof(uint64_t), validation = sizeof(float) + 1;

	return offsets + (opt.sssp ? &sssp : &bfs)->vertex_bytes + validation;
}

static uint64_t edge_bytes(void)
{
	return sizeof(struct edge) + (opt.sssp ? sizeof(float) : 0) + 2 * sizeof(uint64_t);
}

/* The number of edges that --mem leaves at @scale, or 0. */
static uint64_t edges_that_fit(unsigned int scale)
{
	/* of program, stacks and page tables; the vertices that no edge reaches take less */
	const uint64_t rest = (1 << 20) + opt.threads * (64ull << 10);
	const uint64_t fixed = rest + (vertex_bytes() << scale), bytes = opt.mem / 100 * 99;

	return bytes > fixed ? (bytes - fixed) / edge_bytes() : 0;
}

static void choose_size(void)
{
	if (!opt.mem) {
		if (!opt.scale)
			opt.scale = 18;
		if (!opt.edge_factor)
			opt.edge_factor = EDGE_FACTOR;
		opt.count = opt.edge_factor * (1ull << opt.scale);
		return;
	}
	if (opt.edge_factor)
		die("--mem sets the edge factor: give only one of them");
	if (!opt.scale) {
		opt.scale = SCALE_MIN;
		/* to scale s while that is nearer to the edge factor than s - 1, by ratio */
		for (unsigned int s = SCALE_MIN + 1; s <= SCALE_MAX; s++)
			if (edges_that_fit(s) >> s >= EDGE_FACTOR / M_SQRT2)
				opt.scale = s;
	}
	opt.count = edges_that_fit(opt.scale);
	if (opt.count < 1ull << opt.scale)
		die("--mem: too small for scale %u with %u threads", opt.scale, opt.threads);
	opt.edge_factor = (double)opt.count / (1ull << opt.scale);
}

static void check_memory(void)
{
	const uint64_t needed = (vertex_bytes() << opt.scale) + edge_bytes() * opt.count;
	const uint64_t present = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	if (needed > present)
		die("scale %u with edge factor %g takes %llu MiB; this machine has %llu MiB",
		    opt.scale, opt.edge_factor, (unsigned long long)needed >> 20,
		    (unsigned long long)present >> 20);
}

void search_release(struct search *s)
{
	release(s->tree, s->vertices * sizeof(*s->tree));
	release(s->queue, s->queue_bytes);
}

struct run {
	int64_t root;
	double seconds;
	uint64_t digest;
	uint64_t traversed; /* edges of its component; 0: not known yet */
};

/* Roots are distinct and have an edge to another vertex, as specified. */
static void choose_roots(const struct graph *g, struct run *runs)
{
	struct rng rng = rng_seed(common.seed, UINT64_MAX);
	uint64_t candidates = 0;

	for (uint64_t v = 0; v < g->vertices; v++)
		candidates += g->offsets[2 * v + 1] > g->offsets[2 * v];
	if (candidates < opt.roots)
		die("--roots: only %llu vertices have an edge", (unsigned long long)candidates);
	for (unsigned int i = 0; i < opt.roots;) {
		const uint64_t v = rng_below(&rng, g->vertices);
		bool fresh = g->offsets[2 * v + 1] > g->offsets[2 * v];

		for (unsigned int j = 0; j < i && fresh; j++)
			fresh = runs[j].root != (int64_t)v;
		if (fresh)
			runs[i++].root = v;
	}
}

/* The measured phase. Returns the last search, the others are released. */
static struct search measure(const struct kernel *kernel, const struct graph *g, struct run *runs)
{
	struct search s = { 0 };

	for (unsigned int i = 0; i < opt.roots; i++) {
		double start;

		if (i)
			search_release(&s);
		start = now_s();
		s = kernel->search(g, runs[i].root);
		runs[i].seconds = now_s() - start;
		runs[i].digest = s.digest;
	}
	return s;
}

static void print_broken(int64_t root, unsigned int broken)
{
	for (unsigned int rule = 1; rule <= RULES; rule++)
		if (broken & RULE_BIT(rule))
			fprintf(stderr, "%s: the tree of root %lld breaks rule %u\n",
				program_invocation_short_name, (long long)root, rule);
}

/*
 * Validate as many searches as asked for, from the last one backwards. Its tree
 * is there yet; the others are searched for again and must come out as in the
 * measured phase. Roots of one component traverse the same edges; a search
 * whose component has not been validated is validated in any case.
 */
static bool validate_runs(const struct kernel *kernel, const struct edge_list *list,
			  const struct graph *g, struct search *s, struct run *runs)
{
	struct tree tree = { .distance = allocate(g->vertices * sizeof(*tree.distance)) };
	uint8_t *marks = allocate(g->vertices);
	unsigned int validated = 0;
	bool valid = true;

	for (unsigned int i = opt.roots; i-- > 0;) {
		unsigned int broken;
		uint64_t traversed;

		if (validated >= opt.validate && runs[i].traversed)
			continue;
		if (i != opt.roots - 1) {
			search_release(s);
			*s = kernel->search(g, runs[i].root);
		}
		if (s->digest != runs[i].digest) {
			fprintf(stderr, "%s: two searches from root %lld differ\n",
				program_invocation_short_name, (long long)runs[i].root);
			valid = false;
		}
		kernel->finish(s, tree.distance);
		tree.root = s->root;
		tree.parent = s->tree;
		if (i == opt.roots - 1 && opt.corrupt && !corrupt(g, &tree, opt.corrupt, marks))
			die("--corrupt: no vertex of this tree can break rule %u alone",
			    opt.corrupt);
		broken = validate(list, &tree, marks, &traversed);
		print_broken(s->root, broken);
		valid = valid && !broken;
		validated++;
		runs[i].traversed = traversed;
		for (unsigned int j = 0; j < i; j++)
			if (tree.parent[runs[j].root] != NO_VERTEX)
				runs[j].traversed = traversed;
	}
	return valid;
}

/* The members that the specification wants of one quantity, as JSON. */
static char *print_statistics(char *to, const char *name, double *values, bool harmonic)
{
	const struct statistics s = statistics(values, opt.roots, harmonic);
	const char *prefix = harmonic ? "harmonic_" : "";

	return to + sprintf(to,
			    ", \"%s\": {\"min\": %.9g, \"firstquartile\": %.9g, "
			    "\"median\": %.9g, \"thirdquartile\": %.9g, \"max\": %.9g, "
			    "\"%smean\": %.9g, \"%sstddev\": %.9g}",
			    name, s.min, s.first_quartile, s.median, s.third_quartile, s.max,
			    prefix, s.mean, prefix, s.stddev);
}

int main(int argc, char **argv)
{
	const double start = now_s();
	double construction_s, init_s, seconds, *times, *edges, *teps, rate = 0;
	uint64_t digest = 0;
	const struct kernel *kernel;
	struct edge_list list;
	struct result result;
	char parameters[2048], *end = parameters;
	struct search last;
	struct graph g;
	struct run *runs;
	bool verified;

	parse_command_line(argc, argv, options, parse,
			   "Searches of a Kronecker graph, as Graph500 specifies them.");
	if (opt.threads)
		omp_set_num_threads(opt.threads);
	opt.threads = omp_get_max_threads();
	kernel = opt.sssp ? &sssp : &bfs;
	choose_size();
	check_memory();
	runs = allocate(opt.roots * sizeof(*runs));
	times = allocate(3 * opt.roots * sizeof(*times));
	edges = times + opt.roots;
	teps = edges + opt.roots;
#pragma omp parallel
	if (omp_get_num_threads() != (int)opt.threads)
		die("OpenMP gives %d threads instead of %u", omp_get_num_threads(), opt.threads);

	list = kronecker(opt.scale, opt.count, opt.sssp, common.seed);
	construction_s = now_s();
	g = csr(&list);
	construction_s = now_s() - construction_s;
	choose_roots(&g, runs);
	init_s = now_s() - start;

	progress_begin("edges/s", common.report_ms);
	roi_begin();
	seconds = now_s();
	last = measure(kernel, &g, runs);
	seconds = now_s() - seconds;
	roi_end();
	progress_end();

	verified = validate_runs(kernel, &list, &g, &last, runs);
	for (unsigned int i = 0; i < opt.roots; i++) {
		digest ^= runs[i].digest;
		times[i] = runs[i].seconds;
		edges[i] = runs[i].traversed;
		teps[i] = edges[i] / times[i];
	}
	end += sprintf(end,
		       "\"kernel\": \"%s\", \"scale\": %u, \"edge_factor\": %.6g, "
		       "\"edges\": %llu, \"roots\": %u, \"threads\": %u, "
		       "\"construction_s\": %.6f, \"digest\": \"%016llx\"",
		       kernel->name, opt.scale, opt.edge_factor, (unsigned long long)opt.count,
		       opt.roots, opt.threads, construction_s, (unsigned long long)digest);
	if (verified) {
		end = print_statistics(end, "time_s", times, false);
		end = print_statistics(end, "traversed", edges, false);
		end = print_statistics(end, "teps", teps, true);
		rate = statistics(teps, opt.roots, true).mean;
	}
	result = (struct result){
		.workload = "graph500",
		.parameters = parameters,
		.init_s = init_s,
		.seconds = seconds,
		.rate = rate,
		.rate_unit = "TEPS",
		.verified = verified,
	};
	return report(&result);
}
