// SPDX-License-Identifier: GPL-2.0
/* Tests that the ranking stays up to date, whatever happens to granules and ranges. */
#include "../demeter.h"
#include "kunit.h"

#define GRANULES   200
#define FIRST	   4096ul /* index of the first granule */
#define OPERATIONS 20000

static void update_test_destroy_caches(void *ctx)
{
	demeter_granules_exit(&((struct demeter_ctx *)ctx)->granules);
}

static void update_test_destroy_target(void *target)
{
	struct demeter_target *t = target;
	struct demeter_granule *g;
	unsigned long index;

	xa_for_each(&t->granules, index, g)
		demeter_update_forget(g);
	xa_destroy(&t->granules);
	demeter_ranges_free(&t->ranges);
}

static struct demeter_target *update_test_make(struct kunit *test)
{
	struct demeter_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	struct demeter_target *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_TRUE(test, ctx && t);
	ctx->index = kunit_kzalloc(test, sizeof(*ctx->index), GFP_KERNEL);
	ctx->rankings = kunit_kcalloc(test, NR_DEMETER_SIZES, sizeof(*ctx->rankings), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, ctx->index && ctx->rankings);
	demeter_index_init(ctx->index);
	INIT_LIST_HEAD(&ctx->open);
	INIT_LIST_HEAD(&ctx->targets.list);
	INIT_LIST_HEAD(&ctx->targets.awake);
	ctx->params.split_threshold = 1;
	ctx->params.merge_epochs = 3;
	ctx->params.page_counters = true;
	ctx->weight = 1;
	ctx->noise_weight = 1;
	KUNIT_ASSERT_EQ(test, demeter_granules_init(&ctx->granules), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, update_test_destroy_caches, ctx), 0);
	t->ctx = ctx;
	t->is_sampled = true;
	t->is_reached = true;
	t->space.mm = kunit_kzalloc(test, sizeof(*t->space.mm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->space.mm);
	/* nothing but this is looked at */
	atomic_set(&t->space.mm->mm_users, 1);
	t->is_scanned = true;
	INIT_LIST_HEAD(&t->awake);
	xa_init(&t->granules);
	mutex_init(&t->lock);
	KUNIT_ASSERT_EQ(test, demeter_ranges_init(&t->ranges, 64, GRANULE_SIZE), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, update_test_destroy_target, t), 0);
	list_add_tail(&t->list, &ctx->targets.list);
	ctx->targets.nr = 1;
	demeter_ranges_cover(&t->ranges, FIRST * GRANULE_SIZE, (FIRST + GRANULES) * GRANULE_SIZE);
	return t;
}

static struct demeter_granule *update_test_granule(struct kunit *test, struct demeter_target *t,
						   unsigned int i)
{
	struct demeter_granule *g = xa_load(&t->granules, FIRST + i);

	if (!g)
		g = demeter_granule_make(t, (FIRST + i) * GRANULE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, g);
	return g;
}

static void update_test_place(struct demeter_granule *g, struct rnd_state *rnd)
{
	DECLARE_BITMAP(present, GRANULE_PAGES);
	DECLARE_BITMAP(fast, GRANULE_PAGES);

	demeter_update_open(g);
	g->huge = !below(rnd, 4);
	bitmap_zero(fast, GRANULE_PAGES);
	bitmap_zero(present, GRANULE_PAGES);
	if (g->huge) {
		bitmap_fill(present, GRANULE_PAGES);
		if (below(rnd, 2))
			bitmap_fill(fast, GRANULE_PAGES);
	}
	for (unsigned int page = 0; !g->huge && page < GRANULE_PAGES; page++) {
		if (!below(rnd, 4))
			continue;
		__set_bit(page, present);
		if (!below(rnd, 3))
			__set_bit(page, fast);
	}
	demeter_granule_place(g, present, fast);
}

static void update_test_sample(struct demeter_granule *g, struct rnd_state *rnd)
{
	demeter_update_open(g);
	for (unsigned int n = below(rnd, 8); n; n--) {
		demeter_ranges_sample(&g->target->ranges, g->start, 1);
		demeter_granule_sample(g, below(rnd, 4) ? 17 : below(rnd, GRANULE_PAGES), 1);
		if (!g->count && g->sum >= HEAT_TELLS_PAGES * HEAT_SAMPLE)
			demeter_granule_tell_pages(g);
	}
	if (below(rnd, 4))
		__set_bit(below(rnd, GRANULE_PAGES), g->stuck);
	else
		bitmap_zero(g->stuck, GRANULE_PAGES);
	g->fresh = 0;
}

