/* SPDX-License-Identifier: GPL-2.0 */
/* Doing something at intervals until the user has seen enough (Ctrl-C, SIGTERM). */
#ifndef DEMETERCTL_PACE_H
#define DEMETERCTL_PACE_H

#include <signal.h>
#include <stdbool.h>

struct pace {
	double interval_s;
	double next_s;
	sigset_t enough;
};

/* From here on those signals only end pace_wait(). */
void pace_begin(struct pace *pace, double interval_s);

/* Wait for the next interval. Returns false when the user has seen enough. */
bool pace_wait(struct pace *pace);

/* Seconds of CLOCK_MONOTONIC. */
double now_s(void);

#endif
