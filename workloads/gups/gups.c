// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GUPS: random read-modify-write updates of 8-byte words of one large table.
 *
 * Five modes: "hotset" sends a share of the updates (--hot-weight)
 * to a contiguous part of the table (--hot) that lies first or, with
 * --reverse, last, and may move to the other end after a share of the updates
 * (--phase); "zipf" makes word k of the table the k-th most popular, with
 * --reverse the k-th but last; "random" is uniform; "writes" is as "hotset" but
 * overwrites words without reading them, and "reads" reads them only. The table is
 * touched from its first word to its last before the measured phase, so that first-touch
 * placement fills the fast tier with its beginning, or with ballast that comes before it.
 *
 * Several processes share one table, each with its own lines of it, where it is shared
 * memory; of private memory each process has a table of its own.
 *
 * Verification: every update adds a value of the thread's random sequence, so
 * the sum of the table must grow by the sum of all values (modulo 2^64). The
 * threads update disjoint cache lines of the same pages, hence need no atomics.
 * "writes" gives a word the same value each time: the words of the sequence, which
 * is gone through again, must have it, and all words that or what they had in the
 * beginning. "reads" must have read what the words had in the beginning.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "ballast.h"
#include "common.h"
#include "forks.h"
#include "memory.h"
#include "openmp.h"
#include "processes.h"
#include "roi.h"
#include "zipf.h"

#define LINE_WORDS 8
#define BATCH	   4096

#define PROCESSES_MAX 256

enum mode { HOTSET, ZIPF, RANDOM, WRITES, READS };
static const char *const mode_names[] = { "hotset", "zipf", "random", "writes", "reads", NULL };

static struct {
	uint64_t mem;
	uint64_t updates;
	uint64_t hot;
	double hot_weight;
	double phase;
	double theta;
	enum mode mode;
	bool reverse;
	enum kind backing[PROCESSES_MAX]; /* of the processes in turn */
	unsigned int backings;
	unsigned int processes;
	double fork_every; /* 0: never */
	double fork_life; /* below 0: not given */
	const char *folder;
} opt = {
	.mem = 256 << 20,
	.updates = 100000000,
	.hot_weight = 0.9,
	.theta = 0.99,
	.backings = 1,
	.processes = 1,
	.fork_life = -1,
	.folder = "/tmp",
};

static const char about[] =
	"Random updates of 8-byte words of one large table.\v"
	"KIND is what memory is of:\n"
	"  anon     private memory\n"
	"  shmem    shared memory\n"
	"  memfd    shared memory by memfd_create()\n"
	"  file     a file in --folder, mapped and shared\n"
	"  cache    page cache of such a file that is not mapped: needs --mode reads\n"
	"  hugetlb  shared huge pages of the pool, /proc/sys/vm/nr_hugepages\n"
	"  thp      private memory in transparent huge pages\n"
	"  holes    the same; of each 4 KiB were discarded, and are another page now\n"
	"  mthp     private memory in folios of 64 KiB, if the kernel gives all these\n"
	"  mlock    private memory, locked\n"
	"\n"
	"Processes share one table if it is of shared memory. Of private memory each has "
	"its own, and --mem is the size of all.\n"
	"\n"
	"Page cache that nobody reads takes the fast memory first; eight processes share "
	"one table; a child has the table, too, for 10 s of 20:\n"
	"  gups --mem 280M --reverse --ballast 150M:cache\n"
	"  gups --mem 400M --reverse --backing shmem --processes 8 --threads 1\n"
	"  gups --mem 400M --reverse --mode reads --fork-every 20";

