/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SESSION_H
#define SESSION_H

#include <sys/types.h>

/*
 * Sum up the system time of our ended children, and of all processes of a session with theirs,
 * in seconds. What runs is known to 1/100 s; a process that its parent left and that has ended
 * is not in it.
 */
double session_system_s(pid_t session);

#endif
