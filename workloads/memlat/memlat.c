// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memlat: latency and bandwidth of the memory of one NUMA node.
 *
 * Latency: a chain of dependent loads through all lines of a buffer, in the
 * order of one random cycle, so that neither a prefetcher nor a cache that is
 * smaller than the buffer helps. Bandwidth: sequential reads and writes with
 * 32-byte vectors. The buffer is bound to the node; the result is refused when
 * its pages are found elsewhere.
 */
#include <errno.h>
#include <immintrin.h>
#include <numaif.h>
#include <string.h>

#include "common.h"

#define LINE	 64
#define PAGE	 4096
#define NODE_ANY (-1)

static struct {
	uint64_t mem;
	uint64_t loads;
	unsigned int passes;
	int node;
} opt = {
	.mem = 64 << 20,
	.loads = 4000000,
	.passes = 4,
	.node = NODE_ANY,
};

static const struct argp_option options[] = {
	{ "mem", 'm', "SIZE", 0, "size of the buffer (64M)", 0 },
	{ "node", 'N', "NODE", 0, "NUMA node that it is bound to (none)", 0 },
	{ "loads", 'n', "N", 0, "dependent loads (4000000)", 0 },
	{ "passes", 'p', "N", 0, "sequential passes, each way (4)", 0 },
	{ 0 },
};

static bool parse(int key, const char *arg)
{
	switch (key) {
	case 'm':
		opt.mem = parse_size("mem", arg, 1 << 20, MEM_MAX);
		return true;
	case 'N':
		opt.node = parse_size("node", arg, 0, 63);
		return true;
	case 'n':
		opt.loads = parse_size("loads", arg, 1000, 1ull << 50);
		return true;
	case 'p':
		opt.passes = parse_size("passes", arg, 1, 1000000);
		return true;
	}
	return false;
}

static const struct program program = {
	.name = "memlat",
	.about = "Latency and bandwidth of the memory of one NUMA node.",
	.options = options,
	.parse = parse,
	.corruptions = (const char *const[]){ "chain", "contents", NULL },
};

static void bind_to_node(void *p, uint64_t bytes, int node)
{
	const unsigned long mask = 1ul << node;

	if (mbind(p, bytes, MPOL_BIND, &mask, 8 * sizeof(mask) + 1, 0))
		die("--node: cannot bind to node %d: %s", node, strerror(errno));
}

/* Count the buffer's pages that are not on @node. */
static uint64_t pages_elsewhere(char *p, uint64_t bytes, int node)
{
	uint64_t elsewhere = 0;

	for (uint64_t i = 0; i < bytes; i += PAGE) {
		void *page = p + i;
		int status = -1;

		if (move_pages(0, 1, &page, NULL, &status, 0) || status != node)
			elsewhere++;
	}
	return elsewhere;
}

/* Link all lines into one random cycle (Sattolo's algorithm). */
static void link_cycle(char *p, uint64_t lines, struct rng *r)
{
	for (uint64_t i = 0; i < lines; i++)
		*(char **)(p + i * LINE) = p + i * LINE;
	for (uint64_t i = lines - 1; i > 0; i--) {
		char **a = (char **)(p + i * LINE);
		char **b = (char **)(p + rng_below(r, i) * LINE);
		char *t = *a;

		*a = *b;
		*b = t;
	}
}

/*
 * Walk the whole cycle: NULL when it does not visit every line, else where a
 * chase of @loads steps must end.
 */
static char *walk_cycle(char *p, uint64_t lines, uint64_t loads)
{
	char *at = p, *end = p;

	for (uint64_t i = 0; i < lines; i++) {
		if (i == loads % lines)
			end = at;
		at = *(char **)at;
		if (at == p && i != lines - 1)
			return NULL;
	}
	return at == p ? end : NULL;
}

#define CHAIN8(p)                         \
	do {                              \
		p = *(char *volatile *)p; \
		p = *(char *volatile *)p; \
		p = *(char *volatile *)p; \
		p = *(char *volatile *)p; \
		p = *(char *volatile *)p; \
		p = *(char *volatile *)p; \
		p = *(char *volatile *)p; \
		p = *(char *volatile *)p; \
	} while (0)

