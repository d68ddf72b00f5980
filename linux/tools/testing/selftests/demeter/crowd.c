// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command beside a crowd of processes that have memory and do nothing with it, as
 * servers are full of: crowd PROCESSES MIB COMMAND [ARGUMENT ...]
 *
 * Each process writes to all of its memory before the command starts, and ends with it. Returns
 * the status of the command, or 2 if there is no such crowd.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long number(const char *what, const char *text, unsigned long max)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*end || !value || value > max) {
		fprintf(stderr, "crowd: %s must be a number from 1 to %lu: %s\n", what, max, text);
		exit(2);
	}
	return value;
}

/* Says that its memory is there by closing @ready, and waits for the end. */
static void stand_by(size_t size, int ready)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (at == MAP_FAILED)
		_exit(2);
	memset(at, 1, size);
	close(ready);
	for (;;)
		pause();
}

static int run(char **command)
{
	const pid_t pid = fork();
	int status;

	if (!pid) {
		execvp(*command, command);
		fprintf(stderr, "crowd: cannot run %s: %s\n", *command, strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("crowd");
		return 2;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	unsigned long processes, mib;
	int ready[2];
	char none;

	if (argc < 4) {
		fprintf(stderr, "usage: crowd PROCESSES MIB COMMAND [ARGUMENT ...]\n");
		return 2;
	}
	processes = number("PROCESSES", argv[1], 100000);
	mib = number("MIB", argv[2], 1 << 20);
	if (pipe2(ready, O_CLOEXEC)) {
		perror("crowd: pipe");
		return 2;
	}
	for (unsigned long i = 0; i < processes; i++) {
		const pid_t pid = fork();

		if (!pid) {
			close(ready[0]);
			stand_by(mib << 20, ready[1]);
		}
		if (pid < 0) {
			perror("crowd: fork");
			return 2;
		}
	}
	close(ready[1]);
	/* the end of file comes when all have closed theirs */
	if (read(ready[0], &none, 1)) {
		perror("crowd: read");
		return 2;
	}
	/* one that could not stand by has ended */
	if (waitpid(-1, NULL, WNOHANG) > 0) {
		fprintf(stderr, "crowd: no memory for %lu processes of %lu MiB\n", processes, mib);
		return 2;
	}
	return run(&argv[3]);
}
