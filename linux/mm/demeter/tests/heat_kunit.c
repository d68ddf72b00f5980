// SPDX-License-Identifier: GPL-2.0
/* Tests of heat and ranking: what samples say about pages. */
#include "../plan.h"
#include "kunit.h"

#define GRANULES 64

static struct demeter_granule *heat_test_make_granules(struct kunit *test)
{
	struct demeter_granule *g = kunit_kcalloc(test, GRANULES, sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	for (unsigned int i = 0; i < GRANULES; i++) {
		g[i].count = kunit_kcalloc(test, GRANULE_PAGES, sizeof(u16), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, g[i].count);
		bitmap_fill(g[i].present, GRANULE_PAGES);
		g[i].nr_present = GRANULE_PAGES;
		/* every fourth page is in the fast tier */
		for (unsigned int page = 0; page < GRANULE_PAGES; page += 4)
			set_bit(page, g[i].fast);
		g[i].nr_fast = GRANULE_PAGES / 4;
	}
	return g;
}

static void heat_test_estimate_all(struct demeter_granule *g, struct demeter_ranking *ranking,
				   unsigned int weight)
{
	struct demeter_group group = {};

	for (unsigned int i = 0; i < GRANULES; i++)
		demeter_group_add(&group, g[i].nr_present, g[i].sum);
	demeter_group_estimate(&group, weight);
	for (unsigned int i = 0; i < GRANULES; i++) {
		demeter_granule_estimate(
			&g[i], demeter_group_member(&group, g[i].nr_present, g[i].sum, group.mean),
			weight);
		demeter_ranking_add(ranking, &g[i]);
	}
}

static const struct demeter_worth worth = { .margin = 2, .least = 800 };

static void heat_test_equal_pages(struct kunit *test, unsigned int weight)
{
	static const unsigned int samples[] = { 0, 300, 3000, 30000, 300000 };

	for (unsigned int k = 0; k < ARRAY_SIZE(samples); k++) {
		struct demeter_ranking *ranking = kunit_kzalloc(test, sizeof(*ranking), GFP_KERNEL);
		struct demeter_granule *g = heat_test_make_granules(test);
		struct demeter_plan plan;
		struct rnd_state rnd;

		KUNIT_ASSERT_NOT_NULL(test, ranking);
		prandom_seed_state(&rnd, k);
		for (unsigned int i = 0; i < samples[k]; i++)
			demeter_granule_sample(&g[below(&rnd, GRANULES)],
					       below(&rnd, GRANULE_PAGES), weight);
		heat_test_estimate_all(g, ranking, weight);
		plan = demeter_plan_size(ranking, &worth, 1 << 20, 0);
		KUNIT_EXPECT_EQ(test, plan.promote, 0ull);
		/* one percent may look hotter by chance */
		KUNIT_EXPECT_LE(test, plan.exchange, (u64)GRANULES * GRANULE_PAGES / 100);
	}
}

/* Chance makes counts of equal pages differ; nothing must be moved for it. */
static void heat_test_equal_pages_stay(struct kunit *test)
{
	heat_test_equal_pages(test, 1);
	/* more so if samples are few, and weigh more */
	heat_test_equal_pages(test, 4);
}

/* Hot pages scattered over all granules are found, though ranges cannot see them. */
static void heat_test_scattered_hot_pages_are_found(struct kunit *test)
{
	struct demeter_ranking *ranking = kunit_kzalloc(test, sizeof(*ranking), GFP_KERNEL);
	struct demeter_granule *g = heat_test_make_granules(test);
	unsigned int hot = 0, found = 0, wrong = 0;
	struct demeter_plan plan;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, ranking);
	prandom_seed_state(&rnd, 3);
	/* one page in 32 gets half of all samples, four each on average */
	for (unsigned int i = 0; i < GRANULES * GRANULE_PAGES / 32 * 8; i++) {
		const unsigned int page = below(&rnd, GRANULE_PAGES / 32) * 32 + 7;

		demeter_granule_sample(&g[below(&rnd, GRANULES)],
				       below(&rnd, 2) ? page : below(&rnd, GRANULE_PAGES), 1);
	}
	heat_test_estimate_all(g, ranking, 1);
	plan = demeter_plan_size(ranking, &worth, GRANULES * GRANULE_PAGES / 32, 0);
	KUNIT_EXPECT_GT(test, plan.exchange, 0ull);
	for (unsigned int i = 0; i < GRANULES; i++) {
		for (unsigned int page = 0; page < GRANULE_PAGES; page++) {
			const unsigned int class =
				demeter_rank_class(demeter_page_heat(&g[i], page));
			const bool is_hot = page % 32 == 7;

			hot += is_hot;
			if (test_bit(page, g[i].fast) || class < plan.hot)
				continue;
			found += is_hot;
			wrong += !is_hot;
		}
	}
	KUNIT_EXPECT_GT(test, found, hot * 8 / 10);
	KUNIT_EXPECT_LT(test, wrong, found / 2);
}