static double chase_ns(char *p, uint64_t loads, char **end)
{
	const double start = now_s();

	for (uint64_t i = 0; i < loads; i += 64) {
		CHAIN8(p);
		CHAIN8(p);
		CHAIN8(p);
		CHAIN8(p);
		CHAIN8(p);
		CHAIN8(p);
		CHAIN8(p);
		CHAIN8(p);
		progress(64);
	}
	*end = p;
	return (now_s() - start) * 1e9 / loads;
}

__attribute__((target("avx2"))) static double read_mbps(const char *p, uint64_t bytes,
							unsigned int passes, uint64_t *sum)
{
	__m256i acc = _mm256_setzero_si256();
	const double start = now_s();
	uint64_t lanes[4];

	for (unsigned int pass = 0; pass < passes; pass++)
		for (uint64_t i = 0; i < bytes; i += 4 * LINE) {
			const __m256i *v = (const __m256i *)(p + i);

#pragma GCC unroll 8
			for (unsigned int j = 0; j < 8; j++)
				acc = _mm256_add_epi64(acc, v[j]);
		}
	_mm256_storeu_si256((__m256i *)lanes, acc);
	*sum = lanes[0] + lanes[1] + lanes[2] + lanes[3];
	return bytes * passes / (now_s() - start) / 1e6;
}

/* Word 0 of vector k becomes k + the pass' number. */
__attribute__((target("avx2"))) static double write_mbps(char *p, uint64_t bytes,
							 unsigned int passes)
{
	const double start = now_s();

	for (unsigned int pass = 0; pass < passes; pass++) {
		const __m256i ones = _mm256_set1_epi64x(1);
		__m256i value = _mm256_set1_epi64x(pass);

		for (uint64_t i = 0; i < bytes; i += 4 * LINE) {
			__m256i *v = (__m256i *)(p + i);

#pragma GCC unroll 8
			for (unsigned int j = 0; j < 8; j++) {
				_mm256_store_si256(v + j, value);
				value = _mm256_add_epi64(value, ones);
			}
		}
		/* the next pass may not be merged into this one */
		__asm__ volatile("" ::: "memory");
	}
	return bytes * passes / (now_s() - start) / 1e6;
}

int main(int argc, char **argv)
{
	uint64_t bytes, lines, vectors, expected, sum, misplaced = 0;
	char *buffer, *end, *expected_end;
	double chase_s, ns, read, write;
	struct rng rng;

	parse_command_line(argc, argv, &program);
	if (!__builtin_cpu_supports("avx2"))
		die("needs a CPU with AVX2");
	bytes = opt.mem / (4 * LINE) * (4 * LINE);
	lines = bytes / LINE;
	opt.loads = (opt.loads + 63) / 64 * 64;

	buffer = allocate(bytes);
	if (opt.node != NODE_ANY)
		bind_to_node(buffer, bytes, opt.node);
	rng = rng_seed(common.seed, 0);
	link_cycle(buffer, lines, &rng);
	expected_end = walk_cycle(buffer, lines, opt.loads);
	if (opt.node != NODE_ANY)
		misplaced = pages_elsewhere(buffer, bytes, opt.node);
	if (corrupts("chain"))
		*(char **)buffer = buffer;

	measure_begin("loads/s");
	chase_s = now_s();
	ns = chase_ns(buffer, opt.loads, &end);
	chase_s = now_s() - chase_s;
	write = write_mbps(buffer, bytes, opt.passes);
	if (corrupts("contents"))
		buffer[bytes / 2] ^= 1;
	read = read_mbps(buffer, bytes, opt.passes, &sum);
	measure_end();

	/* every 32-byte vector k holds k + passes - 1 four times */
	vectors = bytes / 32;
	expected = opt.passes * 4ull * (vectors * (vectors - 1) / 2 + vectors * (opt.passes - 1));
	report_uint("mem", bytes);
	report_json("node", "%d", opt.node);
	report_uint("loads", opt.loads);
	report_real("latency_ns", "%.3f", ns);
	report_real("read_mbps", "%.1f", read);
	report_real("write_mbps", "%.1f", write);
	report_uint("misplaced_pages", misplaced);
	measured.seconds = chase_s;
	return report(opt.loads / chase_s, sum == expected && !misplaced && end == expected_end);
}
