// SPDX-License-Identifier: GPL-2.0
/* Tests of the rings of samples: readers get what was written, and lost samples are counted. */
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/tier_sampling.h>

#include <kunit/test.h>

#define SIZE 64

static void ring_test_write_n(struct tier_ring *ring, unsigned long first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		tier_ring_write(ring, (void *)(first + i), first + i);
}

/* Owner and address of a sample are its number. */
static void ring_test_overwrites_the_oldest(struct kunit *test)
{
	struct tier_sample samples[SIZE];
	struct tier_ring ring;
	u64 lost = 0;

	KUNIT_ASSERT_EQ(test, tier_ring_init(&ring, SIZE, NUMA_NO_NODE), 0);
	KUNIT_EXPECT_EQ(test, tier_ring_read(&ring, samples, SIZE, &lost), 0u);
	ring_test_write_n(&ring, 0, 10);
	KUNIT_EXPECT_EQ(test, tier_ring_read(&ring, samples, 4, &lost), 4u);
	KUNIT_EXPECT_EQ(test, samples[3].addr, 3ul);
	KUNIT_EXPECT_EQ(test, tier_ring_read(&ring, samples, SIZE, &lost), 6u);
	KUNIT_EXPECT_EQ(test, lost, 0ull);
	ring_test_write_n(&ring, 10, 3 * SIZE);
	/* the slot that may be being written is not read */
	KUNIT_EXPECT_EQ(test, tier_ring_read(&ring, samples, SIZE, &lost), SIZE - 1u);
	KUNIT_EXPECT_EQ(test, lost, 2ull * SIZE + 1);
	KUNIT_EXPECT_EQ(test, samples[SIZE - 2].addr, 10 + 3ul * SIZE - 1);
	tier_ring_free(&ring);
}

struct race {
	struct tier_ring ring;
	u64 written;
};

static int ring_test_writer(void *data)
{
	struct race *race = data;

	while (!kthread_should_stop()) {
		for (unsigned int i = 0; i < 1000; i++, race->written++)
			tier_ring_write(&race->ring, (void *)(race->written * 3), race->written);
		cond_resched();
	}
	return 0;
}

/* Takes 200 ms, and more until a read has met a write: CPUs of a guest may take turns. */
static void ring_test_reads_while_it_is_written(struct kunit *test)
{
	const unsigned int cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	struct tier_sample samples[SIZE];
	const unsigned long begin = jiffies;
	u64 lost = 0, read = 0, next = 0, wrong = 0, met = 0;
	struct task_struct *task;
	u32 n;

	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs two CPUs");
	KUNIT_ASSERT_NOT_NULL(test, race);
	KUNIT_ASSERT_EQ(test, tier_ring_init(&race->ring, SIZE, NUMA_NO_NODE), 0);
	task = kthread_create(ring_test_writer, race, "ring-writer");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_bind(task, cpu);
	wake_up_process(task);
	while (time_before(jiffies, begin + (met ? HZ / 5 : 10 * HZ))) {
		const u64 before = READ_ONCE(race->ring.written);

		n = tier_ring_read(&race->ring, samples, SIZE, &lost);
		met += READ_ONCE(race->ring.written) != before;
		for (u32 i = 0; i < n; i++) {
			wrong += (unsigned long)samples[i].owner != samples[i].addr * 3 ||
				 samples[i].addr < next;
			next = samples[i].addr + 1;
		}
		read += n;
		wrong += n && next != read + lost;
		cond_resched();
	}
	kthread_stop(task);
	while ((n = tier_ring_read(&race->ring, samples, SIZE, &lost)))
		read += n;
	KUNIT_EXPECT_EQ(test, wrong, 0ull);
	KUNIT_EXPECT_GT(test, read, 0ull);
	KUNIT_EXPECT_GT(test, met, 0ull);
	KUNIT_EXPECT_EQ(test, read + lost, race->written);
	tier_ring_free(&race->ring);
}

static struct kunit_case ring_test_cases[] = {
	KUNIT_CASE(ring_test_overwrites_the_oldest),
	KUNIT_CASE(ring_test_reads_while_it_is_written),
	{},
};

static struct kunit_suite tier_ring_suite = {
	.name = "tier-ring",
	.test_cases = ring_test_cases,
};

kunit_test_suite(tier_ring_suite);

MODULE_DESCRIPTION("KUnit tests of rings of samples");
MODULE_LICENSE("GPL");
