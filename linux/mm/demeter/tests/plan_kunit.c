// SPDX-License-Identifier: GPL-2.0
/* Tests of plans: which pages trade places, what each size gets of a batch, what is split. */
#include "../plan.h"
#include "kunit.h"

static const struct demeter_worth worth = { .margin = 2, .least = 800 };

static struct demeter_ranking *plan_test_rankings(struct kunit *test)
{
	struct demeter_ranking *r = kunit_kcalloc(test, NR_DEMETER_SIZES, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	return r;
}

static void plan_test_takes_the_best(struct kunit *test)
{
	struct demeter_ranking *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct demeter_plan plan;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->pages[DEMETER_SLOW][120] = 10;
	r->pages[DEMETER_SLOW][100] = 100;
	r->pages[DEMETER_FAST][50] = 30;
	r->pages[DEMETER_FAST][99] = 50;
	/* 99 and 100 are too close to one another */
	plan = demeter_plan_size(r, &worth, 1000, 0);
	KUNIT_EXPECT_EQ(test, plan.exchange, 30ull);
	KUNIT_EXPECT_EQ(test, plan.hot, 100u);
	KUNIT_EXPECT_EQ(test, plan.hot_part, 20ull);
	KUNIT_EXPECT_EQ(test, plan.cold, 50u);
	KUNIT_EXPECT_EQ(test, plan.cold_part, 30ull);
	/* a small batch takes the hottest and the coldest */
	plan = demeter_plan_size(r, &worth, 15, 0);
	KUNIT_EXPECT_EQ(test, plan.exchange, 15ull);
	KUNIT_EXPECT_EQ(test, plan.hot_part, 5ull);
	KUNIT_EXPECT_EQ(test, plan.cold_part, 15ull);
	/* free memory is filled first, with the hottest */
	plan = demeter_plan_size(r, &worth, 1000, 12);
	KUNIT_EXPECT_EQ(test, plan.promote, 12ull);
	KUNIT_EXPECT_EQ(test, plan.exchange, 30ull);
	/* nothing is hot */
	memset(r, 0, sizeof(*r));
	r->pages[DEMETER_SLOW][0] = 100;
	r->pages[DEMETER_FAST][0] = 100;
	plan = demeter_plan_size(r, &worth, 1000, 50);
	KUNIT_EXPECT_EQ(test, plan.promote + plan.exchange, 0ull);
}

/* Cold huge pages in the fast tier are split for hot base pages of the slow one. */
static void plan_test_huge_pages_are_split_for_others(struct kunit *test)
{
	struct demeter_ranking *r = kunit_kcalloc(test, 2, sizeof(*r), GFP_KERNEL);
	struct demeter_plan plans[NR_DEMETER_SIZES] = {};
	struct demeter_split split;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r[DEMETER_HUGE].pages[DEMETER_FAST][10] = 3;
	r[DEMETER_HUGE].pages[DEMETER_FAST][90] = 5;
	r[DEMETER_BASE].pages[DEMETER_SLOW][100] = 2000;
	r[DEMETER_BASE].pages[DEMETER_FAST][20] = 400;
	/* 400 of the hot pages have partners */
	plans[DEMETER_BASE].exchange = 400;
	split = demeter_plan_split(r, &worth, plans, 4096);
	KUNIT_EXPECT_EQ(test, split.n, 4ull);
	KUNIT_EXPECT_EQ(test, split.tier, DEMETER_FAST);
	KUNIT_EXPECT_EQ(test, split.class, 90u);
	KUNIT_EXPECT_EQ(test, split.part, 1ull);
	split = demeter_plan_split(r, &worth, plans, 1024);
	KUNIT_EXPECT_EQ(test, split.n, 2ull);
	KUNIT_EXPECT_EQ(test, split.class, 10u);
	KUNIT_EXPECT_EQ(test, split.part, 2ull);
	/* a batch may take exactly all of a class, and none of the next */
	split = demeter_plan_split(r, &worth, plans, 3 * GRANULE_PAGES);
	KUNIT_EXPECT_EQ(test, split.n, 3ull);
	KUNIT_EXPECT_EQ(test, split.class, 10u);
	KUNIT_EXPECT_EQ(test, split.part, 3ull);
	/* huge pages that are exchanged are not split */
	plans[DEMETER_HUGE].exchange = 3;
	split = demeter_plan_split(r, &worth, plans, 4096);
	KUNIT_EXPECT_EQ(test, split.n, 4ull);
	KUNIT_EXPECT_EQ(test, split.class, 90u);
	KUNIT_EXPECT_EQ(test, split.part, 4ull);
	/* nothing is split for a few base pages */
	plans[DEMETER_BASE].exchange = 1990;
	split = demeter_plan_split(r, &worth, plans, 4096);
	KUNIT_EXPECT_EQ(test, split.n, 0ull);
	memset(plans, 0, sizeof(plans));
	/* hot huge pages of the slow tier are split for cold base pages of the fast one */
	memset(r, 0, 2 * sizeof(*r));
	r[DEMETER_HUGE].pages[DEMETER_SLOW][100] = 3;
	r[DEMETER_BASE].pages[DEMETER_FAST][20] = 600;
	split = demeter_plan_split(r, &worth, plans, 4096);
	KUNIT_EXPECT_EQ(test, split.n, 2ull);
	KUNIT_EXPECT_EQ(test, split.tier, DEMETER_SLOW);
	KUNIT_EXPECT_EQ(test, split.class, 100u);
	/* nothing is split where no exchange pays */
	r[DEMETER_BASE].pages[DEMETER_FAST][20] = 0;
	r[DEMETER_BASE].pages[DEMETER_FAST][99] = 600;
	split = demeter_plan_split(r, &worth, plans, 4096);
	KUNIT_EXPECT_EQ(test, split.n, 0ull);
}

/* An exchange must save as much as it costs, by the accesses that samples stand for. */
static void plan_test_worth_follows_costs(struct kunit *test)
{
	const u32 sample = HEAT_SAMPLE << HEAT_SHIFT;
	struct demeter_worth w;

	/* 10 accesses make up for an exchange; a sample stands for 10 */
	w = demeter_plan_worth(2, 1000, 100, 10);
	KUNIT_EXPECT_EQ(test, w.margin, 2u);
	KUNIT_EXPECT_EQ(test, w.least, sample);
	w = demeter_plan_worth(3, 1000, 100, 20);
	KUNIT_EXPECT_EQ(test, w.margin, 3u);
	KUNIT_EXPECT_EQ(test, w.least, sample / 2);
	w = demeter_plan_worth(1, 0, 100, 1021);
	KUNIT_EXPECT_EQ(test, w.least, 0u);
	/* extremes neither overflow nor divide by zero */
	w = demeter_plan_worth(1, 1 << 30, 1, 16);
	KUNIT_EXPECT_EQ(test, w.least, (u32)(U32_MAX / 2));
	w = demeter_plan_worth(1, 1 << 30, 1 << 30, 1 << 30);
	KUNIT_EXPECT_EQ(test, w.least, 0u);
	w = demeter_plan_worth(1, 1 << 30, 0, 0);
	KUNIT_EXPECT_EQ(test, w.least, (u32)(U32_MAX / 2));
}

/* Both sizes have more to do than a batch: each gets half. */
static void plan_test_sizes_share_a_batch(struct kunit *test)
{
	struct demeter_ranking *r = plan_test_rankings(test);
	const u64 none[NR_DEMETER_SIZES] = {};
	struct demeter_plans plans;

	r[DEMETER_BASE].pages[DEMETER_SLOW][100] = 10000;
	r[DEMETER_BASE].pages[DEMETER_FAST][10] = 10000;
	r[DEMETER_HUGE].pages[DEMETER_SLOW][100] = 100;
	r[DEMETER_HUGE].pages[DEMETER_FAST][10] = 100;
	demeter_plan_epoch(&plans, r, &worth, 4096, none);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].exchange, 2048ull);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_HUGE].exchange, 4ull);
	/* a size gets what the other has no use for */
	r[DEMETER_HUGE].pages[DEMETER_SLOW][100] = 1;
	demeter_plan_epoch(&plans, r, &worth, 4096, none);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].exchange, 4096ull - GRANULE_PAGES);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_HUGE].exchange, 1ull);
	r[DEMETER_HUGE].pages[DEMETER_SLOW][100] = 100;
	r[DEMETER_BASE].pages[DEMETER_SLOW][100] = 512;
	demeter_plan_epoch(&plans, r, &worth, 4096, none);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].exchange, 512ull);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_HUGE].exchange, 7ull);
	/* pages of one size only get all of a batch */
	memset(&r[DEMETER_BASE], 0, sizeof(*r));
	demeter_plan_epoch(&plans, r, &worth, 4096, none);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].exchange, 0ull);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_HUGE].exchange, 8ull);
}

