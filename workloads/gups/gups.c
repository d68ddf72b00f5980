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
#include "common.h"
#include "openmp.h"
#include "roi.h"
#include "zipf.h"

#define LINE_WORDS 8
#define BATCH	   4096

enum mode { HOTSET, ZIPF, RANDOM };
static const char *const mode_names[] = { "hotset", "zipf", "random", NULL };

static struct {
	uint64_t mem;
	uint64_t updates;
	uint64_t hot;
	double hot_weight;
	double phase;
	double theta;
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
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'm':
		opt.mem = parse_size("mem", arg, 64 << 10, MEM_MAX);
		return true;
	case 'n':
		opt.updates = parse_size("updates", arg, 1, 1ull << 60);
		return true;
	case 'd':
		opt.mode = parse_choice("mode", arg, mode_names);
		return true;
	case 'h':
		opt.hot = parse_size("hot", arg, 4096, MEM_MAX);
		return true;
	case 'w':
		opt.hot_weight = parse_number("hot-weight", arg, 0, 1);
		return true;
	case 'r':
		opt.reverse = true;
		return true;
	case 'p':
		opt.phase = parse_number("phase", arg, 0, 1);
		return true;
	case 'z':
		opt.theta = parse_number("theta", arg, 0, 0.9999);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "gups",
	.about = "Random updates of 8-byte words of one large table.",
	.options = options,
	.parse = parse,
	.default_threads = omp_get_max_threads,
	.corruptions = (const char *const[]){ "table", NULL },
};

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

		table[own_word(all, scale_to(value, share), me, threads)] += value;
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

		table[own_word(s, scale_to(value, s.words), me, threads)] += value;
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
		const double begin_s = now_s();

		if (opt.mode == HOTSET)
			sum += update_hotset(j, n);
		else if (opt.mode == ZIPF)
			sum += update_zipf(j, n);
		else
			sum += update_random(j, n);
		updates -= n;
		progress_piece(n, now_s() - begin_s);
	}
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t words, hot_words, align, added = 0, made = 0, sum = 0, *table;
	struct zipf zipf = { 0 };
	struct span all;

	parse_command_line(argc, argv, &program);
	openmp_start();
	if (!opt.hot)
		opt.hot = opt.mem / 14;
	/* whole lines for every thread, in the table and in the hot set */
	align = (uint64_t)LINE_WORDS * common.threads;
	words = opt.mem / 8 / align * align;
	hot_words = opt.hot / 8 / align * align;
	if (!words || (opt.mode == HOTSET && !hot_words))
		die("--mem and --hot are too small for %u threads", common.threads);
	if (opt.mode == HOTSET && hot_words > words)
		die("--hot: must be at most the size of the table");
	all = (struct span){ 0, words };
	table = allocate(words * 8);

#pragma omp parallel for schedule(static)
	for (uint64_t i = 0; i < words; i++)
		table[i] = i;
	if (opt.mode == ZIPF)
		zipf = zipf_make(words / common.threads, opt.theta);

	measure_begin("updates/s");
#pragma omp parallel reduction(+ : added, made)
	{
		const unsigned int me = omp_get_thread_num();
		const unsigned int threads = common.threads;
		const uint64_t mine = opt.updates / threads + (me < opt.updates % threads);
		const uint64_t before = opt.phase > 0 ? mine * opt.phase : mine;
		struct job j = {
			.table = table,
			.all = all,
			.hot = hot_span(words, hot_words, opt.reverse),
			.zipf = zipf,
			.rng = rng_seed(common.seed, me),
			.me = me,
			.threads = threads,
		};

		openmp_check();
		added += update(&j, before);
		if (before < mine && me == 0)
			roi_phase();
		j.hot = hot_span(words, hot_words, !opt.reverse);
		added += update(&j, mine - before);
		made += mine;
	}
	measure_end();

	if (corrupts("table"))
		table[words / 2] ^= 1;
#pragma omp parallel for schedule(static) reduction(+ : sum)
	for (uint64_t i = 0; i < words; i++)
		sum += table[i] - i;

	report_text("mode", mode_names[opt.mode]);
	report_uint("mem", opt.mem);
	report_uint("updates", opt.updates);
	report_uint("hot", opt.mode == HOTSET ? hot_words * 8 : 0);
	report_bool("reverse", opt.reverse);
	report_real("phase", "%g", opt.phase);
	report_uint("threads", common.threads);
	return report(opt.updates / measured.seconds, sum == added && made == opt.updates);
}
