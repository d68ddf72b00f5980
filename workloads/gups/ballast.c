// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory that is left alone; see ballast.h. */
#include "ballast.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common.h"
#include "memory.h"

#define PAGE 4096
#define MAX  16

static struct {
	struct memory parts[MAX];
	unsigned int n;
} ballast;

void ballast_add(const char *text)
{
	const char *const colon = strchr(text, ':');
	struct memory *const part = &ballast.parts[ballast.n];
	char size[32];

	if (!colon || colon - text >= (long)sizeof(size))
		die("--ballast: must be SIZE:KIND: %s", text);
	if (ballast.n == MAX)
		die("--ballast: at most %d times: %s", MAX, text);
	memcpy(size, text, colon - text);
	size[colon - text] = '\0';
	part->bytes = parse_size("ballast", size, PAGE, MEM_MAX);
	if (part->bytes % PAGE)
		die("--ballast: must be a multiple of %d bytes: %s", PAGE, text);
	part->kind = parse_choice("ballast", colon + 1, kind_names);
	ballast.n++;
}

uint64_t ballast_bytes(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < ballast.n; i++)
		sum += ballast.parts[i].bytes;
	return sum;
}

void ballast_make(const char *folder)
{
	for (unsigned int i = 0; i < ballast.n; i++) {
		struct memory *const part = &ballast.parts[i];

		*part = memory_make(part->kind, part->bytes, folder);
		if (part->words)
			madvise(part->words, part->bytes, MADV_DONTFORK);
		memory_fill(part, part->bytes / 8, false);
	}
}

void ballast_corrupt(void)
{
	if (!ballast.n)
		die("--corrupt: there is no ballast");
	memory_view(&ballast.parts[0])[1] ^= 1;
}

uint64_t ballast_check(void)
{
	uint64_t wrong = 0, cached = 0;
	bool cache = false;
	char list[1024] = "";
	size_t used = 0;

	for (unsigned int i = 0; i < ballast.n; i++) {
		struct memory *const part = &ballast.parts[i];
		const uint64_t *words;

		used += snprintf(list + used, sizeof(list) - used, "%s\"%zu:%s\"", i ? ", " : "",
				 part->bytes, kind_names[part->kind]);
		if (part->kind == CACHE) {
			cache = true;
			/* before it is read, which would bring it back */
			cached += memory_cached(part);
		}
		words = memory_view(part);
		for (uint64_t word = 0; word < part->bytes / 8; word++)
			wrong += words[word] != word;
	}
	report_json("ballast", "[%s]", list);
	if (cache)
		report_uint("ballast_cached", cached);
	return wrong;
}
