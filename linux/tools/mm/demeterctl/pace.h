/* SPDX-License-Identifier: GPL-2.0 */
/* Waits for intervals to pass, until the user has seen enough (Ctrl-C, SIGTERM). */
#ifndef DEMETERCTL_PACE_H
#define DEMETERCTL_PACE_H

#include <signal.h>
#include <stdbool.h>

struct pace {
	double interval_s;
	double next_s;
	sigset_t enough;
};

/* Begins the first interval. From here on those signals only end pace_wait(). */
void pace_begin(struct pace *pace, double interval_s);

/* Waits for the next interval. Returns false when the user has seen enough. */
bool pace_wait(struct pace *pace);

/* Returns the time of CLOCK_MONOTONIC in seconds. */
double now_s(void);

#endif