static void update_test_close(struct demeter_ctx *ctx)
{
	demeter_update_group(ctx);
	demeter_update_groups(ctx);
	demeter_update_close(ctx);
}

/* What is left when all granules have been taken out: nothing, or somebody was miscounted. */
static unsigned int update_test_left_over(struct demeter_target *t)
{
	struct demeter_ctx *ctx = t->ctx;
	struct demeter_granule *g;
	unsigned long index;
	unsigned int wrong = 0;

	xa_for_each(&t->granules, index, g)
		demeter_update_open(g);
	for (int size = 0; size < NR_DEMETER_SIZES; size++) {
		wrong += !!memchr_inv(&ctx->rankings[size], 0, sizeof(ctx->rankings[size]));
		for (int tier = 0; tier < NR_DEMETER_TIERS; tier++)
			for (int i = 0; i < RANK_CLASSES; i++)
				wrong += !list_empty(&ctx->index->granules[size][tier][i]);
	}
	for (unsigned int i = 0; i < t->ranges.nr; i++) {
		const struct demeter_group *group = &t->ranges.ranges[i].group;

		wrong += group->members || group->pages || group->pages_sq;
		/* rounding */
		wrong += group->sum > GRANULES * HEAT_SAMPLE;
	}
	return wrong;
}

/* A plan names as many pages as there are to be picked. */
static unsigned int update_test_picks_all(struct kunit *test, struct demeter_ctx *ctx,
					  struct demeter_candidate *hot_pages,
					  struct demeter_candidate *cold_pages)
{
	const struct demeter_worth worth = { .margin = 2, .least = 100 };
	unsigned int wrong = 0;

	for (int size = 0; size < NR_DEMETER_SIZES; size++) {
		struct demeter_gathered hot = { .pages = hot_pages, .max = DEMETER_BATCH_PAGES };
		struct demeter_gathered cold = { .pages = cold_pages, .max = DEMETER_BATCH_PAGES };
		const struct demeter_plan plan = demeter_plan_size(
			&ctx->rankings[size], &worth, DEMETER_BATCH_PAGES, size ? 3 : 200);

		demeter_gather(ctx->index, size, &plan, &hot, &cold);
		wrong += hot.n != plan.promote + plan.exchange;
		wrong += cold.n != plan.exchange;
	}
	return wrong;
}

static void update_test_stays_right(struct kunit *test)
{
	struct demeter_target *t = update_test_make(test);
	struct demeter_ctx *ctx = t->ctx;
	struct demeter_candidate *hot, *cold;
	unsigned int wrong = 0, unpicked = 0;
	struct rnd_state rnd;

	hot = kunit_kcalloc(test, DEMETER_BATCH_PAGES, sizeof(*hot), GFP_KERNEL);
	cold = kunit_kcalloc(test, DEMETER_BATCH_PAGES, sizeof(*cold), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, hot && cold);
	prandom_seed_state(&rnd, 4);
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		struct demeter_granule *g = update_test_granule(test, t, below(&rnd, GRANULES));

		switch (below(&rnd, 8)) {
		case 0:
			update_test_place(g, &rnd);
			break;
		case 1:
			demeter_update_forget(g);
			break;
		case 2:
			t->is_sampled = below(&rnd, 10);
			demeter_update_some(ctx);
			break;
		default:
			update_test_sample(g, &rnd);
		}
		if (below(&rnd, 16))
			continue;
		demeter_update_age(t);
		if (!below(&rnd, 8))
			wrong += update_test_left_over(t);
		update_test_close(ctx);
		unpicked += update_test_picks_all(test, ctx, hot, cold);
		if (!below(&rnd, 4))
			demeter_update_cool(ctx);
		demeter_update_sleep(ctx);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	KUNIT_EXPECT_EQ(test, unpicked, 0u);
	KUNIT_EXPECT_GT(test, t->ranges.nr_splits, 10ull);
	KUNIT_EXPECT_GT(test, t->ranges.nr_merges, 0ull);
}

