// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * @NAME@: say what it computes, how it uses memory, and how it verifies its result.
 *
 * As it stands, it adds one to every 8-byte word of an array, a few times over, and
 * verifies the sum.
 */
#include "common.h"

static struct {
	uint64_t mem;
	unsigned int passes;
} opt = {
	.mem = 64 << 20,
	.passes = 4,
};

static const struct argp_option options[] = {
	{ "mem", 'm', "SIZE", 0, "size of the array (64M)", 0 },
	{ "passes", 'p', "N", 0, "how often all words are raised (4)", 0 },
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'm':
		opt.mem = parse_size("mem", arg, 4096, MEM_MAX);
		return true;
	case 'p':
		opt.passes = parse_size("passes", arg, 1, 1000000);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "@NAME@",
	.about = "Say in a line what it does.",
	.options = options,
	.parse = parse,
	/* so that a test can show that verification notices */
	.corruptions = (const char *const[]){ "sum", NULL },
};

int main(int argc, char **argv)
{
	uint64_t words, sum = 0, *array;

	parse_command_line(argc, argv, &program);
	words = opt.mem / sizeof(*array);
	array = allocate(opt.mem);
	for (uint64_t i = 0; i < words; i++)
		array[i] = i;

	measure_begin("words/s");
	for (unsigned int pass = 0; pass < opt.passes; pass++) {
		for (uint64_t i = 0; i < words; i++)
			array[i]++;
		progress(words);
	}
	measure_end();

	if (corrupts("sum"))
		array[0]++;
	for (uint64_t i = 0; i < words; i++)
		sum += array[i] - i;
	report_uint("mem", opt.mem);
	report_uint("passes", opt.passes);
	return report(opt.passes * words / measured.seconds, sum == opt.passes * words);
}
