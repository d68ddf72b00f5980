// SPDX-License-Identifier: GPL-2.0-or-later
/* A server program that a workload drives; see server.h. */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define READY_S	   60
#define STOP_S	   60
#define NAP_US	   2000
#define CANNOT_RUN 127

static struct server *running; /* is ended with the process */
static char server_log[4096];

void log_line(const char *log, char *line, size_t size)
{
	FILE *file = fopen(log, "re");
	char *next = NULL;
	bool found = false;
	size_t room = 0;

	*line = '\0';
	while (file && !found && getline(&next, &room, file) > 0) {
		next[strcspn(next, "\r\n")] = '\0';
		found = strstr(next, "FATAL") || strstr(next, "PANIC") || strstr(next, "error:");
		if (*next)
			snprintf(line, size, "%s", next);
	}
	free(next);
	if (file)
		fclose(file);
}

/* In a new process: become the program, whose signal at this process' end is @death. */
static _Noreturn void become(const struct server *s, char *const argv[], const char *log, int death,
			     int failed)
{
	const int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct stat owner;
	int error;

	/* whoever started this process may have it ignored */
	signal(s->stop_signal, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, death);
	if (in >= 0 && out >= 0 && !stat(s->folder, &owner) && dup2(in, 0) >= 0 &&
	    dup2(out, 1) >= 0 && dup2(out, 2) >= 0 &&
	    (geteuid() ||
	     (!setgroups(0, NULL) && !setgid(owner.st_gid) && !setuid(owner.st_uid)))) {
		/* a change of the user has cleared it */
		prctl(PR_SET_PDEATHSIG, death);
		execvp(argv[0], argv);
	}
	error = errno;
	if (write(failed, &error, sizeof(error)) < 0)
		_exit(CANNOT_RUN);
	_exit(CANNOT_RUN);
}

static pid_t spawn(const struct server *s, char *const argv[], const char *log, int signal)
{
	int failed[2], error;
	pid_t pid;

	if (pipe2(failed, O_CLOEXEC))
		die("cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die("cannot start %s: %s", argv[0], strerror(errno));
	if (!pid)
		become(s, argv, log, signal, failed[1]);
	close(failed[1]);
	if (read(failed[0], &error, sizeof(error)) == sizeof(error)) {
		waitpid(pid, NULL, 0);
		die("cannot run %s: %s", argv[0], strerror(error));
	}
	close(failed[0]);
	return pid;
}

/* Wait until the server has ended; kill it when that takes too long. Returns its status. */
static int reap(struct server *s)
{
	const double end = now_s() + STOP_S;
	const pid_t pid = s->pid;
	int status = 0;

	s->pid = 0;
	kill(pid, s->stop_signal);
	while (!waitpid(pid, &status, WNOHANG)) {
		if (now_s() > end)
			kill(pid, SIGKILL);
		usleep(NAP_US);
	}
	return status;
}

static void end_running(void)
{
	if (running && running->pid)
		reap(running);
}

/* Die because the server has ended with @status. */
static _Noreturn void ended(int status)
{
	char line[512];

	log_line(server_log, line, sizeof(line));
	if (WIFSIGNALED(status))
		die("the server was killed by signal %d: %s", WTERMSIG(status), line);
	die("the server ended with status %d: %s", WEXITSTATUS(status), line);
}

void server_start(struct server *s, char *const argv[])
{
	const char *out = getenv("JOB_OUT");
	const char *dir = out ? out : s->folder;
	int file;

	if (snprintf(server_log, sizeof(server_log), "%s/server.log", dir) >=
	    (int)sizeof(server_log))
		die("%s: the path is too long", dir);
	file = open(server_log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file < 0)
		die("%s: %s", server_log, strerror(errno));
	close(file);
	if (!running)
		atexit(end_running);
	running = s;
	s->pid = spawn(s, argv, server_log, s->stop_signal);
}

void server_check(struct server *s)
{
	int status;

	if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
		s->pid = 0;
		ended(status);
	}
}

void server_wait(struct server *s, bool (*ready)(void *arg), void *arg)
{
	const double end = now_s() + READY_S;

	while (!ready(arg)) {
		server_check(s);
		if (now_s() > end)
			die("the server is not ready after %d s", READY_S);
		usleep(NAP_US);
	}
	server_check(s);
}

double server_system_s(const struct server *s)
{
	unsigned long long own, children;
	char path[64], text[1024];
	const char *fields;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", s->pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	/* behind the name, which may have any characters: stime and cstime, fields 15 and 17 */
	fields = strrchr(text, ')');
	if (!fields ||
	    sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %llu %*d %llu",
		   &own, &children) != 2)
		return 0;
	return (double)(own + children) / sysconf(_SC_CLK_TCK);
}

void server_stop(struct server *s)
{
	int status;

	server_check(s);
	status = reap(s);
	if (WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) != s->stop_signal)
		ended(status);
}

pid_t server_run(const struct server *s, char *const argv[], const char *log)
{
	return spawn(s, argv, log, SIGKILL);
}
