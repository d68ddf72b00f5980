// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests: an in-kernel user of a PEBS event gets every record.
 *
 * The test thread reads memory at random and samples its own loads by their
 * latency. With a fixed period the kernel leaves the records in the PEBS
 * buffer until it is nearly full or the thread is switched out, and then
 * hands over a whole batch: no record may be missing, and none come twice. Nor
 * may an event get those of another one that has records in the same buffer.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/perf_event.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include <asm/cpu_device_id.h>

#define LOAD_LATENCY 0x01cd /* MEM_TRANS_RETIRED.LOAD_LATENCY */
#define ALL_STORES   0x82d0 /* MEM_INST_RETIRED.ALL_STORES */
#define THRESHOLD    64 /* core cycles */
#define ARENA_SIZE   (32UL << 20) /* far more than the caches hold */

struct pebs_test {
	u8 *arena;
	struct perf_event *event;
	u64 samples; /* records that the handler got */
	u64 in_nmi; /* of these, in an NMI: the buffer was nearly full */
	u64 foreign; /* with an address outside of the arena */
	u64 fast; /* with a latency not above the threshold */
	u64 stores; /* of stores */
	u64 missed; /* of stores that missed the first-level cache */
};

static void pebs_test_handler(struct perf_event *event, struct perf_sample_data *data,
			      struct pt_regs *regs)
{
	struct pebs_test *t = event->overflow_handler_context;

	t->samples++;
	t->in_nmi += !!in_nmi();
	t->foreign += data->addr - (unsigned long)t->arena >= ARENA_SIZE;
	t->fast += data->weight.full <= THRESHOLD;
	t->stores += data->data_src.mem_op == PERF_MEM_OP_STORE;
	t->missed += data->data_src.mem_lvl == (PERF_MEM_LVL_L1 | PERF_MEM_LVL_MISS);
}

/* Start to sample what the current thread does in the kernel. */
static void pebs_test_start(struct kunit *test, struct pebs_test *t, u64 config, u64 period)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_RAW,
		.size = sizeof(attr),
		.config = config,
		.config1 = config == LOAD_LATENCY ? THRESHOLD : 0,
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

/* Stores that hardly ever hit a cache. */
static void pebs_test_write(struct pebs_test *t, unsigned int stores)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, stores);
	while (stores--)
		WRITE_ONCE(t->arena[prandom_u32_state(&rnd) % ARENA_SIZE], 1);
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
static void pebs_test_complete(struct kunit *test, const struct pebs_test *t, u64 events,
			       u64 period)
{
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

	pebs_test_start(test, t, LOAD_LATENCY, period);
	if (!t->event)
		return;
	pebs_test_read(t, 400000);
	perf_event_disable(t->event);
	events = pebs_test_events(t);
	kunit_info(test, "%llu events, %llu samples, %llu in NMIs", events, t->samples, t->in_nmi);

	/* several buffers of 64 KiB, 64 bytes a record */
	KUNIT_EXPECT_GT(test, t->samples, 3 * 1024);
	KUNIT_EXPECT_GT(test, t->in_nmi, 2 * 1024);
	pebs_test_complete(test, t, events, period);
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

	pebs_test_start(test, t, LOAD_LATENCY, period);
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

	pebs_test_complete(test, t, events, period);
	KUNIT_EXPECT_EQ(test, t->in_nmi, 0);
}

/* Two events have records in one buffer: each gets its own, be it full or not. */
static void pebs_test_two_events(struct kunit *test)
{
	const u64 load_period = 64, store_period = 61;
	struct pebs_test *loads = test->priv, *stores;
	u64 load_events, store_events;

	stores = kunit_kzalloc(test, sizeof(*stores), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stores);
	stores->arena = loads->arena;
	pebs_test_start(test, loads, LOAD_LATENCY, load_period);
	pebs_test_start(test, stores, ALL_STORES, store_period);
	if (!loads->event || !stores->event)
		goto stop;
	for (int i = 0; i < 4; i++) {
		pebs_test_read(loads, 50000);
		pebs_test_write(stores, 50000);
		usleep_range(1000, 2000);
	}
	perf_event_disable(loads->event);
	perf_event_disable(stores->event);
	load_events = pebs_test_events(loads);
	store_events = pebs_test_events(stores);
	kunit_info(test, "%llu loads, %llu samples; %llu stores, %llu samples, %llu missed",
		   load_events, loads->samples, store_events, stores->samples, stores->missed);

	KUNIT_EXPECT_GT(test, loads->samples, 2 * 1024);
	KUNIT_EXPECT_GT(test, loads->in_nmi + stores->in_nmi, 1024);
	pebs_test_complete(test, loads, load_events, load_period);
	pebs_test_complete(test, stores, store_events, store_period);
	KUNIT_EXPECT_EQ(test, loads->fast, 0);
	KUNIT_EXPECT_EQ(test, loads->stores, 0);
	KUNIT_EXPECT_EQ(test, stores->stores, stores->samples);
	/* those to the arena, and hardly any of those to the stack */
	KUNIT_EXPECT_GT(test, stores->missed, 200000 / store_period * 9 / 10);
	KUNIT_EXPECT_LT(test, stores->missed, stores->samples - 100);
stop:
	pebs_test_stop(stores);
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
					       KUNIT_CASE(pebs_test_two_events),
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
