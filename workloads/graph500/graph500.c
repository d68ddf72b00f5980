// SPDX-License-Identifier: GPL-2.0-or-later
/* The program: options, sizes, the run in its order, and the report. */
#include <math.h>
#include <sys/mman.h>

#include "common.h"
#include "graph500.h"
#include "openmp.h"

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
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'm':
		opt.mem = parse_size("mem", arg, 16 << 20, MEM_MAX);
		return true;
	case 'c':
		opt.scale = parse_size("scale", arg, SCALE_MIN, SCALE_MAX);
		return true;
	case 'e':
		opt.edge_factor = parse_number("edge-factor", arg, 1, 4096);
		return true;
	case 'r':
		opt.roots = parse_size("roots", arg, 1, ROOTS_MAX);
		return true;
	case 'p':
		opt.sssp = true;
		return true;
	case 'v':
		opt.validate = parse_size("validate", arg, 1, ROOTS_MAX);
		return true;
	}
	return false;
}

/* The rule of the specification that the last tree is made to break. */
static const char *const rule_names[] = { "1", "2", "3", "4", "5", NULL };

static const struct program program = {
	.name = "graph500",
	.about = "Searches of a Kronecker graph, as Graph500 specifies them.",
	.options = options,
	.parse = parse,
	.default_threads = omp_get_max_threads,
	.corruptions = rule_names,
};

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
	const uint64_t rest = (1 << 20) + common.threads * (64ull << 10);
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
		/* go to scale s if its edge factor is nearer to ours, by ratio, than that of s - 1
		 */
		for (unsigned int s = SCALE_MIN + 1; s <= SCALE_MAX; s++)
			if (edges_that_fit(s) >> s >= EDGE_FACTOR / M_SQRT2)
				opt.scale = s;
	}
	opt.count = edges_that_fit(opt.scale);
	if (opt.count < 1ull << opt.scale)
		die("--mem: too small for scale %u with %u threads", opt.scale, common.threads);
	opt.edge_factor = (double)opt.count / (1ull << opt.scale);
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

/* Do the searches of the measured phase. Returns the last one, the others are released. */
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
			warn("the tree of root %lld breaks rule %u", (long long)root, rule);
}

static void break_rule(const struct graph *g, struct tree *tree, uint8_t *marks)
{
	const unsigned int rule = 1 + parse_choice("corrupt", common.corrupt, rule_names);

	if (!corrupt(g, tree, rule, marks))
		die("--corrupt: no vertex of this tree can break rule %u alone", rule);
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
			warn("two searches from root %lld differ", (long long)runs[i].root);
			valid = false;
		}
		kernel->finish(s, tree.distance);
		tree.root = s->root;
		tree.parent = s->tree;
		if (i == opt.roots - 1 && common.corrupt)
			break_rule(g, &tree, marks);
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

/* Report what the specification wants of one quantity. */
static void report_statistics(const char *name, double *values, bool harmonic)
{
	const struct statistics s = statistics(values, opt.roots, harmonic);
	const char *prefix = harmonic ? "harmonic_" : "";

	report_json(name,
		    "{\"min\": %.9g, \"firstquartile\": %.9g, \"median\": %.9g, "
		    "\"thirdquartile\": %.9g, \"max\": %.9g, \"%smean\": %.9g, "
		    "\"%sstddev\": %.9g}",
		    s.min, s.first_quartile, s.median, s.third_quartile, s.max, prefix, s.mean,
		    prefix, s.stddev);
}

int main(int argc, char **argv)
{
	double construction_s, *times, *edges, *teps, rate = 0;
	const struct kernel *kernel;
	struct edge_list list;
	uint64_t digest = 0;
	struct search last;
	struct graph g;
	struct run *runs;
	bool verified;

	parse_command_line(argc, argv, &program);
	openmp_start();
	kernel = opt.sssp ? &sssp : &bfs;
	choose_size();
	check_memory((vertex_bytes() << opt.scale) + edge_bytes() * opt.count);
	runs = allocate(opt.roots * sizeof(*runs));
	times = allocate(3 * opt.roots * sizeof(*times));
	edges = times + opt.roots;
	teps = edges + opt.roots;
#pragma omp parallel
	openmp_check();

	list = kronecker(opt.scale, opt.count, opt.sssp, common.seed);
	construction_s = now_s();
	g = csr(&list);
	construction_s = now_s() - construction_s;
	choose_roots(&g, runs);

	measure_begin("edges/s");
	last = measure(kernel, &g, runs);
	measure_end();

	verified = validate_runs(kernel, &list, &g, &last, runs);
	for (unsigned int i = 0; i < opt.roots; i++) {
		digest ^= runs[i].digest;
		times[i] = runs[i].seconds;
		edges[i] = runs[i].traversed;
		teps[i] = edges[i] / times[i];
	}
	report_text("kernel", kernel->name);
	report_uint("scale", opt.scale);
	report_real("edge_factor", "%.6g", opt.edge_factor);
	report_uint("edges", opt.count);
	report_uint("roots", opt.roots);
	report_uint("threads", common.threads);
	report_real("construction_s", "%.6f", construction_s);
	report_json("digest", "\"%016llx\"", (unsigned long long)digest);
	if (verified) {
		report_statistics("time_s", times, false);
		report_statistics("traversed", edges, false);
		report_statistics("teps", teps, true);
		rate = statistics(teps, opt.roots, true).mean;
	}
	measured.unit = "TEPS";
	return report(rate, verified);
}
