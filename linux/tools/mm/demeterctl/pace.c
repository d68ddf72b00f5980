// SPDX-License-Identifier: GPL-2.0
/* Waits for intervals to pass; see pace.h. */
#define _GNU_SOURCE
#include "pace.h"

#include <errno.h>
#include <time.h>

double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

void pace_begin(struct pace *pace, double interval_s)
{
	pace->interval_s = interval_s;
	pace->next_s = now_s();
	sigemptyset(&pace->enough);
	sigaddset(&pace->enough, SIGINT);
	sigaddset(&pace->enough, SIGTERM);
	sigprocmask(SIG_BLOCK, &pace->enough, NULL);
}

bool pace_wait(struct pace *pace)
{
	int signal;

	pace->next_s += pace->interval_s;
	/* intervals that were missed, e.g. after Ctrl-Z, are not made up for */
	if (pace->next_s < now_s())
		pace->next_s = now_s() + pace->interval_s;
	do {
		const double left_s = pace->next_s - now_s();
		struct timespec left = { 0 };

		if (left_s > 0) {
			left.tv_sec = left_s;
			left.tv_nsec = (left_s - left.tv_sec) * 1e9;
		}
		signal = sigtimedwait(&pace->enough, NULL, &left);
	} while (signal < 0 && errno == EINTR);
	return signal < 0;
}
