// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * measure: run a program that knows nothing of the benchmark, and report what a workload
 * would (workloads/common/RESULT.md). In the guest, as part of a job:
 *
 *	measure [--roi REGEX] NAME COMMAND-LINE
 *
 * The shell runs the command line in a session of its own, with nothing to read on its
 * standard input. Standard output and error are passed on line by line: lines are cut after
 * LINE bytes, and what exceeds LIMIT in each is dropped, since it is kept in the guest's
 * memory. The measured phase is the program's whole life or, with --roi, begins at the first
 * line of standard output that matches the extended regular expression and ends at the next
 * one that does, or with the program. Lines come through a terminal then: programs keep back
 * what they write to a pipe. Both ends are marked for the emulator (qemu/plugins/tmem). What
 * the program leaves running does not keep measure.
 *
 * The result is verified when the program ended with status 0 and, with --roi, its measured
 * phase began. Exit status: the program's, 128 + n after signal n; 125 when measure failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "roi.h"
#include "session.h"

#define LINE	    4096
#define LIMIT	    (16 << 20)
#define DRAIN	    (64 << 10) /* what a pipe or terminal holds */
#define EXIT_FAILED 125

enum phase { BEFORE, WITHIN, AFTER };

/* Either end of the measured phase: the time, and the program's system time until then. */
struct moment {
	double s;
	double system_s;
};

static struct {
	pid_t pid; /* of the shell, and of its session */
	enum phase phase;
	struct moment begin;
	struct moment end;
} state;

/* What the program writes, and where it is passed on. */
struct stream {
	int fd;
	FILE *to;
	const regex_t *roi; /* of lines that begin and end the measured phase */
	size_t passed; /* bytes */
	size_t used; /* of buffer: the begin of a line */
	char buffer[LINE + 1];
};

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
	state.begin.system_s = state.pid ? session_system_s(state.pid) : 0;
	state.begin.s = now_s();
	roi_begin();
}

static void end(void)
{
	roi_end();
	state.end.s = now_s();
	state.end.system_s = session_system_s(state.pid);
	state.phase = AFTER;
}

/* Pass on a line without its end, which begins or ends the measured phase if it matches. */
static void line(struct stream *stream, const char *text, size_t length)
{
	if (stream->roi && state.phase != AFTER && !regexec(stream->roi, text, 0, NULL, 0)) {
		if (state.phase == BEFORE)
			begin();
		else
			end();
	}
	if (stream->passed > LIMIT)
		return;
	stream->passed += length + 1;
	if (stream->passed > LIMIT) {
		fprintf(stream->to, "[measure: more than %d MiB of output; the rest is dropped]\n",
			LIMIT >> 20);
	} else {
		fwrite(text, 1, length, stream->to);
		putc('\n', stream->to);
	}
}

/* Take what can be read; returns how many bytes, at the stream's end 0 or less. */
static ssize_t take(struct stream *stream)
{
	char *start = stream->buffer, *stop, *buffer = stream->buffer;
	ssize_t n = read(stream->fd, buffer + stream->used, LINE - stream->used);

	if (n <= 0)
		return n;
	stream->used += n;
	while ((stop = memchr(start, '\n', buffer + stream->used - start))) {
		*stop = 0;
		line(stream, start, stop - start);
		start = stop + 1;
	}
	stream->used = buffer + stream->used - start;
	memmove(buffer, start, stream->used);
	if (stream->used == LINE) {
		buffer[LINE] = 0;
		line(stream, buffer, LINE);
		stream->used = 0;
	}
	fflush(stream->to);
	return n;
}

/* Take what the program had written when it ended, but not all that others go on writing. */
static void drain(struct stream *stream)
{
	ssize_t n, sum = 0;

	fcntl(stream->fd, F_SETFL, O_NONBLOCK);
	while (sum < DRAIN && (n = take(stream)) > 0)
		sum += n;
	if (stream->used) {
		stream->buffer[stream->used] = 0;
		line(stream, stream->buffer, stream->used);
	}
}

