// SPDX-License-Identifier: GPL-2.0-or-later
/* The measured phase and what is printed of it; see measure.h. */
#include "measure.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "common.h"
#include "roi.h"

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	double begin_s;
	bool started;
	bool stop;
} progress_state;

/* What is counted; atomic. */
struct counts {
	uint64_t done;
	uint64_t longest_ns;
	bool timed; /* somebody calls progress_piece() */
};

static struct counts own_counts, *counts = &own_counts;

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

		next.tv_nsec += common.report_ms % 1000 * 1000000l;
		next.tv_sec += common.report_ms / 1000 + next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&progress_state.stop_cond, &progress_state.lock,
					   &next) != ETIMEDOUT)
			continue;
		done = __atomic_load_n(&counts->done, __ATOMIC_RELAXED);
		t = now_s();
		printf("{\"t_s\": %.6f, \"rate\": %.1f, \"rate_unit\": \"%s\"",
		       t - progress_state.begin_s, (done - last) / (t - last_s), measured.unit);
		if (__atomic_load_n(&counts->timed, __ATOMIC_RELAXED))
			printf(", \"longest_s\": %.9f",
			       __atomic_exchange_n(&counts->longest_ns, 0, __ATOMIC_RELAXED) *
				       1e-9);
		printf("}\n");
		fflush(stdout);
		last = done;
		last_s = t;
	}
	pthread_mutex_unlock(&progress_state.lock);
	return NULL;
}

void progress_share(void)
{
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (counts == MAP_FAILED)
		die("cannot allocate memory: %s", strerror(errno));
}

static void progress_start(void)
{
	pthread_condattr_t attr;

	if (!common.report_ms)
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
	__atomic_fetch_add(&counts->done, done, __ATOMIC_RELAXED);
}

void progress_piece(uint64_t done, double s)
{
	const uint64_t ns = s > 0 ? s * 1e9 : 0;
	uint64_t longest = __atomic_load_n(&counts->longest_ns, __ATOMIC_RELAXED);

	progress(done);
	while (ns > longest && !__atomic_compare_exchange_n(&counts->longest_ns, &longest, ns, true,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	__atomic_store_n(&counts->timed, true, __ATOMIC_RELAXED);
}

static void progress_end(void)
{
	if (!progress_state.started)
		return;
	pthread_mutex_lock(&progress_state.lock);
	progress_state.stop = true;
	pthread_cond_signal(&progress_state.stop_cond);
	pthread_mutex_unlock(&progress_state.lock);
	pthread_join(progress_state.thread, NULL);
}

struct measured measured;

double measure_system_s(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return self.ru_stime.tv_sec + children.ru_stime.tv_sec +
	       (self.ru_stime.tv_usec + children.ru_stime.tv_usec) * 1e-6;
}

void measure_begin(const char *unit)
{
	measured.init_s = now_s() - common.start_s;
	measured.unit = unit;
	roi_place();
	progress_start();
	measured.sys_s = measure_system_s();
	roi_begin();
	measured.seconds = now_s();
}

void measure_end(void)
{
	measured.seconds = now_s() - measured.seconds;
	roi_end();
	measured.sys_s = measure_system_s() - measured.sys_s;
	progress_end();
}

/* The inside of the object "parameters" so far. */
static struct {
	char text[4096];
	size_t used;
} parameters;

static void append(const char *format, va_list args)
{
	const size_t room = sizeof(parameters.text) - parameters.used;
	const int n = vsnprintf(parameters.text + parameters.used, room, format, args);

	if (n < 0 || (size_t)n >= room)
		die("the report is too long");
	parameters.used += n;
}

static __attribute__((format(printf, 1, 2))) void append_text(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(format, args);
	va_end(args);
}

static void append_name(const char *name)
{
	append_text("%s\"%s\": ", parameters.used ? ", " : "", name);
}

void report_json(const char *name, const char *format, ...)
{
	va_list args;

	append_name(name);
	va_start(args, format);
	append(format, args);
	va_end(args);
}

void report_uint(const char *name, uint64_t value)
{
	report_json(name, "%llu", (unsigned long long)value);
}

void report_bool(const char *name, bool value)
{
	report_json(name, "%s", value ? "true" : "false");
}

void report_text(const char *name, const char *value)
{
	report_json(name, "\"%s\"", value);
}

void report_real(const char *name, const char *format, double value)
{
	report_json(name, isfinite(value) ? format : "null", value);
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

int report(double rate, bool verified)
{
	save_layout();
	printf("{\"workload\": \"%s\", \"parameters\": {%s}, \"init_s\": %.6f, "
	       "\"seconds\": %.6f, \"rate\": %.3f, \"rate_unit\": \"%s\", "
	       "\"sys_s\": %.6f, \"verified\": %s}\n",
	       common.program->name, parameters.text, measured.init_s, measured.seconds,
	       isfinite(rate) ? rate : 0, measured.unit, measured.sys_s,
	       verified ? "true" : "false");
	if (fflush(stdout)) {
		warn("cannot write the report: %s", strerror(errno));
		return EXIT_INPUT;
	}
	return verified ? 0 : EXIT_UNVERIFIED;
}
