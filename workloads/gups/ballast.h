/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ballast: memory that is filled first, so that it takes the fast tier, and then left alone. */
#ifndef GUPS_BALLAST_H
#define GUPS_BALLAST_H

#include <stdint.h>

/* Add what "SIZE:KIND" says. Dies when it is no such thing. */
void ballast_add(const char *text);

/* Return how many bytes there are in all. */
uint64_t ballast_bytes(void);

/* Allocate and fill all, in the order in which it was added. Forked processes do not have it. */
void ballast_make(const char *folder);

/* Change a word, to see the verification fail. Dies when there is no ballast. */
void ballast_corrupt(void);

/* Return how many words do not hold what they were filled with, and report what there is. */
uint64_t ballast_check(void);

#endif
