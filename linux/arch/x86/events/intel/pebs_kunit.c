// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests: an in-kernel user of a PEBS event gets every record.
 *
 * The test thread reads memory at random and samples its own loads by their
 * latency. With a fixed period the kernel leaves the records in the PEBS
 * buffer until it is nearly full or the thread is switched out, and then
 * hands over a whole batch: no record may be missing, and none come twice.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/perf_event.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include <asm/cpu_device_id.h>

#define LOAD_LATENCY 0x01cd /* MEM_TRANS_RETIRED.LOAD_LATENCY */
#define THRESHOLD    64 /* core cycles */
#define ARENA_SIZE   (32UL << 20) /* far more than the caches hold */

struct pebs_test {
	u8 *arena;
	struct perf_event *event;
	u64 samples; /* records that the handler got */
	u64 in_nmi; /* of these, in an NMI: the buffer was nearly full */
	u64 foreign; /* with an address outside of the arena */
	u64 fast; /* with a latency not above the threshold */
};

static void pebs_test_handler(struct perf_event *event, struct perf_sample_data *data,
			      struct pt_regs *regs)
{
	struct pebs_test *t = event->overflow_handler_context;

	t->samples++;
	t->in_nmi += !!in_nmi();
	t->foreign += data->addr - (unsigned long)t->arena >= ARENA_SIZE;
	t->fast += data->weight.full <= THRESHOLD;
}

/* Start to sample the loads that the current thread does in the kernel. */
static void pebs_test_start(struct kunit *test, u64 period)
{
	struct pebs_test *t = test->priv;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_RAW,
		.size = sizeof(attr),
		.config = LOAD_LATENCY,
		.config1 = THRESHOLD,
		.sample_period = period,
		.sample_type = PERF_SAMPLE_ADDR | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC,
		.precise_ip = 2,
		.exclude_user = 1,
	};

	t->event = perf_event_create_kernel_counter(&attr, -1, current, pebs_test_handler, t);
	if (IS_ERR(t->event)) {
		long error = PTR_ERR(t->event);

		t->event = NULL;
		KUNIT_FAIL(test, "no event: %ld", error);
	}
}

static void pebs_test_stop(struct pebs_test *t)
{
	if (t->event)
		perf_event_release_kernel(t->event);
	t->event = NULL;
}

/* Loads that depend on each other and hardly ever hit a cache. */
static void pebs_test_read(struct pebs_test *t, unsigned int loads)
{
	struct rnd_state rnd;
	u8 sum = 0;

	prandom_seed_state(&rnd, loads);
	while (loads--)
		sum += READ_ONCE(t->arena[(prandom_u32_state(&rnd) + sum) % ARENA_SIZE]);
	OPTIMIZER_HIDE_VAR(sum);
}

static u64 pebs_test_events(struct pebs_test *t)
{
	u64 enabled, running;

	return perf_event_read_value(t->event, &enabled, &running);
}

/*
 * One record in every period. On a real processor it may take the event after
 * the overflow to write one: allow for one in a hundred.
 */
static void pebs_test_complete(struct kunit *test, u64 events, u64 period)
{
	struct pebs_test *t = test->priv;
	u64 expected = div64_u64(events, period);

	KUNIT_EXPECT_LE(test, t->samples, expected);
	KUNIT_EXPECT_GE(test, t->samples + expected / 100, expected);
}

/* Batches of a full buffer, then the rest when the event stops. */
static void pebs_test_full_buffer(struct kunit *test)
{
	struct pebs_test *t = test->priv;
	const u64 period = 64;
	u64 events;

	pebs_test_start(test, period);
	if (!t->event)
		return;
	pebs_test_read(t, 400000);
	perf_event_disable(t->event);
	events = pebs_test_events(t);
	kunit_info(test, "%llu events, %llu samples, %llu in NMIs", events, t->samples, t->in_nmi);

	/* several buffers of 64 KiB, 64 bytes a record */
	KUNIT_EXPECT_GT(test, t->samples, 3 * 1024);
	KUNIT_EXPECT_GT(test, t->in_nmi, 2 * 1024);
	pebs_test_complete(test, events, period);
	KUNIT_EXPECT_EQ(test, t->fast, 0);
	/* the thread's stack and the interrupts' data miss, too, now and then */
	KUNIT_EXPECT_LT(test, t->foreign, t->samples / 20);
}

/* A buffer that never fills is emptied when the thread sleeps, without NMI. */
static void pebs_test_context_switch(struct kunit *test)
{
	struct pebs_test *t = test->priv;
	const u64 period = 4093;
	u64 before, events;

	pebs_test_start(test, period);
	if (!t->event)
		return;
	for (int i = 0; i < 5; i++) {
		pebs_test_read(t, 50000);
		before = t->samples;
		usleep_range(1000, 2000);
		KUNIT_EXPECT_GE(test, t->samples, before + 5);
	}
	perf_event_disable(t->event);
	events = pebs_test_events(t);
	kunit_info(test, "%llu events, %llu samples", events, t->samples);

	pebs_test_complete(test, events, period);
	KUNIT_EXPECT_EQ(test, t->in_nmi, 0);
}

static int pebs_test_init(struct kunit *test)
{
	struct pebs_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	if (!boot_cpu_has(X86_FEATURE_PEBS) || boot_cpu_data.x86_vfm != INTEL_ICELAKE_X)
		kunit_skip(test, "no Ice Lake server with PEBS");
	t->arena = vmalloc(ARENA_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, t->arena);
	memset(t->arena, 1, ARENA_SIZE);
	return 0;
}

static void pebs_test_exit(struct kunit *test)
{
	struct pebs_test *t = test->priv;

	if (!t)
		return;
	pebs_test_stop(t);
	vfree(t->arena);
}

static struct kunit_case pebs_test_cases[] = { KUNIT_CASE(pebs_test_full_buffer),
					       KUNIT_CASE(pebs_test_context_switch),
					       {} };

static struct kunit_suite pebs_test_suite = {
	.name = "pebs",
	.init = pebs_test_init,
	.exit = pebs_test_exit,
	.test_cases = pebs_test_cases,
};

kunit_test_suite(pebs_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of PEBS batches");