static const struct argp_option options[] = {
	{ "mem", 'm', "SIZE", 0, "size of the table (256M)", 0 },
	{ "updates", 'n', "N", 0, "updates in all (100000000)", 0 },
	{ "mode", 'd', "MODE", 0, "hotset, zipf, random, writes or reads (hotset)", 0 },
	{ "hot", 'h', "SIZE", 0, "size of the hot set (a fourteenth of the table)", 0 },
	{ "hot-weight", 'w', "SHARE", 0, "share of the updates that it gets (0.9)", 0 },
	{ "reverse", 'r', NULL, 0, "put what is hot last instead of first", 0 },
	{ "phase", 'p', "SHARE", 0,
	  "move the hot set to the other end after this share of the updates (0: never)", 0 },
	{ "theta", 'z', "X", 0, "skew of the zipf distribution, below 1 (0.99)", 0 },
	{ "backing", 'b', "KIND[,KIND...]", 0,
	  "what the table is of; of several, the processes take one each in turn (anon)", 0 },
	{ "ballast", 'B', "SIZE:KIND", 0,
	  "fill such memory before the table, and leave it alone; may be given several times", 0 },
	{ "processes", 'P', "N", 0, "processes that do the updates, each with --threads (1)", 0 },
	{ "fork-every", 'f', "SECONDS", 0,
	  "fork a child so often, which has the same memory and sleeps (0: never)", 0 },
	{ "fork-life", 'l', "SECONDS", 0, "how long such a child lives (half of --fork-every)", 0 },
	{ "folder", 'F', "PATH", 0, "where files are, without a name (/tmp)", 0 },
	{ 0 },
};

/* Take KIND[,KIND...]. */
static void parse_backing(const char *arg)
{
	opt.backings = 0;
	for (;;) {
		const size_t length = strcspn(arg, ",");
		char name[32];

		if (length >= sizeof(name) || opt.backings == PROCESSES_MAX)
			die("--backing: too long: %s", arg);
		memcpy(name, arg, length);
		name[length] = '\0';
		opt.backing[opt.backings++] = parse_choice("backing", name, kind_names);
		if (!arg[length])
			return;
		arg += length + 1;
	}
}

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
	case 'b':
		parse_backing(arg);
		return true;
	case 'B':
		ballast_add(arg);
		return true;
	case 'P':
		opt.processes = parse_size("processes", arg, 1, PROCESSES_MAX);
		return true;
	case 'f':
		opt.fork_every = parse_number("fork-every", arg, 0, 1e6);
		return true;
	case 'l':
		opt.fork_life = parse_number("fork-life", arg, 0, 1e6);
		return true;
	case 'F':
		opt.folder = arg;
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "gups",
	.about = about,
	.options = options,
	.parse = parse,
	.default_threads = omp_get_max_threads,
	.corruptions = (const char *const[]){ "table", "ballast", NULL },
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
	const struct memory *memory;
	uint64_t *table; /* its words, NULL if they are not mapped */
	struct span all;
	struct span hot;
	struct zipf zipf;
	struct rng rng;
	uint64_t updates;
	unsigned int me; /* of the threads that share the table */
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

/* Word of the next write or read: drawn as update_hotset() does. */
static inline uint64_t next_word(struct job *j, uint64_t hot_below)
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
		const uint64_t word = next_word(&local, hot_below);

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
		const uint64_t word = next_word(j, hot_below);

		unwritten += j->table[word] != ~word;
	}
	return unwritten;
}

/* Makes @n reads and returns the sum of what was read. */
static __attribute__((noinline)) uint64_t read_words(struct job *j, uint64_t n)
{
	const uint64_t hot_below = hot_share();
	const uint64_t *const table = j->table;
	struct job local = *j;
	uint64_t sum = 0;

	if (table)
		while (n--)
			sum += table[next_word(&local, hot_below)];
	else
		while (n--)
			sum += memory_read(local.memory, next_word(&local, hot_below));
	j->rng = local.rng;
	return sum;
}

