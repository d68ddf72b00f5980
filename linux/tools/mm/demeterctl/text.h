/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Text for people and for JSON. Processes choose their names: what is printed of
 * them must neither break JSON nor control a terminal.
 */
#ifndef DEMETERCTL_TEXT_H
#define DEMETERCTL_TEXT_H

#include <stdint.h>

/* Print @s to stdout, with control characters and what is no UTF-8 as \xNN. */
void print_plain(const char *s);
/* Print @s to stdout as a string of JSON, with quotes; what is no UTF-8 as U+FFFD. */
void print_json(const char *s);

struct text {
	char s[32];
};

/* With a unit that suits them, e.g. 1.5 ms, 2.0 GiB. */
struct text text_of_ns(uint64_t ns);
struct text text_of_bytes(double bytes);

#endif
