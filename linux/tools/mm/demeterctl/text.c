// SPDX-License-Identifier: GPL-2.0
/* Prints text for people and for JSON; see text.h. */
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demeterctl.h"

/* Decodes the UTF-8 character at @s and returns its length, 0 if there is none. */
static size_t decode(const char *s, uint32_t *character)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least; /* smaller characters have a shorter form */
	} forms[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	const uint8_t first = s[0];

	for (size_t n = 0; n < ARRAY_SIZE(forms); n++) {
		uint32_t c = first & ~forms[n].mask & 0xff;

		if ((first & forms[n].mask) != forms[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		*character = c;
		return c < forms[n].least || c > 0x10ffff || c >> 11 == 0xd800 >> 11 ? 0 : n + 1;
	}
	return 0;
}

static bool is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

static void write_plain(FILE *to, const char *s)
{
	while (*s) {
		uint32_t character;
		size_t length = decode(s, &character);

		if (length && !is_control(character)) {
			fwrite(s, 1, length, to);
			s += length;
		} else {
			fprintf(to, "\\x%02x", (uint8_t)*s++);
		}
	}
}

void print_plain(const char *s)
{
	write_plain(stdout, s);
}

void print_error(const char *s)
{
	char *line = NULL;
	size_t size;
	FILE *to = open_memstream(&line, &size);

	if (!to)
		return;
	write_plain(to, s);
	/* in one piece, so that lines of several processes do not mix */
	if (!fclose(to))
		fprintf(stderr, "demeterctl: %s\n", line);
	free(line);
}

void print_json(const char *s)
{
	putchar('"');
	while (*s) {
		uint32_t character;
		size_t length = decode(s, &character);

		if (!length)
			printf("\\ufffd");
		else if (is_control(character) || character == '"' || character == '\\')
			printf("\\u%04x", character);
		else
			fwrite(s, 1, length, stdout);
		s += length ? length : 1;
	}
	putchar('"');
}

struct text text_of_ns(uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = ns;
	size_t unit = 0;
	struct text t;

	while (unit + 1 < ARRAY_SIZE(units) && value >= 1000) {
		value /= 1000;
		unit++;
	}
	snprintf(t.s, sizeof(t.s), unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return t;
}

struct text text_of_bytes(double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;
	struct text t;

	while (unit + 1 < ARRAY_SIZE(units) && bytes >= 1024) {
		bytes /= 1024;
		unit++;
	}
	snprintf(t.s, sizeof(t.s), unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return t;
}