/* Free memory is filled before pages trade places, and is given away once only. */
static void plan_test_sizes_share_free_memory(struct kunit *test)
{
	struct demeter_ranking *r = plan_test_rankings(test);
	const u64 free[NR_DEMETER_SIZES] = {
		[DEMETER_BASE] = 2 * GRANULE_PAGES + 100,
		[DEMETER_HUGE] = 2 * GRANULE_PAGES + 100,
	};
	struct demeter_plans plans;

	r[DEMETER_BASE].pages[DEMETER_SLOW][100] = 1000;
	r[DEMETER_HUGE].pages[DEMETER_SLOW][100] = 1;
	demeter_plan_epoch(&plans, r, &worth, 4096, free);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_HUGE].promote, 1ull);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].promote, GRANULE_PAGES + 100ull);
	KUNIT_EXPECT_EQ(test, plans.split.n, 0ull);
	r[DEMETER_HUGE].pages[DEMETER_SLOW][100] = 10;
	demeter_plan_epoch(&plans, r, &worth, 4096, free);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_HUGE].promote, 2ull);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].promote, 100ull);
}

/* Huge pages are split for hot base pages, but not while these find free memory. */
static void plan_test_splits_only_without_free_memory(struct kunit *test)
{
	struct demeter_ranking *r = plan_test_rankings(test);
	const u64 none[NR_DEMETER_SIZES] = {}, some[NR_DEMETER_SIZES] = { 100, 0 };
	struct demeter_plans plans;

	r[DEMETER_BASE].pages[DEMETER_SLOW][100] = 1000;
	r[DEMETER_HUGE].pages[DEMETER_FAST][10] = 10;
	demeter_plan_epoch(&plans, r, &worth, 4096, some);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].promote, 100ull);
	KUNIT_EXPECT_EQ(test, plans.split.n, 0ull);
	demeter_plan_epoch(&plans, r, &worth, 4096, none);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].promote, 0ull);
	KUNIT_EXPECT_EQ(test, plans.split.n, 2ull);
	KUNIT_EXPECT_EQ(test, plans.split.tier, DEMETER_FAST);
	/* nor are they when exchanges use up the batch */
	r[DEMETER_BASE].pages[DEMETER_FAST][10] = 600;
	demeter_plan_epoch(&plans, r, &worth, 600, none);
	KUNIT_EXPECT_EQ(test, plans.sizes[DEMETER_BASE].exchange, 600ull);
	KUNIT_EXPECT_EQ(test, plans.split.n, 0ull);
}

