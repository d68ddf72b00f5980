// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of ranges: against a reference that keeps a state for each cell of the
 * address space, and of what the paper says they do.
 */
#include "../range.h"
#include "kunit.h"

#define CELL	   4096ul
#define CELLS	   512
#define OPERATIONS 1000000
#define SPLIT	   4
#define MERGE	   3

/* Keeps a range as cells: from one that is a head to the next head or uncovered cell. */
struct reference {
	struct cell {
		bool covered;
		bool head;
		u64 count;
		u32 born;
		u32 accessed;
	} cells[CELLS];
	u32 epoch;
};

static unsigned int range_test_length(const struct reference *ref, unsigned int head)
{
	unsigned int end = head + 1;

	while (end < CELLS && ref->cells[end].covered && !ref->cells[end].head)
		end++;
	return end - head;
}

static void range_test_reference_cover(struct reference *ref, unsigned int first, unsigned int end)
{
	bool fresh = false;

	for (unsigned int i = first; i < end; i++) {
		struct cell *c = &ref->cells[i];

		if (c->covered) {
			fresh = false;
			continue;
		}
		*c = (struct cell){ true, !fresh, 0, ref->epoch, ref->epoch };
		fresh = true;
	}
}

static bool range_test_reference_sample(struct reference *ref, unsigned int at)
{
	if (!ref->cells[at].covered)
		return false;
	while (!ref->cells[at].head)
		at--;
	ref->cells[at].count += RANGE_SAMPLE;
	ref->cells[at].accessed = ref->epoch;
	return true;
}

static bool range_test_reference_idle(const struct reference *ref, const struct cell *c)
{
	return !c->count && ref->epoch - c->born >= MERGE && ref->epoch - c->accessed >= MERGE;
}

static void range_test_reference_epoch(struct reference *ref)
{
	int last = -1;
	bool cut[CELLS] = {};

	for (unsigned int i = 0; i < CELLS; i++)
		ref->cells[i].count /= 2;
	ref->epoch++;
	for (unsigned int i = 0; i < CELLS; i++) {
		struct cell *c = &ref->cells[i];

		if (!c->covered || !c->head)
			continue;
		if (last >= 0 && last + range_test_length(ref, last) == i &&
		    range_test_reference_idle(ref, &ref->cells[last]) &&
		    range_test_reference_idle(ref, c))
			c->head = false;
		else
			last = i;
	}
	for (unsigned int i = 0; i < CELLS; i++) {
		const struct cell *c = &ref->cells[i];
		u64 left = 0, right = 0;

		if (!c->covered || !c->head)
			continue;
		for (int k = i - 1; k >= 0 && !left; k--)
			if (ref->cells[k].covered && ref->cells[k].head) {
				left = ref->cells[k].count;
				break;
			}
		for (unsigned int k = i + 1; k < CELLS; k++)
			if (ref->cells[k].covered && ref->cells[k].head) {
				right = ref->cells[k].count;
				break;
			}
		cut[i] = range_test_length(ref, i) > 1 &&
			 c->count > min3(left, right, c->count) + SPLIT * RANGE_SAMPLE;
	}
	for (unsigned int i = 0; i < CELLS; i++) {
		struct cell *c = &ref->cells[i];
		const unsigned int half = (range_test_length(ref, i) + 1) / 2;

		if (!cut[i])
			continue;
		c->born = ref->epoch;
		c[half] = (struct cell){ true, true, c->count / 2, ref->epoch, c->accessed };
		c->count -= c->count / 2;
	}
}

static unsigned int range_test_compare(struct kunit *test, const struct demeter_ranges *rs,
				       const struct reference *ref)
{
	unsigned int wrong = 0, n = 0;

	for (unsigned int i = 0; i < CELLS; i++) {
		const struct cell *c = &ref->cells[i];
		const struct demeter_range *r = &rs->ranges[n];

		if (!c->covered || !c->head)
			continue;
		wrong += n >= rs->nr || r->start != i * CELL ||
			 r->end != (i + range_test_length(ref, i)) * CELL || r->count != c->count ||
			 r->born != c->born || r->accessed != c->accessed;
		n++;
	}
	return wrong + (n != rs->nr);
}

