// SPDX-License-Identifier: GPL-2.0
/* Tests of which pages trade places. */
#include "../demeter.h"
#include "kunit.h"

#define PAIRS	120
#define TARGETS 9
#define CGROUPS 4

/* Pages of targets in a few cgroups. */
struct pair_test {
	struct demeter_target targets[TARGETS];
	struct demeter_candidate hot[PAIRS], cold[PAIRS];
};

static struct pair_test *pair_test_make(struct kunit *test, struct rnd_state *rnd)
{
	struct pair_test *pt = kunit_kzalloc(test, sizeof(*pt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pt);
	for (unsigned int i = 0; i < TARGETS; i++)
		pt->targets[i].cgroup = below(rnd, CGROUPS);
	for (unsigned int i = 0; i < PAIRS; i++) {
		pt->hot[i] = (struct demeter_candidate){
			.target = &pt->targets[below(rnd, TARGETS)],
			.addr = i * PAGE_SIZE,
		};
		pt->cold[i] = (struct demeter_candidate){
			.target = &pt->targets[below(rnd, TARGETS)],
			.addr = i * PAGE_SIZE,
		};
	}
	return pt;
}

/* Adds up what must not change when candidates are put in another order. */
static u64 pair_test_sum(const struct pair_test *pt, const struct demeter_candidate *c, u64 n)
{
	u64 sum = 0;

	for (u64 i = 0; i < n; i++)
		sum += BIT_ULL((c[i].addr >> PAGE_SHIFT) % 50) * (1 + (c[i].target - pt->targets));
	return sum;
}

static void demeter_pair_test_within_cgroups(struct kunit *test)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 15);
	for (unsigned int round = 0; round < 200; round++) {
		struct pair_test *pt = pair_test_make(test, &rnd);
		const u64 n = 1 + below(&rnd, PAIRS);
		const u64 hot = pair_test_sum(pt, pt->hot, n);
		const u64 cold = pair_test_sum(pt, pt->cold, n);
		unsigned int nr_hot[CGROUPS] = {}, nr_cold[CGROUPS] = {}, most = 0, found = 0;

		for (u64 i = 0; i < n; i++) {
			nr_hot[pt->hot[i].target->cgroup]++;
			nr_cold[pt->cold[i].target->cgroup]++;
		}
		for (unsigned int i = 0; i < CGROUPS; i++)
			most += min(nr_hot[i], nr_cold[i]);
		demeter_pair(pt->hot, pt->cold, n);
		while (found < n && pt->hot[found].target->cgroup == pt->cold[found].target->cgroup)
			found++;
		KUNIT_EXPECT_EQ(test, found, most);
		KUNIT_EXPECT_EQ(test, pair_test_sum(pt, pt->hot, n), hot);
		KUNIT_EXPECT_EQ(test, pair_test_sum(pt, pt->cold, n), cold);
		kunit_kfree(test, pt);
	}
}

/* The hottest come first as long as there is one cgroup. */
static void demeter_pair_test_one_cgroup(struct kunit *test)
{
	struct pair_test *pt, *before;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 16);
	pt = pair_test_make(test, &rnd);
	before = kunit_kmalloc(test, sizeof(*before), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	for (unsigned int i = 0; i < TARGETS; i++)
		pt->targets[i].cgroup = 7;
	*before = *pt;
	demeter_pair(pt->hot, pt->cold, PAIRS);
	demeter_pair(pt->hot, pt->cold, 0);
	KUNIT_EXPECT_MEMEQ(test, before, pt, sizeof(*pt));
}

static struct kunit_case demeter_pair_cases[] = {
	KUNIT_CASE(demeter_pair_test_within_cgroups),
	KUNIT_CASE(demeter_pair_test_one_cgroup),
	{},
};

struct kunit_suite demeter_pair_suite = {
	.name = "demeter-pair",
	.test_cases = demeter_pair_cases,
};
