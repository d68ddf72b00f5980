// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes that do the work; see processes.h. */
#define _GNU_SOURCE
#include "processes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

/* Over the sockets go bytes: from a process that a step is done, to it that the next begins. */
static struct {
	unsigned int n;
	struct process {
		pid_t pid;
		int socket;
	} *all;
	int parent; /* in a process */
} processes;

/* Become process @process of @parent. */
static _Noreturn void become(unsigned int process, pid_t parent, int socket,
			     void (*run)(unsigned int process))
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_INPUT);
	processes.parent = socket;
	run(process);
	_exit(0);
}

void processes_start(unsigned int n, void (*run)(unsigned int process))
{
	const pid_t self = getpid();

	processes.n = n;
	processes.all = calloc(n, sizeof(*processes.all));
	if (!processes.all)
		die("--processes: cannot have %u: %s", n, strerror(errno));
	for (unsigned int i = 0; i < n; i++) {
		struct process *const p = &processes.all[i];
		int ends[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
			die("--processes: cannot have %u: %s", n, strerror(errno));
		p->pid = fork();
		if (p->pid < 0)
			die("--processes: cannot have %u: %s", n, strerror(errno));
		if (!p->pid) {
			/* or it would not see its parent end */
			close(ends[0]);
			become(i, self, ends[1], run);
		}
		close(ends[1]);
		p->socket = ends[0];
	}
}

void process_step_done(void)
{
	char byte = 0;

	if (send(processes.parent, &byte, 1, MSG_NOSIGNAL) != 1 ||
	    read(processes.parent, &byte, 1) != 1)
		_exit(EXIT_INPUT);
}

/* Wait for the end of process @i; dies unless it went well. */
static void reap(unsigned int i)
{
	int status;

	if (waitpid(processes.all[i].pid, &status, 0) < 0)
		die("process %u is lost: %s", i, strerror(errno));
	if (WIFSIGNALED(status))
		die("process %u was ended by signal %d", i, WTERMSIG(status));
	if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
}

void processes_wait(void)
{
	for (unsigned int i = 0; i < processes.n; i++) {
		char byte;

		if (read(processes.all[i].socket, &byte, 1) != 1) {
			reap(i);
			die("process %u has ended early", i);
		}
	}
}

void processes_go(void)
{
	const char byte = 0;

	/* of one that has ended, processes_wait() or processes_end() tells */
	for (unsigned int i = 0; i < processes.n; i++)
		send(processes.all[i].socket, &byte, 1, MSG_NOSIGNAL);
}

void processes_end(void)
{
	for (unsigned int i = 0; i < processes.n; i++)
		reap(i);
	free(processes.all);
}
