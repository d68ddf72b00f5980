// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GUPS: random read-modify-write updates of 8-byte words of one large table.
 *
 * Three distributions: "hotset" sends a share of the updates (--hot-weight)
 * to a contiguous part of the table (--hot) that lies first or, with
 * --reverse, last, and may move to the other end after a share of the updates
 * (--phase); "zipf" makes word k of the table the k-th most popular, with
 * --reverse the k-th but last; "random" is uniform. The table is touched from
 * its first word to its last before the measured phase, so that first-touch
 * placement fills the fast tier with its beginning.
 *
 * Verification: every update adds a value of the thread's random sequence, so
 * the sum of the table must grow by the sum of all values (modulo 2^64). The
 * threads update disjoint cache lines of the same pages, hence need no atomics.
 */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "zipf.h"

#define LINE_WORDS 8
#define BATCH	   4096

enum mode { HOTSET, ZIPF, RANDOM };
static const char *const mode_names[] = { "hotset", "zipf", "random" };

static struct {
	uint64_t mem;
	uint64_t updates;
	uint64_t hot;
	double hot_weight;
	double phase;
	double theta;
	unsigned int threads;
	enum mode mode;
	bool reverse;
} opt = {
	.mem = 256 << 20,
	.updates = 100000000,
	.hot_weight = 0.9,
	.theta = 0.99,
};

static const struct argp_option options[] = {
	{ "mem", 'm', "SIZE", 0, "size of the table (256M)", 0 },
	{ "updates", 'n', "N", 0, "updates in all (100000000)", 0 },
	{ "mode", 'd', "MODE", 0, "hotset, zipf or random (hotset)", 0 },
	{ "hot", 'h', "SIZE", 0, "size of the hot set (a fourteenth of the table)", 0 },
	{ "hot-weight", 'w', "SHARE", 0, "share of the updates that it gets (0.9)", 0 },
	{ "reverse", 'r', NULL, 0, "put what is hot last instead of first", 0 },
	{ "phase", 'p', "SHARE", 0,
	  "move the hot set to the other end after this share of the updates (0: never)", 0 },
	{ "theta", 'z', "X", 0, "skew of the zipf distribution, below 1 (0.99)", 0 },
	{ "threads", 't', "N", 0, "OpenMP threads (all CPUs)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'm':
		opt.mem = parse_size("mem", arg, 64 << 10, 1ull << 46);
		return 0;
	case 'n':
		opt.updates = parse_size("updates", arg, 1, 1ull << 60);
		return 0;
	case 'd':
		for (opt.mode = HOTSET; opt.mode <= RANDOM; opt.mode++)
			if (!strcmp(arg, mode_names[opt.mode]))
				return 0;
		die("--mode: must be hotset, zipf or random: %s", arg);
	case 'h':
		opt.hot = parse_size("hot", arg, 4096, 1ull << 46);
		return 0;
	case 'w':
		opt.hot_weight = parse_number("hot-weight", arg, 0, 1);
		return 0;
	case 'r':
		opt.reverse = true;
		return 0;
	case 'p':
		opt.phase = parse_number("phase", arg, 0, 1);
		return 0;
	case 'z':
		opt.theta = parse_number("theta", arg, 0, 0.9999);
		return 0;
	case 't':
		opt.threads = parse_size("threads", arg, 1, 1024);
		return 0;
	}
	(void)state;
	return ARGP_ERR_UNKNOWN;
}

/* Words [first, first + words) of the table, of which a thread has its lines. */
struct span {
	uint64_t first;
	uint64_t words;
};

/*
 * Word @k of those of @span that lie in lines of thread @me of @threads; the
 * caller takes @k below span.words / threads.
 */
static uint64_t own_word(struct span span, uint64_t k, unsigned int me, unsigned int threads)
{
	uint64_t line = k / LINE_WORDS * threads + me;

	return span.first + line * LINE_WORDS + k % LINE_WORDS;
}

/* @value, uniform over all 64-bit numbers, to uniform in [0, @n). */
static inline uint64_t scale(uint64_t value, uint64_t n)
{
	return ((unsigned __int128)value * n) >> 64;
}

static struct span hot_span(uint64_t words, uint64_t hot, bool last)
{
	return (struct span){ last ? words - hot : 0, hot };
}

/* What a thread updates: its lines of the table and of the hot set. */
struct job {
	uint64_t *table;
	struct span all;
	struct span hot;
	struct zipf zipf;
	struct rng rng;
	unsigned int me;
	unsigned int threads;
};

/*
 * Each makes @n updates of one distribution and returns the sum of what was
 * added. They are functions of their own to keep the loops free of memory
 * accesses other than the update.
 */
static __attribute__((noinline)) uint64_t update_random(struct job *j, uint64_t n)
{
	const uint64_t share = j->all.words / j->threads;
	const unsigned int me = j->me, threads = j->threads;
	const struct span all = j->all;
	uint64_t *const table = j->table;
	struct rng rng = j->rng;
	uint64_t sum = 0;

	while (n--) {
		const uint64_t value = rng_next(&rng);

		table[own_word(all, scale(value, share), me, threads)] += value;
		sum += value;
	}
	j->rng = rng;
	return sum;
}

