/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text files, read line by line. Blank lines are left out, and so is what follows a
 * character that begins a comment. Lines may end with CR and LF, and a byte order
 * mark at the begin is no part of the text. What is no text, or ends within a line,
 * is refused with the number of the line.
 */
#ifndef WORKLOADS_TEXT_H
#define WORKLOADS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text {
	const char *path;
	const char *comments; /* the characters that begin one */
	FILE *file;
	unsigned long long line; /* number of the line that was read last, from 1 */
	char *buffer;
	size_t room;
};

/* Open the regular file @path. Die when that is not possible. */
struct text text_open(const char *path, const char *comments);

/* Read the next line that is not blank, without its end. Returns NULL at the file's end. */
const char *text_line(struct text *t);

/* Begin again with the first line. */
void text_rewind(struct text *t);

void text_close(struct text *t);

/* Die with "<path>: line <number>: <message>". */
_Noreturn void text_die(const struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Die unless @path is a regular file: a pipe has no size and cannot be read twice. */
void check_regular(const char *path);

/* Whether @c is a blank within a line. */
static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

#endif