static void range_test_equals_reference(struct kunit *test)
{
	struct reference *ref = kunit_kzalloc(test, sizeof(*ref), GFP_KERNEL);
	struct demeter_ranges rs;
	struct rnd_state rnd;
	unsigned int wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, ref);
	KUNIT_ASSERT_EQ(test, demeter_ranges_init(&rs, CELLS, CELL), 0);
	rs.split = SPLIT;
	rs.merge = MERGE;
	prandom_seed_state(&rnd, 1);
	for (unsigned int i = 0; i < OPERATIONS && !wrong; i++) {
		/* most operations are samples, most of them of a hot part that moves */
		const unsigned int hot = i / 50000 * 24 % CELLS;
		const unsigned int what = below(&rnd, 1000);
		unsigned int at = below(&rnd, 4) ? hot + below(&rnd, 24) : below(&rnd, CELLS);

		at %= CELLS;
		if (what == 0) {
			const unsigned int end = at + 1 + below(&rnd, CELLS - at);

			demeter_ranges_cover(&rs, at * CELL, end * CELL);
			range_test_reference_cover(ref, at, end);
		} else if (what < 10) {
			demeter_ranges_epoch(&rs);
			range_test_reference_epoch(ref);
			wrong += range_test_compare(test, &rs, ref);
		} else {
			const bool sampled = demeter_ranges_sample(&rs, at * CELL + what, 1);

			wrong += sampled != range_test_reference_sample(ref, at);
		}
		if (wrong)
			kunit_err(test, "differs after operation %u", i);
		if (i % 4096 == 0)
			cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	/* fail if hardly anything was split or merged, and so tested */
	KUNIT_EXPECT_GT(test, rs.nr_splits, 1000ull);
	KUNIT_EXPECT_GT(test, rs.nr_merges, 1000ull);
	demeter_ranges_free(&rs);
}

/* The paper gets from 64 TiB to 2 MiB in about 24 splits, with fewer than 50 ranges. */
static void range_test_finds_2mib_in_64tib(struct kunit *test)
{
	const unsigned long hot = 0x2a7654321000;
	const struct demeter_range *r;
	struct demeter_ranges rs;
	unsigned int epochs = 0;

	KUNIT_ASSERT_EQ(test, demeter_ranges_init(&rs, 256, 2ul << 20), 0);
	rs.split = 30;
	rs.merge = 15;
	demeter_ranges_cover(&rs, 0, 64ul << 40);
	do {
		demeter_ranges_sample(&rs, hot, 1000);
		demeter_ranges_epoch(&rs);
		r = demeter_ranges_find(&rs, hot);
		KUNIT_ASSERT_NOT_NULL(test, r);
	} while (r->end - r->start > 2ul << 20 && ++epochs < 100);
	KUNIT_EXPECT_LE(test, epochs, 25u);
	KUNIT_EXPECT_LE(test, rs.nr, 50u);
	/* when nothing is accessed any more, all ranges become one again */
	for (unsigned int i = 0; i < 100; i++)
		demeter_ranges_epoch(&rs);
	KUNIT_EXPECT_EQ(test, rs.nr, 1u);
	KUNIT_EXPECT_EQ(test, rs.ranges[0].start, 0ul);
	KUNIT_EXPECT_EQ(test, rs.ranges[0].end, 64ul << 40);
	demeter_ranges_free(&rs);
}

/* When there is no room for ranges, all addresses are still covered, and none twice. */
static void range_test_stays_within_its_memory(struct kunit *test)
{
	struct demeter_ranges rs;
	struct rnd_state rnd;
	unsigned int wrong = 0;

	KUNIT_ASSERT_EQ(test, demeter_ranges_init(&rs, 8, CELL), 0);
	rs.split = 1;
	rs.merge = MERGE;
	prandom_seed_state(&rnd, 2);
	for (unsigned int i = 0; i < 10000; i++) {
		const unsigned int at = below(&rnd, CELLS);
		const unsigned int end = at + 1 + below(&rnd, min(CELLS - at, 16u));

		demeter_ranges_cover(&rs, at * CELL, end * CELL);
		for (unsigned int k = at; k < end; k++)
			wrong += !demeter_ranges_sample(&rs, k * CELL, 1);
		if (i % 4 == 0)
			demeter_ranges_epoch(&rs);
		wrong += rs.nr > rs.max;
		for (unsigned int k = 0; k < rs.nr; k++)
			wrong += rs.ranges[k].start >= rs.ranges[k].end ||
				 (k && rs.ranges[k].start < rs.ranges[k - 1].end);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	demeter_ranges_free(&rs);
}

static struct kunit_case range_test_cases[] = {
	KUNIT_CASE_SLOW(range_test_equals_reference),
	KUNIT_CASE(range_test_finds_2mib_in_64tib),
	KUNIT_CASE(range_test_stays_within_its_memory),
	{},
};

struct kunit_suite demeter_range_suite = {
	.name = "demeter-range",
	.test_cases = range_test_cases,
};
