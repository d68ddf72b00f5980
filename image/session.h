/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SESSION_H
#define SESSION_H

#include <sys/types.h>

/*
 * Sum up the system time of all processes of a session and of their ended children, in
 * seconds, to the kernel's tick (1/100 s). What a process took that was left by its parent and
 * has ended is not in it.
 */
double session_system_s(pid_t session);

#endif
