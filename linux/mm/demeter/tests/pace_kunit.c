// SPDX-License-Identifier: GPL-2.0
/* Tests of how often samples are taken. */
#include "../demeter.h"
#include "kunit.h"

/* Samples of an epoch, at most. */
#define RATE 8192
/* Few enough while pages move, but twice as many as are taken later. */
#define SOME (RATE / 2 - 64)

/* A source that remembers by which factor its periods are longer. */
struct pace_test {
	struct demeter_ctx ctx;
	struct demeter_source source;
	struct demeter_ranking rankings[NR_DEMETER_SIZES];
	unsigned int factor;
	bool refuses;
};

static bool pace_test_set_factor(struct demeter_source *source, unsigned int factor)
{
	struct pace_test *pt = container_of(source, struct pace_test, source);

	if (!pt->refuses)
		pt->factor = factor;
	return !pt->refuses;
}

static const struct demeter_source_ops pace_test_ops = { .set_factor = pace_test_set_factor };
static const struct demeter_source_ops pace_test_steady_ops = {};

/* Of 1000 base pages and 2 huge ones, 512 and 1 are in the fast tier. */
static struct pace_test *pace_test_make(struct kunit *test)
{
	struct pace_test *pt = kunit_kzalloc(test, sizeof(*pt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pt);
	pt->source.ops = &pace_test_ops;
	pt->ctx.source = &pt->source;
	pt->ctx.rankings = pt->rankings;
	pt->ctx.params.epoch_ms = 500;
	pt->ctx.params.sample_rate = 2 * RATE / num_online_cpus();
	pt->rankings[DEMETER_BASE].total[DEMETER_FAST] = 512;
	pt->rankings[DEMETER_BASE].total[DEMETER_SLOW] = 488;
	pt->rankings[DEMETER_HUGE].total[DEMETER_FAST] = 1;
	pt->rankings[DEMETER_HUGE].total[DEMETER_SLOW] = 1;
	demeter_pace_reset(&pt->ctx);
	pt->factor = 1;
	/* all of them are new */
	demeter_pace_update(&pt->ctx, 0);
	return pt;
}

/* In each epoch there are so many samples with periods as they are at first. */
static void pace_test_epochs(struct pace_test *pt, unsigned int n, u64 samples, u64 moved)
{
	for (unsigned int i = 0; i < n; i++) {
		pt->ctx.stats.samples += samples / pt->factor;
		demeter_pace_update(&pt->ctx, moved);
	}
}

static void demeter_pace_test_limit(struct kunit *test)
{
	static const struct {
		u64 samples;
		unsigned int factor;
	} cases[] = { { 0, 1 },		{ RATE - 64, 1 },      { RATE + 64, 2 },
		      { 3 * RATE, 4 },	{ 2 * RATE - 128, 4 }, { RATE * 3 / 2, 2 },
		      { RATE - 64, 2 }, { RATE / 2, 1 },       { 1000 * RATE, 64 },
		      { RATE / 8, 1 } };
	struct pace_test *pt = pace_test_make(test);

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		/* it takes two epochs to come down by a step */
		pace_test_epochs(pt, 20, cases[i].samples, 1000);
		KUNIT_EXPECT_EQ_MSG(test, pt->factor, cases[i].factor, "case %u", i);
		KUNIT_EXPECT_EQ(test, pt->ctx.weight, pt->factor);
		KUNIT_EXPECT_GE(test, pt->ctx.noise_weight, pt->factor);
		/* the same again changes nothing */
		pace_test_epochs(pt, 2, cases[i].samples, 1000);
		KUNIT_EXPECT_EQ_MSG(test, pt->factor, cases[i].factor, "case %u", i);
	}
}

static void demeter_pace_test_quiet(struct kunit *test)
{
	struct pace_test *pt = pace_test_make(test);

	pace_test_epochs(pt, 3, SOME, 4);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
	pace_test_epochs(pt, 1, SOME, 4);
	KUNIT_EXPECT_EQ(test, pt->factor, 2);
	/* one in 256 pages of the fast tier is 4 */
	pace_test_epochs(pt, 2, SOME, 5);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
	pace_test_epochs(pt, 3, SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
}

/* Each sample costs so much that a twelfth of the rate takes all that sampling may. */
static void demeter_pace_test_cost(struct kunit *test)
{
	struct pace_test *pt = pace_test_make(test);
	const u64 most = 500 * NSEC_PER_MSEC * num_online_cpus() / 256;

	for (unsigned int i = 0; i < 20; i++) {
		pt->ctx.stats.stage_ns[DEMETER_SAMPLE] += 3 * most / pt->factor;
		pace_test_epochs(pt, 1, RATE / 4, 1000);
	}
	KUNIT_EXPECT_EQ(test, pt->factor, 4);
	pace_test_epochs(pt, 20, RATE / 4, 1000);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
}

/* One of many CPUs has more than it can keep. */
static void demeter_pace_test_lost(struct kunit *test)
{
	struct pace_test *pt = pace_test_make(test);

	pace_test_epochs(pt, 2, RATE / 8, 1000);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
	pt->ctx.stats.lost += 1;
	pace_test_epochs(pt, 1, RATE / 8, 1000);
	KUNIT_EXPECT_EQ(test, pt->factor, 2);
	KUNIT_EXPECT_EQ(test, pt->ctx.weight, 2);
	/* of this epoch, only a part was with longer periods */
	pt->ctx.stats.lost += 1;
	pace_test_epochs(pt, 1, RATE / 8, 1000);
	KUNIT_EXPECT_EQ(test, pt->factor, 2);
	pt->ctx.stats.lost += 1;
	pace_test_epochs(pt, 1, RATE / 8, 1000);
	KUNIT_EXPECT_EQ(test, pt->factor, 4);
	pace_test_epochs(pt, 4, RATE / 8, 1000);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
}

static void demeter_pace_test_new_memory(struct kunit *test)
{
	struct pace_test *pt = pace_test_make(test);
	u64 *slow = &pt->rankings[DEMETER_BASE].total[DEMETER_SLOW];

	pace_test_epochs(pt, 4, SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->factor, 2);
	*slow += 7;
	pace_test_epochs(pt, 1, SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->factor, 2);
	*slow += 100;
	pace_test_epochs(pt, 1, SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
	pace_test_epochs(pt, 4, SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->factor, 2);
	*slow -= 200;
	pace_test_epochs(pt, 2, SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->factor, 1);
}

/* A source that cannot at the moment is asked again, and one that has no periods never. */
static void demeter_pace_test_refusal(struct kunit *test)
{
	struct pace_test *pt = pace_test_make(test);

	pt->refuses = true;
	pace_test_epochs(pt, 10, 4 * SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->ctx.weight, 1);
	pt->refuses = false;
	pace_test_epochs(pt, 1, 4 * SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->ctx.weight, 8);

	pt = pace_test_make(test);
	pt->source.ops = &pace_test_steady_ops;
	pace_test_epochs(pt, 10, 4 * SOME, 0);
	KUNIT_EXPECT_EQ(test, pt->ctx.weight, 1);
}

static struct kunit_case demeter_pace_cases[] = {
	KUNIT_CASE(demeter_pace_test_limit),
	KUNIT_CASE(demeter_pace_test_quiet),
	KUNIT_CASE(demeter_pace_test_lost),
	KUNIT_CASE(demeter_pace_test_new_memory),
	KUNIT_CASE(demeter_pace_test_refusal),
	KUNIT_CASE(demeter_pace_test_cost),
	{},
};

struct kunit_suite demeter_pace_suite = {
	.name = "demeter-pace",
	.test_cases = demeter_pace_cases,
};
