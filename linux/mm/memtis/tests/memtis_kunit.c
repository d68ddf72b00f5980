// SPDX-License-Identifier: GPL-2.0
/* Tests of what Memtis decides, which move no memory. */
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "../heat.c"
#include "../period.c"
#include "../region.c"
#include "../skew.c"

static void heat_test_bins_are_powers_of_two(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, memtis_bin(0), 0u);
	KUNIT_EXPECT_EQ(test, memtis_bin(1), 0u);
	for (unsigned int n = 1; n < MEMTIS_BINS; n++) {
		KUNIT_EXPECT_EQ(test, memtis_bin(1ull << n), n);
		KUNIT_EXPECT_EQ(test, memtis_bin((1ull << n) - 1), n - 1);
	}
	KUNIT_EXPECT_EQ(test, memtis_bin(U64_MAX), MEMTIS_BINS - 1);
}

static void heat_test_what_is_hot_fits(struct kunit *test)
{
	struct memtis_histogram h = { .pages = { [0] = 1000, [9] = 100, [10] = 50, [12] = 30 } };
	struct memtis_thresholds t;

	/* 80 of 85 pages: hardly any are left */
	memtis_thresholds_adapt(&t, &h, 85);
	KUNIT_EXPECT_EQ(test, t.hot, 10u);
	KUNIT_EXPECT_EQ(test, t.warm, 10u);
	/* 80 of 100: those of the bin below are warm */
	memtis_thresholds_adapt(&t, &h, 100);
	KUNIT_EXPECT_EQ(test, t.hot, 10u);
	KUNIT_EXPECT_EQ(test, t.warm, 9u);
	memtis_thresholds_adapt(&t, &h, 79);
	KUNIT_EXPECT_EQ(test, t.hot, 11u);
}

/* Whatever there is, something can be promoted, and what was not sampled can be demoted. */
static void heat_test_thresholds_have_bounds(struct kunit *test)
{
	struct memtis_histogram all = { .pages = { [0] = 10, [9] = 10 } };
	struct memtis_histogram hot = { .pages = { [MEMTIS_BINS - 1] = 1000 } };
	struct memtis_thresholds t;

	memtis_thresholds_adapt(&t, &all, 1000);
	KUNIT_EXPECT_EQ(test, t.hot, 1u);
	KUNIT_EXPECT_EQ(test, t.warm, 1u);
	memtis_thresholds_adapt(&t, &hot, 10);
	KUNIT_EXPECT_EQ(test, t.hot, MEMTIS_BINS - 1);
	memtis_thresholds_adapt(&t, &hot, 0);
	KUNIT_EXPECT_EQ(test, t.hot, MEMTIS_BINS - 1);
	KUNIT_EXPECT_GE(test, t.warm, 1u);
}

/* The cost of a sample is the same whatever the period is. */
static void period_test_ends_below_the_budget(struct kunit *test)
{
	const u64 wall = NSEC_PER_SEC, one = 40;
	unsigned int factor = MEMTIS_FACTOR_ONE;
	u64 busy = 0;

	for (int i = 0; i < 40; i++) {
		/* 1000 % of a CPU at first */
		busy = 10 * wall * MEMTIS_FACTOR_ONE / factor;
		factor = memtis_factor_adapt(factor, busy, wall, 30);
	}
	KUNIT_EXPECT_LE(test, busy, wall * 30 / 1000);
	KUNIT_EXPECT_GE(test, busy, wall * 20 / 1000);
	for (int i = 0; i < 60; i++)
		factor = memtis_factor_adapt(factor, one, wall, 30);
	KUNIT_EXPECT_EQ(test, factor, MEMTIS_FACTOR_ONE);
	KUNIT_EXPECT_EQ(test, memtis_factor_adapt(factor, U64_MAX / 1000, 1, 30),
			MEMTIS_FACTOR_MAX);
}

