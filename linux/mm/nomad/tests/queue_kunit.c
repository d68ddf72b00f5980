// SPDX-License-Identifier: GPL-2.0
/* Tests of what becomes of candidates. The logic is compiled once more; no memory is moved. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../queue.c"

#define ROOM 8
#define MS   ((u64)NSEC_PER_MSEC)

/* Queues with room for a few pages. An mm is only a name here. */
struct queue_test {
	struct nomad_params params;
	struct nomad_page pages[ROOM];
	struct nomad_queue q;
	struct list_head taken;
};

static struct queue_test *queue_test_make(struct kunit *test)
{
	struct queue_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->params = (struct nomad_params){
		.check_ms = 20,
		.looks = 6,
		.pending_ms = 1000,
		.retries = 2,
	};
	nomad_queue_init(&t->q, t->pages, ROOM);
	INIT_LIST_HEAD(&t->taken);
	return t;
}

/* Queues a page that is known by its address. Returns that of one that was displaced, or 0. */
static unsigned long queue_test_add(struct queue_test *t, unsigned long addr, u64 now)
{
	bool is_displaced;
	struct nomad_page *page = nomad_queue_room(&t->q, &is_displaced);
	unsigned long old = is_displaced ? page->addr : 0;

	page->addr = addr;
	nomad_queue_add(&t->q, page, now);
	return old;
}

/* Looks at all that are due, with one outcome. Returns how many left the queues. */
static unsigned int queue_test_look(struct queue_test *t, enum nomad_outcome outcome, u64 now)
{
	struct nomad_page *page, *next;
	unsigned int gone = 0;

	nomad_queue_take_due(&t->q, now, ROOM, &t->taken);
	list_for_each_entry_safe(page, next, &t->taken, list) {
		page->outcome = outcome;
		if (nomad_queue_judge(&t->q, page, &t->params, now))
			continue;
		nomad_queue_release(&t->q, page);
		gone++;
	}
	return gone;
}

/* Tries the first page pending. Returns its address, or 0. */
static unsigned long queue_test_try(struct queue_test *t, enum nomad_outcome outcome, u64 now,
				    bool *is_queued)
{
	struct nomad_page *page;
	unsigned long addr;

	if (!nomad_queue_take_pending(&t->q, 1, &t->taken))
		return 0;
	page = list_first_entry(&t->taken, struct nomad_page, list);
	addr = page->addr;
	page->outcome = outcome;
	*is_queued = nomad_queue_tried(&t->q, page, &t->params, now);
	if (!*is_queued)
		nomad_queue_release(&t->q, page);
	return addr;
}

static void queue_test_intervals_double(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);
	u64 now = 0;

	queue_test_add(t, 1, now);
	/* it is prepared at once, which says nothing of it: the fault has accessed it */
	KUNIT_EXPECT_EQ(test, queue_test_look(t, NOMAD_ACCESSED, now), 0);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, 0);
	for (unsigned int look = 0; look < NOMAD_MOST_LOOKS; look++) {
		const u64 wait = 20 * MS << look;

		KUNIT_EXPECT_EQ(test, t->q.nr_candidates, 1);
		KUNIT_EXPECT_EQ(test, nomad_queue_take_due(&t->q, now + wait - 1, ROOM, &t->taken),
				0);
		now += wait;
		KUNIT_EXPECT_EQ(test, queue_test_look(t, NOMAD_IDLE, now),
				look == NOMAD_MOST_LOOKS - 1);
	}
	KUNIT_EXPECT_EQ(test, t->q.nr_candidates, 0);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, 0);
}

static void queue_test_fewer_looks(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);

	t->params.looks = 1;
	queue_test_add(t, 1, 0);
	KUNIT_EXPECT_EQ(test, queue_test_look(t, NOMAD_IDLE, 0), 0);
	KUNIT_EXPECT_EQ(test, queue_test_look(t, NOMAD_IDLE, 20 * MS), 1);
}

static void queue_test_gone_is_released(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);

	for (unsigned int i = 0; i < 3 * ROOM; i++) {
		KUNIT_EXPECT_EQ(test, queue_test_add(t, i + 1, 0), 0);
		KUNIT_EXPECT_EQ(test, queue_test_look(t, NOMAD_GONE, 0), 1);
	}
	KUNIT_EXPECT_EQ(test, t->q.nr_candidates, 0);
}

static void queue_test_hottest_first(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);
	bool is_queued;

	/* the first one is idle at its first look, and found accessed at the second */
	queue_test_add(t, 1, 0);
	queue_test_look(t, NOMAD_IDLE, 0);
	queue_test_look(t, NOMAD_IDLE, 20 * MS);
	queue_test_look(t, NOMAD_ACCESSED, 60 * MS);
	/* others are at the first look */
	queue_test_add(t, 2, 60 * MS);
	queue_test_add(t, 3, 60 * MS);
	queue_test_look(t, NOMAD_IDLE, 60 * MS);
	queue_test_look(t, NOMAD_ACCESSED, 80 * MS);
	KUNIT_EXPECT_EQ(test, t->q.nr_candidates, 0);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, 3);
	KUNIT_EXPECT_EQ(test, queue_test_try(t, NOMAD_MOVED, 80 * MS, &is_queued), 2);
	KUNIT_EXPECT_EQ(test, queue_test_try(t, NOMAD_MOVED, 80 * MS, &is_queued), 3);
	KUNIT_EXPECT_EQ(test, queue_test_try(t, NOMAD_MOVED, 80 * MS, &is_queued), 1);
	KUNIT_EXPECT_FALSE(test, is_queued);
	KUNIT_EXPECT_EQ(test, queue_test_try(t, NOMAD_MOVED, 80 * MS, &is_queued), 0);
}

