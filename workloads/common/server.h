/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server program that a workload drives: a child that is there until it is stopped, and
 * never longer than the workload. It runs as the owner of its folder, for many servers
 * refuse to be root's. What it prints goes to server.log in JOB_OUT, or in the folder.
 */
#ifndef WORKLOADS_SERVER_H
#define WORKLOADS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

/* The user whose servers are when root starts the workload: nobody. */
#define SERVER_UID 65534

struct server {
	const char *folder;
	int stop_signal; /* that ends it */
	pid_t pid;
};

/* Start program @argv[0], looked for in PATH. Die when it cannot be run. One at a time. */
void server_start(struct server *s, char *const argv[]);

/*
 * Wait until @ready(@arg), up to a minute. Die when the server ends before, or is not ready
 * then.
 */
void server_wait(struct server *s, bool (*ready)(void *arg), void *arg);

/* Die, with the last line that it printed, if the server has ended. */
void server_check(struct server *s);

/* System time, in seconds, of the server and of those of its children that have ended. */
double server_system_s(const struct server *s);

/* End the server, which is there up to now. Die if it ended by a fault. */
void server_stop(struct server *s);

/*
 * Run program @argv[0] with its output to @log, also as the folder's owner, without waiting for
 * it. Returns its process. Dies when it cannot be run.
 */
pid_t server_run(const struct server *s, char *const argv[], const char *log);

/*
 * Copy what file @log says of a failure into @line of @size bytes: the first line that speaks of
 * one, else the last that is not empty, else "".
 */
void log_line(const char *log, char *line, size_t size);

#endif
