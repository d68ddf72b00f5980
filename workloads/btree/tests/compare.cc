// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lookups per second of the workload's tree and of Abseil's btree_map, with the
 * same keys, the same queries and the same checks, one thread:
 *
 *	compare NODE_BYTES ROW_BYTES ROUNDS LOOKUPS KEYS...
 *
 * The two take turns, ROUNDS times for each number of keys. It is CPU time, and the
 * best that counts: other load on the machine only ever adds to it.
 */
#include <absl/container/btree_map.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#define _Noreturn [[noreturn]]
extern "C" {
#include "rows.h"
#include "tree.h"
}

namespace
{
using Map = absl::btree_map<uint64_t, uint64_t>;

void entry(const void *context, uint64_t i, uint64_t *key, uint64_t *value)
{
	*key = row_key(static_cast<const rows *>(context), i);
	*value = i;
}

const uint64_t *find(const Map &map, uint64_t key)
{
	const auto found = map.find(key);

	return found == map.end() ? nullptr : &found->second;
}

const uint64_t *find(const tree &tree, uint64_t key)
{
	return tree_find(&tree, key);
}

double cpu_s()
{
	timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Lookups per second of @index; exits when one is wrong. */
template <typename Index> double measure(const Index &index, const rows &rows, uint64_t lookups)
{
	const double start = cpu_s();
	rng rng = rng_seed(1, 0);

	for (uint64_t n = lookups; n; n--) {
		const uint64_t row = rng_below(&rng, rows.loaded);
		const uint64_t key = row_key(&rows, row);
		const uint64_t *value = find(index, key);

		if (!value || *value != row || !row_holds(&rows, *value, key)) {
			std::fprintf(stderr, "a lookup is wrong\n");
			std::exit(1);
		}
	}
	return lookups / (cpu_s() - start);
}
} // namespace

int main(int argc, char **argv)
{
	if (argc < 6) {
		std::fprintf(stderr,
			     "usage: compare NODE_BYTES ROW_BYTES ROUNDS LOOKUPS KEYS...\n");
		return 2;
	}
	const tree_shape shape = { std::strtoull(argv[1], nullptr, 10), 0.9 };
	const unsigned int words = std::strtoul(argv[2], nullptr, 10) / 8;
	const int turns = std::atoi(argv[3]);
	const uint64_t lookups = std::strtoull(argv[4], nullptr, 10);

	for (int i = 5; i < argc; i++) {
		const uint64_t keys = std::strtoull(argv[i], nullptr, 10);
		std::vector<uint64_t> table(keys * words);
		const rows rows = { keys, keys, 1, words, table.data() };
		double ours = 0, abseil = 0;
		Map map;

		for (uint64_t row = 0; row < keys; row++)
			row_write(&rows, row, row_key(&rows, row));
		tree tree = tree_load(shape, keys, 0, entry, &rows);
		for (uint64_t row = 0; row < keys; row++)
			map.emplace_hint(map.end(), row_key(&rows, row), row);
		for (int turn = 0; turn < turns; turn++) {
			ours = std::max(ours, measure(tree, rows, lookups));
			abseil = std::max(abseil, measure(map, rows, lookups));
		}
		std::printf("keys %11llu  tree %6.3f M/s  btree_map %6.3f M/s  ratio %.2f\n",
			    (unsigned long long)keys, ours / 1e6, abseil / 1e6, ours / abseil);
		tree_free(&tree);
	}
	return 0;
}
