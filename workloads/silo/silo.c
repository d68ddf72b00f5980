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
#include <unistd.h>

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
	unsigned int threads;
	char ycsb; /* 0: not given */
	const char *corrupt;
} opt = {
	.operations = 10000000,
};

static const struct argp_option options[] = {
	{ "ycsb", 'y', "MIX", 0, "YCSB's workload A to F (A)", 0 },
	{ "records", 'n', "N", 0, "YCSB: records to load (1000000)", 0 },
	{ "mem", 'm', "SIZE", 0, "YCSB: instead, as many as make the footprint this large", 0 },
	{ "tpcc", 'w', "N", 0, "TPC-C with N warehouses instead of YCSB", 0 },
	{ "operations", 'o', "N", 0, "operations of all threads together (10000000)", 0 },
	{ "threads", 't', "N", 0, "threads (all CPUs)", 0 },
	{ "corrupt", 'c', "WHAT", 0,
	  "damage, to be found out: torn, update or missing (YCSB); 1 to 4 or history (TPC-C)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'y':
		if (strlen(arg) != 1 || *arg < 'A' || *arg > 'F')
			die("--ycsb: must be A to F: %s", arg);
		opt.ycsb = *arg;
		return 0;
	case 'n':
		opt.records = parse_size("records", arg, 1000, 1ull << 40);
		return 0;
	case 'm':
		opt.mem = parse_size("mem", arg, 8 << 20, 1ull << 46);
		return 0;
	case 'w':
		opt.tpcc = parse_size("tpcc", arg, 1, TPCC_WAREHOUSES_MAX);
		return 0;
	case 'o':
		opt.operations = parse_size("operations", arg, 1, 1ull << 40);
		return 0;
	case 't':
		opt.threads = parse_size("threads", arg, 1, 1024);
		return 0;
	case 'c':
		opt.corrupt = arg;
		return 0;
	}
	(void)state;
	return ARGP_ERR_UNKNOWN;
}

/* Whether @arg is among @names. */
static bool is_one_of(const char *arg, const char *const names[])
{
	for (; *names; names++)
		if (!strcmp(arg, *names))
			return true;
	return false;
}

static void check_options(void)
{
	static const char *const ycsb_damage[] = { "torn", "update", "missing", NULL };
	static const char *const tpcc_damage[] = { "1", "2", "3", "4", "history", NULL };

	if (opt.tpcc && (opt.ycsb || opt.records || opt.mem))
		die("--tpcc: options of YCSB, --ycsb, --records and --mem, do not go with it");
	if (opt.mem && opt.records)
		die("--mem: does not go with --records");
	if (opt.corrupt && !is_one_of(opt.corrupt, opt.tpcc ? tpcc_damage : ycsb_damage))
		die("--corrupt: must be %s: %s",
		    opt.tpcc ? "1 to 4 or history" : "torn, update or missing", opt.corrupt);
	if (!opt.ycsb)
		opt.ycsb = 'A';
	if (!opt.threads)
		opt.threads = sysconf(_SC_NPROCESSORS_ONLN);
}

/* As many records as fit in --mem with all inserts. */
static uint64_t records_that_fit(void)
{
	const uint64_t reserve = RESERVE((uint64_t)opt.threads, opt.mem);
	const uint64_t bytes = opt.mem - reserve;
	uint64_t fit = 0, too_many = opt.mem / 100;

	if (opt.mem <= reserve || ycsb_bytes(opt.ycsb, 1000, opt.operations) > bytes)
		die("--mem: too small for the inserts of %llu operations and %u threads",
		    (unsigned long long)opt.operations, opt.threads);
	while (too_many - fit > 1) {
		const uint64_t middle = fit + (too_many - fit) / 2;

		if (ycsb_bytes(opt.ycsb, middle, opt.operations) <= bytes)
			fit = middle;
		else
			too_many = middle;
	}
	return fit;
}

/* The kernel would promise more than there is, and kill later. */
static void must_have(uint64_t bytes)
{
	const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

	if (bytes > memory)
		die("cannot allocate %llu MiB: the machine has %llu MiB",
		    (unsigned long long)(bytes >> 20), (unsigned long long)(memory >> 20));
}

static struct bench *make_bench(void)
{
	static struct ycsb ycsb;
	static struct tpcc tpcc;

