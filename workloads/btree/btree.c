// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * btree: random lookups in an index, of the class of Mitosis' btree benchmark.
 *
 * A table of rows is written, then a B+tree over their keys is loaded in bulk.
 * In the measured phase every thread draws rows, finds their keys in the tree
 * and reads the rows that it names. With --inserts, the phase is cut in rounds:
 * one thread inserts a share of new rows, then all threads look up.
 *
 * Verification: the tree's value of every key that is looked up must be the row
 * that was drawn, and the row must hold what was written. In the end, the tree's
 * invariants and all its entries are checked.
 */
#include <pthread.h>
#include <stdlib.h>

#include "common.h"
#include "rows.h"
#include "size.h"
#include "tree.h"

#define ROUNDS	    64 /* of inserts and lookups */
#define BLOCK	    1024 /* lookups of one random sequence, by one thread */
#define MEM_DEFAULT (256ull << 20)

static struct {
	uint64_t mem;
	uint64_t keys;
	uint64_t lookups;
	uint64_t inserts;
	struct tree_shape shape;
	uint64_t row_bytes;
	double theta;
} opt = {
	.lookups = 10000000,
	.shape = { .node_bytes = 512, .fill = 0.9 },
	.row_bytes = 56,
};

static const struct argp_option options[] = {
	{ "mem", 'm', "SIZE", 0, "memory of table and index in the end (256M)", 0 },
	{ "keys", 'k', "N", 0, "keys that are loaded, instead of --mem", 0 },
	{ "lookups", 'n', "N", 0, "lookups in all (10000000)", 0 },
	{ "inserts", 'i', "N", 0, "keys inserted between lookups, in 64 rounds (0)", 0 },
	{ "node", 'b', "BYTES", 0, "size of a node, a multiple of 64 (512)", 0 },
	{ "fill", 'f', "SHARE", 0, "share of each node that is filled at first (0.9)", 0 },
	{ "row", 'r', "BYTES", 0,
	  "size of a row of the table, a multiple of 8 (56; 0: the index alone)", 0 },
	{ "zipf", 'z', "X", 0, "skew of the popularity of rows, below 1 (0: uniform)", 0 },
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'm':
		opt.mem = parse_size("mem", arg, 16 << 20, MEM_MAX);
		return true;
	case 'k':
		opt.keys = parse_size("keys", arg, 1, ROWS_MAX);
		return true;
	case 'n':
		opt.lookups = parse_size("lookups", arg, 1, 1ull << 60);
		return true;
	case 'i':
		opt.inserts = parse_size("inserts", arg, 0, ROWS_MAX);
		return true;
	case 'b':
		opt.shape.node_bytes = parse_size("node", arg, TREE_NODE_MIN, TREE_NODE_MAX);
		if (opt.shape.node_bytes % 64)
			die("--node: must be a multiple of 64: %s", arg);
		return true;
	case 'f':
		opt.shape.fill = parse_number("fill", arg, 0.5, 1);
		return true;
	case 'r':
		opt.row_bytes = parse_size("row", arg, 0, 4096);
		if (opt.row_bytes % 8)
			die("--row: must be a multiple of 8: %s", arg);
		return true;
	case 'z':
		opt.theta = parse_number("zipf", arg, 0, 0.9999);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "btree",
	.about = "Random lookups in a B+tree that is the index of a table.",
	.options = options,
	.parse = parse,
	.default_threads = all_cpus,
	.corruptions = (const char *const[]){ "index", "row", NULL },
};

/* Fill in what the command line leaves open. Dies when there is no memory for it. */
static struct plan make_plan(void)
{
	struct plan p = {
		.shape = opt.shape,
		.row_bytes = opt.row_bytes,
		.keys = opt.keys,
		.inserts = opt.inserts,
	};
	uint64_t bytes = opt.mem ? opt.mem : MEM_DEFAULT;

	if (opt.mem && opt.keys)
		die("--keys and --mem exclude each other");
	if (!opt.row_bytes && corrupts("row"))
		die("--corrupt: there are no rows");
	if (p.keys)
		bytes = plan_bytes(&p);
	check_memory(bytes);
	if (!p.keys)
		p.keys = plan_keys(p, bytes);
	if (!p.keys)
		die("--mem: too small for %llu inserts and the sizes of rows and nodes",
		    (unsigned long long)p.inserts);
	return p;
}

static void entry(const void *context, uint64_t i, uint64_t *key, uint64_t *value)
{
	*key = row_key(context, i);
	*value = i;
}

static bool entry_holds(const void *context, uint64_t key, uint64_t value)
{
	const struct rows *rows = context;

	return value < rows->all && row_key(rows, value) == key && row_holds(rows, value, key);
}

/* What lookups share, and do not change. */
struct job {
	const struct tree *tree;
	const struct rows *rows;
	struct zipf zipf;
	uint64_t live; /* rows that are there */
	uint64_t first, end; /* blocks of lookups */
};

struct worker {
	const struct job *job;
	unsigned int me;
	pthread_t thread;
	uint64_t wrong;
	uint64_t sum; /* of the rows that were found */
};