/* Goes through @n reads again. Returns the sum of what they had to find. */
static uint64_t sum_words(struct job *j, uint64_t n)
{
	const uint64_t hot_below = hot_share();
	uint64_t sum = 0;

	while (n--)
		sum += next_word(j, hot_below);
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
		else if (opt.mode == WRITES)
			sum += write_words(j, n);
		else if (opt.mode == READS)
			sum += read_words(j, n);
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

/* The table of a process, and its part of it. */
struct table {
	struct memory memory;
	uint64_t words;
	uint64_t hot_words;
	unsigned int index; /* of the process among those that share the table */
	unsigned int processes; /* that share it */
};

/* What a process found out. */
struct outcome {
	uint64_t added; /* by the updates, or read */
	uint64_t made; /* updates */
	uint64_t sum; /* of what the table shows of that */
	double system_s;
	unsigned int forks;
};

static struct {
	struct memory shared[KINDS]; /* that have been made have bytes */
	uint64_t words; /* of a table, for each process that shares it */
	uint64_t hot_words;
	struct outcome *outcomes; /* by process; in shared memory */
} all;

/* The table of process @process, without its memory. */
static struct table table_of(unsigned int process)
{
	const enum kind kind = opt.backing[process % opt.backings];
	struct table t = { .memory.kind = kind };

	for (unsigned int i = 0; i < opt.processes; i++) {
		if (i != process && (!is_shared(kind) || opt.backing[i % opt.backings] != kind))
			continue;
		t.index += i < process;
		t.processes++;
	}
	t.words = all.words * t.processes;
	t.hot_words = all.hot_words * t.processes;
	return t;
}

static struct memory make_memory(const struct table *t, bool parallel)
{
	const struct memory m = memory_make(t->memory.kind, t->words * 8, opt.folder);

	memory_fill(&m, t->words, parallel);
	return m;
}

/* Make the tables that processes share; see that there is such memory for their own. */
static void make_shared(void)
{
	for (unsigned int i = 0; i < opt.processes; i++) {
		const struct table t = table_of(i);
		struct memory *const shared = &all.shared[t.memory.kind];

		if (shared->bytes)
			continue;
		if (is_shared(t.memory.kind)) {
			/* a process cannot have threads of OpenMP if its parent had some */
			*shared = make_memory(&t, opt.processes == 1);
		} else if (opt.processes > 1) {
			*shared = memory_make(t.memory.kind, t.words * 8, opt.folder);
			munmap(shared->words, shared->bytes);
		}
	}
}

/* What a thread of process @process is to do; @whole has what is the same for all its threads. */
static struct job job_of_thread(struct job whole, unsigned int process, unsigned int index)
{
	const uint64_t thread = omp_get_thread_num(), all_threads = common.threads * opt.processes;
	const uint64_t number = (uint64_t)process * common.threads + thread;

	openmp_check();
	whole.me = index * common.threads + thread;
	whole.updates = opt.updates / all_threads + (number < opt.updates % all_threads);
	whole.rng = rng_seed(common.seed, number);
	return whole;
}

static struct job job_of_process(const struct table *t)
{
	struct job whole = {
		.memory = &t->memory,
		.table = t->memory.words,
		.all.words = t->words,
		.hot.words = t->hot_words,
		.threads = common.threads * t->processes,
	};

	if (opt.mode == ZIPF)
		whole.zipf = zipf_make(t->words / whole.threads, opt.theta);
	return whole;
}

/* The measured phase of process @process. */
static void work(const struct table *t, const struct job *whole, unsigned int process)
{
	struct outcome *const o = &all.outcomes[process];
	uint64_t added = 0, made = 0;

	o->system_s = measure_system_s();
	if (opt.fork_every > 0)
		forks_start(opt.fork_every, opt.fork_life);
#pragma omp parallel reduction(+ : added, made)
	{
		struct job j = job_of_thread(*whole, process, t->index);

		added += go_through(&j, update);
		made += j.updates;
	}
	o->added = added;
	o->made = made;
	o->system_s = measure_system_s() - o->system_s;
}

/*
 * Compare the table with what process @process did; the first of those that share the table
 * looks at all of it.
 */
static void verify(struct table *t, const struct job *whole, unsigned int process)
{
	struct outcome *const o = &all.outcomes[process];
	uint64_t sum = 0, *table;

	o->forks = forks_stop();
	table = memory_view(&t->memory);
	if (corrupts("table") && process == 0)
		table[t->words / 2] ^= 1;
	if (opt.mode == WRITES || opt.mode == READS) {
#pragma omp parallel reduction(+ : sum)
		{
			struct job j = job_of_thread(*whole, process, t->index);

			sum += go_through(&j, opt.mode == WRITES ? count_unwritten : sum_words);
		}
	}
	if (t->index == 0) {
#pragma omp parallel for schedule(static) reduction(+ : sum)
		for (uint64_t i = 0; i < t->words; i++)
			sum += opt.mode == WRITES ? table[i] != i && table[i] != ~i : table[i] - i;
	}
	o->sum = sum;
}

static struct table make_table(unsigned int process)
{
	struct table t = table_of(process);

	if (is_shared(t.memory.kind))
		t.memory = all.shared[t.memory.kind];
	else
		t.memory = make_memory(&t, true);
	return t;
}

/* All that one of several processes does. */
static void run_process(unsigned int process)
{
	struct table t = make_table(process);
	const struct job whole = job_of_process(&t);

	process_step_done();
	work(&t, &whole, process);
	process_step_done();
	verify(&t, &whole, process);
}

static void run_processes(void)
{
	progress_share();
	processes_start(opt.processes, run_process);
	processes_wait();
	measure_begin("updates/s");
	processes_go();
	processes_wait();
	measure_end();
	processes_go();
	processes_end();
	for (unsigned int i = 0; i < opt.processes; i++)
		measured.sys_s += all.outcomes[i].system_s;
}

static void run_alone(void)
{
	struct table t = make_table(0);
	const struct job whole = job_of_process(&t);

	measure_begin("updates/s");
	work(&t, &whole, 0);
	measure_end();
	verify(&t, &whole, 0);
}

/* The kinds of the tables as they were given, "anon,shmem". */
static void report_backing(void)
{
	char text[512] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < opt.backings && used < sizeof(text); i++)
		used += snprintf(text + used, sizeof(text) - used, "%s%s", i ? "," : "",
				 kind_names[opt.backing[i]]);
	report_text("backing", text);
}