/* Without pages nothing is planned, and nothing is left of the last plan. */
static void plan_test_nothing(struct kunit *test)
{
	struct demeter_ranking *r = plan_test_rankings(test);
	const u64 free[NR_DEMETER_SIZES] = { 5000, 5000 };
	struct demeter_plans plans;

	memset(&plans, 0xff, sizeof(plans));
	demeter_plan_epoch(&plans, r, &worth, 4096, free);
	for (int size = 0; size < NR_DEMETER_SIZES; size++)
		KUNIT_EXPECT_EQ(test, plans.sizes[size].exchange + plans.sizes[size].promote, 0ull);
	KUNIT_EXPECT_EQ(test, plans.split.n, 0ull);
}

/* The fast tier gives its coldest pages, of whichever size. */
static void plan_test_fast_tier_gives_the_coldest(struct kunit *test)
{
	struct demeter_ranking *r = plan_test_rankings(test);
	struct demeter_plan plans[NR_DEMETER_SIZES];

	r[DEMETER_BASE].pages[DEMETER_FAST][3] = 100;
	r[DEMETER_BASE].pages[DEMETER_FAST][90] = 1000;
	r[DEMETER_HUGE].pages[DEMETER_FAST][40] = 2;
	r[DEMETER_BASE].pages[DEMETER_SLOW][0] = 5000;
	demeter_plan_evacuation(plans, r, DEMETER_FAST, 50);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].exchange, 50ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].cold, 3u);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].cold_part, 50ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].promote, 0ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_HUGE].exchange, 0ull);
	/* one more base page takes a huge page */
	demeter_plan_evacuation(plans, r, DEMETER_FAST, 101);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].exchange, 100ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_HUGE].exchange, 1ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_HUGE].cold, 40u);
	/* more than there is */
	demeter_plan_evacuation(plans, r, DEMETER_FAST, 1 << 20);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].exchange, 1100ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].cold, 90u);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].cold_part, 1000ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_HUGE].exchange, 2ull);
}

