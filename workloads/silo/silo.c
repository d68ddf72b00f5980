// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Silo: transactions in memory by optimistic concurrency control (Tu et al.,
 * "Speedy transactions in multicore in-memory databases", SOSP '13), driven by YCSB
 * or TPC-C. See README.md.
 *
 * Verification: YCSB reads every record back, and TPC-C's consistency conditions
 * are computed from all records.
 */
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "tpcc.h"
#include "ycsb.h"

#define RECORDS 1000000
/* The process itself; each thread's stack and copies; what is not foreseen. */
#define RESERVE(threads, mem) ((5 << 18) + (threads) * (128 << 10) + (mem) / 128)

static struct {
	uint64_t mem;
	uint64_t records;
	uint64_t operations;
	unsigned int tpcc; /* warehouses, 0: YCSB */
	char ycsb; /* 0: not given */
} opt = {
	.operations = 10000000,
};

static const struct argp_option options[] = {
	{ "ycsb", 'y', "MIX", 0, "YCSB's workload A to F (A)", 0 },
	{ "records", 'n', "N", 0, "YCSB: records to load (1000000)", 0 },
	{ "mem", 'm', "SIZE", 0, "YCSB: instead, as many as make the footprint this large", 0 },
	{ "tpcc", 'w', "N", 0, "TPC-C with N warehouses instead of YCSB", 0 },
	{ "operations", 'o', "N", 0, "operations of all threads together (10000000)", 0 },
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'y':
		if (strlen(arg) != 1 || *arg < 'A' || *arg > 'F')
			die("--ycsb: must be A to F: %s", arg);
		opt.ycsb = *arg;
		return true;
	case 'n':
		opt.records = parse_size("records", arg, 1000, 1ull << 40);
		return true;
	case 'm':
		opt.mem = parse_size("mem", arg, 8 << 20, MEM_MAX);
		return true;
	case 'w':
		opt.tpcc = parse_size("tpcc", arg, 1, TPCC_WAREHOUSES_MAX);
		return true;
	case 'o':
		opt.operations = parse_size("operations", arg, 1, 1ull << 40);
		return true;
	}
	return false;
}

/* What --corrupt may spoil. */
static const char *const ycsb_corruptions[] = { "torn", "update", "missing", NULL };
static const char *const tpcc_corruptions[] = { "1", "2", "3", "4", "history", NULL };
static const char *const corruptions[] = {
	"torn", "update", "missing", "1", "2", "3", "4", "history", NULL,
};

static const struct program program = {
	.name = "silo",
	.about = "Transactions in memory by optimistic concurrency control.",
	.options = options,
	.parse = parse,
	.default_threads = all_cpus,
	.corruptions = corruptions,
};

static void check_options(void)
{
	if (opt.tpcc && (opt.ycsb || opt.records || opt.mem))
		die("--tpcc: options of YCSB, --ycsb, --records and --mem, do not go with it");
	if (opt.mem && opt.records)
		die("--mem: does not go with --records");
	if (common.corrupt)
		parse_choice("corrupt", common.corrupt,
			     opt.tpcc ? tpcc_corruptions : ycsb_corruptions);
	if (!opt.ycsb)
		opt.ycsb = 'A';
}

/* As many records as fit in --mem with all inserts. */
static uint64_t records_that_fit(void)
{
	const uint64_t reserve = RESERVE((uint64_t)common.threads, opt.mem);
	const uint64_t bytes = opt.mem - reserve;
	uint64_t fit = 0, too_many = opt.mem / 100;

	if (opt.mem <= reserve || ycsb_bytes(opt.ycsb, 1000, opt.operations) > bytes)
		die("--mem: too small for the inserts of %llu operations and %u threads",
		    (unsigned long long)opt.operations, common.threads);
	while (too_many - fit > 1) {
		const uint64_t middle = fit + (too_many - fit) / 2;

		if (ycsb_bytes(opt.ycsb, middle, opt.operations) <= bytes)
			fit = middle;
		else
			too_many = middle;
	}
	return fit;
}

static struct bench *make_bench(void)
{
	static struct ycsb ycsb;
	static struct tpcc tpcc;

	if (opt.tpcc) {
		check_memory(tpcc_bytes(opt.tpcc, opt.operations));
		tpcc_init(&tpcc, opt.tpcc, common.threads, opt.operations);
		return &tpcc.bench;
	}
	if (opt.mem) {
		check_memory(opt.mem);
		opt.records = records_that_fit();
	} else if (!opt.records) {
		opt.records = RECORDS;
	}
	check_memory(ycsb_bytes(opt.ycsb, opt.records, opt.operations));
	ycsb_init(&ycsb, opt.ycsb, opt.records, common.threads, opt.operations);
	return &ycsb.bench;
}

static const char *check(struct bench *b)
{
	if (common.corrupt) {
		if (opt.tpcc)
			tpcc_corrupt((struct tpcc *)b, common.corrupt);
		else
			ycsb_corrupt((struct ycsb *)b, common.corrupt);
	}
	return opt.tpcc ? tpcc_check((struct tpcc *)b) : ycsb_check((struct ycsb *)b);
}

/* Report what the workers counted. Returns the number of commits. */
static uint64_t report_counts(const struct bench *b)
{
	uint64_t all_committed = 0, all_aborted = 0, rolled_back = 0;

	for (unsigned int type = 0; type < BENCH_TYPES; type++) {
		uint64_t committed = 0, aborted = 0;
		char name[32];

		for (unsigned int i = 0; i < b->threads; i++) {
			committed += b->workers[i].committed[type];
			aborted += b->workers[i].aborted[type];
		}
		snprintf(name, sizeof(name), "%s_aborted", b->type_names[type]);
		report_uint(b->type_names[type], committed);
		report_uint(name, aborted);
		all_committed += committed;
		all_aborted += aborted;
	}
	for (unsigned int i = 0; i < b->threads; i++)
		rolled_back += b->workers[i].rolled_back;
	report_uint("committed", all_committed);
	report_uint("aborted", all_aborted);
	report_uint("rolled_back", rolled_back);
	return all_committed;
}

static void report_latencies(const struct bench *b)
{
	struct latency all = { 0 };

	for (unsigned int i = 0; i < b->threads; i++)
		latency_merge(&all, &b->workers[i].latency);
	report_real("p50_us", "%.3f", latency_us(&all, 0.50));
	report_real("p90_us", "%.3f", latency_us(&all, 0.90));
	report_real("p95_us", "%.3f", latency_us(&all, 0.95));
	report_real("p99_us", "%.3f", latency_us(&all, 0.99));
}

int main(int argc, char **argv)
{
	const char *wrong;
	uint64_t committed;
	struct bench *b;

	parse_command_line(argc, argv, &program);
	check_options();
	b = make_bench();
	bench_load(b);

	measure_begin(b->unit);
	bench_run(b);
	measure_end();

	wrong = check(b);
	if (wrong)
		warn("not as it should be: %s", wrong);
	if (opt.tpcc) {
		report_text("benchmark", "tpcc");
		report_uint("warehouses", opt.tpcc);
	} else {
		report_text("benchmark", "ycsb");
		report_json("mix", "\"%c\"", opt.ycsb);
		report_uint("records", opt.records);
	}
	report_uint("operations", opt.operations);
	report_uint("threads", common.threads);
	committed = report_counts(b);
	report_latencies(b);
	return report(committed / measured.seconds, !wrong && committed == opt.operations);
}
