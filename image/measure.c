// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * measure: run a program that knows nothing of the benchmark, and report what a workload
 * would (workloads/common/RESULT.md). In the guest, as part of a job:
 *
 *	measure [--roi REGEX] NAME COMMAND-LINE
 *
 * The shell runs the command line. Its standard output is passed on line by line: lines
 * are cut after LINE bytes, and what exceeds LIMIT in all is dropped, since it is kept in
 * the guest's memory. The measured phase is the program's whole life or, with --roi, begins
 * at the first line that matches the extended regular expression and ends at the next one
 * that does, or with the program. Lines come through a terminal then: programs keep back
 * what they write to a pipe. Both ends are marked for the emulator (qemu/plugins/tmem).
 *
 * The result is verified when the program ended with status 0 and, with --roi, its measured
 * phase began. Exit status: the program's, 128 + n after signal n; 125 when measure failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LINE	    4096
#define LIMIT	    (16 << 20)
#define EXIT_FAILED 125

/* nopl 0x44454d00 + phase(%rax), as in workloads/common */
#define MARK(phase) \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80, " #phase ", 0x4d, 0x45, 0x44" ::: "memory")

enum phase { BEFORE, WITHIN, AFTER };

static struct {
	enum phase phase;
	double begin_s;
	double end_s;
	size_t passed; /* bytes */
} state;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILED);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void begin(void)
{
	state.phase = WITHIN;
	state.begin_s = now_s();
	MARK(1);
}

static void end(void)
{
	MARK(2);
	state.end_s = now_s();
	state.phase = AFTER;
}

/* Pass on a line without its end, which begins or ends the measured phase if it matches. */
static void line(const char *text, size_t length, const regex_t *roi)
{
	if (roi && state.phase != AFTER && !regexec(roi, text, 0, NULL, 0)) {
		if (state.phase == BEFORE)
			begin();
		else
			end();
	}
	if (state.passed > LIMIT)
		return;
	state.passed += length + 1;
	if (state.passed > LIMIT) {
		printf("[measure: more than %d MiB of output; the rest is dropped]\n", LIMIT >> 20);
	} else {
		fwrite(text, 1, length, stdout);
		putchar('\n');
	}
	fflush(stdout);
}

/*
 * Read what the program writes until it has ended, or until all who could write are gone.
 * What it left running does not keep us.
 */
static void follow(int fd, pid_t pid, const regex_t *roi)
{
	struct pollfd wait[] = { { fd, POLLIN, 0 }, { pidfd_open(pid, 0), POLLIN, 0 } };
	char buffer[LINE + 1];
	size_t used = 0;

	while (poll(wait, 2, -1) > 0 || errno == EINTR) {
		char *start = buffer, *stop;
		ssize_t n;

		if (!wait[0].revents)
			break;
		n = read(fd, buffer + used, LINE - used);
		/* a terminal's end is an error, EIO */
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		used += n > 0 ? n : 0;
		while ((stop = memchr(start, '\n', buffer + used - start))) {
			*stop = 0;
			line(start, stop - start, roi);
			start = stop + 1;
		}
		used = buffer + used - start;
		memmove(buffer, start, used);
		if (used == LINE) {
			buffer[used] = 0;
			line(buffer, used, roi);
			used = 0;
		}
	}
	if (used) {
		buffer[used] = 0;
		line(buffer, used, roi);
	}
}

/* Start the shell with its standard output at *@fd's other end; returns its process. */
static pid_t start(const char *command, bool terminal, int *fd)
{
	int ends[2];
	pid_t pid;

	if (terminal) {
		struct termios raw;

		if (openpty(&ends[0], &ends[1], NULL, NULL, NULL) || tcgetattr(ends[1], &raw))
			die("cannot open a terminal");
		cfmakeraw(&raw);
		tcsetattr(ends[1], TCSANOW, &raw);
	} else if (pipe(ends)) {
		die("cannot open a pipe");
	}
	pid = fork();
	if (pid < 0)
		die("cannot fork");
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/sh", "sh", "-c", command, NULL);
		die("/bin/sh");
	}
	close(ends[1]);
	*fd = ends[0];
	return pid;
}

int main(int argc, char **argv)
{
	const char *pattern = NULL, *name, *command;
	int fd, wstatus, status;
	struct rusage usage;
	double start_s;
	regex_t roi;
	pid_t pid;

	if (argc == 5 && !strcmp(argv[1], "--roi")) {
		pattern = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc != 3) {
		fputs("usage: measure [--roi REGEX] NAME COMMAND-LINE\n", stderr);
		return EXIT_FAILED;
	}
	name = argv[1];
	command = argv[2];
	if (pattern && regcomp(&roi, pattern, REG_EXTENDED | REG_NOSUB)) {
		fprintf(stderr, "measure: not a regular expression: %s\n", pattern);
		return EXIT_FAILED;
	}

	start_s = now_s();
	if (!pattern)
		begin();
	pid = start(command, pattern, &fd);
	follow(fd, pid, pattern ? &roi : NULL);
	while (waitpid(pid, &wstatus, 0) < 0)
		if (errno != EINTR)
			die("cannot wait");
	if (state.phase == WITHIN)
		end();
	status = WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
	if (pattern && state.phase == BEFORE) {
		fprintf(stderr, "measure: no line matches the regular expression %s\n", pattern);
		state.begin_s = start_s;
		state.end_s = now_s();
		status = status ? status : EXIT_FAILED;
	}

	if (pattern)
		regfree(&roi);
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("{\"workload\": \"%s\", \"parameters\": {\"status\": %d}, \"init_s\": %.6f, "
	       "\"seconds\": %.6f, \"rate\": %.6f, \"rate_unit\": \"runs/s\", \"sys_s\": %.6f, "
	       "\"verified\": %s}\n",
	       name, status, state.begin_s - start_s, state.end_s - state.begin_s,
	       1 / (state.end_s - state.begin_s),
	       usage.ru_stime.tv_sec + usage.ru_stime.tv_usec * 1e-6, status ? "false" : "true");
	return fflush(stdout) ? EXIT_FAILED : status;
}