/* Where pages are is counted for the target, too, until its granules are freed. */
static void update_test_counts_pages(struct kunit *test)
{
	struct demeter_target *t = update_test_make(test);
	u64 fast = 0, slow = 0;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 5);
	for (unsigned int i = 0; i < 10; i++) {
		struct demeter_granule *g = update_test_granule(test, t, i);

		update_test_place(g, &rnd);
		update_test_place(g, &rnd);
		fast += g->nr_fast;
		slow += g->nr_present - g->nr_fast;
	}
	KUNIT_EXPECT_EQ(test, t->pages[DEMETER_FAST], fast);
	KUNIT_EXPECT_EQ(test, t->pages[DEMETER_SLOW], slow);
	KUNIT_EXPECT_GE(test, t->ctx->stats.metadata, 10ull * sizeof(struct demeter_granule));
	for (unsigned int i = 0; i < 10; i++)
		demeter_update_forget(update_test_granule(test, t, i));
	KUNIT_EXPECT_EQ(test, t->pages[DEMETER_FAST] + t->pages[DEMETER_SLOW], 0ull);
	KUNIT_EXPECT_EQ(test, t->ctx->stats.metadata, 0ull);
}

/* Where nothing is sampled nothing is known, and nothing ranked. */
static void update_test_leaves_alone_what_is_not_sampled(struct kunit *test)
{
	struct demeter_target *t = update_test_make(test);
	struct demeter_granule *g = update_test_granule(test, t, 0);
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 6);
	update_test_place(g, &rnd);
	t->is_sampled = false;
	update_test_close(t->ctx);
	KUNIT_EXPECT_FALSE(test, g->is_ranked);
	t->is_sampled = true;
	t->is_reached = true;
	demeter_update_some(t->ctx);
	update_test_close(t->ctx);
	KUNIT_EXPECT_TRUE(test, g->is_ranked);
}

/* A target falls asleep when it has cooled, and nobody's ranking changes by that. */
static void update_test_falls_asleep(struct kunit *test)
{
	struct demeter_target *t = update_test_make(test);
	struct demeter_ctx *ctx = t->ctx;
	struct demeter_granule *g = update_test_granule(test, t, 3);
	struct demeter_group all;
	unsigned int epochs = 0;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 7);
	update_test_place(g, &rnd);
	update_test_sample(g, &rnd);
	bitmap_zero(g->stuck, GRANULE_PAGES);
	update_test_close(ctx);
	demeter_update_sleep(ctx);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->awake));
	while (!list_empty(&t->awake) && epochs++ < 100) {
		demeter_update_age(t);
		demeter_update_some(ctx);
		update_test_close(ctx);
		all = ctx->all;
		demeter_update_cool(ctx);
		demeter_update_sleep(ctx);
	}
	KUNIT_EXPECT_LT(test, epochs, 100u);
	KUNIT_EXPECT_TRUE(test, g->is_ranked);
	demeter_update_groups(ctx);
	KUNIT_EXPECT_EQ(test, ctx->all.pages, all.pages);
	KUNIT_EXPECT_EQ(test, ctx->all.members, all.members);
	demeter_update_open(g);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->awake));
	KUNIT_EXPECT_EQ(test, ctx->targets.asleep.pages, 0ull);
}

/* A large target that falls asleep within its turn passes it on. */
static void update_test_turns_go_on(struct kunit *test)
{
	struct demeter_target *t = update_test_make(test);
	struct demeter_ctx *ctx = t->ctx;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 8);
	KUNIT_ASSERT_TRUE(test, demeter_ranges_cover(&t->ranges, FIRST * GRANULE_SIZE,
						     (FIRST + 1500) * GRANULE_SIZE));
	for (unsigned int i = 0; i < 1500; i++)
		update_test_place(update_test_granule(test, t, i), &rnd);
	update_test_close(ctx);
	for (unsigned int i = 0; i < 50 && !list_empty(&t->awake); i++) {
		demeter_update_age(t);
		demeter_update_some(ctx);
		update_test_close(ctx);
		demeter_update_cool(ctx);
		demeter_update_sleep(ctx);
	}
	KUNIT_EXPECT_TRUE(test, list_empty(&t->awake));
	demeter_update_some(ctx);
	KUNIT_EXPECT_NULL(test, ctx->update_turn);
	KUNIT_EXPECT_EQ(test, t->update_from, 0ul);
}

static struct kunit_case update_test_cases[] = {
	KUNIT_CASE_SLOW(update_test_stays_right),
	KUNIT_CASE(update_test_counts_pages),
	KUNIT_CASE(update_test_leaves_alone_what_is_not_sampled),
	KUNIT_CASE(update_test_falls_asleep),
	KUNIT_CASE(update_test_turns_go_on),
	{},
};

struct kunit_suite demeter_update_suite = {
	.name = "demeter-update",
	.test_cases = update_test_cases,
};
