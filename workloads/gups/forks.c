// SPDX-License-Identifier: GPL-2.0-or-later
/* Forked children; see forks.h. */
#define _GNU_SOURCE
#include "forks.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	double every_s, life_s;
	bool started;
	bool stop; /* under the lock */
	unsigned int n;
} forks;

/* Wait until @t_s, by now_s(), or until it is to stop. The lock is held. */
static void sleep_until(double t_s)
{
	const struct timespec t = { t_s, (t_s - (time_t)t_s) * 1e9 };

	while (!forks.stop &&
	       pthread_cond_timedwait(&forks.stop_cond, &forks.lock, &t) != ETIMEDOUT)
		;
}

/* A child, which ends with its parent. */
static pid_t fork_sleeper(void)
{
	const pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("--fork-every: cannot fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		pause();
	_exit(0);
}

static void *fork_all(void *unused)
{
	double next_s = now_s();

	(void)unused;
	pthread_mutex_lock(&forks.lock);
	while (!forks.stop) {
		const pid_t pid = fork_sleeper();

		forks.n++;
		sleep_until(next_s + forks.life_s);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		next_s += forks.every_s;
		sleep_until(next_s);
	}
	pthread_mutex_unlock(&forks.lock);
	return NULL;
}

void forks_start(double every_s, double life_s)
{
	pthread_condattr_t attr;

	forks.every_s = every_s;
	forks.life_s = life_s;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&forks.stop_cond, &attr);
	pthread_mutex_init(&forks.lock, NULL);
	if (pthread_create(&forks.thread, NULL, fork_all, NULL))
		die("--fork-every: cannot start a thread");
	forks.started = true;
}

unsigned int forks_stop(void)
{
	if (!forks.started)
		return 0;
	pthread_mutex_lock(&forks.lock);
	forks.stop = true;
	pthread_cond_signal(&forks.stop_cond);
	pthread_mutex_unlock(&forks.lock);
	pthread_join(forks.thread, NULL);
	return forks.n;
}