/* Make @n lookups, those of block @block. Adds to @sum; returns how many were wrong. */
static __attribute__((noinline)) uint64_t look_up(const struct job *j, uint64_t block, uint64_t n,
						  uint64_t *sum)
{
	const struct rows rows = *j->rows;
	struct rng rng = rng_seed(common.seed, block);
	uint64_t wrong = 0, found = 0;

	while (n--) {
		const uint64_t row = draw_row(&j->zipf, &rows, j->live, &rng);
		const uint64_t key = row_key(&rows, row);
		const uint64_t *value = tree_find(j->tree, key);

		if (value && *value == row && row_holds(&rows, *value, key))
			found += *value;
		else
			wrong++;
	}
	*sum += found;
	return wrong;
}

static void *work(void *argument)
{
	struct worker *w = argument;
	const struct job *j = w->job;

	for (uint64_t block = j->first + w->me; block < j->end; block += common.threads) {
		const uint64_t left = opt.lookups - block * BLOCK;
		const uint64_t n = left < BLOCK ? left : BLOCK;

		w->wrong += look_up(j, block, n, &w->sum);
		progress(n);
	}
	return NULL;
}

/* All threads make the lookups of @j; what they find is added up in @workers. */
static void look_up_all(const struct job *j, struct worker *workers)
{
	for (unsigned int i = 0; i < common.threads; i++) {
		workers[i].job = j;
		workers[i].me = i;
	}
	for (unsigned int i = 1; i < common.threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("cannot start %u threads", common.threads);
	work(&workers[0]);
	for (unsigned int i = 1; i < common.threads; i++)
		pthread_join(workers[i].thread, NULL);
}

/* Insert rows [@first, @end); returns how many failed. */
static uint64_t insert(struct tree *tree, const struct rows *rows, uint64_t first, uint64_t end)
{
	uint64_t wrong = 0;

	for (uint64_t row = first; row < end; row++) {
		const uint64_t key = row_key(rows, row);

		row_write(rows, row, key);
		wrong += !tree_insert(tree, key, row);
	}
	return wrong;
}

/* Spoil what --corrupt says. */
static void corrupt(const struct tree *tree, const struct rows *rows)
{
	const uint64_t row = rows->loaded / 2;

	if (corrupts("index"))
		++*tree_find(tree, row_key(rows, row));
	if (corrupts("row"))
		rows->table[row * rows->words + rows->words - 1] ^= 1;
}

/* Return where part @round of @rounds equal parts of @all begins. */
static uint64_t part(uint64_t all, unsigned int round, unsigned int rounds)
{
	return (unsigned __int128)all * round / rounds;
}

int main(int argc, char **argv)
{
	uint64_t blocks, wrong = 0, sum = 0;
	struct worker *workers;
	unsigned int rounds;
	double insert_s = 0;
	const char *broken;
	struct plan plan;
	struct rows rows;
	struct tree tree;
	struct job job;
	size_t bytes;

	parse_command_line(argc, argv, &program);
	plan = make_plan();
	rows = (struct rows){
		.loaded = plan.keys,
		.all = plan.keys + plan.inserts,
		.seed = common.seed,
		.words = plan.row_bytes / 8,
	};
	job = (struct job){
		.tree = &tree,
		.rows = &rows,
		.zipf = zipf_make(rows.all, opt.theta),
	};
	workers = calloc(common.threads, sizeof(*workers));
	if (!workers)
		die("cannot allocate %u threads", common.threads);
	if (rows.words)
		rows.table = allocate(rows.all * plan.row_bytes);
	for (uint64_t row = 0; row < rows.loaded; row++)
		row_write(&rows, row, row_key(&rows, row));
	tree = tree_load(plan.shape, rows.loaded, plan.inserts, entry, &rows);
	corrupt(&tree, &rows);

	rounds = plan.inserts ? ROUNDS : 1;
	blocks = (opt.lookups + BLOCK - 1) / BLOCK;
	measure_begin("lookups/s");
	for (unsigned int round = 0; round < rounds; round++) {
		const double begin = now_s();

		job.live = rows.loaded + part(plan.inserts, round + 1, rounds);
		wrong += insert(&tree, &rows, rows.loaded + part(plan.inserts, round, rounds),
				job.live);
		insert_s += now_s() - begin;
		job.first = part(blocks, round, rounds);
		job.end = part(blocks, round + 1, rounds);
		look_up_all(&job, workers);
	}
	measure_end();

	for (unsigned int i = 0; i < common.threads; i++) {
		wrong += workers[i].wrong;
		sum += workers[i].sum;
	}
	free(workers);
	broken = tree_check(&tree, entry_holds, &rows);
	if (broken)
		warn("the index is broken: %s", broken);
	bytes = rows.all * plan.row_bytes + tree.nodes * plan.shape.node_bytes;
	report_uint("keys", rows.loaded);
	report_uint("lookups", opt.lookups);
	report_uint("inserts", plan.inserts);
	report_uint("node", plan.shape.node_bytes);
	report_real("fill", "%g", plan.shape.fill);
	report_uint("row", plan.row_bytes);
	report_real("zipf", "%g", opt.theta);
	report_uint("threads", common.threads);
	report_uint("height", tree.height);
	report_uint("bytes", bytes);
	report_real("bytes_per_key", "%.2f", (double)bytes / rows.all);
	report_real("insert_s", "%.6f", insert_s);
	report_uint("wrong", wrong);
	report_uint("checksum", sum);
	return report(opt.lookups / (measured.seconds - insert_s),
		      !wrong && !broken && tree.keys == rows.all);
}
