// SPDX-License-Identifier: GPL-2.0-or-later
/* What all workloads share; see common.h. */
#define _GNU_SOURCE
#include "common.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "place.h"

_Noreturn void die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_INPUT);
}

uint64_t parse_size(const char *name, const char *text, uint64_t min, uint64_t max)
{
	static const char suffixes[] = "KMG";
	unsigned int shift = 0;
	const char *suffix;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		shift = 10 * (suffix - suffixes + 1);
		end++;
	}
	if (end == text || text[0] < '0' || text[0] > '9' || *end || errno ||
	    value > UINT64_MAX >> shift)
		die("--%s: not a size: %s", name, text);
	value <<= shift;
	if (value < min || value > max)
		die("--%s: must be from %llu to %llu: %s", name, (unsigned long long)min,
		    (unsigned long long)max, text);
	return value;
}

double parse_number(const char *name, const char *text, double min, double max)
{
	double value;
	char *end;

	value = strtod(text, &end);
	if (end == text || *end)
		die("--%s: not a number: %s", name, text);
	if (!(value >= min && value <= max))
		die("--%s: must be from %g to %g: %s", name, min, max, text);
	return value;
}

struct common_options common = { .seed = 1 };

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	(void)state;
	switch (key) {
	case 's':
		common.seed = parse_size("seed", arg, 0, UINT64_MAX);
		return 0;
	case 'R':
		common.report_ms = parse_size("report-ms", arg, 0, 3600000);
		return 0;
	case ARGP_KEY_ARG:
		die("unexpected argument: %s", arg);
	}
	return ARGP_ERR_UNKNOWN;
}

void parse_command_line(int argc, char **argv, const struct argp_option *options,
			argp_parser_t parser, const char *doc)
{
	static const struct argp_option common_options[] = {
		{ "seed", 's', "N", 0, "seed of the random sequences (1)", 0 },
		{ "report-ms", 'R', "MS", 0, "print the rate every so often (0: never)", 0 },
		{ 0 },
	};
	static const struct argp common_argp = { common_options, parse_common, NULL, NULL,
						 NULL,		 NULL,	       NULL };
	const struct argp_child children[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { options, parser, NULL, doc, children, NULL, NULL };

	argp_err_exit_status = EXIT_INPUT;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
}

double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

void *allocate(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("cannot allocate %zu bytes: %s", bytes, strerror(errno));
	return p;
}

struct rng rng_seed(uint64_t seed, uint64_t stream)
{
	/* splitmix64 of both, so that neighbouring streams share no bits */
	uint64_t z = seed * 0x9e3779b97f4a7c15ull + stream + 1;

	z *= 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return (struct rng){ .state = z ? z : 1 };
}

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	const char *unit;
	double begin_s;
	unsigned int period_ms;
	bool started;
	bool stop;
	uint64_t done; /* atomic */
} progress_state;

static void *progress_thread(void *unused)
{
	uint64_t last = 0;
	double last_s = progress_state.begin_s;
	struct timespec next;

	(void)unused;
	clock_gettime(CLOCK_MONOTONIC, &next);
	pthread_mutex_lock(&progress_state.lock);
	while (!progress_state.stop) {
		uint64_t done;
		double t;

		next.tv_nsec += progress_state.period_ms % 1000 * 1000000l;
		next.tv_sec += progress_state.period_ms / 1000 + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&progress_state.stop_cond, &progress_state.lock,
					   &next) != ETIMEDOUT)
			continue;
		done = __atomic_load_n(&progress_state.done, __ATOMIC_RELAXED);
		t = now_s();
		printf("{\"t_s\": %.6f, \"rate\": %.1f, \"rate_unit\": \"%s\"}\n",
		       t - progress_state.begin_s, (done - last) / (t - last_s),
		       progress_state.unit);
		fflush(stdout);
		last = done;
		last_s = t;
	}
	pthread_mutex_unlock(&progress_state.lock);
	return NULL;
}

void progress_begin(const char *unit, unsigned int period_ms)
{
	progress_state.unit = unit;
	progress_state.period_ms = period_ms;
}

static void progress_start(void)
{
	pthread_condattr_t attr;

	if (!progress_state.period_ms)
		return;
	progress_state.begin_s = now_s();
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&progress_state.stop_cond, &attr);
	pthread_mutex_init(&progress_state.lock, NULL);
	if (pthread_create(&progress_state.thread, NULL, progress_thread, NULL))
		die("cannot start the progress thread");
	progress_state.started = true;
}

void progress(uint64_t done)
{
	__atomic_fetch_add(&progress_state.done, done, __ATOMIC_RELAXED);
}

void progress_end(void)
{
	if (!progress_state.started)
		return;
	pthread_mutex_lock(&progress_state.lock);
	progress_state.stop = true;
	pthread_cond_signal(&progress_state.stop_cond);
	pthread_mutex_unlock(&progress_state.lock);
	pthread_join(progress_state.thread, NULL);
}

static double roi_sys_s;

static double sys_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_stime.tv_sec + usage.ru_stime.tv_usec * 1e-6;
}

/* nopl 0x44454d00 + phase(%rax) */
#define MARK(phase)                                                                        \
	do {                                                                               \
		__asm__ volatile(".byte 0x0f, 0x1f, 0x80, " #phase ", 0x4d, 0x45, 0x44" :: \
					 : "memory");                                      \
	} while (0)

void roi_begin(void)
{
	place_pages();
	progress_start();
	roi_sys_s = sys_s();
	MARK(1);
}

void roi_end(void)
{
	MARK(2);
	roi_sys_s = sys_s() - roi_sys_s;
}

void roi_phase(void)
{
	MARK(3);
}

static void save_layout(void)
{
	const char *dir = getenv("JOB_OUT");
	char path[4096], buffer[4096];
	FILE *in, *out;
	size_t n;

	if (!dir || snprintf(path, sizeof(path), "%s/numa_maps", dir) >= (int)sizeof(path))
		return;
	in = fopen("/proc/self/numa_maps", "r");
	out = in ? fopen(path, "w") : NULL;
	while (out && (n = fread(buffer, 1, sizeof(buffer), in)) > 0)
		fwrite(buffer, 1, n, out);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
}

int report(const struct result *r)
{
	save_layout();
	printf("{\"workload\": \"%s\", \"parameters\": {%s}, \"init_s\": %.6f, "
	       "\"seconds\": %.6f, \"rate\": %.3f, \"rate_unit\": \"%s\", "
	       "\"sys_s\": %.6f, \"verified\": %s}\n",
	       r->workload, r->parameters, r->init_s, r->seconds, r->rate, r->rate_unit, roi_sys_s,
	       r->verified ? "true" : "false");
	if (fflush(stdout)) {
		fprintf(stderr, "%s: cannot write the report: %s\n", program_invocation_short_name,
			strerror(errno));
		return EXIT_INPUT;
	}
	return r->verified ? 0 : EXIT_UNVERIFIED;
}
