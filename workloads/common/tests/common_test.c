// SPDX-License-Identifier: GPL-2.0-or-later
/* Unit tests of what all workloads share: options, random numbers and the report. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "unit.h"

/* Run @function in a child. Returns its exit status and what it printed. */
static int output_of(void (*function)(void), char *text, size_t size)
{
	size_t used = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds))
		die("no pipe");
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		function();
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + used, size - 1 - used)) > 0)
		used += n;
	text[used] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool parse(int key, const char *arg)
{
	(void)key;
	(void)arg;
	return false;
}

static const struct argp_option no_options[] = { { 0 } };
static const struct program program = {
	.name = "test",
	.about = "A test.",
	.options = no_options,
	.parse = parse,
	.default_threads = all_cpus,
	.corruptions = (const char *const[]){ "this", "that", NULL },
};

static void parse_words(const char *first, const char *second)
{
	char *argv[4] = { "test", (char *)first, (char *)second, NULL };

	parse_command_line(second ? 3 : 2, argv, &program);
}

static void bad_size(void)
{
	parse_size("size", "2T", 0, UINT64_MAX);
}

static void bad_choice(void)
{
	static const char *const names[] = { "a", "b", "c", NULL };

	parse_choice("choice", "d", names);
}

static void bad_corruption(void)
{
	parse_words("--corrupt=other", NULL);
}

static void test_options(void)
{
	static const char *const names[] = { "a", "b", NULL };
	char text[512];

	CHECK(parse_size("x", "3K", 0, 4096) == 3072);
	CHECK(parse_size("x", "0", 0, 1) == 0);
	CHECK(parse_size("x", "1G", 0, UINT64_MAX) == 1 << 30);
	CHECK(parse_number("x", "2.5e1", 0, 100) == 25);
	CHECK(parse_choice("x", "b", names) == 1);
	CHECK(output_of(bad_size, text, sizeof(text)) == EXIT_INPUT);
	CHECK(strstr(text, "--size: not a size: 2T\n"));
	CHECK(output_of(bad_choice, text, sizeof(text)) == EXIT_INPUT);
	CHECK(strstr(text, "--choice: must be a, b or c: d\n"));
	CHECK(output_of(bad_corruption, text, sizeof(text)) == EXIT_INPUT);
	CHECK(strstr(text, "--corrupt: must be this or that: other\n"));

	parse_words("--seed=9", "--threads=3");
	CHECK(common.seed == 9 && common.threads == 3 && !common.corrupt);
	parse_words("--corrupt=that", NULL);
	CHECK(corrupts("that") && !corrupts("this"));
	CHECK((int)common.threads == all_cpus());
}

static void report_all(void)
{
	measure_begin("things/s");
	measure_end();
	report_uint("one", 1);
	report_bool("no", false);
	report_text("word", "w");
	report_real("half", "%.2f", 0.5);
	report_real("none", "%.2f", NAN);
	report_real("most", "%g", INFINITY);
	report_json("list", "[%d, %d]", 1, 2);
	exit(report(INFINITY, false));
}

static void report_too_much(void)
{
	for (;;)
		report_text("a name", "a text that is quite long, again and again");
}

static void test_report(void)
{
	static const char parameters[] =
		"{\"workload\": \"test\", \"parameters\": {\"one\": 1, \"no\": false, "
		"\"word\": \"w\", \"half\": 0.50, \"none\": null, \"most\": null, "
		"\"list\": [1, 2]}, \"init_s\": ";
	char text[1024];

	CHECK(output_of(report_all, text, sizeof(text)) == EXIT_UNVERIFIED);
	CHECK(!strncmp(text, parameters, sizeof(parameters) - 1));
	CHECK(strstr(text, "\"rate\": 0.000, \"rate_unit\": \"things/s\", "));
	CHECK(output_of(report_too_much, text, sizeof(text)) == EXIT_INPUT);
	CHECK(strstr(text, "the report is too long\n"));
}

static void test_rng(void)
{
	struct rng a = rng_seed(1, 0), b = rng_seed(1, 1), c = rng_seed(2, 0), same = a;
	double sum = 0;

	CHECK(a.state != b.state && a.state != c.state && b.state != c.state);
	CHECK(rng_next(&a) == rng_next(&same));
	for (unsigned int i = 0; i < 100000; i++) {
		const double x = rng_unit(&a);

		if (x < 0 || x >= 1 || rng_below(&b, 10) > 9)
			CHECK(!"in range");
		sum += x;
	}
	CHECK(fabs(sum / 100000 - 0.5) < 0.01);
}

int main(void)
{
	test_options();
	test_report();
	test_rng();
	return unit_report();
}