	if (opt.tpcc) {
		must_have(tpcc_bytes(opt.tpcc, opt.operations));
		tpcc_init(&tpcc, opt.tpcc, opt.threads, opt.operations);
		return &tpcc.bench;
	}
	if (opt.mem) {
		must_have(opt.mem);
		opt.records = records_that_fit();
	} else if (!opt.records) {
		opt.records = RECORDS;
	}
	must_have(ycsb_bytes(opt.ycsb, opt.records, opt.operations));
	ycsb_init(&ycsb, opt.ycsb, opt.records, opt.threads, opt.operations);
	return &ycsb.bench;
}

static const char *check(struct bench *b)
{
	if (opt.corrupt) {
		if (opt.tpcc)
			tpcc_corrupt((struct tpcc *)b, opt.corrupt);
		else
			ycsb_corrupt((struct ycsb *)b, opt.corrupt);
	}
	return opt.tpcc ? tpcc_check((struct tpcc *)b) : ycsb_check((struct ycsb *)b);
}

/* What the workers counted. Returns the number of commits. */
static uint64_t print_counts(FILE *out, const struct bench *b)
{
	uint64_t all_committed = 0, all_aborted = 0, rolled_back = 0;

	for (unsigned int type = 0; type < BENCH_TYPES; type++) {
		uint64_t committed = 0, aborted = 0;

		for (unsigned int i = 0; i < b->threads; i++) {
			committed += b->workers[i].committed[type];
			aborted += b->workers[i].aborted[type];
		}
		fprintf(out, "\"%s\": %llu, \"%s_aborted\": %llu, ", b->type_names[type],
			(unsigned long long)committed, b->type_names[type],
			(unsigned long long)aborted);
		all_committed += committed;
		all_aborted += aborted;
	}
	for (unsigned int i = 0; i < b->threads; i++)
		rolled_back += b->workers[i].rolled_back;
	fprintf(out, "\"committed\": %llu, \"aborted\": %llu, \"rolled_back\": %llu, ",
		(unsigned long long)all_committed, (unsigned long long)all_aborted,
		(unsigned long long)rolled_back);
	return all_committed;
}

static void print_latencies(FILE *out, const struct bench *b)
{
	struct latency all = { 0 };

	for (unsigned int i = 0; i < b->threads; i++)
		latency_merge(&all, &b->workers[i].latency);
	fprintf(out, "\"p50_us\": %.3f, \"p90_us\": %.3f, \"p95_us\": %.3f, \"p99_us\": %.3f",
		latency_us(&all, 0.50), latency_us(&all, 0.90), latency_us(&all, 0.95),
		latency_us(&all, 0.99));
}

int main(int argc, char **argv)
{
	const double start = now_s();
	double init_s, seconds;
	char parameters[2048];
	struct result result;
	const char *wrong;
	uint64_t committed;
	struct bench *b;
	FILE *out;

	parse_command_line(argc, argv, options, parse,
			   "Transactions in memory by optimistic concurrency control.");
	check_options();
	b = make_bench();
	bench_load(b);
	init_s = now_s() - start;

	progress_begin(b->unit, common.report_ms);
	roi_begin();
	seconds = now_s();
	bench_run(b);
	seconds = now_s() - seconds;
	roi_end();
	progress_end();

	wrong = check(b);
	if (wrong)
		fprintf(stderr, "silo: not as it should be: %s\n", wrong);
	out = fmemopen(parameters, sizeof(parameters), "w");
	if (!out)
		die("no memory for the report");
	if (opt.tpcc)
		fprintf(out, "\"benchmark\": \"tpcc\", \"warehouses\": %u, ", opt.tpcc);
	else
		fprintf(out, "\"benchmark\": \"ycsb\", \"mix\": \"%c\", \"records\": %llu, ",
			opt.ycsb, (unsigned long long)opt.records);
	fprintf(out, "\"operations\": %llu, \"threads\": %u, ", (unsigned long long)opt.operations,
		opt.threads);
	committed = print_counts(out, b);
	print_latencies(out, b);
	fclose(out);
	result = (struct result){
		.workload = "silo",
		.parameters = parameters,
		.init_s = init_s,
		.seconds = seconds,
		.rate = committed / seconds,
		.rate_unit = b->unit,
		.verified = !wrong && committed == opt.operations,
	};
	return report(&result);
}