/* The slow tier gives its hottest pages. */
static void plan_test_slow_tier_gives_the_hottest(struct kunit *test)
{
	struct demeter_ranking *r = plan_test_rankings(test);
	struct demeter_plan plans[NR_DEMETER_SIZES];

	r[DEMETER_BASE].pages[DEMETER_SLOW][3] = 100;
	r[DEMETER_BASE].pages[DEMETER_SLOW][90] = 10;
	r[DEMETER_BASE].pages[DEMETER_FAST][100] = 1000;
	demeter_plan_evacuation(plans, r, DEMETER_SLOW, 30);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].promote, 30ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].hot, 3u);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].hot_part, 20ull);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].exchange, 0ull);
	demeter_plan_evacuation(plans, r, DEMETER_SLOW, 0);
	KUNIT_EXPECT_EQ(test, plans[DEMETER_BASE].promote, 0ull);
}

static void plan_test_heat_curve(struct kunit *test)
{
	struct demeter_ranking *r = plan_test_rankings(test);
	struct page_exchange_heat curve[4];

	KUNIT_EXPECT_EQ(test, demeter_rank_curve(r, curve, 4), 0u);
	r[DEMETER_HUGE].pages[DEMETER_FAST][200] = 1;
	r[DEMETER_BASE].pages[DEMETER_SLOW][100] = 512;
	r[DEMETER_BASE].pages[DEMETER_FAST][0] = 1024;
	KUNIT_ASSERT_EQ(test, demeter_rank_curve(r, curve, 4), 3u);
	KUNIT_EXPECT_EQ(test, curve[0].pages, 512ull);
	KUNIT_EXPECT_EQ(test, curve[0].heat, (u64)demeter_class_heat(200));
	KUNIT_EXPECT_EQ(test, curve[1].pages, 1024ull);
	KUNIT_EXPECT_EQ(test, curve[1].heat, (u64)demeter_class_heat(100));
	KUNIT_EXPECT_EQ(test, curve[2].pages, 2048ull);
	KUNIT_EXPECT_EQ(test, curve[2].heat, 0ull);
	/* a single point is the whole */
	KUNIT_ASSERT_EQ(test, demeter_rank_curve(r, curve, 1), 1u);
	KUNIT_EXPECT_EQ(test, curve[0].pages, 2048ull);
	/* few hot pages do not hide behind many cold ones */
	r[DEMETER_BASE].pages[DEMETER_FAST][0] = 1 << 20;
	KUNIT_ASSERT_GE(test, demeter_rank_curve(r, curve, 4), 2u);
	KUNIT_EXPECT_EQ(test, curve[0].pages, 512ull);
}

static struct kunit_case plan_test_cases[] = {
	KUNIT_CASE(plan_test_takes_the_best),
	KUNIT_CASE(plan_test_huge_pages_are_split_for_others),
	KUNIT_CASE(plan_test_worth_follows_costs),
	KUNIT_CASE(plan_test_sizes_share_a_batch),
	KUNIT_CASE(plan_test_sizes_share_free_memory),
	KUNIT_CASE(plan_test_splits_only_without_free_memory),
	KUNIT_CASE(plan_test_nothing),
	KUNIT_CASE(plan_test_fast_tier_gives_the_coldest),
	KUNIT_CASE(plan_test_slow_tier_gives_the_hottest),
	KUNIT_CASE(plan_test_heat_curve),
	{},
};

struct kunit_suite demeter_plan_suite = {
	.name = "demeter-plan",
	.test_cases = plan_test_cases,
};