static void queue_test_retries_end(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);
	unsigned int tries = 0;
	bool is_queued = true;

	queue_test_add(t, 1, 0);
	queue_test_look(t, NOMAD_IDLE, 0);
	queue_test_look(t, NOMAD_ACCESSED, 20 * MS);
	while (is_queued && tries < 10) {
		queue_test_try(t, tries % 2 ? NOMAD_BUSY : NOMAD_WRITTEN, 20 * MS, &is_queued);
		tries++;
	}
	KUNIT_EXPECT_EQ(test, tries, 3);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, 0);
}

static void queue_test_pending_expires(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);
	bool is_queued;

	queue_test_add(t, 1, 0);
	queue_test_look(t, NOMAD_IDLE, 0);
	queue_test_look(t, NOMAD_ACCESSED, 20 * MS);
	/* that there is no room is no try */
	for (unsigned int i = 0; i < 100; i++)
		queue_test_try(t, NOMAD_NO_ROOM, 1019 * MS, &is_queued);
	KUNIT_EXPECT_TRUE(test, is_queued);
	KUNIT_EXPECT_EQ(test, queue_test_try(t, NOMAD_NO_ROOM, 1020 * MS, &is_queued), 1);
	KUNIT_EXPECT_FALSE(test, is_queued);
}

static void queue_test_oldest_is_displaced(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);

	/* one that is pending stays */
	queue_test_add(t, 100, 0);
	queue_test_look(t, NOMAD_IDLE, 0);
	queue_test_look(t, NOMAD_ACCESSED, 20 * MS);
	queue_test_add(t, 1, 20 * MS);
	queue_test_look(t, NOMAD_IDLE, 20 * MS);
	queue_test_add(t, 2, 20 * MS);
	for (unsigned int i = 3; i < ROOM; i++)
		KUNIT_EXPECT_EQ(test, queue_test_add(t, i, 20 * MS), 0);
	for (unsigned int i = 1; i < ROOM; i++)
		KUNIT_EXPECT_EQ(test, queue_test_add(t, 10 + i, 20 * MS), i);
	KUNIT_EXPECT_EQ(test, t->q.nr_candidates, ROOM - 1);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, 1);
}

static void queue_test_longer_queue_is_displaced(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);

	for (unsigned int i = 1; i <= ROOM; i++)
		queue_test_add(t, i, 0);
	queue_test_look(t, NOMAD_IDLE, 0);
	queue_test_look(t, NOMAD_ACCESSED, 20 * MS);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, ROOM);
	/* candidates take the place of pages pending, and then of each other */
	for (unsigned int i = 1; i <= ROOM / 2 + 1; i++)
		KUNIT_EXPECT_EQ(test, queue_test_add(t, 100 + i, 20 * MS), i);
	KUNIT_EXPECT_EQ(test, queue_test_add(t, 200, 20 * MS), 101);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, ROOM / 2 - 1);
	KUNIT_EXPECT_EQ(test, t->q.nr_candidates, ROOM / 2 + 1);
}

static void queue_test_drain(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);
	struct nomad_page *page;
	unsigned int n = 0;

	for (unsigned int i = 1; i <= 4; i++)
		queue_test_add(t, i, 0);
	queue_test_look(t, NOMAD_IDLE, 0);
	queue_test_look(t, NOMAD_ACCESSED, 20 * MS);
	queue_test_add(t, 5, 20 * MS);
	while ((page = nomad_queue_drain(&t->q)) && n < 100) {
		nomad_queue_release(&t->q, page);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, 5);
	KUNIT_EXPECT_EQ(test, t->q.nr_candidates, 0);
	KUNIT_EXPECT_EQ(test, t->q.nr_pending, 0);
}

static void queue_test_no_room_at_all(struct kunit *test)
{
	struct queue_test *t = queue_test_make(test);
	bool is_displaced;

	nomad_queue_init(&t->q, NULL, 0);
	KUNIT_EXPECT_NULL(test, nomad_queue_room(&t->q, &is_displaced));
	KUNIT_EXPECT_FALSE(test, is_displaced);
	KUNIT_EXPECT_NULL(test, nomad_queue_drain(&t->q));
	KUNIT_EXPECT_EQ(test, nomad_queue_take_due(&t->q, U64_MAX, ROOM, &t->taken), 0);
}

static struct kunit_case queue_test_cases[] = {
	KUNIT_CASE(queue_test_intervals_double),
	KUNIT_CASE(queue_test_fewer_looks),
	KUNIT_CASE(queue_test_gone_is_released),
	KUNIT_CASE(queue_test_hottest_first),
	KUNIT_CASE(queue_test_retries_end),
	KUNIT_CASE(queue_test_pending_expires),
	KUNIT_CASE(queue_test_oldest_is_displaced),
	KUNIT_CASE(queue_test_longer_queue_is_displaced),
	KUNIT_CASE(queue_test_drain),
	KUNIT_CASE(queue_test_no_room_at_all),
	{},
};

static struct kunit_suite queue_test_suite = {
	.name = "nomad-queue",
	.test_cases = queue_test_cases,
};

kunit_test_suites(&queue_test_suite);

MODULE_DESCRIPTION("KUnit tests of Nomad's queues");
MODULE_LICENSE("GPL");