static __attribute__((noinline)) uint64_t update_hotset(struct job *j, uint64_t n)
{
	const uint64_t hot_below = opt.hot_weight >= 1 ? UINT64_MAX : opt.hot_weight * 0x1p64;
	const unsigned int me = j->me, threads = j->threads;
	/* the part of a distribution's words that is this thread's */
	struct span all = j->all, hot = j->hot;
	uint64_t *const table = j->table;
	struct rng rng = j->rng;
	uint64_t sum = 0;

	all.words /= threads;
	hot.words /= threads;
	while (n--) {
		const struct span s = rng_next(&rng) <= hot_below ? hot : all;
		const uint64_t value = rng_next(&rng);

		table[own_word(s, scale(value, s.words), me, threads)] += value;
		sum += value;
	}
	j->rng = rng;
	return sum;
}

static __attribute__((noinline)) uint64_t update_zipf(struct job *j, uint64_t n)
{
	const uint64_t last = j->all.words / j->threads - 1;
	struct rng rng = j->rng;
	uint64_t sum = 0;

	while (n--) {
		const uint64_t k = zipf_rank(&j->zipf, &rng);
		const uint64_t word = opt.reverse ? last - k : k;

		j->table[own_word(j->all, word, j->me, j->threads)] += rng.state;
		sum += rng.state;
	}
	j->rng = rng;
	return sum;
}

static uint64_t update(struct job *j, uint64_t updates)
{
	uint64_t sum = 0;

	while (updates) {
		const uint64_t n = updates < BATCH ? updates : BATCH;

		if (opt.mode == HOTSET)
			sum += update_hotset(j, n);
		else if (opt.mode == ZIPF)
			sum += update_zipf(j, n);
		else
			sum += update_random(j, n);
		updates -= n;
		progress(n);
	}
	return sum;
}

int main(int argc, char **argv)
{
	const double start = now_s();
	uint64_t words, hot_words, align, added = 0, made = 0, sum = 0, *table;
	double init_s, seconds;
	struct zipf zipf = { 0 };
	char parameters[256];
	struct result result;
	struct span all;

	parse_command_line(argc, argv, options, parse,
			   "Random updates of 8-byte words of one large table.");
	if (opt.threads)
		omp_set_num_threads(opt.threads);
	opt.threads = omp_get_max_threads();
	if (!opt.hot)
		opt.hot = opt.mem / 14;
	/* whole lines for every thread, in the table and in the hot set */
	align = (uint64_t)LINE_WORDS * opt.threads;
	words = opt.mem / 8 / align * align;
	hot_words = opt.hot / 8 / align * align;
	if (!words || (opt.mode == HOTSET && !hot_words))
		die("--mem and --hot are too small for %u threads", opt.threads);
	if (opt.mode == HOTSET && hot_words > words)
		die("--hot: must be at most the size of the table");
	all = (struct span){ 0, words };
	table = allocate(words * 8);

#pragma omp parallel for schedule(static)
	for (uint64_t i = 0; i < words; i++)
		table[i] = i;
	if (opt.mode == ZIPF)
		zipf = zipf_make(words / opt.threads, opt.theta);
	init_s = now_s() - start;

	progress_begin("updates/s", common.report_ms);
	roi_begin();
	seconds = now_s();
#pragma omp parallel reduction(+ : added, made)
	{
		const unsigned int me = omp_get_thread_num();
		const uint64_t mine = opt.updates / opt.threads + (me < opt.updates % opt.threads);
		const uint64_t before = opt.phase > 0 ? mine * opt.phase : mine;
		struct job j = {
			.table = table,
			.all = all,
			.hot = hot_span(words, hot_words, opt.reverse),
			.zipf = zipf,
			.rng = rng_seed(common.seed, me),
			.me = me,
			.threads = opt.threads,
		};

		if (omp_get_num_threads() != (int)opt.threads)
			die("OpenMP gives %d threads instead of %u", omp_get_num_threads(),
			    opt.threads);
		added += update(&j, before);
		if (before < mine && me == 0)
			roi_phase();
		j.hot = hot_span(words, hot_words, !opt.reverse);
		added += update(&j, mine - before);
		made += mine;
	}
	seconds = now_s() - seconds;
	roi_end();
	progress_end();

#pragma omp parallel for schedule(static) reduction(+ : sum)
	for (uint64_t i = 0; i < words; i++)
		sum += table[i] - i;

	snprintf(parameters, sizeof(parameters),
		 "\"mode\": \"%s\", \"mem\": %llu, \"updates\": %llu, "
		 "\"hot\": %llu, \"reverse\": %s, \"phase\": %g, \"threads\": %u",
		 mode_names[opt.mode], (unsigned long long)opt.mem, (unsigned long long)opt.updates,
		 (unsigned long long)(opt.mode == HOTSET ? hot_words * 8 : 0),
		 opt.reverse ? "true" : "false", opt.phase, opt.threads);
	result = (struct result){
		.workload = "gups",
		.parameters = parameters,
		.init_s = init_s,
		.seconds = seconds,
		.rate = opt.updates / seconds,
		.rate_unit = "updates/s",
		.verified = sum == added && made == opt.updates,
	};
	return report(&result);
}
