// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagerank: the most important vertices of a large graph, by pulling.
 *
 * Makes or loads the graph, then computes its PageRank --trials times, which
 * is the measured phase, then checks the scores; see README.md.
 */
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "graph.h"
#include "rank.h"
#include "rmat.h"

/* Bytes of a vertex besides the graph: score, contribution, and a sum in the check. */
#define RANK_BYTES 16

/* What the program, its libraries and each thread take, of --mem. */
#define PROGRAM_BYTES 1048576
#define THREAD_BYTES  65536

/* The rest of --mem is for chance: the number of edges is an expected one. */
#define MEM_SHARE 0.985

static struct {
	const char *graph;
	const char *output;
	uint64_t mem;
	unsigned int scale;
	unsigned int degree;
	unsigned int iterations;
	unsigned int trials;
	double tolerance;
	bool symmetrize;
} opt = {
	.iterations = 20,
	.trials = 1,
	.tolerance = 1e-4,
};

#define DEFAULT_SCALE  20
#define DEFAULT_DEGREE 16

static const struct argp_option options[] = {
	{ "scale", 'g', "N", 0, "R-MAT graph of 2^N vertices (20)", 0 },
	{ "degree", 'k', "N", 0, "edges drawn per vertex (16)", 0 },
	{ "mem", 'm', "SIZE", 0,
	  "R-MAT graph so that the process takes SIZE: the highest scale "
	  "with a degree of at least 16",
	  0 },
	{ "graph", 'f', "FILE", 0,
	  "load a graph instead: an edge list (.el, or .wel with weights, which are ignored) "
	  "or a serialized graph of the GAP benchmark suite (.sg)",
	  0 },
	{ "symmetrize", 'S', NULL, 0,
	  "make edges go both ways, as those of GAP's generator; not with --mem or .sg", 0 },
	{ "iterations", 'i', "N", 0, "iterations at most (20)", 0 },
	{ "tolerance", 'e', "X", 0,
	  "stop when an iteration changes all scores together by less (1e-4; 0: never)", 0 },
	{ "trials", 'n', "N", 0, "compute the scores so many times, each from the start (1)", 0 },
	{ "output", 'o', "FILE", 0, "write a line \"vertex score\" for each vertex", 0 },
	{ 0 },
};

static bool has_suffix(const char *path, const char *suffix)
{
	const char *last = strrchr(path, '.');

	return last && !strcmp(last, suffix);
}

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'g':
		opt.scale = parse_size("scale", arg, MIN_SCALE, MAX_SCALE);
		return true;
	case 'k':
		opt.degree = parse_size("degree", arg, 1, 4096);
		return true;
	case 'm':
		opt.mem = parse_size("mem", arg, 8 << 20, MEM_MAX);
		return true;
	case 'f':
		opt.graph = arg;
		return true;
	case 'S':
		opt.symmetrize = true;
		return true;
	case 'i':
		opt.iterations = parse_size("iterations", arg, 1, 1000000);
		return true;
	case 'e':
		opt.tolerance = parse_number("tolerance", arg, 0, 1);
		return true;
	case 'n':
		opt.trials = parse_size("trials", arg, 1, 1000000);
		return true;
	case 'o':
		opt.output = arg;
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "pagerank",
	.about = "PageRank of a power-law graph, pulled along incoming edges.",
	.options = options,
	.parse = parse,
	.default_threads = omp_get_max_threads,
	.corruptions = (const char *const[]){ "score", "change", NULL },
};

static void check_options(void)
{
	if (!!opt.graph + !!opt.mem + (opt.scale || opt.degree) > 1)
		die("--graph, --mem and --scale with --degree exclude each other");
	if (opt.symmetrize && (opt.mem || (opt.graph && has_suffix(opt.graph, ".sg"))))
		die("--symmetrize: not with --mem or a serialized graph");
}

/* What the process is expected to take. */
static double rmat_bytes(const struct rmat *r)
{
	const double vertices = exp2(r->scale);

	return graph_bytes(vertices, rmat_expected_edges(r), true) + RANK_BYTES * vertices;
}

