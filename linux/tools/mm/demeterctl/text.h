/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prints text for people and for JSON. Processes choose their names, so these must
 * neither break JSON nor control a terminal.
 */
#ifndef DEMETERCTL_TEXT_H
#define DEMETERCTL_TEXT_H

#include <stdint.h>

/* Prints @s to stdout, with control characters and bytes that are no UTF-8 as \xNN. */
void print_plain(const char *s);
/* Prints a line to stderr, likewise; names that others chose may be part of it. */
void print_error(const char *s);
/* Prints @s to stdout as a JSON string with quotes, bytes that are no UTF-8 as U+FFFD. */
void print_json(const char *s);

struct text {
	char s[32];
};

/* Format a number with the unit that suits it, e.g. 1.5 ms, 2.0 GiB. */
struct text text_of_ns(uint64_t ns);
struct text text_of_bytes(double bytes);

#endif