static void check_options(void)
{
	if (opt.backings > opt.processes)
		die("--backing: %u kinds are for as many --processes, and there are %u",
		    opt.backings, opt.processes);
	for (unsigned int i = 0; i < opt.backings; i++)
		if (opt.backing[i] == CACHE && opt.mode != READS)
			die("--backing: cache is only read: give --mode reads");
	if (opt.fork_life >= 0 && opt.fork_every <= 0)
		die("--fork-life: there is no --fork-every");
	if (opt.fork_life > opt.fork_every)
		die("--fork-life: must be at most --fork-every");
	if (opt.fork_life < 0)
		opt.fork_life = opt.fork_every / 2;
	if (corrupts("ballast") && !ballast_bytes())
		die("--corrupt: there is no ballast");
}

int main(int argc, char **argv)
{
	uint64_t align, threads, added = 0, made = 0, sum = 0, forks = 0;
	bool has_hot;

	parse_command_line(argc, argv, &program);
	openmp_start();
	check_options();
	has_hot = opt.mode != ZIPF && opt.mode != RANDOM;
	if (!opt.hot)
		opt.hot = opt.mem / 14;
	/* whole lines for every thread, in the tables and in the hot sets */
	align = (uint64_t)LINE_WORDS * common.threads;
	threads = (uint64_t)common.threads * opt.processes;
	all.words = opt.mem / 8 / opt.processes / align * align;
	all.hot_words = opt.hot / 8 / opt.processes / align * align;
	if (!all.words || (has_hot && !all.hot_words))
		die("--mem and --hot are too small for %llu threads", (unsigned long long)threads);
	if (has_hot && all.hot_words > all.words)
		die("--hot: must be at most the size of the table");
	check_memory(opt.mem + ballast_bytes());
	all.outcomes = mmap(NULL, opt.processes * sizeof(*all.outcomes), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all.outcomes == MAP_FAILED)
		die("cannot allocate memory: %s", strerror(errno));

	ballast_make(opt.folder);
	make_shared();
	if (opt.processes > 1)
		run_processes();
	else
		run_alone();
	for (unsigned int i = 0; i < opt.processes; i++) {
		const struct outcome *const o = &all.outcomes[i];

		added += o->added;
		made += o->made;
		sum += o->sum;
		forks += o->forks;
	}

	report_text("mode", mode_names[opt.mode]);
	report_uint("mem", opt.mem);
	report_uint("updates", opt.updates);
	report_uint("hot", has_hot ? all.hot_words * opt.processes * 8 : 0);
	report_bool("reverse", opt.reverse);
	report_real("phase", "%g", opt.phase);
	report_uint("threads", common.threads);
	report_backing();
	report_uint("processes", opt.processes);
	report_uint("forks", forks);
	if (corrupts("ballast"))
		ballast_corrupt();
	sum += ballast_check();
	return report(opt.updates / measured.seconds, sum == added && made == opt.updates);
}