static void period_test_stays_near_the_budget(struct kunit *test)
{
	const unsigned int factor = 10 * MEMTIS_FACTOR_ONE;

	KUNIT_EXPECT_EQ(test, memtis_factor_adapt(factor, 28, 1000, 30), factor);
	KUNIT_EXPECT_EQ(test, memtis_factor_adapt(factor, 25, 1000, 30), factor);
	KUNIT_EXPECT_LT(test, memtis_factor_adapt(factor, 24, 1000, 30), factor);
	KUNIT_EXPECT_GT(test, memtis_factor_adapt(factor, 31, 1000, 30), factor);
	KUNIT_EXPECT_EQ(test, memtis_period(200, MEMTIS_FACTOR_ONE), 200ull);
	KUNIT_EXPECT_EQ(test, memtis_period(100000, 24), 150000ull);
	KUNIT_EXPECT_EQ(test, memtis_period(0, 24), 0ull);
}

static void split_test_gain_tells_how_many(struct kunit *test)
{
	struct memtis_hits hits = { .samples = 1000, .real = 600, .base = 650, .huge = 1000 };

	/* not more than the threshold */
	KUNIT_EXPECT_EQ(test, memtis_nr_split(&hits, 100, 50), 0u);
	hits.base = 800;
	/* 200 samples are missing, and each huge page has 10 */
	KUNIT_EXPECT_EQ(test, memtis_nr_split(&hits, 100, 50), 20u);
	KUNIT_EXPECT_EQ(test, memtis_nr_split(&hits, 0, 50), 0u);
	hits.base = 500;
	KUNIT_EXPECT_EQ(test, memtis_nr_split(&hits, 100, 50), 0u);
	KUNIT_EXPECT_EQ(test, memtis_nr_split(&(struct memtis_hits){}, 100, 50), 0u);
}

static void split_test_few_hot_pages_are_skewed(struct kunit *test)
{
	u16 *few = kunit_kcalloc(test, 512, sizeof(*few), GFP_KERNEL);
	u16 *all = kunit_kcalloc(test, 512, sizeof(*all), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, few);
	KUNIT_ASSERT_NOT_NULL(test, all);
	for (unsigned int i = 0; i < 512; i++)
		all[i] = 8;
	for (unsigned int i = 0; i < 64; i++)
		few[i] = 64;
	KUNIT_EXPECT_GT(test, memtis_skew(few, 512, 2), memtis_skew(all, 512, 2));
	KUNIT_EXPECT_EQ(test, memtis_skew(all, 512, 9), 0ull);
	KUNIT_EXPECT_TRUE(test, memtis_is_uniform(all, 512, 8));
	KUNIT_EXPECT_FALSE(test, memtis_is_uniform(few, 512, 8));
}

struct place {
	DECLARE_BITMAP(present, MEMTIS_REGION_PAGES);
	DECLARE_BITMAP(fast, MEMTIS_REGION_PAGES);
};

static unsigned long region_test_sum(const struct memtis_histogram *h)
{
	unsigned long sum = 0;

	for (unsigned int bin = 0; bin < MEMTIS_BINS; bin++)
		sum += h->pages[bin];
	return sum;
}

/* Counts all anew, and compares. */
static void region_test_expect_exact(struct kunit *test, const struct memtis_region *r,
				     const struct memtis_heat *heat)
{
	struct memtis_heat expected = {};
	unsigned int page;

	for_each_set_bit(page, r->present, MEMTIS_REGION_PAGES) {
		expected.now.pages[memtis_region_bin(r, page)]++;
		expected.base.pages[memtis_region_base_bin(r, page)]++;
	}
	KUNIT_EXPECT_MEMEQ(test, &heat->now, &expected.now, sizeof(heat->now));
	KUNIT_EXPECT_MEMEQ(test, &heat->base, &expected.base, sizeof(heat->base));
}

/* Samples, coolings and scans in any order. */
static void region_test_histograms_are_exact(struct kunit *test)
{
	struct memtis_region *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct place *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct memtis_heat heat = {};
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_ASSERT_NOT_NULL(test, p);
	prandom_seed_state(&rnd, 1);
	memtis_region_init(r, &heat, 0);
	for (unsigned int i = 0; i < 20000; i++) {
		const u32 what = prandom_u32_state(&rnd), page = what >> 8 & 511;
		const bool is_huge = what % 1009 == 0;

		memtis_region_sample(r, &heat, what % 3 ? page / 32 : page);
		if (what % 503 == 0)
			heat.cooling++;
		if (what % 101 == 0)
			change_bit(page, p->present);
		if (what % 101 && !is_huge)
			continue;
		if (is_huge)
			bitmap_fill(p->present, MEMTIS_REGION_PAGES);
		memtis_region_place(r, &heat, p->present, p->fast, is_huge, i);
		region_test_expect_exact(test, r, &heat);
	}
	KUNIT_EXPECT_GT(test, heat.gone, 0ull);
	memtis_region_exit(r, &heat);
	KUNIT_EXPECT_EQ(test, region_test_sum(&heat.now), 0ul);
	KUNIT_EXPECT_EQ(test, region_test_sum(&heat.base), 0ul);
	KUNIT_EXPECT_EQ(test, heat.metadata, 0ull);
}