/* Pass on what the program writes to its @streams until it has ended; returns how. */
static int follow(struct stream streams[2])
{
	struct pollfd wait[] = {
		{ streams[0].fd, POLLIN, 0 },
		{ streams[1].fd, POLLIN, 0 },
		{ pidfd_open(state.pid, 0), POLLIN, 0 },
	};
	int wstatus;

	if (wait[2].fd < 0)
		die("cannot wait");
	for (;;) {
		if (poll(wait, 3, -1) < 0) {
			if (errno != EINTR)
				die("cannot wait");
			continue;
		}
		if (wait[2].revents)
			break;
		for (int i = 0; i < 2; i++)
			/* a terminal's end is an error, EIO; nothing is looked for there again */
			if (wait[i].revents && take(&streams[i]) <= 0)
				wait[i].fd = -1;
	}
	if (waitpid(state.pid, &wstatus, 0) != state.pid)
		die("cannot wait");
	/* before what is left is read, which takes a while */
	if (state.phase == WITHIN)
		end();
	drain(&streams[0]);
	drain(&streams[1]);
	if (state.phase == WITHIN)
		end();
	return wstatus;
}

/* Open the two ends of what the program writes: a pipe, or a terminal. */
static void open_ends(int ends[2], bool terminal)
{
	struct termios raw;

	if (!terminal) {
		if (pipe2(ends, O_CLOEXEC))
			die("cannot open a pipe");
		return;
	}
	if (openpty(&ends[0], &ends[1], NULL, NULL, NULL) || tcgetattr(ends[1], &raw))
		die("cannot open a terminal");
	cfmakeraw(&raw);
	tcsetattr(ends[1], TCSANOW, &raw);
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

/* Start the shell, which writes to the streams. */
static void start(const char *command, struct stream streams[2])
{
	int out[2], err[2];
	pid_t pid;

	open_ends(out, streams[0].roi);
	open_ends(err, false);
	pid = fork();
	if (pid < 0)
		die("cannot fork");
	if (!pid) {
		int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (nothing < 0)
			die("/dev/null");
		setsid();
		dup2(nothing, STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", command, NULL);
		die("/bin/sh");
	}
	close(out[1]);
	close(err[1]);
	state.pid = pid;
	streams[0].fd = out[0];
	streams[1].fd = err[0];
}

int main(int argc, char **argv)
{
	static struct stream streams[2];
	const char *pattern = NULL, *name, *command;
	double start_s, seconds, system_s;
	int wstatus, status;
	regex_t roi;

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

	streams[0].roi = pattern ? &roi : NULL;
	streams[0].to = stdout;
	streams[1].to = stderr;

	start_s = now_s();
	if (!pattern)
		begin();
	start(command, streams);
	wstatus = follow(streams);
	status = WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
	if (pattern && state.phase == BEFORE) {
		fprintf(stderr, "measure: no line matches the regular expression %s\n", pattern);
		state.begin.s = start_s;
		state.end.s = now_s();
		status = status ? status : EXIT_FAILED;
	}

	if (pattern)
		regfree(&roi);
	seconds = state.end.s - state.begin.s;
	/* what is lost with a process that nobody waited for must not make it negative */
	system_s = state.end.system_s - state.begin.system_s;
	system_s = system_s < 0 ? 0 : system_s;
	printf("{\"workload\": \"%s\", \"parameters\": {\"status\": %d}, \"init_s\": %.6f, "
	       "\"seconds\": %.9f, \"rate\": %.6f, \"rate_unit\": \"runs/s\", \"sys_s\": %.6f, "
	       "\"verified\": %s}\n",
	       name, status, state.begin.s - start_s, seconds, 1 / seconds, system_s,
	       status ? "false" : "true");
	return fflush(stdout) ? EXIT_FAILED : status;
}
