/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children that have a process' memory for a while, and sleep: snapshots as by Redis. */
#ifndef GUPS_FORKS_H
#define GUPS_FORKS_H

/*
 * Begin to fork a child now and every @every_s seconds; each lives @life_s, which is not
 * longer, and shares all memory of the process until one of them writes to it.
 */
void forks_start(double every_s, double life_s);

/* End that, and the child. Returns how many there were; 0 if nothing was started. */
unsigned int forks_stop(void);

#endif
