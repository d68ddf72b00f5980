// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GUPS: random read-modify-write updates of 8-byte words of one large table.
 *
 * Four modes: "hotset" sends a share of the updates (--hot-weight)
 * to a contiguous part of the table (--hot) that lies first or, with
 * --reverse, last, and may move to the other end after a share of the updates
 * (--phase); "zipf" makes word k of the table the k-th most popular, with
 * --reverse the k-th but last; "random" is uniform; "writes" is as "hotset" but
 * overwrites words without reading them. The table is touched from
 * its first word to its last before the measured phase, so that first-touch
 * placement fills the fast tier with its beginning.
 *
 * Verification: every update adds a value of the thread's random sequence, so
 * the sum of the table must grow by the sum of all values (modulo 2^64). The
 * threads update disjoint cache lines of the same pages, hence need no atomics.
 * "writes" gives a word the same value each time: the words of the sequence, which
 * is gone through again, must have it, and all words that or what they had in the
 * beginning.
 */
#include "common.h"
#include "openmp.h"
#include "roi.h"
#include "zipf.h"

#define LINE_WORDS 8
#define BATCH	   4096

enum mode { HOTSET, ZIPF, RANDOM, WRITES };
static const char *const mode_names[] = { "hotset", "zipf", "random", "writes", NULL };

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
	{ "mode", 'd', "MODE", 0, "hotset, zipf, random or writes (hotset)", 0 },
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

/* Random numbers up to this one choose the hot set. */
static uint64_t hot_share(void)
{
	return opt.hot_weight >= 1 ? UINT64_MAX : opt.hot_weight * 0x1p64;
}

/* What a thread updates: its lines of the table and of the hot set. */
struct job {
	uint64_t *table;
	struct span all;
	struct span hot;
	struct zipf zipf;
	struct rng rng;
	uint64_t updates;
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
	const uint64_t hot_below = hot_share();
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

/* Word of the next write: drawn as update_hotset() does. */
static inline uint64_t next_written(struct job *j, uint64_t hot_below)
{
	struct span s = rng_next(&j->rng) <= hot_below ? j->hot : j->all;

	s.words /= j->threads;
	return own_word(s, scale_to(rng_next(&j->rng), s.words), j->me, j->threads);
}

/* Makes @n writes; nothing is added. */
static __attribute__((noinline)) uint64_t write_words(struct job *j, uint64_t n)
{
	const uint64_t hot_below = hot_share();
	uint64_t *const table = j->table;
	struct job local = *j;

	while (n--) {
		const uint64_t word = next_written(&local, hot_below);

		table[word] = ~word;
	}
	j->rng = local.rng;
	return 0;
}

/* Goes through @n writes again. Returns how many of their words do not hold what was written. */
static uint64_t count_unwritten(struct job *j, uint64_t n)
{
	const uint64_t hot_below = hot_share();
	uint64_t unwritten = 0;

	while (n--) {
		const uint64_t word = next_written(j, hot_below);

		unwritten += j->table[word] != ~word;
	}
	return unwritten;
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
		else if (opt.mode == WRITES)
			sum += write_words(j, n);
		else
			sum += update_random(j, n);
		updates -= n;
		progress_piece(n, now_s() - begin_s);
	}
	return sum;
}

/*
 * Goes through the updates of a thread, whose hot set moves to the other end after its
 * share of them. Returns the sum of what @pass returned.
 */
static uint64_t go_through(struct job *j, uint64_t (*pass)(struct job *j, uint64_t n))
{
	const uint64_t before = opt.phase > 0 ? j->updates * opt.phase : j->updates;
	uint64_t sum;

	j->hot = hot_span(j->all.words, j->hot.words, opt.reverse);
	sum = pass(j, before);
	if (before < j->updates && j->me == 0 && pass == update)
		roi_phase();
	j->hot = hot_span(j->all.words, j->hot.words, !opt.reverse);
	return sum + pass(j, j->updates - before);
}

/* What this thread of a parallel region is to do; @all has what is the same for all threads. */
static struct job job_of_thread(struct job all)
{
	const unsigned int me = omp_get_thread_num();

	openmp_check();
	all.me = me;
	all.updates = opt.updates / all.threads + (me < opt.updates % all.threads);
	all.rng = rng_seed(common.seed, me);
	return all;
}

int main(int argc, char **argv)
{
	uint64_t words, hot_words, align, added = 0, made = 0, sum = 0, *table;
	struct job whole = { 0 };
	bool has_hot;

	parse_command_line(argc, argv, &program);
	openmp_start();
	has_hot = opt.mode == HOTSET || opt.mode == WRITES;
	if (!opt.hot)
		opt.hot = opt.mem / 14;
	/* whole lines for every thread, in the table and in the hot set */
	align = (uint64_t)LINE_WORDS * common.threads;
	words = opt.mem / 8 / align * align;
	hot_words = opt.hot / 8 / align * align;
	if (!words || (has_hot && !hot_words))
		die("--mem and --hot are too small for %u threads", common.threads);
	if (has_hot && hot_words > words)
		die("--hot: must be at most the size of the table");
	table = allocate(words * 8);

#pragma omp parallel for schedule(static)
	for (uint64_t i = 0; i < words; i++)
		table[i] = i;
	whole.table = table;
	whole.all.words = words;
	whole.hot.words = hot_words;
	whole.threads = common.threads;
	if (opt.mode == ZIPF)
		whole.zipf = zipf_make(words / common.threads, opt.theta);

	measure_begin("updates/s");
#pragma omp parallel reduction(+ : added, made)
	{
		struct job j = job_of_thread(whole);

		added += go_through(&j, update);
		made += j.updates;
	}
	measure_end();

	if (corrupts("table"))
		table[words / 2] ^= 1;
	if (opt.mode == WRITES) {
#pragma omp parallel reduction(+ : sum)
		{
			struct job j = job_of_thread(whole);

			sum += go_through(&j, count_unwritten);
		}
	}
#pragma omp parallel for schedule(static) reduction(+ : sum)
	for (uint64_t i = 0; i < words; i++)
		sum += opt.mode == WRITES ? table[i] != i && table[i] != ~i : table[i] - i;

	report_text("mode", mode_names[opt.mode]);
	report_uint("mem", opt.mem);
	report_uint("updates", opt.updates);
	report_uint("hot", has_hot ? hot_words * 8 : 0);
	report_bool("reverse", opt.reverse);
	report_real("phase", "%g", opt.phase);
	report_uint("threads", common.threads);
	return report(opt.updates / measured.seconds, sum == added && made == opt.updates);
}