static struct rmat rmat_of_size(uint64_t mem, unsigned int threads)
{
	const uint64_t fixed = PROGRAM_BYTES + (uint64_t)threads * THREAD_BYTES;
	const double target = mem > fixed ? (mem - fixed) * MEM_SHARE : 0;
	struct rmat r = { .scale = MAX_SCALE, .degree = DEFAULT_DEGREE };
	double high = 4 * DEFAULT_DEGREE;

	while (r.scale > MIN_SCALE && rmat_bytes(&r) > target)
		r.scale--;
	if (rmat_bytes(&r) > target)
		die("--mem: too small for %u threads", threads);
	r.degree = high;
	if (rmat_bytes(&r) < target)
		die("--mem: too large for graphs of 2^%d vertices", MAX_SCALE);
	for (double low = DEFAULT_DEGREE; high - low > 1e-6;) {
		r.degree = (low + high) / 2;
		if (rmat_bytes(&r) > target)
			high = r.degree;
		else
			low = r.degree;
	}
	return r;
}

static struct rmat rmat_of_options(void)
{
	struct rmat r = {
		.scale = opt.scale ? opt.scale : DEFAULT_SCALE,
		.degree = opt.degree ? opt.degree : DEFAULT_DEGREE,
	};

	if (opt.mem) {
		check_memory(opt.mem);
		return rmat_of_size(opt.mem, common.threads);
	}
	check_memory(rmat_bytes(&r));
	return r;
}

static struct graph get_graph(struct pool *pool)
{
	struct rmat rmat;
	struct graph g;

	if (!opt.graph) {
		rmat = rmat_of_options();
		g = rmat_generate(pool, &rmat, common.seed);
	} else if (has_suffix(opt.graph, ".sg")) {
		g = load_serialized(opt.graph);
	} else if (has_suffix(opt.graph, ".el") || has_suffix(opt.graph, ".wel")) {
		g = load_edge_list(pool, opt.graph, has_suffix(opt.graph, ".wel"));
	} else {
		die("--graph: must end in .sg, .el or .wel: %s", opt.graph);
	}
	if (opt.symmetrize)
		symmetrize(pool, &g);
	return g;
}

static void write_scores(FILE *file, const struct graph *g, const struct ranks *r)
{
	for (uint64_t v = 0; v < g->vertices; v++)
		fprintf(file, "%llu %.9g\n", (unsigned long long)v, r->scores[v]);
	if (ferror(file) || fclose(file))
		die("--output: cannot write %s: %s", opt.output, strerror(errno));
}

int main(int argc, char **argv)
{
	uint64_t traversed = 0;
	FILE *output = NULL;
	struct check check;
	struct pool *pool;
	struct ranks ranks;
	struct graph g;
	double sum = 0;

	parse_command_line(argc, argv, &program);
	check_options();
	pool = pool_start(common.threads);
	g = get_graph(pool);
	ranks = ranks_allocate(&g);
	if (opt.output) {
		output = fopen(opt.output, "we");
		if (!output)
			die("--output: cannot write %s: %s", opt.output, strerror(errno));
	}

	measure_begin("edges/s");
	for (unsigned int trial = 0; trial < opt.trials; trial++) {
		rank(pool, &g, &ranks, opt.iterations, opt.tolerance);
		traversed += ranks.iterations * g.edges;
	}
	measure_end();

	if (corrupts("score"))
		ranks.scores[g.vertices / 2] *= 1.00001f;
	if (corrupts("change"))
		ranks.change *= 0.01;
	check = rank_check(pool, &g, &ranks);
	pool_stop(pool);
	for (uint64_t v = 0; v < g.vertices; v++)
		sum += ranks.scores[v];
	if (output)
		write_scores(output, &g, &ranks);

	report_uint("vertices", g.vertices);
	report_uint("edges", g.edges);
	report_bool("directed", g.directed);
	report_uint("trials", opt.trials);
	report_uint("iterations", ranks.iterations);
	report_real("tolerance", "%g", opt.tolerance);
	report_bool("converged", ranks.change < opt.tolerance);
	report_real("change", "%.6g", ranks.change);
	report_real("residual", "%.6g", check.residual);
	report_uint("wrong_scores", check.wrong);
	report_real("score_sum", "%.9f", sum);
	report_uint("threads", common.threads);
	return report(traversed / measured.seconds, !check.wrong && check.residual <= check.limit);
}