static void region_test_what_comes_again_is_new(struct kunit *test)
{
	struct memtis_region *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct place *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct memtis_heat heat = {};

	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memtis_region_init(r, &heat, 0);
	bitmap_fill(p->present, MEMTIS_REGION_PAGES);
	memtis_region_place(r, &heat, p->present, p->fast, false, 1);
	for (unsigned int i = 0; i < 5; i++)
		memtis_region_sample(r, &heat, 7);
	KUNIT_EXPECT_EQ(test, memtis_region_bin(r, 7), 2u + MEMTIS_PAGE_SHIFT);
	clear_bit(7, p->present);
	memtis_region_place(r, &heat, p->present, p->fast, false, 2);
	KUNIT_EXPECT_EQ(test, r->grown, 1ull);
	set_bit(7, p->present);
	memtis_region_place(r, &heat, p->present, p->fast, false, 3);
	KUNIT_EXPECT_EQ(test, r->grown, 3ull);
	KUNIT_EXPECT_EQ(test, memtis_region_bin(r, 7), 0u);
	KUNIT_EXPECT_EQ(test, heat.gone, 1ull);
	memtis_region_exit(r, &heat);
}

/* A huge page with as many samples as 512 base pages is as hot as each of those. */
static void region_test_sizes_compare(struct kunit *test)
{
	struct memtis_region *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct place *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct memtis_heat heat = {};

	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memtis_region_init(r, &heat, 0);
	bitmap_fill(p->present, MEMTIS_REGION_PAGES);
	memtis_region_place(r, &heat, p->present, p->fast, true, 1);
	for (unsigned int page = 0; page < MEMTIS_REGION_PAGES; page++)
		memtis_region_sample(r, &heat, page);
	KUNIT_EXPECT_EQ(test, memtis_region_bin(r, 0), memtis_region_base_bin(r, 0));
	heat.cooling++;
	memtis_region_cool(r, &heat);
	KUNIT_EXPECT_EQ(test, memtis_region_bin(r, 0), (unsigned int)MEMTIS_PAGE_SHIFT - 1);
	KUNIT_EXPECT_EQ(test, memtis_region_base_bin(r, 0), 0u);
	memtis_region_exit(r, &heat);
}

static struct kunit_case threshold_cases[] = {
	KUNIT_CASE(heat_test_bins_are_powers_of_two),
	KUNIT_CASE(heat_test_what_is_hot_fits),
	KUNIT_CASE(heat_test_thresholds_have_bounds),
	{},
};

static struct kunit_case period_cases[] = {
	KUNIT_CASE(period_test_ends_below_the_budget),
	KUNIT_CASE(period_test_stays_near_the_budget),
	{},
};

static struct kunit_case split_cases[] = {
	KUNIT_CASE(split_test_gain_tells_how_many),
	KUNIT_CASE(split_test_few_hot_pages_are_skewed),
	{},
};

static struct kunit_case region_cases[] = {
	KUNIT_CASE(region_test_histograms_are_exact),
	KUNIT_CASE(region_test_what_comes_again_is_new),
	KUNIT_CASE(region_test_sizes_compare),
	{},
};

static struct kunit_suite threshold_suite = {
	.name = "memtis-threshold",
	.test_cases = threshold_cases,
};

static struct kunit_suite period_suite = {
	.name = "memtis-period",
	.test_cases = period_cases,
};

static struct kunit_suite split_suite = {
	.name = "memtis-split",
	.test_cases = split_cases,
};

static struct kunit_suite region_suite = {
	.name = "memtis-region",
	.test_cases = region_cases,
};

kunit_test_suites(&threshold_suite, &period_suite, &split_suite, &region_suite);

MODULE_DESCRIPTION("KUnit tests of Memtis' logic");
MODULE_LICENSE("GPL");
