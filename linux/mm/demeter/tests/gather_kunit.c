// SPDX-License-Identifier: GPL-2.0
/* Tests of how the pages that a plan means are picked. */
#include "../demeter.h"
#include "kunit.h"

#define ROOM 8

/* One target of two granules, and room for what is picked of them. */
struct gather_test {
	struct demeter_index *index;
	struct demeter_ranking *rankings;
	struct demeter_target *target;
	struct demeter_granule *granules[2];
	struct demeter_candidate hot_pages[ROOM], cold_pages[ROOM];
	struct demeter_gathered hot, cold;
};

/* Makes granules without pages. Heats of their pages are counts alone. */
static struct gather_test *gather_test_make(struct kunit *test)
{
	struct gather_test *gt = kunit_kzalloc(test, sizeof(*gt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, gt);
	gt->index = kunit_kzalloc(test, sizeof(*gt->index), GFP_KERNEL);
	gt->rankings = kunit_kcalloc(test, NR_DEMETER_SIZES, sizeof(*gt->rankings), GFP_KERNEL);
	gt->target = kunit_kzalloc(test, sizeof(*gt->target), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, gt->index && gt->rankings && gt->target);
	demeter_index_init(gt->index);
	for (unsigned int i = 0; i < ARRAY_SIZE(gt->granules); i++) {
		struct demeter_granule *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, g);
		g->count = kunit_kcalloc(test, GRANULE_PAGES, sizeof(u16), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, g->count);
		g->start = (10 + i) * GRANULE_SIZE;
		g->target = gt->target;
		g->weight = 1 << 16;
		for (int tier = 0; tier < NR_DEMETER_TIERS; tier++)
			INIT_LIST_HEAD(&g->by_heat[tier]);
		gt->granules[i] = g;
	}
	gt->hot = (struct demeter_gathered){ .pages = gt->hot_pages, .max = ROOM };
	gt->cold = (struct demeter_gathered){ .pages = gt->cold_pages, .max = ROOM };
	return gt;
}

/* Indexes the granules as they are now. */
static void gather_test_index(struct gather_test *gt)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(gt->granules); i++) {
		struct demeter_granule *g = gt->granules[i];
		struct demeter_ranking *r = &gt->rankings[demeter_granule_size(g)];

		demeter_index_remove(g);
		g->cooled = gt->index->coolings;
		demeter_index_add(gt->index, g, demeter_ranking_add(r, g));
	}
}

static void gather_test_gather(struct gather_test *gt, enum demeter_size size,
			       const struct demeter_plan *plan)
{
	gather_test_index(gt);
	demeter_gather(gt->index, size, plan, &gt->hot, &gt->cold);
}

static void gather_test_add(struct demeter_granule *g, unsigned int page, enum demeter_tier tier,
			    u16 count)
{
	__set_bit(page, g->present);
	g->nr_present++;
	if (tier == DEMETER_FAST) {
		__set_bit(page, g->fast);
		g->nr_fast++;
	}
	demeter_granule_set(g, page, count);
}

static unsigned int gather_test_class(u16 count)
{
	return demeter_rank_class(count << HEAT_SHIFT);
}

static void gather_test_expect(struct kunit *test, const struct demeter_gathered *found,
			       const struct demeter_granule *g, const unsigned int *pages,
			       unsigned int n)
{
	KUNIT_ASSERT_EQ(test, found->n, (u64)n);
	for (unsigned int i = 0; i < n; i++) {
		KUNIT_EXPECT_PTR_EQ(test, found->pages[i].granule, g);
		KUNIT_EXPECT_EQ(test, found->pages[i].addr, g->start + pages[i] * PAGE_SIZE);
	}
}

