/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that do the work instead of the one that starts them, in steps that all begin
 * at the same time. They end with it.
 */
#ifndef GUPS_PROCESSES_H
#define GUPS_PROCESSES_H

/* Fork @n processes, each of which calls @run with its number, from 0, and exits. */
void processes_start(unsigned int n, void (*run)(unsigned int process));

/* In a process: a step is done. Returns when the next may begin. */
void process_step_done(void);

/*
 * Wait until all processes have done a step. Dies when one has ended; if it said why, with
 * no word more.
 */
void processes_wait(void);

/* Let all processes begin the next step. */
void processes_go(void);

/* Wait until all processes have ended. Dies likewise when one has failed. */
void processes_end(void);

#endif
