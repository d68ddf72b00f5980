// SPDX-License-Identifier: GPL-2.0-or-later
/* Text files, read line by line; see text.h. */
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common.h"

#define LINE_MAX_BYTES (1024ul << 20)

void check_regular(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		die("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		die("%s: not a regular file", path);
}

_Noreturn void text_die(const struct text *t, const char *format, ...)
{
	char why[512];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	die("%s: line %llu: %s", t->path, t->line, why);
}

static void skip_byte_order_mark(struct text *t)
{
	char mark[3];

	if (fread(mark, 1, sizeof(mark), t->file) != sizeof(mark) ||
	    memcmp(mark, "\xef\xbb\xbf", sizeof(mark)))
		rewind(t->file);
}

struct text text_open(const char *path, const char *comments)
{
	struct text t = { .path = path, .comments = comments };

	check_regular(path);
	t.file = fopen(path, "re");
	if (!t.file)
		die("%s: %s", path, strerror(errno));
	skip_byte_order_mark(&t);
	return t;
}

void text_rewind(struct text *t)
{
	rewind(t->file);
	skip_byte_order_mark(t);
	t->line = 0;
}

void text_close(struct text *t)
{
	fclose(t->file);
	free(t->buffer);
}

static void add_byte(struct text *t, size_t used, char c)
{
	if (used == t->room) {
		t->room = t->room ? 2 * t->room : 256;
		t->buffer = t->room <= LINE_MAX_BYTES ? realloc(t->buffer, t->room) : NULL;
		if (!t->buffer)
			text_die(t, "is too long");
	}
	t->buffer[used] = c;
}

/* Read one line as it is, without its end. Returns false at the file's end. */
static bool read_line(struct text *t)
{
	size_t used = 0;
	int c;

	t->line++;
	while ((c = getc_unlocked(t->file)) != '\n') {
		if (c == EOF && ferror(t->file))
			text_die(t, "%s", strerror(errno));
		if (c == EOF && used)
			text_die(t, "is cut off: it has no end");
		if (c == EOF)
			return false;
		if (!c)
			text_die(t, "has a zero byte: this is no text");
		add_byte(t, used++, c);
	}
	if (used && t->buffer[used - 1] == '\r')
		used--;
	add_byte(t, used, '\0');
	return true;
}

const char *text_line(struct text *t)
{
	while (read_line(t)) {
		t->buffer[strcspn(t->buffer, t->comments)] = '\0';
		if (*skip_blanks(t->buffer))
			return t->buffer;
	}
	return NULL;
}