/* All pages beyond the classes of the plan, and of these classes the first by address. */
static void gather_test_keeps_to_the_plan(struct kunit *test)
{
	static const u16 slow[] = { 10, 40, 20, 20, 20, 80 }, fast[] = { 0, 2, 2, 1, 2, 3 };
	static const unsigned int hot[] = { 1, 2, 3, 5 }, cold[] = { 100, 101, 103 };
	const struct demeter_plan plan = {
		.hot = gather_test_class(20),
		.hot_part = 2,
		.cold = gather_test_class(2),
		.cold_part = 1,
		.exchange = 3,
		.promote = 1,
	};
	struct gather_test *gt = gather_test_make(test);
	struct demeter_granule *g = gt->granules[0];

	for (unsigned int i = 0; i < ARRAY_SIZE(slow); i++)
		gather_test_add(g, i, DEMETER_SLOW, slow[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(fast); i++)
		gather_test_add(g, 100 + i, DEMETER_FAST, fast[i]);
	gather_test_gather(gt, DEMETER_BASE, &plan);
	gather_test_expect(test, &gt->hot, g, hot, ARRAY_SIZE(hot));
	gather_test_expect(test, &gt->cold, g, cold, ARRAY_SIZE(cold));
	KUNIT_EXPECT_PTR_EQ(test, gt->hot.pages[0].target, gt->target);
}

/* Where nothing is exchanged nothing is cold, not even what was never sampled. */
static void gather_test_promotes_without_demoting(struct kunit *test)
{
	static const unsigned int hot[] = { 7 };
	const struct demeter_plan plan = {
		.hot = gather_test_class(20),
		.hot_part = 1,
		.promote = 1,
	};
	struct gather_test *gt = gather_test_make(test);

	gather_test_add(gt->granules[1], 0, DEMETER_FAST, 0);
	gather_test_add(gt->granules[1], 7, DEMETER_SLOW, 20);
	gather_test_gather(gt, DEMETER_BASE, &plan);
	gather_test_expect(test, &gt->hot, gt->granules[1], hot, 1);
	KUNIT_EXPECT_EQ(test, gt->cold.n, 0ull);
}

/* Pages that are stuck or not there stay, and so does a granule that is neither hot nor cold. */
static void gather_test_leaves_pages_alone(struct kunit *test)
{
	static const unsigned int hot[] = { 2 };
	const struct demeter_plan plan = {
		.hot = gather_test_class(20),
		.hot_part = 10,
		.cold = gather_test_class(2),
		.cold_part = 10,
		.exchange = 10,
	};
	struct gather_test *gt = gather_test_make(test);
	struct demeter_granule *g = gt->granules[0], *even = gt->granules[1];

	for (unsigned int i = 0; i < 3; i++)
		gather_test_add(g, i, DEMETER_SLOW, 40);
	__set_bit(0, g->stuck);
	__clear_bit(1, g->present);
	/* counts that say nothing */
	even->weight = 0;
	even->mean = 10 << HEAT_SHIFT;
	gather_test_add(even, 0, DEMETER_SLOW, 40);
	gather_test_add(even, 1, DEMETER_FAST, 0);
	gather_test_gather(gt, DEMETER_BASE, &plan);
	gather_test_expect(test, &gt->hot, g, hot, 1);
	KUNIT_EXPECT_EQ(test, gt->cold.n, 0ull);
	/* their mean does */
	even->mean = 30 << HEAT_SHIFT;
	gt->hot.n = 0;
	gather_test_gather(gt, DEMETER_BASE, &plan);
	KUNIT_EXPECT_EQ(test, gt->hot.n, 2ull);
	KUNIT_EXPECT_EQ(test, gt->hot.pages[1].addr, even->start);
}

static void gather_test_stops_when_the_buffer_is_full(struct kunit *test)
{
	static const unsigned int pages[] = { 0, 1, 2 };
	const struct demeter_plan plan = {
		.hot = gather_test_class(20),
		.cold = gather_test_class(2),
		.exchange = 10,
	};
	struct gather_test *gt = gather_test_make(test);
	struct demeter_granule *g = gt->granules[0];

	for (unsigned int i = 0; i < 10; i++) {
		gather_test_add(g, i, DEMETER_SLOW, 80);
		gather_test_add(g, 100 + i, DEMETER_FAST, 0);
	}
	gt->hot.max = 3;
	gt->cold.max = 0;
	gather_test_gather(gt, DEMETER_BASE, &plan);
	gather_test_expect(test, &gt->hot, g, pages, 3);
	KUNIT_EXPECT_NULL(test, gt->hot_pages[3].granule);
	KUNIT_EXPECT_EQ(test, gt->cold.n, 0ull);
	KUNIT_EXPECT_NULL(test, gt->cold_pages[0].granule);
}

static void gather_test_picks_huge_pages(struct kunit *test)
{
	static const unsigned int first[] = { 0 };
	const struct demeter_plan plan = {
		.hot = gather_test_class(20),
		.hot_part = 1,
		.cold = gather_test_class(2),
		.exchange = 1,
	};
	struct gather_test *gt = gather_test_make(test);
	struct demeter_granule *hot = gt->granules[0], *cold = gt->granules[1];

	for (unsigned int i = 0; i < GRANULE_PAGES; i++) {
		gather_test_add(hot, i, DEMETER_SLOW, 0);
		gather_test_add(cold, i, DEMETER_FAST, 0);
	}
	hot->mean = 20 << HEAT_SHIFT;
	cold->mean = 1 << HEAT_SHIFT;
	hot->huge = true;
	cold->huge = true;
	gather_test_gather(gt, DEMETER_BASE, &plan);
	KUNIT_EXPECT_EQ(test, gt->hot.n + gt->cold.n, 0ull);
	gather_test_gather(gt, DEMETER_HUGE, &plan);
	gather_test_expect(test, &gt->hot, hot, first, 1);
	gather_test_expect(test, &gt->cold, cold, first, 1);
	__set_bit(0, hot->stuck);
	gt->hot.n = 0;
	gather_test_gather(gt, DEMETER_HUGE, &plan);
	KUNIT_EXPECT_EQ(test, gt->hot.n, 0ull);
}

/* Of the fast tier the coldest huge pages are split, of the slow tier the hottest. */
static void gather_test_splits(struct kunit *test)
{
	struct gather_test *gt = gather_test_make(test);
	struct demeter_granule *cold = gt->granules[0], *hot = gt->granules[1];
	struct demeter_split split = {
		.n = 3,
		.tier = DEMETER_FAST,
		.class = gather_test_class(20),
		.part = 1,
	};

	for (unsigned int i = 0; i < GRANULE_PAGES; i++) {
		gather_test_add(cold, i, DEMETER_FAST, 0);
		gather_test_add(hot, i, DEMETER_FAST, 0);
	}
	cold->mean = 0;
	hot->mean = 20 << HEAT_SHIFT;
	gather_test_index(gt);
	/* base pages */
	KUNIT_EXPECT_NULL(test, demeter_gather_split(gt->index, &split));
	cold->huge = true;
	hot->huge = true;
	gather_test_index(gt);
	KUNIT_EXPECT_PTR_EQ(test, demeter_gather_split(gt->index, &split), cold);
	KUNIT_EXPECT_EQ(test, split.n, 2ull);
	KUNIT_EXPECT_EQ(test, split.part, 1ull);
	/* one of this class, and no other */
	demeter_index_remove(cold);
	KUNIT_EXPECT_PTR_EQ(test, demeter_gather_split(gt->index, &split), hot);
	KUNIT_EXPECT_EQ(test, split.part, 0ull);
	KUNIT_EXPECT_NULL(test, demeter_gather_split(gt->index, &split));
	/* nothing that is hotter, or stuck, or in the other tier */
	split = (struct demeter_split){ .n = 1, .class = 0, .part = 1, .tier = DEMETER_FAST };
	KUNIT_EXPECT_NULL(test, demeter_gather_split(gt->index, &split));
	__set_bit(0, cold->stuck);
	gather_test_index(gt);
	KUNIT_EXPECT_NULL(test, demeter_gather_split(gt->index, &split));
	split.tier = DEMETER_SLOW;
	KUNIT_EXPECT_NULL(test, demeter_gather_split(gt->index, &split));
	hot->nr_fast = 0;
	gather_test_index(gt);
	KUNIT_EXPECT_PTR_EQ(test, demeter_gather_split(gt->index, &split), hot);
	KUNIT_EXPECT_NULL(test, demeter_gather_split(gt->index, &split));
}

/* Granules that have cooled since they were estimated are picked by the heat that is left. */
static void gather_test_picks_what_has_cooled(struct kunit *test)
{
	static const unsigned int cold[] = { 3 };
	const struct demeter_plan plan = {
		.hot = RANK_CLASSES,
		.cold = gather_test_class(10),
		.cold_part = 1,
		.exchange = 1,
	};
	struct gather_test *gt = gather_test_make(test);

	gather_test_add(gt->granules[0], 3, DEMETER_FAST, 20);
	gather_test_gather(gt, DEMETER_BASE, &plan);
	KUNIT_EXPECT_EQ(test, gt->cold.n, 0ull);
	demeter_index_cool(gt->index);
	demeter_gather(gt->index, DEMETER_BASE, &plan, &gt->hot, &gt->cold);
	gather_test_expect(test, &gt->cold, gt->granules[0], cold, 1);
}

/* What is to stay in the fast tier is not picked, and may go there. */
static void gather_test_keeps_what_is_promised(struct kunit *test)
{
	static const unsigned int hot[] = { 0 };
	const struct demeter_plan plan = {
		.hot = gather_test_class(20),
		.hot_part = 10,
		.cold = gather_test_class(2),
		.cold_part = 10,
		.exchange = 10,
	};
	struct gather_test *gt = gather_test_make(test);

	gather_test_add(gt->granules[0], 0, DEMETER_SLOW, 40);
	gather_test_add(gt->granules[0], 1, DEMETER_FAST, 0);
	gt->granules[0]->keeps_fast = true;
	gather_test_gather(gt, DEMETER_BASE, &plan);
	gather_test_expect(test, &gt->hot, gt->granules[0], hot, 1);
	KUNIT_EXPECT_EQ(test, gt->cold.n, 0ull);
}

static struct kunit_case gather_test_cases[] = {
	KUNIT_CASE(gather_test_keeps_to_the_plan),
	KUNIT_CASE(gather_test_promotes_without_demoting),
	KUNIT_CASE(gather_test_leaves_pages_alone),
	KUNIT_CASE(gather_test_stops_when_the_buffer_is_full),
	KUNIT_CASE(gather_test_picks_huge_pages),
	KUNIT_CASE(gather_test_splits),
	KUNIT_CASE(gather_test_picks_what_has_cooled),
	KUNIT_CASE(gather_test_keeps_what_is_promised),
	{},
};

struct kunit_suite demeter_gather_suite = {
	.name = "demeter-gather",
	.test_cases = gather_test_cases,
};