static void heat_test_classes_are_in_order(struct kunit *test)
{
	unsigned int wrong = 0, last = 0;

	for (u64 heat = 0; heat <= U32_MAX; heat += 1 + heat / 100) {
		const unsigned int class = demeter_rank_class(heat);

		wrong += class < last || class >= RANK_CLASSES;
		wrong += demeter_class_heat(class) > heat;
		wrong += class + 1 < RANK_CLASSES && demeter_class_heat(class + 1) &&
			 demeter_class_heat(class + 1) <= heat;
		last = class;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	KUNIT_EXPECT_EQ(test, demeter_rank_class(U32_MAX), 30u * RANK_STEPS - 1);
}

/* A huge page is one page of its own ranking, in one tier, or stuck. */
static void heat_test_huge_pages_are_ranked_apart(struct kunit *test)
{
	struct demeter_ranking *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	struct demeter_granule *g = heat_test_make_granules(test);
	struct demeter_plan plan;

	KUNIT_ASSERT_NOT_NULL(test, r);
	for (unsigned int i = 0; i < GRANULES; i++) {
		g[i].huge = true;
		g[i].nr_fast = i < GRANULES / 4 ? GRANULE_PAGES : 0;
		g[i].mean = i < GRANULES / 2 ? 1000 : 100000;
		KUNIT_EXPECT_EQ(test, demeter_granule_size(&g[i]), DEMETER_HUGE);
	}
	set_bit(0, g[0].stuck);
	for (unsigned int i = 0; i < GRANULES; i++)
		demeter_ranking_add(r, &g[i]);
	KUNIT_EXPECT_EQ(test, r->total[DEMETER_FAST], GRANULES / 4ull);
	KUNIT_EXPECT_EQ(test, r->total[DEMETER_SLOW], GRANULES * 3 / 4ull);
	plan = demeter_plan_size(r, &worth, 1000, 0);
	KUNIT_EXPECT_EQ(test, plan.exchange, GRANULES / 4ull - 1);
	KUNIT_EXPECT_EQ(test, demeter_pages_of(DEMETER_HUGE), (unsigned int)GRANULE_PAGES);
}

/* Uses the largest counts, in as many granules as a large machine has. */
static void heat_test_large_counts_do_not_overflow(struct kunit *test)
{
	struct demeter_granule *g = heat_test_make_granules(test);
	struct demeter_group group = {};

	for (unsigned int page = 0; page < GRANULE_PAGES; page++)
		demeter_granule_set(g, page, page & 1 ? U16_MAX : 0);
	demeter_granule_estimate(g, (U16_MAX / 2) << HEAT_SHIFT, 1);
	KUNIT_EXPECT_GT(test, g->weight, 65000u);
	KUNIT_EXPECT_LE(test, g->weight, 65536u);
	for (unsigned int i = 0; i < 1 << 18; i++)
		demeter_group_add(&group, GRANULE_PAGES, i & 1 ? GRANULE_PAGES * U16_MAX : 0);
	demeter_group_estimate(&group, 1);
	KUNIT_EXPECT_EQ(test, group.mean, (u32)(U16_MAX << (HEAT_SHIFT - 1)));
	KUNIT_EXPECT_GT(test, demeter_group_weight(&group, GRANULE_PAGES), 65000u);
}

/* A heat that halves is in the class that the ranking makes of its class when it cools. */
static void heat_test_classes_cool_as_heats_do(struct kunit *test)
{
	unsigned int wrong = 0;

	for (u64 heat = 0; heat <= U32_MAX; heat += 1 + heat / 100)
		wrong += demeter_class_cooled(demeter_rank_class(heat)) !=
			 demeter_rank_class(heat / 2);
	KUNIT_EXPECT_EQ(test, wrong, 0u);
}

/* A granule without counts of pages knows how often it was sampled, and no more. */
static void heat_test_few_samples_tell_no_pages(struct kunit *test)
{
	struct demeter_granule *g = heat_test_make_granules(test);

	g->count = NULL;
	for (unsigned int i = 0; i < 3; i++)
		demeter_granule_sample(g, 7, 1);
	demeter_granule_estimate(g, 100, 1);
	KUNIT_EXPECT_EQ(test, g->sum, 3u * HEAT_SAMPLE);
	KUNIT_EXPECT_EQ(test, g->weight, 0u);
	KUNIT_EXPECT_EQ(test, demeter_page_heat(g, 7), 100u);
	demeter_granule_cool(g, 2);
	KUNIT_EXPECT_EQ(test, g->sum, 3u * HEAT_SAMPLE / 4);
	KUNIT_EXPECT_EQ(test, g->mean, 25u);
	demeter_granule_cool(g, 1000);
	KUNIT_EXPECT_EQ(test, g->sum + g->mean, 0u);
}

/* What was sampled before pages were told apart cools, and is not lost. */
static void heat_test_telling_pages_apart_loses_nothing(struct kunit *test)
{
	struct demeter_granule *g = heat_test_make_granules(test);
	u16 *count = g->count;

	g->count = NULL;
	for (unsigned int i = 0; i < 4; i++)
		demeter_granule_sample(g, 7, 1);
	g->count = count;
	for (unsigned int i = 0; i < 2; i++)
		demeter_granule_sample(g, 7, 1);
	KUNIT_EXPECT_EQ(test, g->sum, 6u * HEAT_SAMPLE);
	demeter_granule_cool(g, 1);
	KUNIT_EXPECT_EQ(test, g->sum, 3u * HEAT_SAMPLE);
	KUNIT_EXPECT_EQ(test, g->count[7], HEAT_SAMPLE);
}

/* Members that leave a group leave nothing behind, but for rounding when it has cooled. */
static void heat_test_groups_lose_members(struct kunit *test)
{
	struct demeter_group group = {}, other = {};

	for (unsigned int i = 1; i <= 100; i++)
		demeter_group_add(i & 1 ? &group : &other, i, 1000 * i + i * i);
	demeter_group_merge(&group, &other);
	KUNIT_EXPECT_EQ(test, group.members, 100u);
	for (unsigned int i = 1; i <= 50; i++)
		demeter_group_remove(&group, i, 1000 * i + i * i, 0);
	demeter_group_cool(&group);
	demeter_group_cool(&group);
	for (unsigned int i = 51; i <= 100; i++)
		demeter_group_remove(&group, i, 1000 * i + i * i, 2);
	KUNIT_EXPECT_EQ(test, group.members, 0u);
	KUNIT_EXPECT_EQ(test, group.pages, 0ull);
	KUNIT_EXPECT_EQ(test, group.pages_sq, 0ull);
	KUNIT_EXPECT_LE(test, group.sum, 50ull);
	KUNIT_EXPECT_LE(test, group.sum_sq, 50ull);
}

static struct kunit_case heat_test_cases[] = {
	KUNIT_CASE(heat_test_equal_pages_stay),
	KUNIT_CASE(heat_test_scattered_hot_pages_are_found),
	KUNIT_CASE(heat_test_classes_are_in_order),
	KUNIT_CASE(heat_test_huge_pages_are_ranked_apart),
	KUNIT_CASE(heat_test_large_counts_do_not_overflow),
	KUNIT_CASE(heat_test_classes_cool_as_heats_do),
	KUNIT_CASE(heat_test_few_samples_tell_no_pages),
	KUNIT_CASE(heat_test_telling_pages_apart_loses_nothing),
	KUNIT_CASE(heat_test_groups_lose_members),
	{},
};

struct kunit_suite demeter_heat_suite = {
	.name = "demeter-heat",
	.test_cases = heat_test_cases,
};
